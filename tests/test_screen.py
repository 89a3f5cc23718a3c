"""The terminal: texts exactly as they are, data on stdout, sentences for a person on stderr."""

from __future__ import annotations

import io
import json
import re
import sys

import pytest
from rich.text import Text

from jlora_cli import screen
from jlora_cli.errors import JloraError
from jlora_cli.events import Answered, Evaluated, Sampled, Saved, Stage, StepDone, Warned
from jlora_cli.finding import Finding
from jlora_cli.messages import use_language
from jlora_cli.screen.terminal import error_console

# What rich would change: an emoji code, markup, closing markup, a tab, a control character.
VERBATIM = ":cat: [bold]太字[/bold] [INST]髙﨑𠮷[/INST]\tｶﾞＡ１🐈 \x07\r\nend [/red]"


class Terminal(io.StringIO):
    """A stream that says that it is a terminal."""

    def isatty(self):
        return True


@pytest.fixture(autouse=True)
def fresh_console(monkeypatch):
    monkeypatch.setenv("COLUMNS", "100")
    for name in ("FORCE_COLOR", "NO_COLOR", "GITHUB_ACTIONS"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("TERM", "xterm-256color")
    screen.forget_consoles()
    screen.be_quiet(False)
    yield
    screen.forget_consoles()
    screen.be_quiet(False)


@pytest.fixture
def terminal(monkeypatch):
    """`terminal()`: stderr becomes a terminal, whose text so far is `.getvalue()`."""

    def made():
        stream = Terminal()
        monkeypatch.setattr(sys, "stderr", stream)
        return stream

    return made


def step(number, total):
    speeds = {"tokens_per_second": 1234.5, "rows_per_second": 12.34}
    return StepDone(number, total, 1.23456, 2e-4, **speeds, seconds_left=75.4)


# -- texts ----------------------------------------------------------------------------------------


def test_out_writes_model_text_as_it_is(capfdbinary):
    screen.out(VERBATIM)
    screen.out("にゃ", end="")

    written = capfdbinary.readouterr()
    assert written.out == f"{VERBATIM}\nにゃ".encode()
    assert written.err == b""


def test_note_writes_to_stderr_as_it_is(capfdbinary):
    screen.note(VERBATIM)

    written = capfdbinary.readouterr()
    assert written.err == f"{VERBATIM}\n".encode()
    assert written.out == b""


@pytest.mark.parametrize("text", [":cat:", "[bold]太字[/bold]", "[INST]", "[/INST]", "Ａ" * 300])
@pytest.mark.parametrize("say_it", [screen.note, screen.warn])
def test_a_sentence_keeps_what_looks_like_markup(capsys, say_it, text):
    say_it(text)

    assert capsys.readouterr().err.removeprefix("! ") == f"{text}\n"


def test_a_refusal_is_two_lines_on_stderr(capsys):
    screen.error(JloraError("[INST] in :cat:.jsonl " + "長" * 90, remedy="[bold]書き直す[/bold]"))

    written = capsys.readouterr()
    assert written.out == ""
    assert written.err.splitlines() == [
        "Error: [INST] in :cat:.jsonl " + "長" * 90,
        "Fix:   [bold]書き直す[/bold]",
    ]


def test_a_heading_is_plain_where_there_is_no_terminal(capsys):
    screen.heading("プロファイル :cat: [bold]")

    assert capsys.readouterr().out == "プロファイル :cat: [bold]\n"


def test_labels_are_coloured_on_a_terminal_unless_no_color_is_set(terminal, monkeypatch):
    shown = terminal()
    screen.error(JloraError("問題", remedy="対処"))
    coloured = shown.getvalue()
    monkeypatch.setenv("NO_COLOR", "1")
    screen.forget_consoles()
    screen.error(JloraError("問題", remedy="対処"))

    assert coloured == "\x1b[31mError:\x1b[0m 問題\n\x1b[32mFix:  \x1b[0m 対処\n"
    assert shown.getvalue().removeprefix(coloured) == "Error: 問題\nFix:   対処\n"


def test_quiet_leaves_notes_out_and_keeps_warnings_and_data(capsys):
    screen.be_quiet(True)
    screen.note("案内")
    screen.warn("警告")
    screen.out("データ")

    written = capsys.readouterr()
    assert (written.out, written.err) == ("データ\n", "! 警告\n")


def test_json_keeps_japanese_and_is_the_only_thing_on_stdout(capsys):
    screen.json_out({"answer": "髙﨑さん🐈\n", "path": screen})
    first = capsys.readouterr()
    screen.json_line({"text": "ｶﾞ"})

    assert json.loads(first.out)["answer"] == "髙﨑さん🐈\n"
    assert "髙﨑さん🐈" in first.out
    assert capsys.readouterr().out == '{"text": "ｶﾞ"}\n'


# -- drawings -------------------------------------------------------------------------------------


def test_cells_of_a_table_are_plain_text(capsys):
    screen.table(
        ["[bold]", "答え"], [(":cat:", "[/INST]にゃ"), (Text("濃い"), 3)], title="題 [bold] :cat:"
    )

    lines = [line for line in capsys.readouterr().out.splitlines() if line.strip()]
    assert lines[0].strip() == "題 [bold] :cat:"
    assert lines[1].split() == ["[bold]", "答え"]
    assert lines[3].split() == [":cat:", "[/INST]にゃ"]
    assert lines[4].split() == ["濃い", "3"]


def test_a_drawing_goes_to_stdout(capsys):
    screen.draw(screen.build_table(["a"], [["猫"]], lines=True))

    assert "│ 猫 │" in capsys.readouterr().out


def test_a_picture_holds_the_texts(tmp_path):
    path = tmp_path / "表.svg"

    screen.save_svg(screen.build_table(["答え"], [["にゃ"]]), str(path), title="jlora", width=40)

    assert path.read_text(encoding="utf-8").startswith("<svg")
    assert "にゃ" in path.read_text(encoding="utf-8")


def test_findings_are_numbered_with_marks_and_remedies(capsys):
    found = [
        Finding("disk", "ok", "40 GiB free"),
        Finding("few-rows", "warning", "3 rows [INST]", "by heart", "write :pencil: more"),
        Finding("no-gpu", "error", "none", "slow", "pip install\ntorch"),
    ]

    screen.findings(found)

    assert capsys.readouterr().out.splitlines() == [
        "  1 ✓ 40 GiB free",
        "  2 ! 3 rows [INST]",
        "      by heart",
        "      → write :pencil: more",
        "  3 ✗ none",
        "      slow",
        "      → pip install",
        "        torch",
    ]


def test_findings_may_go_to_stderr(capsys):
    screen.findings([Finding("disk", "ok", "40 GiB free")], to_stderr=True)

    written = capsys.readouterr()
    assert (written.out, written.err) == ("", "  1 ✓ 40 GiB free\n")


def test_findings_of_a_training_name_their_ids(capsys):
    found = [Finding("newlines-lost", "note", "3 rows", "become spaces", "accept it")]

    screen.findings(found, with_ids=True)

    assert capsys.readouterr().out.splitlines()[0] == "  1 · newlines-lost: 3 rows"


ROWS = [("行.jsonl:1", [("[INST] 髙﨑は？\n", False), ("[bold]𠮷🐈</s>", True)])]


def test_a_preview_marks_what_is_trained_where_there_are_no_colours(capsys):
    screen.preview(ROWS, to_stderr=False)

    assert capsys.readouterr().out.splitlines() == [
        "行.jsonl:1",
        "[INST] 髙﨑は？",
        "⟦[bold]𠮷🐈</s>⟧",
        "⟦trained⟧ only read",
    ]


def test_a_preview_has_two_colours_on_a_terminal(terminal):
    stream = terminal()
    screen.preview(ROWS, to_stderr=True)

    shown = stream.getvalue()
    assert "⟦" not in shown
    assert "[bold]𠮷🐈</s>" in shown
    before, after = shown.split("[bold]𠮷🐈</s>")[0], shown.split("[INST] 髙﨑は？")[0]
    assert before.rpartition("\x1b")[2] != after.rpartition("\x1b")[2]


def test_quiet_leaves_the_preview_out(capsys):
    screen.be_quiet(True)
    screen.preview(ROWS, to_stderr=True)
    screen.preview(ROWS, to_stderr=False)

    written = capsys.readouterr()
    assert written.err == ""
    assert "𠮷🐈" in written.out


# -- questions ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("typed", "expected"),
    [
        ("y\n", True),
        (" YES \n", True),
        ("はい\n", True),
        ("n\n", False),
        ("\n", False),
        ("", False),
    ],
)
def test_only_a_yes_is_a_yes(monkeypatch, capsys, typed, expected):
    monkeypatch.setattr(sys, "stdin", io.StringIO(typed))

    assert screen.confirm("[bold] を実行しますか？") is expected
    assert capsys.readouterr().err == "[bold] を実行しますか？ [y/N] "


