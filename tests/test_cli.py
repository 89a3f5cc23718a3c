"""The front door: exit codes, languages, help pages, and what stays unloaded."""

from __future__ import annotations

import errno
import io
import json
import os
import subprocess
import sys
from unicodedata import east_asian_width

import pytest
import typer
from typer.testing import CliRunner

from jlora_cli import __version__, cli, messages, screen
from jlora_cli.cli import build_app, front_options_first
from jlora_cli.commands import help_page
from jlora_cli.commands.help_page import cells, wrap
from jlora_cli.config import FIELDS
from jlora_cli.errors import refuse
from jlora_cli.messages import use_language
from jlora_cli.screen import pipes
from jlora_cli.screen.pipes import CLOSED_PIPE

COMMANDS = (
    "env-check", "prepare", "train", "evaluate", "merge", "infer", "chat", "profiles", "tokens",
    "report", "init", "demo",
)  # fmt: skip
HEAVY = ("torch", "transformers", "peft", "accelerate", "datasets", "bitsandbytes", "numpy")
# Runs command lines one after the other in one process; says what they printed and what is loaded.
RUN_ALL = """
import contextlib, io, json, sys
from jlora_cli import cli
lines, heavy = map(json.loads, sys.argv[1:])
printed = []
for words in lines:
    sys.argv = ["jlora", *words]
    with contextlib.redirect_stdout(io.StringIO()) as out:
        try:
            cli.main()
        except SystemExit as end:
            assert end.code == 0, words
    printed.append(out.getvalue())
print(json.dumps({"printed": printed, "loaded": sorted(set(heavy) & set(sys.modules))}))
"""


def environment(**changes):
    kept = {name: value for name, value in os.environ.items() if not name.startswith("LC_")}
    return {**kept, "LANG": "C.UTF-8", "HF_HUB_OFFLINE": "1", "COLUMNS": "80", **changes}


def jlora(*words, cwd=None, **changes):
    """`python -m jlora_cli WORDS` in a process of its own."""
    return subprocess.run(
        [sys.executable, "-m", "jlora_cli", *words],
        capture_output=True,
        text=True,
        encoding="utf-8",
        stdin=subprocess.DEVNULL,
        env=environment(**changes),
        cwd=cwd,
        check=False,
        timeout=120,
    )


def run_all(lines, cwd, **changes):
    """(what each of these command lines printed, the heavy packages in memory after them all)."""
    done = subprocess.run(
        [sys.executable, "-c", RUN_ALL, json.dumps(lines), json.dumps(HEAVY)],
        capture_output=True,
        text=True,
        encoding="utf-8",
        env=environment(**changes),
        cwd=cwd,
        check=False,
        timeout=120,
    )
    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout)
    assert len(told["printed"]) == len(lines)
    return told["printed"], told["loaded"]


@pytest.fixture
def page():
    """`page(*words)`: what `jlora WORDS --help` prints at 80 columns."""

    def made(*words, width=80):
        found = CliRunner().invoke(build_app(), [*words, "--help"], env={"COLUMNS": str(width)})
        assert found.exit_code == 0
        return found.stdout

    return made


# -- exit codes -----------------------------------------------------------------------------------


def test_done_is_0():
    done = jlora("--version")

    assert (done.returncode, done.stdout, done.stderr) == (0, f"jlora {__version__}\n", "")


def test_refused_is_1_in_two_lines():
    done = jlora("train", "--profile", "a100x", "--model", "demo", "--data", "demo")

    assert done.returncode == 1
    assert done.stdout == ""
    problem, remedy = done.stderr.splitlines()
    assert problem.startswith("Error: there is no profile a100x; known are: a100, a100-4bit")
    assert remedy == (
        "Fix:   choose one (`jlora profiles list`), or give the path of a YAML file of your own"
    )


