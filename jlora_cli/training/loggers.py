"""TensorBoard and Weights & Biases: curves of a run in tools of other makers, where asked for.

What is sent: figures of steps and evaluations, and the settings. No text of the rows, no sample
prompts, no answers. A logger that fails is told of once and left out; the run goes on.
"""

from __future__ import annotations

import io
import json
import os
import re
import sys
from contextlib import contextmanager
from dataclasses import asdict
from typing import TYPE_CHECKING, Any, Protocol

from jlora_cli.errors import refuse
from jlora_cli.events import Stage, StepDone, Warned, ignore
from jlora_cli.messages import say
from jlora_cli.run_folder import write_whole

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from pathlib import Path

    from jlora_cli.config import Resolved
    from jlora_cli.events import Evaluated, Notify

OFFLINE = ("offline", "dryrun", "disabled")  # the modes of W&B in which nothing is sent
_PROJECT, _PATIENCE_S = "jlora", 60.0
_NOT_CURVES = ("step", "total_steps", "seconds", "seconds_left")
_NOT_SENT = ("sample_prompts",)
# A token of the Hugging Face Hub, and what stands before the host of an address.
_SECRET = re.compile(r"hf_\w{8,}|(?<=://)[^/@\s]+(?=@)")


class Logger(Protocol):
    """What draws curves elsewhere; `where` they are to be seen."""

    where: str

    def log(self, step: int, values: Mapping[str, float]) -> None:
        """Values of a step by the names of their curves."""

    def close(self) -> None:
        """Nothing more comes."""


class Loggers:
    """The loggers of one run; without `names` it does nothing."""

    def __init__(self, names: Sequence[str] = (), notify: Notify = ignore) -> None:
        self._names, self._notify = names, notify
        self._open: dict[str, Logger] = {}
        # The last step that was logged before the run was cut off, if it was.
        self.known = 0

    def open(self, output: Path, config: Mapping[str, Any], *, step: int) -> None:
        """Begin, or go on after `step`."""
        for name in self._names:
            with self._guarded(name):
                if name == "tensorboard":
                    opened: Logger = TensorBoard(output / name, config, step=step)
                else:
                    opened = WeightsAndBiases(output, config, known=self.known)
                self._open[name] = opened
                self._notify(Stage("logger.stage", {"name": name, "where": opened.where}))

    def log(self, event: StepDone | Evaluated) -> None:
        """The event's figures as points of curves."""
        for name, logger in list(self._open.items()):
            with self._guarded(name):
                logger.log(event.step, points(event))

    def close(self) -> None:
        """The run is at its end."""
        for name, logger in list(self._open.items()):
            with self._guarded(name):
                logger.close()
        self._open.clear()

    @contextmanager
    def _guarded(self, name: str) -> Iterator[None]:
        try:
            yield
        # Whatever a foreign library raises, a full disk or a network that is gone, no run of
        # hours ends for the sake of a curve; metrics.jsonl holds the same figures.
        except Exception as error:  # noqa: BLE001
            self._open.pop(name, None)
            self._notify(Warned(say("logger.lost", name=name, problem=_problem(error))))


def _problem(error: Exception) -> str:
    """The first line of what another library says, or at least what it calls it."""
    return str(error).strip().split("\n")[0] or type(error).__name__


def points(event: StepDone | Evaluated) -> dict[str, float]:
    """Figures of an event by their curves, named as transformers' Trainer names them."""
    group = "train" if isinstance(event, StepDone) else "eval"
    figures = asdict(event)
    return {
        f"{group}/{name}": float(value)
        for name, value in figures.items()
        if value is not None and name not in _NOT_CURVES
    }


def shown_config(resolved: Resolved) -> dict[str, Any]:
    """The settled settings that may leave the machine."""
    settings = resolved.as_json()
    return {
        name: _without_secrets(entry["value"])
        for name, entry in settings.items()
        if name not in _NOT_SENT
    }


def _without_secrets(value: object) -> object:
    return _SECRET.sub("***", value) if isinstance(value, str) else value


class TensorBoard:
    """Event files in `folder`, for `tensorboard --logdir`."""

    def __init__(self, folder: Path, config: Mapping[str, Any], *, step: int) -> None:
        from torch.utils.tensorboard import SummaryWriter  # noqa: PLC0415 - an extra

        self.where = str(folder)
        # Points after `step` that an earlier part of the run has left are hidden.
        self._writer: Any = SummaryWriter(str(folder), purge_step=step + 1 if step else None)
        text = json.dumps(config, ensure_ascii=False, indent=2, default=str)
        self._writer.add_text("config", f"```json\n{text}\n```", step)

    def log(self, step: int, values: Mapping[str, float]) -> None:
        for name, value in values.items():
            self._writer.add_scalar(name, value, step)
        # At once: what a kill would lose, and so that a full disk is told in time.
        self._writer.flush()

    def close(self) -> None:
        self._writer.close()


class WeightsAndBiases:
    """One run of W&B, whose files lie in RUN/wandb; `where` is its page, or that folder."""

    def __init__(self, output: Path, config: Mapping[str, Any], *, known: int) -> None:
        import wandb  # noqa: PLC0415 - an extra

        remembered = output / "wandb" / "jlora-run-id.txt"
        old = remembered.read_text(encoding="utf-8").strip() if remembered.is_file() else None
        with nobody_to_ask():
            self._run: Any = wandb.init(
                dir=str(output),
                project=os.environ.get("WANDB_PROJECT", _PROJECT),
                name=os.environ.get("WANDB_NAME", output.name),
                id=old,
                resume="allow" if old else None,
                config=dict(config),
                settings=_settings(wandb),
            )
        # Online, W&B drops the steps that it has; offline, it cannot know them.
        self._known = known if old and self._run.offline else 0
        remembered.parent.mkdir(exist_ok=True)
        write_whole(remembered, f"{self._run.id}\n")
        page = None if self._run.offline else self._run.url
        self.where = str(page or output / "wandb")

    def log(self, step: int, values: Mapping[str, float]) -> None:
        if step > self._known:
            self._run.log(dict(values), step=step)

    def close(self) -> None:
        self._run.finish()


def _settings(wandb: Any) -> Any:
    """Nothing printed, and nothing taken along that was not asked for: code, diffs, the screen."""
    return wandb.Settings(
        silent=True,
        console="off",
        disable_git=True,
        save_code=False,
        x_disable_meta=True,
        # What a network that is gone has left unsent lies in RUN/wandb, for `wandb sync`.
        finish_timeout=_PATIENCE_S,
        finish_timeout_raises=True,
    )


def require_access(names: Sequence[str]) -> None:
    """Refuse a run that would report to W&B without a key, where W&B would ask for one.

    Raises:
        JloraError: no key is known, and the mode is not an offline one.
    """
    if "wandb" not in names:
        return
    import wandb  # noqa: PLC0415 - an extra

    try:
        if wandb.setup(_settings(wandb)).settings.mode not in OFFLINE:
            with nobody_to_ask():
                wandb.login()
    except Exception as error:  # one of its own, or of what it sends with
        raise refuse("logger.no_access", problem=_problem(error)) from error


@contextmanager
def nobody_to_ask() -> Iterator[None]:
    """W&B asks on a terminal, where a run must not wait; without one it raises."""
    stdin, sys.stdin = sys.stdin, io.StringIO()
    try:
        yield
    finally:
        sys.stdin = stdin
