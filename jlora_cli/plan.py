"""Steps, tokens, memory and sizes of a run, before anything is loaded. Arithmetic, no torch."""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass, field, replace
from typing import TYPE_CHECKING

from jlora_cli.config import SHORTEST
from jlora_cli.memory import (
    GIB,
    adapter_parameters,
    available_gib,
    changes_that_fit,
    device_of,
    heaviest,
    kept_by_heap,
    memory_terms,
)
from jlora_cli.messages import say
from jlora_cli.order import micro_batches, steps

if TYPE_CHECKING:
    from collections.abc import Sequence

    from jlora_cli.config import Resolved, RunConfig
    from jlora_cli.machine import Machine
    from jlora_cli.prompt import EncodedRows
    from jlora_cli.shape import Shape

MIB = 2**20


@dataclass(frozen=True, kw_only=True)
class Plan:
    """What a run will do.

    `memory_gib` by term; its "total" is an estimate, or the peak of a few real steps where
    `measured`. `available_gib` is what is free where it runs, 0 where the machine does not tell;
    `would_fit` are settings that alone would make a run fit that does not. Times are None until
    they are measured.
    """

    rows: int
    tokens: int
    supervised_tokens: int
    padding_share: float
    truncated_rows: int
    cut_answers: int
    dropped_rows: int
    validation_rows: int
    longest_row: int
    optimizer_steps: int
    epochs: float = 0.0
    warmup_steps: int
    peak_learning_rate: float
    base_parameters: int = 0
    trainable_parameters: int
    trainable_share: float = 0.0
    adapter_mib: float = 0.0
    checkpoint_mib: float = 0.0
    download_gib: float = 0.0
    memory_gib: dict[str, float]
    measured: bool = False
    device: str = "cpu"
    available_gib: float
    would_fit: list[dict[str, object]] = field(default_factory=list)
    tokens_per_second: float | None = None
    seconds_per_epoch: float | None = None
    seconds_total: float | None = None

    def as_json(self) -> dict[str, object]:
        return asdict(self)

    def with_measured(
        self, *, peak_gib: float, tokens_per_second: float, processes: int = 1
    ) -> Plan:
        """The same with the memory and speed of one process's steps, and the times that follow."""
        per_second = tokens_per_second * processes
        return replace(
            self,
            memory_gib=self.memory_gib | {"total": round(peak_gib, 4)},
            measured=True,
            tokens_per_second=round(tokens_per_second, 1),
            seconds_per_epoch=round(self.tokens / per_second, 1),
            seconds_total=round(self.tokens * self.epochs / per_second, 1),
        )


def rows_per_step(config: RunConfig) -> int:
    """The rows of an optimizer step, over all processes."""
    return config.batch_size * config.gradient_accumulation_steps * int(config.processes)


def steps_of(config: RunConfig, rows: int) -> int:
    """Optimizer steps of the run: `max_steps` if given, else `epochs` over `rows`."""
    per_epoch = math.ceil(rows / rows_per_step(config))
    return config.max_steps or max(1, math.ceil(config.epochs * per_epoch)) * (rows > 0)


def epochs_of(config: RunConfig, rows: int) -> float:
    """How often the run goes over the rows: as asked, or what `max_steps` comes to."""
    per_epoch = math.ceil(rows / rows_per_step(config))
    return round(steps_of(config, rows) / per_epoch, 4) if rows else 0.0


def settle_for_data(resolved: Resolved, *, rows: int, validation_rows: int) -> Resolved:
    """Turn the settings that depend on the data from "auto" into values."""
    config = resolved.config
    steps = steps_of(config, rows)
    per_epoch = max(1, math.ceil(rows / rows_per_step(config)))
    reasons: dict[str, tuple[object, str]] = {}
    if config.warmup_steps == "auto":
        warmup = min(round(steps * config.warmup_ratio), max(0, steps - 1))
        share = f"{config.warmup_ratio:.0%}"
        reasons["warmup_steps"] = warmup, say("plan.reason.warmup", share=share, steps=steps)
    every = min(per_epoch, steps) or 1
    if config.evaluation_steps == "auto":
        key = "plan.reason.epoch" if validation_rows else "plan.reason.no_validation"
        reasons["evaluation_steps"] = every, say(key)
    if config.checkpoint_steps == "auto":
        reasons["checkpoint_steps"] = (
            max(every, math.ceil(steps / 10)),
            say("plan.reason.checkpoint"),
        )
    return resolved.with_auto(reasons)


# Minutes from which a run gets back what compiling takes, at about a third of the rate that an A100
# and a T4 are sold with. Where the line is best drawn was not measured.
_LONG_MIN = 20
_FLOPS_PER_S = {"bfloat16": 1e14, "float16": 2e13}


def settle_compile(
    resolved: Resolved, *, parameters: int, tokens: int, apart: bool, possible: bool
) -> Resolved:
    """Turn `compile` "auto" into whether the user waits less in total.

    tokens: of one process in the whole run. apart: rows are computed by jlora's own attention.
    possible: there is a GPU that it may be done on; else it was settled before.
    """
    config = resolved.config
    if config.compile is False or not possible:
        return resolved
    against = ""
    if not apart or config.attention != "varlen":
        against = say("settle.compile_rows")
    elif config.quantization != "none":
        against = say("settle.compile_quantized")
    if against:
        return resolved.with_auto({"compile": (False, against)})
    if config.compile is True:
        return resolved
    # Forward, and backward by the activations: 2 FLOPs a weight and token each (Kaplan et al. 2020,
    # section 2.1); the base's own gradients are never made.
    rate = _FLOPS_PER_S.get(config.precision, 1e13)
    minutes = 4.0 * parameters * tokens / rate / 60
    key = "settle.compile_pays" if minutes > _LONG_MIN else "settle.compile_short"
    reason = say(key, minutes=f"{minutes:.0f}")
    return resolved.with_auto({"compile": (minutes > _LONG_MIN, reason)})