@pytest.mark.parametrize(("stdin", "expected"), [(Terminal(), True), (io.StringIO(), False)])
def test_a_person_is_there_only_at_a_terminal(monkeypatch, terminal, stdin, expected):
    monkeypatch.setattr(sys, "stdin", stdin)
    terminal()

    assert screen.is_interactive() is expected


def test_a_silent_process_says_nothing_at_all(capsys, terminal):
    terminal()
    screen.be_silent(True)
    try:
        with screen.Teller() as teller:
            teller.notify(Warned("警告🐈"))
            teller.notify(step(1, 2))
        screen.note("一")
        screen.out("二")
        screen.table(["三"], [["四"]])
        screen.json_out({"五": "六"})
        screen.error(JloraError("七", remedy="八"))
        said = [*capsys.readouterr(), sys.stderr.getvalue()]
    finally:
        screen.be_silent(False)
    assert [text.strip("\n") for text in said] == ["", "", ""]
    screen.out("九")
    assert capsys.readouterr().out == "九\n"


# -- events ---------------------------------------------------------------------------------------


def test_without_a_terminal_every_event_is_a_plain_line(capsys):
    with screen.Teller() as teller:
        teller.notify(Stage("train.stage.training", {"steps": 2}))
        teller.notify(step(1, 2))
        teller.notify(step(2, 2))
        teller.notify(Evaluated(2, 0.34))
        teller.notify(Saved(2, "runs/髙﨑/step-000002"))
        teller.notify(Sampled(2, "名前は\n何ですか？", "吾輩は猫である。名前はまだ無い。" * 3))
        teller.notify(Warned("[INST] は :cat: です"))
        teller.notify(Answered(1, 1))

    written = capsys.readouterr()
    assert written.out == ""
    assert written.err.splitlines() == [
        "• training, 2 steps",
        "  step 1/2  loss 1.2346  lr 2.00e-04  12.3 rows/s  1,234 tokens/s  1:15 left",
        "  step 2/2  loss 1.2346  lr 2.00e-04  12.3 rows/s  1,234 tokens/s  1:15 left",
        "  validation after step 2: loss 0.3400",
        "  checkpoint of step 2: runs/髙﨑/step-000002",
        "  answer after step 2: 名前は 何ですか？ → "
        "吾輩は猫である。名前はまだ無い。吾輩は猫である。名前はまだ無い…",
        "! [INST] は :cat: です",
        "  answers 1/1",
    ]


