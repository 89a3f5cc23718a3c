"""How far a piece of work is: in a plain line, a live line or a panel."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Protocol

from jlora_cli.messages import say
from jlora_cli.screen.chart import ASCII, BLOCKS, Glyphs, Losses, bar

if TYPE_CHECKING:
    from collections.abc import Iterable

    from rich.console import Console, RenderableType
    from rich.table import Table
    from rich.text import Text

    from jlora_cli.events import Answered, Evaluated, StepDone

# A panel leaves half of a terminal to what is told meanwhile; below, a line has to do.
PANEL_COLUMNS, PANEL_ROWS = 100, 24
_WIDEST = 120
_CHART_ROWS = 6
_SCALE = 7  # cells of the chart's numbers
_A_ROW = 4  # figures beside each other
_BAR = 16
# Figures of the live line as they stand in it, and in what order they give way to a narrow one.
_SHOWN = ("loss", "rate", "rows", "tokens", "memory", "gpu", "watts", "left")
_GIVE_WAY = ("rate", "bar", "rows", "watts", "memory", "gpu", "tokens", "left", "loss")
_BAR_HERE = "|"  # the bar's place among the parts of a line
_PANEL = ("loss", "validation", "rate", "memory", "rows", "tokens", "gpu", "watts")


class View(Protocol):
    """Work in progress, as far as it has been told."""

    done: int
    total: int

    def plain(self) -> str:
        """A line that stands by itself."""

    def draw(self, console: Console) -> RenderableType:
        """As it looks now on this console, whose size may have changed."""


def glyphs_of(console: Console) -> Glyphs:
    """Blocks where the console can print them and counts them as one cell each."""
    # Rich calls a Windows console legacy that knows no control sequences; its fonts lack blocks
    # or, in Japanese ones, give them two cells.
    return ASCII if console.legacy_windows or console.options.ascii_only else BLOCKS


class Answers:
    """Prompts that are being answered."""

    def __init__(self, event: Answered) -> None:
        self.done, self.total = event.done, event.total

    def plain(self) -> str:
        return say("screen.answers", value=f"{self.done}/{self.total}")

    def draw(self, console: Console) -> RenderableType:
        return _line(console, [self.plain(), _BAR_HERE], self.done / self.total)


class Steps:
    """A run in training."""

    def __init__(self, first: StepDone) -> None:
        self._losses = Losses(first.step, first.total_steps)
        self._began = time.monotonic() - first.seconds
        self._validation: float | None = None
        self.total = first.total_steps
        self.add(first)

    def add(self, event: StepDone) -> None:
        """One more step was taken."""
        self._event, self._told = event, time.monotonic()
        self.done = event.step
        self._losses.add(event.loss)

    def evaluated(self, event: Evaluated) -> None:
        """The held-out rows were scored."""
        self._validation = event.loss
        self._losses.mark(event.step, event.loss)

    def plain(self) -> str:
        return "  ".join([self._step(), *self._figures().values()])

    def draw(self, console: Console) -> RenderableType:
        width, height = console.size
        if width < PANEL_COLUMNS or height < PANEL_ROWS:
            return self._live_line(console)
        return self._panel(console, min(width, _WIDEST))

    # -- figures -----------------------------------------------------------------------------

    def _step(self) -> str:
        return say("screen.step", value=f"{self.done}/{self.total}")

    def _values(self) -> dict[str, str]:
        """Every figure that there is, as text with its unit where a label does not say it."""
        event, now = self._event, time.monotonic()
        left = event.seconds_left - (now - self._told)
        values = {
            "loss": f"{event.loss:.4f}",
            "validation": "-" if self._validation is None else f"{self._validation:.4f}",
            "rate": f"{event.learning_rate:.2e}",
            "memory": _unless_none(event.memory_gib, "{:.2f} GiB"),
            "rows": f"{event.rows_per_second:,.1f}",
            "tokens": f"{event.tokens_per_second:,.0f}",
            "gpu": _unless_none(event.gpu_utilisation, "{:.0f} %"),
            "watts": _unless_none(event.gpu_watts, "{:.0f} W"),
            "elapsed": _time(now - self._began),
            "left": _time(max(0.0, left)),
        }
        return {name: text for name, text in values.items() if text}

    def _figures(self) -> dict[str, str]:
        """Those of a line, with words."""
        values = self._values()
        bare = ("memory", "watts")
        return {
            name: values[name] if name in bare else say(f"screen.line.{name}", value=values[name])
            for name in _SHOWN
            if name in values
        }

    # -- drawings ----------------------------------------------------------------------------

    def _live_line(self, console: Console) -> RenderableType:
        """What the console has room for, the most important of it at least."""
        parts = {"step": self._step(), "bar": _BAR_HERE, **self._figures()}
        for name in _GIVE_WAY:
            if _line_cells(parts.values()) < console.width:
                break
            parts.pop(name, None)
        return _line(console, parts.values(), self.done / self.total)

    def _panel(self, console: Console, width: int) -> RenderableType:
        from rich import box  # noqa: PLC0415
        from rich.console import Group  # noqa: PLC0415
        from rich.panel import Panel  # noqa: PLC0415
        from rich.text import Text  # noqa: PLC0415

        glyphs = glyphs_of(console)
        inner = width - 4  # the frame, and a space on either side
        share = self.done / self.total
        percent = f" {100 * share:3.0f} %"
        whole = Text.assemble(*_bar(share, inner - len(percent), glyphs), percent)
        epochs = self._event.epoch * self.total / self.done
        epoch = f"{self._event.epoch:.1f}/{epochs:.1f}"
        title = say("screen.panel.title", step=f"{self.done}/{self.total}", epoch=epoch)
        return Panel(
            Group(whole, Text(), *self._chart(inner, glyphs), Text(), self._grid(inner)),
            title=Text(f" {title} ", "not dim bold"),
            subtitle=_legend(glyphs),
            box=box.ASCII if glyphs is ASCII else box.ROUNDED,
            border_style="dim",
            width=width,
        )

    def _chart(self, width: int, glyphs: Glyphs) -> list[Text]:
        from rich.text import Text  # noqa: PLC0415

        rows, high, low = self._losses.draw(width - _SCALE, _CHART_ROWS, glyphs)
        scale = [_number(high), *[""] * (_CHART_ROWS - 2), _number(low)]
        drawn = []
        for number, row in zip(scale, rows, strict=True):
            curve = Text(row, CURVE)
            curve.highlight_words([glyphs.mark], MARK)
            drawn.append(Text.assemble((f"{number:>{_SCALE - 1}} ", "dim"), curve))
        return drawn

    def _grid(self, width: int) -> Table:
        """The figures, some to a row, label beside value."""
        from rich.table import Table  # noqa: PLC0415
        from rich.text import Text  # noqa: PLC0415

        values = self._values()
        names = [name for name in (*_PANEL, "elapsed", "left") if name in values]
        grid = Table.grid(padding=(0, 1), expand=False)
        grid.width = width
        for _ in range(_A_ROW):
            grid.add_column(no_wrap=True)
            grid.add_column(no_wrap=True, ratio=1)
        for at in range(0, len(names), _A_ROW):
            cells: list[Text] = []
            for name in names[at : at + _A_ROW]:
                cells += [Text(say(f"screen.panel.{name}"), "dim"), Text(values[name], "bold")]
            grid.add_row(*cells)
        return grid


CURVE, MARK = "cyan", "bold yellow"
DONE, OPEN = "cyan", "dim"


def _line_cells(parts: Iterable[str]) -> int:
    """How wide a line of these parts is, with the spaces between them."""
    from rich.cells import cell_len  # noqa: PLC0415

    return sum(2 + (_BAR if part == _BAR_HERE else cell_len(part)) for part in parts) - 2


def _line(console: Console, parts: Iterable[str], share: float) -> Text:
    """The parts, one of which may be the place of the bar; never wider than the console."""
    from rich.text import Text  # noqa: PLC0415

    bar_drawn = Text.assemble(*_bar(share, _BAR, glyphs_of(console)))
    text = Text("  ").join(bar_drawn if part == _BAR_HERE else Text(part) for part in parts)
    text.truncate(console.width - 1, overflow="crop")
    return text


def _bar(share: float, width: int, glyphs: Glyphs) -> list[tuple[str, str]]:
    return list(zip(bar(share, width, glyphs), (DONE, OPEN), strict=True))


def _legend(glyphs: Glyphs) -> Text:
    from rich.text import Text  # noqa: PLC0415

    curve, marks = say("screen.panel.curve"), say("screen.panel.marks")
    parts = (glyphs.levels[-1], CURVE), f" {curve}  ", (glyphs.mark, MARK), f" {marks} "
    return Text.assemble(" ", *parts, style="not dim")


def _number(value: float) -> str:
    """A loss in the few cells beside the chart."""
    short = f"{value:.3g}"
    return short if len(short) < _SCALE else f"{value:.{0 if value >= 1 else 4}f}"


def _unless_none(value: float | None, form: str) -> str:
    return "" if value is None else form.format(value)


def _time(seconds: float) -> str:
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02d}:{rest:02d}" if hours else f"{minutes}:{rest:02d}"
