"""jlora's side: the steps that `jlora train` takes with a profile on this machine, and no copy."""

from __future__ import annotations

import time
from functools import cache, partial
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import torch

from benchmarks.gpu.bases import random_base
from benchmarks.gpu.rows import Lengths, make_row
from benchmarks.gpu.shapes import flops_of, work_of
from benchmarks.gpu.timing import Pace, reset_peak, take_steps
from jlora_cli.config import parse_options, resolve, settle, training_gpu
from jlora_cli.machine import read_machine
from jlora_cli.model import device_memory_gib
from jlora_cli.order import steps
from jlora_cli.plan import rows_per_step, settle_compile, settle_for_data
from jlora_cli.profile import load_profile
from jlora_cli.shape import read_shape
from jlora_cli.training.checkpoints import Trained
from jlora_cli.training.compiling import compile_blocks, tokens_of_pack, undo_compile
from jlora_cli.training.fitting import MicroBatch
from jlora_cli.training.gauge import Gauge
from jlora_cli.training.guard import Guard
from jlora_cli.training.last_block import widen_last_block
from jlora_cli.training.loading import load
from jlora_cli.training.loss import make_batch, summed_loss
from jlora_cli.training.optimizer import make_optimizer, make_scheduler
from jlora_cli.training.processes import World
from jlora_cli.training.rotary import rotate_as_stock
from jlora_cli.training.step import Stepper

if TYPE_CHECKING:
    from jlora_cli.config import Resolved, RunConfig
    from jlora_cli.machine import Machine
    from jlora_cli.shape import Shape
    from jlora_cli.training.loading import Loaded

SHOWN = (
    *("precision", "quantization", "attention", "compile", "packing", "gradient_checkpointing"),
    *("batch_size", "gradient_accumulation_steps", "max_length", "lora_r", "lora_targets"),
)

# Half precision takes some CPUs 30 times as long, and here nothing is timed on one.
_ON: dict[str, dict[str, object]] = {"cuda": {}, "cpu": {"precision": "float32"}}


def settled(
    profile: str, options: dict[str, object], machine: Machine, shape: Shape, lengths: Lengths
) -> Resolved:
    """The settings that `jlora train` would run with here, over rows of these lengths."""
    resolved = resolve(load_profile(profile).resolved_values(), parse_options(options))
    resolved, _ = settle(resolved, machine)
    resolved = resolved.with_auto({"packing": (True, "")})
    resolved = settle_for_data(resolved, rows=len(lengths.lengths), validation_rows=0)
    return settle_compile(
        resolved,
        parameters=shape.parameters,
        tokens=sum(lengths.lengths),
        apart=True,
        possible=training_gpu(machine) is not None,
    )


def measure(  # noqa: PLR0913 - a profile, a shape, its rows and how long
    profile: str,
    options: dict[str, object],
    made_of: dict[str, Any],
    lengths: Lengths,
    device: str,
    pace: Pace,
) -> dict[str, object]:
    """Figures of optimizer steps as a run takes them, over its own first rows."""
    machine, shape = read_machine(), read_shape(made_of)
    resolved = settled(profile, options | _ON[device], machine, shape, lengths)
    config = resolved.config
    if against := _against(resolved, options):
        return {"status": "skipped", "reason": against}
    loaded = _load(config, made_of, machine, device)
    reset_peak(device)
    count = pace.warm + pace.timed
    stepper = _stepper(loaded, config, lengths, count)
    gauge = Gauge(loaded.adapted.device)
    order = steps(
        lengths.lengths, per_step=rows_per_step(config), seed=config.seed, total_steps=count
    )
    chosen = [[make_row(at, lengths, shape.vocabulary) for at in step] for step in order]
    left = iter(enumerate(chosen, start=1))

    def step() -> Any:
        number, rows = next(left)
        stepper.take(number, rows)
        gauge.read()
        return work_of(rows)

    timed = take_steps(step, pace, device)
    return {
        "settings": {name: getattr(config, name) for name in SHOWN},
        "compile_reason": resolved.sources["compile"].reason,
        "rows_in_memory": stepper.micro_batch.rows,
        "peak_gib": device_memory_gib(device),
        "flops_per_s": flops_of(shape, timed.work) / sum(timed.seconds),
        **timed.as_json(),
    }


