"""What work tells whoever listens: plain values, no terminal."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True)
class Stage:
    """A named part of the work has begun; `name` is a catalogue key."""

    name: str
    values: dict[str, object]


@dataclass(frozen=True)
class Typed:
    """The demo does next what `command` does, as a user would type it."""

    command: str


@dataclass(frozen=True)
class StepDone:
    """One optimizer step. `loss` is the mean over the supervised tokens of the step.

    Speeds are those of the run so far; `seconds` is what its steps took. `memory_gib` is the peak
    so far, of the GPU's allocations or else of the process. `gpu_utilisation` (per cent) and
    `gpu_watts` are of the GPU that trains, at the moment; None where nothing tells them.
    """

    step: int
    total_steps: int
    loss: float
    learning_rate: float
    tokens_per_second: float
    seconds_left: float
    seconds: float = 0.0
    epoch: float = 0.0
    rows_per_second: float = 0.0
    memory_gib: float | None = None
    gpu_utilisation: float | None = None
    gpu_watts: float | None = None


@dataclass(frozen=True)
class Evaluated:
    """The validation rows were scored; `loss` in nats per supervised token."""

    step: int
    loss: float


@dataclass(frozen=True)
class Saved:
    """A checkpoint was written whole to `path`."""

    step: int
    path: str


@dataclass(frozen=True)
class Sampled:
    """A sample prompt was answered while training goes on."""

    step: int
    prompt: str
    answer: str


@dataclass(frozen=True)
class Answered:
    """`done` of `total` prompts have their answers."""

    done: int
    total: int


@dataclass(frozen=True)
class Warned:
    """Something a person should know while the work goes on; a finished sentence."""

    text: str


Event = Stage | Typed | StepDone | Evaluated | Saved | Sampled | Answered | Warned
Notify = Callable[[Event], None]


def ignore(_: Event) -> None:
    """Listen to nothing."""
