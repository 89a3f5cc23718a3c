"""How far a run is, on consoles of every size and ability."""

from __future__ import annotations

import io

import pytest
from rich.cells import cell_len
from rich.console import Console

from jlora_cli.events import Answered, Evaluated, StepDone
from jlora_cli.messages import use_language
from jlora_cli.screen import progress
from jlora_cli.screen.progress import Answers, Steps

LOAD = {"memory_gib": 1.25, "gpu_utilisation": 97.0, "gpu_watts": 321.4}


class ShiftJis(io.StringIO):
    """The stream of a console that prints the characters of cp932."""

    encoding = "cp932"


@pytest.fixture(autouse=True)
def clock(monkeypatch):
    """A time that stands still until `clock[0]` is moved."""
    now = [1000.0]
    monkeypatch.setattr(progress.time, "monotonic", lambda: now[0])
    return now


def step(number, total=56, **figures):
    given = {"seconds": 12.0, "epoch": number / 7, "rows_per_second": 1234.56}
    return StepDone(number, total, 2.0 / number, 2e-4, 45678.9, 75.4, **{**given, **figures})


def steps(**figures):
    """A run after 28 of 56 steps."""
    view = Steps(step(1, **figures))
    for number in range(2, 29):
        view.add(step(number, **figures))
    return view


def drawn(view, width, height, *, stream=None, **console):
    """What a console of that size prints, line by line."""
    stream = stream or io.StringIO()
    settings = {"color_system": None, "force_terminal": True, "soft_wrap": True, **console}
    made = Console(width=width, height=height, file=stream, **settings)
    made.print(view.draw(made))
    return stream.getvalue().rstrip("\n").split("\n")


@pytest.mark.parametrize(("width", "height"), [(100, 24), (140, 40), (300, 80)])
def test_a_large_terminal_gets_a_panel_as_wide_as_can_be_read(width, height):
    lines = drawn(steps(**LOAD), width, height)

    assert {cell_len(line) for line in lines} == {min(width, 120)}
    assert len(lines) <= height // 2 + 3
    assert "  step 28/56, epoch 4.0/8.0  " in lines[0]
    assert lines[1].count("━") == lines[1].count("─")
    assert lines[1].endswith(" 50 % │")


def test_the_panel_tells_every_figure_beside_its_label():
    view = steps(**LOAD)
    view.evaluated(Evaluated(28, 0.34567))

    lines = [line.strip("│ ").split() for line in drawn(view, 140, 40)[-4:-1]]

    assert [" ".join(words) for words in lines] == [
        "loss 0.0714 validation 0.3457 learning rate 2.00e-04 peak memory 1.25 GiB",
        "rows/s 1,234.6 tokens/s 45,679 GPU 97 % power 321 W",
        "elapsed 0:12 left 1:15",
    ]


def test_without_a_gpu_the_panel_has_no_place_for_one():
    figures = drawn(steps(memory_gib=0.5), 100, 24)[-3:-1]

    assert figures[1].strip("│ ").split()[::2] == ["rows/s", "tokens/s", "elapsed", "left"]
    assert not any("GPU" in line for line in figures)


def test_the_panel_shows_curve_and_validation_loss():
    view = steps()
    view.evaluated(Evaluated(14, 1.0))
    lines = drawn(view, 140, 40)
    chart = lines[3:9]

    weights = [0.8 ** (28 - number) for number in range(1, 29)]
    last = sum(w * 2 / n for n, w in enumerate(weights, start=1)) / sum(weights)
    assert chart[0].split() == ["│", "2", "█", "│"]
    assert chart[-1].split()[1] == f"{last:.3g}"
    assert len(chart[-1].split()[2]) == 109 // 2
    assert sum(line.count("●") for line in chart) == 1
    # The right half of the run is still to come.
    assert all(not line[70:-1].strip() for line in chart)
    assert "█ training loss, smoothed  ● validation loss" in lines[-1]


def test_small_and_large_losses_stay_in_the_cells_beside_the_chart():
    view = Steps(StepDone(1, 56, 12345.6, 2e-4, 1.0, 1.0, seconds=1.0, epoch=0.1))
    for number in range(2, 29):
        loss = 0.00181 if number > 5 else 1234.5
        view.add(StepDone(number, 56, loss, 2e-4, 1.0, 1.0, seconds=1.0, epoch=0.1))

    chart = [line for line in drawn(view, 100, 30) if "█" in line or "▁" in line][:-1]
    assert {cell_len(line) for line in chart} == {100}
    assert {line[2 + progress._SCALE - 1] for line in chart} == {" "}  # the column before the curve