def _against(resolved: Resolved, options: dict[str, object]) -> str:
    """Why a run would not be compiled that is to be; empty where nothing is against it."""
    compiled = resolved.config.compile is True
    return "" if compiled or not options.get("compile") else resolved.sources["compile"].reason


def _load(config: RunConfig, made_of: dict[str, Any], machine: Machine, device: str) -> Loaded:
    if device == "cuda" and training_gpu(machine) is None:
        raise RuntimeError("torch has a GPU, but neither nvidia-smi nor NVML tells of one")
    how = {"precision": config.precision, "quantization": config.quantization}
    base = random_base(made_of, device, **how)
    torch.manual_seed(config.seed)
    # What `load` asks of a proposal where the base is there already.
    proposal: Any = SimpleNamespace(
        config=config, machine=machine, plan=SimpleNamespace(memory_gib={"heap": 1.0})
    )
    return load(proposal, Path(), None, base)


def _stepper(loaded: Loaded, config: RunConfig, lengths: Lengths, count: int) -> Stepper:
    adapted, precision = loaded
    adapted.train()
    optimizer = make_optimizer(adapted, config)
    trained = Trained(adapted, optimizer, make_scheduler(optimizer, config, count), precision)
    train: Any = lengths  # as far as it is asked
    return Stepper(
        trained,
        config,
        pad_id=0,
        guard=Guard(adapted, steps=count),
        micro_batch=MicroBatch(config.batch_size, World(), lambda _: None),
        world=World(),
        filled_to=cache(partial(tokens_of_pack, config, train)),
    )


# -- compiled and not --------------------------------------------------------------------------


def agreement(
    made_of: dict[str, Any], lengths: Lengths, device: str, **how: Any
) -> dict[str, object]:
    """Whether compiled blocks give the loss and gradients of blocks as they are.

    Two blocks of full width without dropout; LoRA's B is filled, because at zero the gradients of
    A would be zero too. `how`: arguments of torch.compile.
    """
    machine, shape = read_machine(), read_shape(made_of)
    options: dict[str, object] = {"lora_dropout": 0.0, "compile": False}
    config = settled("h200", options | _ON[device], machine, shape, lengths).config
    if device == "cuda" and config.attention != "varlen":
        return {"status": "skipped", "reason": "rows one by one are not compiled"}
    loaded = _load(config, made_of | {"num_hidden_layers": 2}, machine, device)
    base = loaded.adapted.get_base_model()
    # What `load` does to a base that is not compiled.
    widen_last_block(base)
    rotate_as_stock(base)
    for name, parameter in loaded.adapted.named_parameters():
        if "lora_B" in name:
            parameter.data.normal_(std=0.02)
    # Row by row, every length would be compiled.
    count = config.batch_size if config.attention == "varlen" else 1
    rows = [make_row(at, lengths, shape.vocabulary) for at in range(count)]
    plain, _ = _once(loaded, rows)
    compile_blocks(base, **how)
    compiled, seconds = _once(loaded, rows)
    undo_compile(base)
    apart = [_apart(plain[name], compiled[name]) for name in plain if name != "loss"]
    return {
        "loss_apart": _apart(plain["loss"], compiled["loss"]),
        "gradients_apart": max(apart),
        "tensors": len(apart),
        "compile_s": round(seconds, 2),
        "agrees": _apart(plain["loss"], compiled["loss"]) < 1e-2 and max(apart) < 5e-2,
    }


def _once(loaded: Loaded, rows: list[Any]) -> tuple[dict[str, torch.Tensor], float]:
    """The loss and gradients by name, and the seconds that they took."""
    adapted, precision = loaded
    adapted.train().zero_grad()
    begun = time.perf_counter()
    batch = make_batch(rows, packing=True, pad_id=0).to(adapted.device)
    with precision.autocast():
        loss = summed_loss(adapted, batch)
    loss.backward()  # type: ignore[no-untyped-call]
    found = {"loss": loss.detach().float()}
    for name, parameter in adapted.named_parameters():
        if parameter.grad is not None:
            found[name] = parameter.grad.detach().clone()
    float(found["loss"])
    return found, time.perf_counter() - begun


def _apart(one: torch.Tensor, other: torch.Tensor) -> float:
    """How far they are from each other, as a share of the first one's size."""
    return float((one - other).norm() / one.norm().clamp_min(1e-12))
