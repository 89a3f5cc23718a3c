"""A few real steps of a proposed run, for the memory and speed that its plan only estimates."""

from __future__ import annotations

import gc
import json
import shutil
import struct
import tempfile
import time
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import torch
from transformers import AutoConfig, AutoModelForCausalLM

from jlora_cli.errors import refuse
from jlora_cli.events import Notify, Stage, ignore
from jlora_cli.memory import heaviest_part
from jlora_cli.model import device_memory_gib
from jlora_cli.order import micro_batches, steps
from jlora_cli.training.compiling import tokens_of_pack
from jlora_cli.training.guard import is_out_of_memory
from jlora_cli.training.loading import load
from jlora_cli.training.loss import make_batch, summed_loss
from jlora_cli.training.optimizer import make_optimizer

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from torch.optim import Optimizer

    from jlora_cli.prompt import Encoded
    from jlora_cli.proposal import Proposal
    from jlora_cli.training.loading import Loaded

_HEAVIEST_STEPS, _TYPICAL_STEPS = 3, 4
_LEAST = 2  # of the heaviest: the first step makes the optimizer's state, the second has it already
_ENOUGH_S = 20.0  # a slow machine has told enough by then
_SPREAD = 0.02  # of random weights: what most architectures are initialised with


class Measured(NamedTuple):
    """`peak_gib`: of what torch allocated on a GPU, else of the process's resident set."""

    peak_gib: float
    tokens_per_second: float


def measure(proposal: Proposal, notify: Notify = ignore) -> Measured:
    """The peak memory and the speed of `proposal`'s real steps on this machine.

    Steps over the heaviest micro-batch tell the memory and warm up; steps as the run begins with
    tell the speed. The base is the local one, else one of its shape with random weights. On a CPU
    the peak is that of the whole process since it began: `--dry-run --measure` has done nothing
    else.

    Raises:
        JloraError: memory ran out, or the base cannot be used.
    """
    if torch.cuda.is_available():
        torch.cuda.reset_peak_memory_stats()
    with _weights(proposal, notify) as folder:
        try:
            return _Steps(proposal, load(proposal, folder, None)).measure(notify)
        finally:
            gc.collect()  # a model is full of circles
            torch.cuda.empty_cache()  # does nothing where CUDA was not used


class _Steps:
    """Real optimizer steps over a base that is thrown away afterwards."""

    def __init__(self, proposal: Proposal, loaded: Loaded) -> None:
        self._proposal = proposal
        self._adapted, self._precision = loaded
        self._optimizer: Optimizer = make_optimizer(self._adapted, proposal.config)
        self._adapted.train()
        config = proposal.config
        self._filled_to = tokens_of_pack(config, proposal.train, config.batch_size)

    def measure(self, notify: Notify) -> Measured:
        config, rows = self._proposal.config, self._proposal.train.rows
        heaviest = [rows[at] for at in heaviest_part(self._proposal.train.lengths, config)]
        tokens = sum(len(row.ids) for row in heaviest)
        notify(Stage("measure.heaviest", {"rows": len(heaviest), "tokens": tokens}))
        self._take([[heaviest]] * _HEAVIEST_STEPS, least=_LEAST)
        peak = device_memory_gib(self._adapted.device.type)
        notify(Stage("measure.typical", {}))
        return Measured(peak, self._take(self._first_steps(rows), least=1))

    def _first_steps(self, rows: Sequence[Encoded]) -> Iterator[list[list[Encoded]]]:
        """The steps that the run itself would begin with, by micro-batch."""
        config = self._proposal.config
        size = config.batch_size
        per_step = size * config.gradient_accumulation_steps  # of one process
        lengths, packing = self._proposal.train.lengths, config.packing is True
        order = steps(lengths, per_step=per_step, seed=config.seed, total_steps=_TYPICAL_STEPS)
        for numbers in order:
            parts = micro_batches(numbers, lengths, size, packing=packing)
            yield [[rows[at] for at in part] for part in parts]

    def _take(self, order: Iterable[list[list[Encoded]]], *, least: int) -> float:
        """Take steps until there are enough; returns tokens a second."""
        tokens, begun = 0, time.monotonic()
        for number, parts in enumerate(order, start=1):
            self._step(parts)
            tokens += sum(len(row.ids) for batch in parts for row in batch)
            if number >= least and time.monotonic() - begun > _ENOUGH_S:
                break
        return tokens / max(time.monotonic() - begun, 1e-9)

    def _step(self, parts: Sequence[Sequence[Encoded]]) -> None:
        """Forward, backward, clip, step; done when the device is done."""
        for rows in parts:
            self._learn(rows)
        moved = [p for p in self._adapted.parameters() if p.requires_grad]
        self._precision.clip(self._optimizer, moved, self._proposal.config.max_grad_norm)
        self._precision.move(self._optimizer)
        if self._adapted.device.type == "cuda":
            torch.cuda.synchronize()

    def _learn(self, rows: Sequence[Encoded]) -> None:
        proposal, device = self._proposal, self._adapted.device
        packing, pad_id = proposal.config.packing is True, proposal.format.pad_id or 0
        batch = make_batch(rows, packing=packing, pad_id=pad_id, filled_to=self._filled_to)
        try:
            with self._precision.autocast():
                loss = summed_loss(self._adapted, batch.to(device)) / max(1, len(batch.targets))
            self._precision.backward(loss)
        except RuntimeError as error:
            if not is_out_of_memory(error):
                raise
            longest = max(len(row.ids) for row in rows)
            raise refuse("measure.out_of_memory", rows=len(rows), tokens=longest) from error


@contextmanager
def _weights(proposal: Proposal, notify: Notify) -> Iterator[Path]:
    """The folder of the base, or of a random one in its shape where its weights are not local."""
    folder = proposal.model_folder
    if any(folder.glob("*.safetensors")):
        notify(Stage("train.stage.loading", {"model": proposal.config.model}))
        yield folder
        return
    notify(Stage("measure.random", {"model": proposal.config.model}))
    # On Windows a file that is mapped is not deleted until its model is gone.
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as made:
        write_random_base(folder, Path(made))
        yield Path(made)


def write_random_base(folder: Path, into: Path) -> None:
    """A base in `into` with the config.json of `folder` and random weights, a tensor at a time.

    The safetensors format: the header's length in 8 bytes, the header as JSON, the tensors.
    """
    shutil.copyfile(folder / "config.json", into / "config.json")
    config = AutoConfig.from_pretrained(folder, local_files_only=True)
    with torch.device("meta"):
        model = AutoModelForCausalLM.from_config(config)
    half = str(getattr(config, "dtype", None)) in ("torch.float16", "torch.bfloat16")
    kind, width = ("BF16", 2) if half else ("F32", 4)
    dtype = torch.bfloat16 if half else torch.float32
    header, end = {}, 0
    shapes = {name: tensor.shape for name, tensor in model.named_parameters()}
    for name, shape in shapes.items():
        start, end = end, end + shape.numel() * width
        header[name] = {"dtype": kind, "shape": list(shape), "data_offsets": [start, end]}
    text = json.dumps(header).encode()
    with (into / "model.safetensors").open("wb") as file:
        file.write(struct.pack("<Q", len(text)) + text)
        for shape in shapes.values():
            drawn = torch.empty(shape, dtype=dtype).normal_(std=_SPREAD)
            file.write(drawn.view(torch.uint8).numpy().data)