@pytest.mark.parametrize(
    ("words", "problem", "page"),
    [
        (["trian"], "trian というコマンドはありません（train ではありませんか？）", "jlora"),
        (
            ["train", "--epocs", "3"],
            "--epocs というオプションはありません（--epochs",
            "jlora train",
        ),
        (["evaluate", "demo"], "--data が指定されていません", "jlora evaluate"),
        (["infer"], "SOURCE が指定されていません", "jlora infer"),
        (["infer", "demo", "x", "--prompt", "猫"], "余分な語があります: x", "jlora infer"),
        (["infer", "demo", "--temperature", "-1"], "--temperature に使えない値です", "jlora infer"),
        (
            ["infer", "demo", "--prompt", "--debug", "--top-k", "x"],
            "--top-k に使えない",
            "jlora infer",
        ),
        (["infer", "demo", "--prompt"], "--prompt には値が必要です", "jlora"),
        (["train", "--compile=true"], "--compile に値は付けられません", "jlora"),
        (["infer", "demo"], "--prompt と --input のどちらか一方を", "jlora infer"),
    ],
)
def test_wrong_usage_is_said_in_the_users_language(words, problem, page):
    done = jlora("--lang", "ja", *words)

    assert done.returncode == 2
    said, remedy = done.stderr.splitlines()
    assert said.startswith(f"Error: {problem}")
    assert remedy == f"Fix:   `{page} --help` を見てください"


def test_wrong_usage_is_2():
    done = jlora("train", "--no-such-option")

    assert done.returncode == 2
    assert done.stdout == ""
    assert "--no-such-option" in done.stderr
    assert "Traceback" not in done.stderr


def test_a_language_that_is_not_spoken_is_wrong_usage():
    done = jlora("profiles", "--lang", "fr")

    assert done.returncode == 2
    assert "--lang takes en or ja, not fr" in done.stderr


def test_without_a_command_the_help_is_shown():
    done = jlora()

    assert done.returncode == 2
    assert "env-check" in done.stdout


def test_debug_shows_the_traceback_before_the_two_lines_wherever_it_stands():
    done = jlora("profiles", "show", "a100x", "--debug")

    lines = done.stderr.splitlines()
    assert done.returncode == 1
    assert lines[0] == "Traceback (most recent call last):"
    assert lines[-2].startswith("Error: there is no profile a100x")
    assert lines[-1].startswith("Fix:   ")


def test_half_a_character_in_a_name_is_shown_and_not_fatal():
    done = jlora("profiles", "show", "\udc90\udc8e.yaml")

    assert done.returncode == 1
    assert "Error: there is no profile \\udc90\\udc8e.yaml" in done.stderr


def unread(words):
    """`jlora WORDS` whose output nobody reads, in bash, which tells its exit code."""
    line = f'"{sys.executable}" -m jlora_cli {words} | true; echo ${{PIPESTATUS[0]}}'
    return subprocess.run(
        ["bash", "-c", line],
        capture_output=True,
        text=True,
        env=environment(),
        check=False,
        timeout=60,
    )


@pytest.mark.skipif(sys.platform == "win32", reason="bash tells the exit code of each command")
def test_a_reader_that_went_away_ends_it_quietly():
    done = unread("train --help")

    assert done.stderr == ""
    assert done.stdout.strip() in ("0", str(CLOSED_PIPE))


@pytest.mark.skipif(sys.platform == "win32", reason="bash tells the exit code of each command")
def test_what_was_begun_is_cleared_away_when_the_reader_went_away(tmp_path):
    rows = tmp_path / "行.jsonl"
    rows.write_text('{"prompt": "猫", "completion": "髙﨑🐈"}\n' * 9, encoding="utf-8")

    # What stderr says is lost first.
    done = unread(f'prepare "{rows}" --output "{tmp_path}/prepared" --json 2> >(true)')

    assert done.stderr == ""
    assert done.stdout.strip() == str(CLOSED_PIPE)
    assert sorted(each.name for each in tmp_path.iterdir()) == ["prepared", "行.jsonl"]


@pytest.mark.skipif(sys.platform == "win32", reason="a console of Windows stays")
def test_nothing_fails_of_a_terminal_that_was_closed():
    import pty

    ours, theirs = pty.openpty()
    code = "import sys; from jlora_cli import screen; screen.outlive_readers(); sys.stdin.read(1);"
    code += "[screen.note(text) for text in ('猫', '🐈')]; sys.exit(3)"
    with subprocess.Popen(
        [sys.executable, "-c", code], stdin=subprocess.PIPE, stderr=theirs, env=environment()
    ) as process:
        os.close(theirs)
        os.close(ours)
        process.communicate(b"!", timeout=60)

    assert process.returncode == 3


