"""TRL's and unsloth's side, where they are installed: as each comes, with the same rows.

Both train with TRL's SFTTrainer on rows that are ids already, padded to the longest of a batch:
without FlashAttention's own package TRL does not pack safely. Neither is asked for at install.
"""

from __future__ import annotations

import tempfile
import time
from typing import TYPE_CHECKING, Any

from transformers import TrainerCallback

from benchmarks.gpu.bases import random_base
from benchmarks.gpu.rows import Lengths, make_row
from benchmarks.gpu.shapes import Work, flops_of, work_of
from benchmarks.gpu.timing import Pace, Timed, reset_peak
from jlora_cli.model import device_memory_gib
from jlora_cli.order import epoch_order
from jlora_cli.prompt import IGNORED
from jlora_cli.shape import read_shape

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerFast

TARGETS = ["q_proj", "k_proj", "v_proj", "o_proj"]
ROWS, PARTS = 16, 2


def with_trl(
    made_of: dict[str, Any], lengths: Lengths, device: str, pace: Pace
) -> dict[str, object]:
    """Figures of TRL's SFTTrainer with PEFT on a 4-bit base."""
    from peft import LoraConfig  # noqa: PLC0415 - the first contestant need not wait for it

    base = random_base(made_of, device, precision="bfloat16", quantization="4bit")
    adapter = LoraConfig(
        r=8, lora_alpha=32, lora_dropout=0.1, target_modules=TARGETS, task_type="CAUSAL_LM"
    )
    return _train(base, made_of, lengths, device, pace, peft_config=adapter)


def with_unsloth(
    made_of: dict[str, Any], lengths: Lengths, device: str, pace: Pace
) -> dict[str, object]:
    """Figures of unsloth's patched model in the same trainer; its base goes through a folder."""
    from unsloth import FastLanguageModel  # noqa: PLC0415 - patches all that is imported later

    with tempfile.TemporaryDirectory() as folder:
        random_base(made_of, device, precision="bfloat16").save_pretrained(folder)
        tokenizer_of(made_of).save_pretrained(folder)
        base, _ = FastLanguageModel.from_pretrained(
            folder, max_seq_length=512, load_in_4bit=True, local_files_only=True
        )
    # With dropout unsloth leaves its fast path.
    adapted = FastLanguageModel.get_peft_model(
        base, r=8, lora_alpha=32, lora_dropout=0.0, target_modules=TARGETS
    )
    return _train(adapted, made_of, lengths, device, pace)


def tokenizer_of(made_of: dict[str, Any]) -> PreTrainedTokenizerFast:
    """A tokenizer for a trainer that wants one; no text is given to it."""
    from tokenizers import Tokenizer  # noqa: PLC0415 - as above
    from tokenizers.models import WordLevel  # noqa: PLC0415
    from transformers import PreTrainedTokenizerFast  # noqa: PLC0415

    words = {f"<{number}>": number for number in range(made_of["vocab_size"])}
    plain = Tokenizer(WordLevel(words, unk_token="<1>"))
    named = {"pad_token": "<0>", "unk_token": "<1>", "bos_token": "<2>", "eos_token": "<3>"}
    return PreTrainedTokenizerFast(tokenizer_object=plain, **named)


class _Watch(TrainerCallback):
    """When each optimizer step was over."""

    def __init__(self, pace: Pace) -> None:
        self.pace, self.ends = pace, list[float]()

    def on_step_begin(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        if not self.ends:
            self.ends.append(time.perf_counter())

    def on_step_end(self, args: Any, state: Any, control: Any, **_: Any) -> Any:
        import torch  # noqa: PLC0415 - as above

        if torch.cuda.is_available():
            torch.cuda.synchronize()
        self.ends.append(time.perf_counter())
        if self.ends[-1] - self.ends[0] > self.pace.limit_s and len(self.ends) > 2:
            control.should_training_stop = True
        return control


def _train(
    model: Any,
    made_of: dict[str, Any],
    lengths: Lengths,
    device: str,
    pace: Pace,
    **more: Any,
) -> dict[str, object]:
    from datasets import Dataset  # noqa: PLC0415 - as above
    from trl import SFTConfig, SFTTrainer  # noqa: PLC0415

    shape, count = read_shape(made_of), pace.warm + pace.timed
    chosen = epoch_order(len(lengths.lengths), seed=42, epoch=0)[: count * ROWS * PARTS]
    rows = [make_row(at, lengths, shape.vocabulary) for at in chosen]
    told = [
        {"input_ids": row.ids, "completion_mask": [int(one != IGNORED) for one in row.labels]}
        for row in rows
    ]
    watch = _Watch(pace)
    with tempfile.TemporaryDirectory() as folder:
        settings = SFTConfig(
            output_dir=folder,
            max_steps=count,
            per_device_train_batch_size=ROWS,
            gradient_accumulation_steps=PARTS,
            learning_rate=2e-4,
            max_length=512,
            bf16=device == "cuda",
            use_cpu=device != "cuda",
            gradient_checkpointing=False,
            report_to="none",
            save_strategy="no",
            disable_tqdm=True,
        )
        trainer = SFTTrainer(
            model=model,
            args=settings,
            train_dataset=Dataset.from_list(told),
            processing_class=tokenizer_of(made_of),
            callbacks=[watch],
            **more,
        )
        reset_peak(device)
        trainer.train()
    return _figures(watch, rows, shape, device, pace)


def _figures(watch: _Watch, rows: Any, shape: Any, device: str, pace: Pace) -> dict[str, object]:
    """Rows are drawn anew by the trainer: a step has their mean."""
    seconds = [after - before for before, after in zip(watch.ends, watch.ends[1:], strict=False)]
    warm = min(pace.warm, len(seconds) - 1)
    share = (len(seconds) - warm) * ROWS * PARTS / len(rows)
    work = Work(*(round(share * one) for one in work_of(rows)))
    timed = Timed(seconds[0], seconds[warm:], work)
    return {
        "settings": {
            "precision": "bfloat16",
            "quantization": "4bit",
            "batch_size": ROWS,
            "gradient_accumulation_steps": PARTS,
        },
        "peak_gib": device_memory_gib(device),
        "flops_per_s": flops_of(shape, work) / sum(timed.seconds),
        **timed.as_json(),
    }