def test_a_long_run_writes_some_twenty_lines_and_the_last(capsys):
    with screen.Teller() as teller:
        for number in range(1, 1001):
            teller.notify(step(number, 1000))

    lines = capsys.readouterr().err.splitlines()
    # The first step, then one at each of the twenty times five per cent.
    assert len(lines) == 21
    assert lines[0].startswith("  step 1/1000")
    assert lines[-1].startswith("  step 1000/1000")


def test_a_new_stage_counts_from_the_start(capsys):
    with screen.Teller() as teller:
        teller.notify(Answered(40, 40))
        teller.notify(Stage("train.stage.sample_after", {"count": 40}))
        teller.notify(Answered(2, 40))

    assert capsys.readouterr().err.splitlines()[-1] == "  answers 2/40"


def test_on_a_small_terminal_one_line_lives_and_goes(terminal, monkeypatch):
    monkeypatch.setenv("COLUMNS", "80")
    shown = terminal()
    with screen.Teller() as teller:
        teller.notify(step(1, 2))
        teller.notify(Warned("途中の警告 :cat:"))
        teller.notify(step(2, 2))
    written = shown.getvalue()

    assert "━\x1b[0m  loss 1.2346  12.3 rows/s  1,234 tokens/s  1:15 left" in written
    assert "途中の警告 :cat:" in written
    assert "╭" not in written
    assert written.startswith("\x1b[?25l")  # the cursor was hidden
    assert written.rindex("\x1b[?25h") > written.rindex("loss")  # and is back
    assert screens_last_line(written) == ""