def test_a_full_disk_behind_stdout_is_no_reader_that_went_away(monkeypatch):
    class Full(io.StringIO):
        def write(self, text):
            raise OSError(errno.ENOSPC, "No space left on device")

    with pytest.raises(OSError, match="No space left"):
        pipes._Pipe(Full(), ends=True).write("猫")


# -- Ctrl-C ---------------------------------------------------------------------------------------


@pytest.fixture
def door(monkeypatch, capsys):
    """`door(error, *words)`: (exit code, stderr) of `jlora init` whose work raises `error`."""

    def open_it(error, *words):
        from jlora_cli import project

        def fail(_):
            raise error

        monkeypatch.setattr(project, "write_project", fail)
        monkeypatch.setattr(sys, "argv", ["jlora", "init", "no-such-folder", *words])
        monkeypatch.setattr(cli, "_debug", False)
        screen.forget_consoles()
        with pytest.raises(SystemExit) as end:
            cli.main()
        screen.forget_consoles()
        screen.be_quiet(False)
        return end.value.code, capsys.readouterr().err

    return open_it


@pytest.mark.filterwarnings("default")
def test_ctrl_c_in_a_command_ends_with_130_and_a_word(door):
    assert door(KeyboardInterrupt()) == (130, "Interrupted.\n")


def test_ctrl_c_outside_of_a_command_ends_with_130_as_well(monkeypatch, door):
    def interrupted():
        raise KeyboardInterrupt

    monkeypatch.setattr(cli, "build_app", interrupted)

    assert door(KeyboardInterrupt()) == (130, "Interrupted.\n")


def test_quiet_says_nothing_of_an_interruption(door):
    assert door(KeyboardInterrupt(), "--quiet") == (130, "")


def test_a_command_may_set_its_own_exit_code(door):
    assert door(typer.Exit(143)) == (143, "")


def test_a_refusal_from_the_depths_is_two_lines(door):
    code, told = door(refuse("profile.empty", path="[INST] :cat:.yaml"))

    assert code == 1
    assert told.splitlines()[0] == "Error: [INST] :cat:.yaml is empty"
    assert len(told.splitlines()) == 2


def test_debug_adds_the_traceback_of_a_refusal(door):
    code, told = door(refuse("profile.empty", path="a.yaml"), "--debug")

    assert code == 1
    assert told.startswith("Traceback (most recent call last):")
    assert told.endswith(
        "Error: a.yaml is empty\nFix:   write at least one setting, or `extends: cpu-small`\n"
    )


def test_a_bug_keeps_its_traceback(monkeypatch):
    from jlora_cli import project

    monkeypatch.setattr(project, "write_project", lambda _: 1 / 0)
    result = CliRunner().invoke(build_app(), ["init", "no-such-folder"])

    assert isinstance(result.exception, ZeroDivisionError)


# -- options of every command ---------------------------------------------------------------------


@pytest.mark.parametrize(
    ("typed", "read"),
    [
        (["train", "--debug"], ["--debug", "train"]),
        (["train", "--lang", "ja", "-q", "--x"], ["--lang", "ja", "-q", "train", "--x"]),
        (["chat", "--lang=ja"], ["--lang=ja", "chat"]),
        (["init", "--", "--debug"], ["init", "--", "--debug"]),
        (["train", "--lang"], ["--lang", "train"]),
        ([], []),
    ],
)
def test_options_of_every_command_may_stand_anywhere(typed, read):
    assert front_options_first(typed) == read


def test_the_version_is_data():
    shown = CliRunner().invoke(build_app(), ["--version"])

    assert (shown.exit_code, shown.stdout) == (0, f"jlora {__version__}\n")


def test_a_language_behind_the_command_is_checked_as_well():
    shown = CliRunner().invoke(build_app(), front_options_first(["profiles", "--lang", "fr"]))

    assert shown.exit_code == 2