def test_japanese_labels_are_aligned_by_cells():
    use_language("ja")
    lines = drawn(steps(**LOAD), 100, 24)

    assert {cell_len(line) for line in lines} == {100}
    first, second, third = (line.strip("│ ") for line in lines[-4:-1])
    assert first.split()[::2] == ["損失", "検証損失", "学習率", "最大メモリ", "GiB"]
    assert second.split()[::2][:2] == ["行/秒", "トークン/秒"]
    starts = [cell_len(line[: line.index(word)]) for line, word in ((first, "-"), (second, "45"))]
    assert starts[0] == starts[1]
    assert third.split() == ["経過", "0:12", "残り", "1:15"]
    assert "  ステップ 28/56、エポック 4.0/8.0  " in lines[0]


@pytest.mark.parametrize(
    ("width", "expected"),
    [
        (99, "loss 0.0714  1,234.6 rows/s  45,679 tokens/s  1.25 GiB  GPU 97 %  321 W  1:15 left"),
        (80, "loss 0.0714  45,679 tokens/s  1.25 GiB  GPU 97 %  321 W  1:15 left"),
        (60, "loss 0.0714  45,679 tokens/s  1:15 left"),
        (40, "loss 0.0714  1:15 left"),
    ],
)
def test_a_small_terminal_gets_what_fits_on_a_line(width, expected):
    (line,) = drawn(steps(**LOAD), width, 40)

    assert line == f"step 28/56  {expected}"
    assert cell_len(line) < width


def test_on_eighty_columns_without_a_gpu_all_speeds_are_told():
    assert drawn(steps(memory_gib=0.5), 80, 24) == [
        "step 28/56  loss 0.0714  1,234.6 rows/s  45,679 tokens/s  0.50 GiB  1:15 left"
    ]


def test_no_line_is_longer_than_its_terminal():
    assert drawn(steps(**LOAD), 8, 10) == ["step 28"]


def test_few_rows_of_many_columns_get_a_line():
    assert len(drawn(steps(), 200, 23)) == 1


def test_a_japanese_line_fits_by_cells():
    use_language("ja")
    (line,) = drawn(steps(**LOAD), 80, 24)

    assert line == (
        "ステップ 28/56  損失 0.0714  45,679 トークン/秒  1.25 GiB  GPU 97 %  残り 1:15"
    )
    assert cell_len(line) < 80


@pytest.mark.parametrize(
    "console", [{"stream": ShiftJis()}, {"legacy_windows": True}], ids=["cp932", "legacy"]
)
def test_a_console_without_blocks_gets_ascii(console):
    lines = drawn(steps(**LOAD), 120, 40, **dict(console))
    (line,) = drawn(steps(), 99, 24, legacy_windows=True)

    assert lines[0].startswith("+-")
    assert "".join(lines).isascii()
    assert "####" in lines[1]
    assert line.startswith("step 28/56  ########--------  loss")


def test_the_panel_has_colours():
    view = steps()
    view.evaluated(Evaluated(14, 1.0))
    text = "\n".join(drawn(view, 140, 40, color_system="standard"))

    assert "\x1b[36m" in text
    assert "\x1b[1;33m●" in text


def test_the_clock_goes_on_between_two_steps(clock):
    view = steps()
    clock[0] += 61.0

    assert drawn(view, 100, 24)[-2].strip("│ ").split()[-4:] == ["elapsed", "1:13", "left", "0:14"]
    clock[0] += 3600.0
    assert drawn(view, 100, 24)[-2].strip("│ ").split()[-4:] == [
        "elapsed", "1:01:13", "left", "0:00",
    ]  # fmt: skip


def test_a_plain_line_tells_all_figures_that_there_are():
    assert steps(**LOAD).plain() == (
        "step 28/56  loss 0.0714  lr 2.00e-04  1,234.6 rows/s  45,679 tokens/s  1.25 GiB  "
        "GPU 97 %  321 W  1:15 left"
    )


def test_answers_are_a_line_at_any_size():
    expected = ["answers 10/40  ━━━━────────────"]

    assert drawn(Answers(Answered(10, 40)), 140, 40) == expected
    assert drawn(Answers(Answered(10, 40)), 80, 24) == expected
