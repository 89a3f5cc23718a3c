"""The events of a piece of work, told to a person as they come."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from jlora_cli.events import Answered, Evaluated, Sampled, Saved, Stage, StepDone, Typed, Warned
from jlora_cli.messages import say
from jlora_cli.screen.progress import Answers, Steps
from jlora_cli.screen.terminal import draws_progress, error_console, note, warn

if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Self

    from rich.console import Console, RenderableType
    from rich.live import Live

    from jlora_cli.events import Event
    from jlora_cli.screen.progress import View

# Drawing a panel takes 4 ms, during which a training step may have to wait for Python.
_DRAWN_PER_SECOND = 2


class Teller:
    """Tells events: progress drawn in place on a terminal, plain lines elsewhere.

    Use it as a context manager; `teller.notify` is the worker's `notify`. Progress is drawn by a
    thread of rich's a few times a second, however many steps a second there are; an event only
    changes what will be drawn. Nothing is drawn, and no cursor hidden, before work is told of.
    """

    def __init__(self) -> None:
        self._draws = False
        self._live: Live | None = None
        self._view: View | None = None
        self._told = -1
        self._frame: list[int] = []  # how wide its lines are, as they were drawn last

    def __enter__(self) -> Self:
        self._draws = draws_progress()
        return self

    def __exit__(self, *_: object) -> None:
        self._put_away()
        self._draws = False

    def notify(self, event: Event) -> None:
        """Tell a person about `event`."""
        if isinstance(event, Warned):
            warn(event.text)
        elif isinstance(event, Stage):
            self._put_away()
            note(f"• {say(event.name, **event.values)}")
        elif isinstance(event, Typed):
            self._put_away()
            note(f"\n$ {event.command}")
        elif isinstance(event, StepDone):
            self._step(event)
        elif isinstance(event, Answered):
            self._show(Answers(event))
            if event.done == event.total and self._live is not None:
                self._put_away()
        else:
            if isinstance(event, Evaluated) and isinstance(self._view, Steps):
                self._view.evaluated(event)
            note(_told(event))

    def _step(self, event: StepDone) -> None:
        if isinstance(self._view, Steps):
            self._view.add(event)
            self._show(self._view)
        else:
            self._show(Steps(event))

    def _show(self, view: View) -> None:
        """Progress as it stands now, in the place of what was shown of it."""
        self._view = view
        if not self._draws:
            # Without a terminal: some twenty lines a run, and the last.
            if view.done * 20 // view.total > self._told or view.done == view.total:
                self._told = view.done * 20 // view.total
                note(f"  {view.plain()}")
        elif self._live is None:
            from rich.live import Live  # noqa: PLC0415

            self._live = Live(
                get_renderable=self._draw,
                console=error_console(),
                refresh_per_second=_DRAWN_PER_SECOND,
                transient=True,
                vertical_overflow="crop",
                # Else rich would send data written to stdout meanwhile to this console: stderr.
                redirect_stdout=False,
            )
            self._live.start()

    def _draw(self) -> RenderableType:
        """What rich shall draw over the frame before."""
        from rich.segment import SegmentLines  # noqa: PLC0415

        console = error_console()
        _undo_folds(console, self._frame)
        lines = console.render_lines(self._view.draw(console), pad=False) if self._view else []
        self._frame = [sum(segment.cell_length for segment in line) for line in lines]
        return SegmentLines(lines, new_lines=True)

    def _put_away(self) -> None:
        """What was in progress is done or given up: the terminal is as it was before."""
        if self._live is not None:
            self._live.stop()
        self._live = self._view = None
        self._frame = []
        self._told = -1


def _undo_folds(console: Console, frame: Sequence[int]) -> None:
    """Take away the rows that lines of a frame got more when the terminal became narrower.

    Most terminals fold what is on them anew, and rich (15.0) goes up by as many rows as it wrote.
    """
    more = sum(max(0, math.ceil(cells / console.width) - 1) for cells in frame)
    if more:
        from rich.control import Control  # noqa: PLC0415
        from rich.segment import ControlType  # noqa: PLC0415

        erase, up = (ControlType.ERASE_IN_LINE, 2), (ControlType.CURSOR_UP, 1)
        console.control(Control(ControlType.CARRIAGE_RETURN, erase, *(up, erase) * more))


def _told(event: Evaluated | Sampled | Saved) -> str:
    """What happened after a step, in a line."""
    if isinstance(event, Evaluated):
        return say("screen.evaluated", step=event.step, loss=f"{event.loss:.4f}")
    if isinstance(event, Saved):
        return say("screen.saved", step=event.step, path=event.path)
    texts = {"prompt": _brief(event.prompt), "answer": _brief(event.answer)}
    return say("screen.sampled", step=event.step, **texts)


def _brief(text: str) -> str:
    """The beginning of a text, on one line."""
    line = " ".join(text.split())
    return line if len(line) <= _BRIEF else line[: _BRIEF - 1] + "…"


_BRIEF = 32  # characters, which are two cells each in Japanese
