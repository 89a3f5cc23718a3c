"""Gathered rows -> which stay, on which side and in what order, as the rules have it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from jlora_cli.errors import refuse
from jlora_cli.finding import finding
from jlora_cli.preparing import near
from jlora_cli.preparing.choosing import (
    DROPPED,
    TRAIN,
    VALIDATION,
    draw,
    repeated,
    set_aside,
    shuffled,
    standing_in,
)

if TYPE_CHECKING:
    from array import array

    from jlora_cli.preparing.gathering import Gathered
    from jlora_cli.preparing.values import Rules
    from jlora_cli.processes import Processes


@dataclass
class Decision:
    """The fate of every gathered row, and of every one of a validation source of its own.

    `order` is that of the training rows; None where it is that of the sources.
    """

    fates: bytearray
    held_out: bytearray = field(default_factory=bytearray)
    order: array[int] | None = None
    duplicates: int = 0

    @property
    def train_rows(self) -> int:
        return self.fates.count(TRAIN)

    @property
    def validation_rows(self) -> int:
        return self.fates.count(VALIDATION) + self.held_out.count(VALIDATION)


def decide(
    train: Gathered,
    held_out: Gathered | None,
    rules: Rules,
    *,
    share: float | None,
    processes: Processes,
) -> Decision:
    """What becomes of the rows; what falls away is counted in `train`, what is noticed told there.

    Raises:
        JloraError: too few rows are left for what was asked.
    """
    keys = train.spool.keys
    decision = Decision(bytearray(len(keys)))
    _duplicates(train, decision, rules)
    if rules.dedupe == "near":
        _drop(train, "near_duplicate", near.drop_near(train.spool, decision.fates, processes))
    if rules.sample is not None:
        _drop(train, "not_drawn", draw(decision.fates, keys, rules.sample, rules.seed))
    if share is not None:
        set_aside(decision.fates, keys, share, rules.seed)
    if held_out is not None:
        decision.held_out = _not_trained_on(train, held_out, decision.fates, rules)
    if rules.shuffle:
        decision.order = shuffled(decision.fates, keys, rules.seed)
    return decision


def _drop(train: Gathered, reason: str, count: int) -> None:
    if count:
        train.dropped[reason] += count


def _duplicates(train: Gathered, decision: Decision, rules: Rules) -> None:
    """Count copies of earlier rows; drop them where that was asked."""
    copies = repeated(train.spool.keys)
    decision.duplicates = count = copies.count(1)
    if not count:
        return
    if rules.dedupe:
        decision.fates[:] = copies.translate(bytes([TRAIN, DROPPED, *range(2, 256)]))
        train.dropped["duplicate"] += count
    else:
        rows = len(copies)
        train.findings.append(finding("prepare.duplicates", "warning", count=count, rows=rows))


def _not_trained_on(
    train: Gathered, held_out: Gathered, fates: bytearray, rules: Rules
) -> bytearray:
    """The fates of the validation source's rows: those that are trained on fall away."""
    keys = held_out.spool.keys
    trained = (key for key, fate in zip(train.spool.keys, fates, strict=True) if fate == TRAIN)
    shared = standing_in(keys, trained)
    count = shared.count(1)
    if count == len(keys):
        raise refuse("prepare.only_training_rows", value=rules.validation)
    if count:
        held_out.dropped["validation_in_training"] += count
        train.findings.append(finding("prepare.overlap", "warning", count=count))
    return shared.translate(bytes([VALIDATION, DROPPED, *range(2, 256)]))