def screens_last_line(written):
    """What stands on the last line after everything was written: what no erasure followed."""
    return re.split(r"\x1b\[2K", written)[-1]


def test_a_panel_lives_on_a_large_terminal(terminal, monkeypatch):
    monkeypatch.setenv("LINES", "40")
    shown = terminal()
    with screen.Teller() as teller:
        teller.notify(step(1, 2))
        teller.notify(Evaluated(1, 2.5))
        screen.note("[INST] :cat: [/INST]")
        teller.notify(step(2, 2))
    written = shown.getvalue()

    assert "step 2/2" in written
    assert "╭" in written
    assert "2.5000" in written
    assert "[INST] :cat: [/INST]\n" in written
    assert written.rindex("\x1b[?25h") > written.rindex("╰")
    assert screens_last_line(written) == ""


@pytest.mark.parametrize("stop", [KeyboardInterrupt, SystemExit, ValueError])
def test_a_terminal_is_left_clean_whatever_ends_the_work(terminal, stop):
    shown = terminal()

    def work():
        with screen.Teller() as teller:
            teller.notify(step(1, 2))
            raise stop

    with pytest.raises(stop):
        work()

    assert screens_last_line(shown.getvalue()) == ""
    assert shown.getvalue().rindex("\x1b[?25h") > shown.getvalue().rindex("\x1b[?25l")
    assert sys.stderr is shown


def test_a_stage_puts_away_what_was_drawn_before_it(terminal):
    shown = terminal()
    with screen.Teller() as teller:
        teller.notify(step(2, 2))
        teller.notify(Stage("train.stage.sample_after", {"count": 3}))
        before = shown.getvalue()
        teller.notify(Answered(1, 3))
        teller.notify(Answered(3, 3))
        done = shown.getvalue()
        screen.note("終わり")

    assert before.endswith("\x1b[2K• 3 answers after training\n")
    assert "answers 3/3" in done.removeprefix(before)
    assert shown.getvalue().removeprefix(done) == "終わり\n"


def test_nothing_is_drawn_before_there_is_progress(terminal):
    shown = terminal()
    with screen.Teller() as teller:
        teller.notify(Stage("train.stage.training", {"steps": 2}))

    assert shown.getvalue() == "• training, 2 steps\n"


@pytest.mark.parametrize(("name", "value"), [("TERM", "dumb"), ("TTY_COMPATIBLE", "0")])
def test_a_terminal_that_cannot_draw_gets_plain_lines(terminal, monkeypatch, name, value):
    monkeypatch.setenv(name, value)
    shown = terminal()
    with screen.Teller() as teller:
        teller.notify(step(2, 2))

    assert shown.getvalue().startswith("  step 2/2  loss 1.2346")
    assert "\x1b" not in shown.getvalue()


def test_forced_colours_do_not_draw_into_a_pipe(capsys, monkeypatch):
    monkeypatch.setenv("FORCE_COLOR", "1")
    with screen.Teller() as teller:
        teller.notify(step(2, 2))

    assert capsys.readouterr().err.startswith("  step 2/2  loss 1.2346")


def test_a_panel_has_no_colours_where_none_are_wanted(terminal, monkeypatch):
    monkeypatch.setenv("NO_COLOR", "1")
    shown = terminal()
    with screen.Teller() as teller:
        teller.notify(step(1, 2))

    codes = set(re.findall(r"\x1b\[([\d;]*)m", shown.getvalue()))
    assert "╭" in shown.getvalue()
    assert codes <= {"0", "1", "2"}  # plain, bold, dim


