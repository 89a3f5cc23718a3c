"""The losses of a run as rows of characters; knows numbers and cells, and no terminal."""

from __future__ import annotations

import math
from typing import NamedTuple

_SPANS = 50  # of a run: losses are smoothed over one of so many parts of it ...
_SMOOTHED = 5  # ... or over so many steps, whichever is more


class Glyphs(NamedTuple):
    """What is drawn with; `levels` fill a cell from nothing to all of it in eight steps."""

    levels: str
    mark: str
    done: str
    open: str


BLOCKS = Glyphs(" ▁▂▃▄▅▆▇█", "●", "━", "─")
ASCII = Glyphs(" ...:::##", "o", "#", "-")


class Losses:
    """The training losses of a run, smoothed, and those on held-out rows."""

    def __init__(self, first: int, total: int) -> None:
        self._first, self._total = first, total
        self._keep = 1 - 1 / max(_SMOOTHED, total / _SPANS)
        self._sum = self._weight = 0.0
        self._smoothed: list[float] = []
        self._marks: list[tuple[int, float]] = []

    def add(self, loss: float) -> None:
        """The loss of the next step. One that is no number leaves the curve where it was."""
        if math.isfinite(loss):
            # An average whose weights fall by age, divided by their sum: at the beginning there
            # is little to average.
            self._sum = self._keep * self._sum + loss
            self._weight = self._keep * self._weight + 1
        self._smoothed.append(self._sum / self._weight if self._weight else math.nan)

    def mark(self, step: int, loss: float) -> None:
        """The loss on held-out rows after `step`."""
        if math.isfinite(loss):
            self._marks.append((step, loss))

    def draw(self, width: int, height: int, glyphs: Glyphs) -> tuple[list[str], float, float]:
        """Rows from the top, and the losses at their highest and lowest point.

        The whole run is as wide as the chart, so that it fills from the left.
        """
        values = [self._value(column, width) for column in range(width)]
        shown = [value for value in values if not math.isnan(value)]
        shown += [loss for _, loss in self._marks]
        low, high = min(shown, default=0.0), max(shown, default=0.0)
        top, parts = len(glyphs.levels) - 1, height * (len(glyphs.levels) - 1)

        def level(loss: float) -> int:
            """How many parts of a column are filled, one at least."""
            return 1 + round((loss - low) / ((high - low) or 1.0) * (parts - 1))

        cells = [[" "] * width for _ in range(height)]
        for column, value in enumerate(values):
            filled = 0 if math.isnan(value) else level(value)
            for row in range(height):
                part = filled - (height - 1 - row) * top
                cells[row][column] = glyphs.levels[max(0, min(top, part))]
        for step, loss in self._marks:
            row = height - 1 - (level(loss) - 1) // top
            cells[row][min(width - 1, (step - 1) * width // self._total)] = glyphs.mark
        return ["".join(row) for row in cells], high, low

    def _value(self, column: int, width: int) -> float:
        """The curve in a column: at the last of its steps; not a number where there is none."""
        at = math.ceil((column + 1) * self._total / width) - self._first
        return self._smoothed[at] if 0 <= at < len(self._smoothed) else math.nan


def bar(share: float, width: int, glyphs: Glyphs) -> tuple[str, str]:
    """What is done and what is open of a bar of so many cells."""
    done = min(width, max(0, round(share * width)))
    return glyphs.done * done, glyphs.open * (width - done)