@pytest.mark.parametrize(
    ("typed", "settings"),
    [
        ([], {}),
        (["--batch-size", "2", "--model", "ﾓﾃﾞﾙ"], {"batch_size": "2", "model": "ﾓﾃﾞﾙ"}),
        (["--compile"], {"compile": True}),
        (["--no-compile", "--packing", "off"], {"compile": False, "packing": "off"}),
        (["--set", "lora-r = 16"], {"lora_r": "16"}),
        (["--sample-prompts", "はい、🐈"], {"sample_prompts": "はい、🐈"}),
    ],
)
def test_only_what_is_typed_reaches_the_proposal(monkeypatch, typed, settings):
    from jlora_cli import proposal

    asked = []

    def propose(profile, options, _, *, allowed):
        asked.append(
            (profile, {name: value for name, value in options.items() if value is not None})
        )
        raise typer.Exit(7)

    monkeypatch.setattr(proposal, "propose", propose)
    shown = CliRunner().invoke(build_app(), ["train", "--profile", "cpu-small", *typed])

    assert shown.exit_code == 7, shown.output
    assert asked == [("cpu-small", settings)]


def test_quiet_leaves_the_notes_out():
    loud, quiet = jlora("profiles", "list"), jlora("profiles", "list", "--quiet")

    assert "Recommended here:" in loud.stderr
    assert quiet.stderr == ""
    assert quiet.stdout == loud.stdout


# -- help -----------------------------------------------------------------------------------------


def test_help_speaks_the_language_of_the_environment():
    english, japanese = jlora("--help"), jlora("--help", JLORA_LANG="ja")

    assert english.returncode == japanese.returncode == 0
    assert english.stdout.startswith("Usage\n  jlora [OPTIONS] COMMAND ...\n")
    assert japanese.stdout.startswith("使い方\n  jlora [オプション] コマンド ...\n")
    assert "  demo                  同梱のモデルとデータで全工程を" in japanese.stdout


def test_an_option_beats_the_environment_even_behind_the_command():
    assert "LoRA アダプターを学習します。" in jlora("train", "--help", "--lang", "ja").stdout


def test_the_front_page_names_every_command(page):
    shown = page()

    rows = shown[shown.index("\nCommands\n") :].splitlines()[2:]
    named = [line.split()[0] for line in rows if line.startswith("  ") and line[2] != " "]
    assert tuple(named) == COMMANDS


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_has_a_page_with_an_example_and_no_gaps(page, command):
    shown = page(command)

    assert f"\nExample: jlora {command}" in shown
    assert shown.startswith(f"Usage\n  jlora {command} [OPTIONS]")
    assert "…" not in shown
    assert max(map(cells, shown.splitlines())) <= 80


def test_the_page_of_train_holds_every_setting_under_a_title(page):
    shown = page("train").splitlines()

    named = [line.split()[0] for line in shown if line.startswith("  --")]
    titles = [line for line in shown if line and line[0] != " "]
    flags = {"--" + name.replace("_", "-") for name in FIELDS} - {"--compile"}
    assert flags | {"--compile/--no-compile", "--profile", "--set"} <= set(named)
    assert len(named) == len(set(named))
    assert titles[3:] == [
        "Options", "Model and data", "Length of the run", "Optimizer", "LoRA", "Speed and memory",
        "Regularization and seed", "Validation, saving and logging",
    ]  # fmt: skip


def test_a_page_shows_defaults_choices_and_what_is_required(page):
    train, infer, prepare = page("train"), page("infer"), page("prepare")

    assert "--learning-rate FLOAT            Peak learning rate. Default: 0.0002." in train
    assert "--packing true|false|auto  " in train
    assert "--lr-scheduler cosine|linear|constant\n" in train
    assert "--top-k INT" in infer
    assert "0 keeps all." in infer
    assert "Default: the model's own, else 40." in " ".join(infer.split())
    assert "jlora prepare [OPTIONS] SOURCE...\n" in prepare
    assert "--output PATH" in prepare
    assert "--on-bad-row stop|skip" in prepare
    assert "empty. Required." in " ".join(prepare.split())


def test_a_page_is_no_wider_than_one_reads_well(page):
    assert max(map(len, page("train", width=300).splitlines())) <= 100
    assert "Say what is wrong" in page(width=30)