def settle_max_length(
    resolved: Resolved, context: int, lengths: Sequence[int] = (), room: int | None = None
) -> Resolved:
    """Turn `max_length` "auto" into the 99th percentile of `lengths`, within context and memory.

    `lengths` are the tokens of whole rows, `room` the longest row that memory holds, None where
    that is not known. The longest hundredth costs as much memory as all others need.
    """
    config = resolved.config
    if config.max_length == "auto":
        return resolved.with_auto({"max_length": _auto_length(context, sorted(lengths), room)})
    if int(config.max_length) > context:
        reason = say("plan.reason.context_less", asked=config.max_length)
        return resolved.with_auto({"max_length": (context, reason)})
    return resolved


def _auto_length(context: int, lengths: Sequence[int], room: int | None) -> tuple[int, str]:
    if not lengths:
        return context, say("plan.reason.context")
    wanted = max(SHORTEST, lengths[math.ceil(0.99 * len(lengths)) - 1])
    if room is not None and room < min(wanted, context):
        return max(SHORTEST, room), say("plan.reason.memory", wanted=min(wanted, context))
    if context < wanted:
        return context, say("plan.reason.context_rows", wanted=wanted)
    return wanted, say("plan.reason.percentile", longest=lengths[-1])


def peak_learning_rate(config: RunConfig, steps: int) -> float:
    """The highest learning rate that the run reaches; lower than asked when warm-up is too long."""
    warmup = int(config.warmup_steps)
    return config.learning_rate * min(1.0, steps / warmup if warmup else 1.0)


def make_plan(  # noqa: PLR0913 - a run, its base, its place and its rows
    config: RunConfig,
    shape: Shape,
    machine: Machine,
    train: EncodedRows,
    *,
    validation_rows: int,
    weights_here: bool = True,
) -> Plan:
    """The plan of a settled config over encoded rows; `weights_here`: none are to be downloaded."""
    rows = train.rows
    lengths = train.lengths
    count, trained = steps_of(config, len(rows)), adapter_parameters(config, shape)
    terms = _memory(config, shape, machine, train)
    free = round(available_gib(machine), 2)
    return Plan(
        rows=len(rows),
        tokens=sum(lengths),
        supervised_tokens=sum(train.supervised),
        padding_share=0.0 if config.packing is True else round(_padding(lengths, config), 4),
        truncated_rows=train.shortened,
        cut_answers=train.cut,
        dropped_rows=len(train.dropped),
        validation_rows=validation_rows,
        longest_row=max(lengths, default=0),
        optimizer_steps=count,
        epochs=epochs_of(config, len(rows)),
        warmup_steps=int(config.warmup_steps),
        peak_learning_rate=peak_learning_rate(config, count),
        base_parameters=shape.parameters,
        trainable_parameters=trained,
        trainable_share=trained / (shape.parameters + trained) if trained else 0.0,
        adapter_mib=round(trained * 4 / MIB, 2),
        checkpoint_mib=_checkpoint_mib(config, terms),
        download_gib=0.0 if weights_here else _stored_gib(shape),
        memory_gib=terms,
        device=device_of(machine),
        available_gib=free,
        would_fit=(
            changes_that_fit(config, shape, machine, lengths, train.supervised)
            if rows and 0 < free < terms["total"]
            else []
        ),
    )


def _memory(
    config: RunConfig, shape: Shape, machine: Machine, train: EncodedRows
) -> dict[str, float]:
    batch = heaviest(train.lengths, train.supervised, config)
    tokens = sum(train.lengths)
    terms = memory_terms(config, shape, batch, device_of(machine), row_tokens=tokens)
    if device_of(machine) == "cpu":
        heap = kept_by_heap(config, terms, available_gib(machine))
        terms |= {"heap": heap, "total": terms["total"] + heap}
    return {name: round(gib, 4) for name, gib in terms.items()}


def _checkpoint_mib(config: RunConfig, terms: dict[str, float]) -> float:
    """Adapter and optimizer, and the best adapter where the run watches for it."""
    adapters = 2 if config.early_stopping_patience is not None else 1
    return round((adapters * terms["adapter"] + terms["optimizer"]) * GIB / MIB, 2)


def _stored_gib(shape: Shape) -> float:
    return round(shape.parameters * shape.stored_bytes / GIB, 2)


def _padding(lengths: Sequence[int], config: RunConfig) -> float:
    """The share of padding in the first epoch's batches, each padded to its longest row."""
    if not lengths:
        return 0.0
    total = math.ceil(len(lengths) / rows_per_step(config))
    made = steps(lengths, per_step=rows_per_step(config), seed=config.seed, total_steps=total)
    parts = [
        part
        for step in made
        for part in micro_batches(step, lengths, config.batch_size, packing=False)
    ]
    places = sum(max(lengths[at] for at in part) * len(part) for part in parts)
    return 1 - sum(lengths) / places