def test_a_terminal_that_became_narrower_is_cleared_of_folded_lines(terminal, monkeypatch):
    shown = terminal()
    with screen.Teller() as teller:
        teller.notify(step(1, 2))
        teller._live.refresh()
        wide = shown.getvalue()
        error_console().size = (40, 25)
        teller._live.refresh()
        more = shown.getvalue().removeprefix(wide)

    # 13 lines of 100 cells are three rows each on 40 columns: two more than rich goes up by itself.
    up = re.match(r"\r\x1b\[2K(?:\x1b\[1A\x1b\[2K)*", more)[0].count("\x1b[1A")
    assert wide.count("\n") == 13 - 1
    assert up == 13 * 2
    assert "step 1/2  loss 1.2346" in more


def test_data_written_during_a_live_line_stays_on_stdout(terminal, capfd):
    shown = terminal()
    with screen.Teller() as teller:
        teller.notify(step(1, 2))
        screen.out("データ")

    assert capfd.readouterr().out == "データ\n"
    assert "データ" not in shown.getvalue()


def test_quiet_draws_nothing_on_a_terminal(terminal):
    shown = terminal()
    screen.be_quiet(True)
    with screen.Teller() as teller:
        teller.notify(step(1, 2))
        teller.notify(Stage("train.stage.training", {"steps": 2}))

    assert shown.getvalue() == ""


def test_events_are_told_in_japanese(capsys):
    use_language("ja")
    with screen.Teller() as teller:
        teller.notify(step(2, 2))

    assert capsys.readouterr().err == (
        "  ステップ 2/2  損失 1.2346  学習率 2.00e-04  12.3 行/秒  1,234 トークン/秒  残り 1:15\n"
    )


def test_full_width_text_takes_two_cells_in_a_picture(tmp_path):
    path = tmp_path / "表.svg"

    screen.save_svg(Text("にゃ🐈abc&"), str(path), title="t", width=40)

    picture = path.read_text(encoding="utf-8")
    (length,) = re.findall(r'textLength="([\d.]+)"[^>]*>にゃ🐈abc&amp;</text>', picture)
    assert float(length) == pytest.approx(12.2 * 10)  # rich's cell is 12.2 wide; 3 x 2 + 4 cells
    assert "@font-face" not in picture
    assert "src:" not in picture


# -- pieces of a text -----------------------------------------------------------------------------


def test_neighbouring_pieces_have_different_grounds():
    pieces = [("猫", "plain"), ("で", "plain"), ("🐈", "unknown"), ("[bold]", "plain")]
    _, drawn, *_ = screen.build_pieces([("題", pieces)], []).renderables
    assert drawn.plain == "猫で🐈[bold]"
    grounds = [str(span.style).rpartition(" ")[2] for span in drawn.spans]
    assert grounds == ["#b8dcff", "#fff0b8", "#c62828", "#fff0b8"]


def test_bars_stand_between_pieces_without_colours():
    pieces = [("猫", "plain"), ("で", "plain"), ("ある", "plain")]
    _, drawn, *_ = screen.build_pieces([("題", pieces)], [], borders=True).renderables
    assert drawn.plain == "猫|で|ある"


def test_svg_gives_japanese_the_width_of_its_cells(tmp_path):
    path = tmp_path / "picture.svg"
    screen.save_svg(Text("猫である<&>"), str(path), title="図", width=40)
    # Four wide characters and three narrow ones are 11 cells of 12.2 pixels.
    assert 'textLength="134.2"' in path.read_text(encoding="utf-8")


def test_html_page_is_utf8_and_its_title_is_text(tmp_path):
    path = tmp_path / "page.html"
    screen.save_html(Text("髙﨑🐈"), str(path), title="a{b} <c>", width=40)
    page = path.read_text(encoding="utf-8")
    assert "<title>a{b} &lt;c&gt;</title>" in page
    assert 'charset="UTF-8"' in page
    assert "髙﨑🐈" in page