@pytest.mark.parametrize(
    ("terminal", "variables", "system", "coloured"),
    [
        (True, {"TERM": "xterm"}, "linux", True),
        (True, {"TERM": "xterm", "NO_COLOR": "1"}, "linux", False),
        (True, {"TERM": "dumb"}, "linux", False),
        (True, {}, "win32", False),
        (True, {"WT_SESSION": "1"}, "win32", True),
        (False, {"TERM": "xterm"}, "linux", False),
    ],
)
def test_pages_are_in_colour_where_a_terminal_shows_it(
    monkeypatch, terminal, variables, system, coloured
):
    group = typer.main.get_command(build_app())
    context = group.make_context("jlora", [], resilient_parsing=True)
    for name in ("TERM", "NO_COLOR", "WT_SESSION"):
        monkeypatch.delenv(name, raising=False)
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr(help_page.sys, "platform", system)
    monkeypatch.setattr(help_page.sys.stdout, "isatty", lambda: terminal, raising=False)

    shown = help_page.page(group, context)

    assert ("\x1b[1mOptions\x1b[0m" in shown) is coloured
    assert ("\x1b[" in shown) is coloured


def test_japanese_pages_fit_into_80_columns_and_load_no_heavy_package(tmp_path):
    lines = [["--help"], *([command, "--help"] for command in COMMANDS)]

    pages, loaded = run_all(lines, tmp_path, JLORA_LANG="ja")

    assert loaded == []
    for shown in pages:
        assert shown.startswith("使い方\n  jlora")
        assert "…" not in shown
        # A closing mark may hang over the edge.
        assert max(map(cells, shown.splitlines())) <= 82


@pytest.mark.parametrize("width", [20, 33, 44])
def test_japanese_breaks_between_characters_and_never_before_a_mark(width):
    text = (
        "長すぎるとき、古い発話から外す（turns）か行ごと外す（drop）か。"
        "既定値: `--max-length` は「ｶﾞ」と髙﨑𠮷🐈ー、です！"
    )

    lines = wrap(text, width)

    assert "".join(lines).replace(" ", "") == text.replace(" ", "")
    assert len(lines) > 2
    assert max(map(cells, lines)) <= width + 4  # a mark may hang over
    assert not {line[0] for line in lines} & set("、。）」！ーっ")
    assert not {line[-1] for line in lines} & set("（「")


@pytest.mark.parametrize(
    ("text", "width", "lines"),
    [
        ("one two three", 8, ["one two", "three"]),
        ("猫猫猫", 4, ["猫猫", "猫"]),
        ("猫。猫", 4, ["猫。", "猫"]),
        ("--a-long-option", 4, ["--a-long-option"]),
        ("a  b", 2, ["a", "b"]),
        ("", 10, []),
        ("   ", 10, []),
    ],
)
def test_text_is_wrapped_at_spaces_and_between_wide_characters(text, width, lines):
    assert wrap(text, width) == lines


def test_columns_count_wide_characters_twice():
    # Unicode's East Asian Width: W and F take two columns, half-width kana (H) one.
    assert [east_asian_width(letter) for letter in "猫Ａｶa"] == ["W", "F", "H", "Na"]
    assert [cells(text) for text in ("猫Ａ", "ｶﾞ", "🐈", "a")] == [4, 2, 2, 1]


def test_a_command_line_that_is_only_built_speaks_the_language_in_use():
    use_language("ja")
    try:
        shown = CliRunner().invoke(build_app(), ["--help"]).stdout
    finally:
        messages.use_language("en")

    assert "使い方" in shown


# -- what stays unloaded --------------------------------------------------------------------------


def test_no_help_page_loads_a_heavy_package(tmp_path):
    lines = [["--help"], *([command, "--help"] for command in COMMANDS)]

    pages, loaded = run_all(lines, tmp_path)

    assert loaded == []
    assert all(shown.startswith("Usage\n  jlora") for shown in pages)


def test_help_reads_no_machine_and_knows_no_hub():
    """They were a quarter of its time (`python benchmarks/help_startup.py`)."""
    code = (
        "import sys; from jlora_cli.cli import build_app; build_app();"
        "print([n for n in ('jlora_cli.hub', 'jlora_cli.machine', 'yaml') if n in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_light_commands_load_no_heavy_package(tmp_path):
    lines = [
        ["profiles", "list"],
        ["tokens", "demo", "こんにちは"],
        ["prepare", "demo", "--output", "prepared"],
        ["train", "--model", "demo", "--data", "demo", "--profile", "cpu-small", "--dry-run"],
    ]

    printed, loaded = run_all(lines, tmp_path)

    assert loaded == []
    assert [words for words, shown in zip(lines, printed, strict=True) if not shown] == []
    assert (tmp_path / "prepared" / "train.jsonl").is_file()
