"""`jlora chat` reads messages, streams answers to stdout, tells a person the rest on stderr."""

from __future__ import annotations

import io
import json
import os
import shutil
import sys

import pytest
import typer
from typer.testing import CliRunner

from jlora_cli import generation, machine, messages, screen
from jlora_cli.commands import chat as command
from jlora_cli.commands import chat_terminal
from jlora_cli.conversation import COMMANDS, Conversation
from jlora_cli.dataset import Message
from jlora_cli.errors import JloraError
from jlora_cli.generation import load_answerer
from jlora_cli.model import Placement
from jlora_cli.run_folder import open_source
from jlora_cli.sampling import Sampling
from tests.conversation.parrot import Parrot

BEGUN = """\
Loading {} …
adapter on {}, template chat-markdown, context 512 tokens, on cpu.
Sampling: max_new_tokens 256, temperature 0.7, top_p 0.75, top_k 40, seed 42 (default)
Type a message; /help lists commands, Ctrl-D ends.
"""


class Loaded(Parrot):
    """The parrot, as `load_answerer` gives it."""

    def __init__(self, **kinds):
        super().__init__(**{"room": 512, **kinds})
        format = type("Format", (), {"template": "chat-markdown"})
        self.prompter = type("Prompter", (), {"format": format})
        self.model = type("Model", (), {"device": "cpu"})


@pytest.fixture
def parrot(monkeypatch):
    model = Loaded()
    monkeypatch.setattr(generation, "load_answerer", lambda *_, **__: model)
    return model


@pytest.fixture
def begun(tiny_run, tiny_base):
    return BEGUN.format(tiny_run, tiny_base)


@pytest.fixture
def run():
    """The command with lines piped into it; a refusal is raised."""
    app = typer.Typer()
    app.command()(command.chat)

    def call(*words, lines):
        screen.forget_consoles()
        done = CliRunner().invoke(
            app,
            [str(word) for word in words],
            input=lines if isinstance(lines, bytes) else lines.encode(),
        )
        screen.forget_consoles()
        if isinstance(done.exception, JloraError):
            raise done.exception
        return done

    return call


def test_piped_lines_are_answered_without_a_terminal(run, tiny_run, parrot, begun):
    done = run(tiny_run, lines="こんにちは🐈\n\n  \nｶﾞｷﾞ Ａ１\r\n")
    assert done.exit_code == 0
    assert done.stdout == "「こんにちは🐈」ですね。\n「ｶﾞｷﾞ Ａ１」ですね。\n"
    assert done.stderr == begun + "Good-bye.\n"
    assert parrot.asked[-1] == ["こんにちは🐈", "「こんにちは🐈」ですね。", "ｶﾞｷﾞ Ａ１"]


TRANSCRIPT = """\
猫
/undo
//undo とは？
\"""
一行目
  二行目🐈
\"""
/edit
/edit 髙﨑
/retry
/helo
/params top_p=2
/compare
/stats
/exit
犬
"""


def test_a_whole_session_in_english(run, tiny_run, parrot, begun):
    done = run(tiny_run, lines=TRANSCRIPT)
    assert done.stdout.splitlines()[:6] == [
        "「猫」ですね。",
        "「/undo とは？」ですね。",
        "「一行目",
        "  二行目🐈」ですね。",
        "「髙﨑」ですね。",
        "「髙﨑」ですね。",
    ]
    columns = "\n".join(done.stdout.splitlines()[6:])
    assert columns.replace("│", "").split()[1:3] == ["base", "tuned"]
    assert "base: 「髙﨑」ですね。 │ 「髙﨑」ですね。" in columns
    assert done.stderr == begun + (
        "(last exchange taken back)\n"
        "(write the new message behind /edit)\n"
        "There is no /helo; did you mean /help? "
        "(/help lists the commands; // begins a message with a slash)\n"
        "Error: top_p cannot take this value: 2\n"
        "Fix:   give a number from 0 to 1\n"
        "last answer: 2 tokens, 12.3 tokens/s, the first after 0.25 s; prompt 10 tokens, "
        "4 of them from the cache; context 12 of 512\n"
        "so far: answers 5, tokens 10; from the cache 40% of all prompts' tokens\n"
        "Good-bye.\n"
    )
    assert parrot.asked[-1] == ["/undo とは？", "「/undo とは？」ですね。", "髙﨑"]


def test_a_whole_session_in_japanese(run, tiny_run, tiny_base, parrot):
    messages.use_language("ja")
    done = run(tiny_run, lines="猫\n/undo\n/helo\n/params top_p=2\n/system 猫です\n/load /\n")
    assert done.stdout == "「猫」ですね。\n"
    assert done.stderr == (
        f"{tiny_run} を読み込んでいます…\n"
        f"{tiny_base} のアダプター、テンプレート chat-markdown、"
        "コンテキスト 512 トークン、cpu で実行。\n"
        "サンプリング: max_new_tokens 256, temperature 0.7, top_p 0.75, top_k 40, seed 42（既定）\n"
        "メッセージを入力してください。/help でコマンド一覧、Ctrl-D で終了します。\n"
        "（直前のやり取りを取り消しました）\n"
        "/helo というコマンドはありません（/help ではありませんか？）。"
        "/help で一覧、// でスラッシュから始まる文になります。\n"
        "Error: top_p に使えない値です: 2\n"
        "Fix:   0 から 1 までの数値を指定してください\n"
        "（システムメッセージ: 猫です）\n"
        "Error: / はフォルダーです\n"
        "Fix:   その中のファイル名を指定してください\n"
        "終了します。\n"
    )


def test_a_real_model_answers_as_infer_does(run, tiny_run):
    words = ("--temperature", "0", "--max-new-tokens", "8", "--system", "猫")
    done = run(tiny_run, *words, lines="名前は？\n")
    answerer = load_answerer(open_source(str(tiny_run)), Placement())
    asked = [Message("system", "猫"), Message("user", "名前は？")]
    answer = answerer.answer(asked, Sampling(max_new_tokens=8, temperature=0.0))
    assert done.stdout == answer.text + "\n"
    assert ("cut off" in done.stderr) == (answer.finish_reason == "length")


def test_a_real_models_probabilities_are_listed(run, tiny_run):
    words = ("--temperature", "0", "--max-new-tokens", "3")
    done = run(tiny_run, *words, lines="名前は？\n/probs\n")
    table = done.stdout.split("\n", 1)[1]
    assert table.split()[:2] == ["token", "probability"]
    assert table.count("%") >= 3 * 5


def test_a_stopped_reply_stays_and_the_chat_goes_on(run, tiny_run, parrot):
    parrot.stops_after = 1
    done = run(tiny_run, lines="止\n")
    assert done.exit_code == 0
    assert done.stdout == "「止」\n"
    assert "(reply stopped; what was said stays, /undo takes it back)\n" in done.stderr


def test_a_refused_message_is_shown_and_the_chat_goes_on(run, tiny_run, parrot):
    done = run(tiny_run, "--max-new-tokens", "8", lines="長" * 600 + "\n猫\n")
    assert done.exit_code == 0
    assert done.stdout == "「猫」ですね。\n"
    assert (
        "Error: 99 prompt tokens and 8 new ones do not fit into the model's 512\n"
        "Fix:   shorten the prompt or lower --max-new-tokens\n"
    ) in done.stderr
    assert parrot.asked == [["猫"]]


def test_every_turn_is_compared_where_that_is_asked(run, tiny_run, parrot):
    done = run(tiny_run, "--compare", lines="髙﨑🐈\n")
    assert "base: 「髙﨑🐈」ですね。 │ 「髙﨑🐈」ですね。" in done.stdout
    widths = {screen_width(line) for line in done.stdout.splitlines()}
    assert len(widths) == 1  # wide characters in columns that meet


def screen_width(line):
    from rich.cells import cell_len

    return cell_len(line)


def test_a_comparison_stopped_by_ctrl_c_does_not_end_the_chat(run, tiny_run, parrot):
    parrot.stops_after = 1
    done = run(tiny_run, lines="/compare 猫\n/exit\n")
    assert (done.exit_code, done.stdout) == (0, "")
    assert done.stderr.endswith("(reply stopped before it began)\nGood-bye.\n")


def test_a_model_without_an_adapter_cannot_be_compared(run, tiny_base, monkeypatch):
    monkeypatch.setattr(machine, "require_training_packages", lambda: pytest.fail("went on"))
    with pytest.raises(JloraError, match="no adapter that could be switched off"):
        run(tiny_base, "--compare", lines="猫\n")


def test_sampling_options_reach_the_model(run, tiny_run, monkeypatch):
    heard = []

    class Listener(Loaded):
        def answer(self, messages, sampling, on_text=None):
            heard.append(sampling)
            return super().answer(messages, sampling, on_text)

    monkeypatch.setattr(generation, "load_answerer", lambda *_, **__: Listener())
    options = {"max-new-tokens": 5, "temperature": 0.3, "top-p": 0.4, "top-k": 6, "seed": 9}
    words = [word for name, value in options.items() for word in (f"--{name}", value)]
    run(tiny_run, *words, "--repetition-penalty", "1.5", lines="猫\n")
    run(tiny_run, lines="猫\n")
    assert heard == [Sampling(5, 0.3, 0.4, 6, 1.5, 9), Sampling(256, 0.7, 0.75, 40, 1.0, 42)]


def test_without_a_source_the_newest_finished_run_talks(
    run, tiny_run, parrot, tmp_path, monkeypatch
):
    for number, (name, status) in enumerate(
        {"古い": "finished", "新": "finished", "途中": "x"}.items()
    ):
        shutil.copytree(tiny_run, tmp_path / "runs" / name)
        record = tmp_path / "runs" / name / "run.json"
        content = json.loads(record.read_text(encoding="utf-8")) | {"status": status}
        record.write_text(json.dumps(content), encoding="utf-8")
        os.utime(record, (1_700_000_000 + number, 1_700_000_000 + number))
    monkeypatch.chdir(tmp_path)
    done = run(lines="猫\n")
    assert done.stderr.startswith("Loading runs/新 …\n")
    assert done.stdout == "「猫」ですね。\n"


def test_without_any_run_the_embedded_model_is_offered(run, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(JloraError) as refusal:
        run(lines="猫\n")
    assert refusal.value.problem == "there is no finished run under runs"
    assert "jlora chat demo" in refusal.value.remedy


def test_an_unknown_source_is_refused_before_anything_is_loaded(run, tmp_path, monkeypatch):
    monkeypatch.setattr(machine, "require_training_packages", lambda: pytest.fail("went on"))
    with pytest.raises(JloraError, match="無い"):
        run(tmp_path / "無い", lines="猫\n")


# --- at a terminal --------------------------------------------------------------------------


class Keys:
    """A keyboard: messages, or what is raised in their place; remembers what it was to offer."""

    prefills = True

    def __init__(self, *presses):
        self.left = list(presses)
        self.offered = []

    def read(self, text=None):
        self.offered.append(text)
        press = self.left.pop(0)
        if isinstance(press, BaseException):
            raise press
        return press


@pytest.fixture
def said(capsys):
    """(stdout, stderr) of a talk with the parrot; the reader."""

    def talk(*presses, model=None):
        screen.forget_consoles()
        reader = Keys(*presses, EOFError())
        conversation = Conversation(model or Parrot(), Sampling())
        command.talk(conversation, reader)
        screen.forget_consoles()
        return capsys.readouterr(), reader, conversation

    return talk


def test_ctrl_c_at_the_prompt_asks_again_and_ctrl_d_ends(said):
    shown, _, _ = said(KeyboardInterrupt(), "猫")
    assert shown == ("「猫」ですね。\n", "Good-bye.\n")


def test_the_last_message_is_offered_to_be_edited(said):
    shown, reader, conversation = said("猫\n🐈", "/edit", "犬\n🐕", "鳥")
    assert reader.offered == [None, None, "猫\n🐈", None, None]
    assert shown.out == "「猫\n🐈」ですね。\n「犬\n🐕」ですね。\n「鳥」ですね。\n"
    assert [each.question for each in conversation.exchanges] == ["犬\n🐕", "鳥"]


def test_an_edit_can_be_given_up(said):
    _, reader, conversation = said("猫", "/edit", KeyboardInterrupt(), "鳥")
    assert reader.offered == [None, None, "猫", None, None]
    assert [each.question for each in conversation.exchanges] == ["猫", "鳥"]


def test_half_a_character_is_refused_and_the_chat_goes_on(said, tiny_base):
    model = load_answerer(open_source(str(tiny_base)), Placement())
    shown, _, conversation = said("猫\ud83d", "/reset", model=model)
    assert shown.err.startswith("Error: ")
    assert "U+D83D" in shown.err
    assert shown.err.endswith("(conversation forgotten)\nGood-bye.\n")
    assert conversation.exchanges == []


def test_probabilities_are_coloured_on_a_terminal(said, monkeypatch):
    monkeypatch.setattr(screen, "draws_pieces", lambda: (True, False))
    shown, _, _ = said("猫", "/probs")
    assert "Answer by probability\n猫|猫\n" in shown.out
    assert "犬 25.0%" in shown.out


@pytest.fixture
def typed(monkeypatch, tmp_path):
    """What a terminal reader reads of these keys, message by message."""
    from prompt_toolkit.application import create_app_session
    from prompt_toolkit.input import create_pipe_input
    from prompt_toolkit.output import DummyOutput

    monkeypatch.setenv("JLORA_CACHE", str(tmp_path))

    def read(*keys, text=None):
        found = []
        with create_pipe_input() as pipe, create_app_session(pipe, DummyOutput()):
            reader = chat_terminal.TerminalReader(COMMANDS)
            for each in keys:
                pipe.send_text(each)
                found.append(reader.read(text))
        return found

    return read


ENTER, ALT_ENTER, UP, LEFT, BACKSPACE = "\r", "\x1b\r", "\x1b[A", "\x1b[D", "\x7f"


@pytest.mark.parametrize(
    ("keys", "message"),
    [
        ("髙﨑と𠮷野家🐈" + ENTER, "髙﨑と𠮷野家🐈"),
        ("ｶﾞｷﾞ🐈を" + LEFT + BACKSPACE + ENTER, "ｶﾞｷﾞを"),
        ("一" + ALT_ENTER + "二" + ENTER, "一\n二"),
        ("一\\" + ENTER + "二" + ENTER, "一\n二"),
        ("\x1b[200~一\n二\n三\x1b[201~" + ENTER, "一\n二\n三"),  # bracketed paste
        ('"""' + ENTER + "一" + ENTER + '二"""' + ENTER, "一\n二"),
    ],
)
def test_keys_become_one_message(typed, keys, message):
    assert typed(keys) == [message]


def test_a_text_to_be_edited_stands_on_the_line(typed):
    assert typed(BACKSPACE + "犬" + ENTER, text="一\n猫") == ["一\n犬"]


def test_ctrl_c_and_ctrl_d_reach_the_chat(typed):
    with pytest.raises(KeyboardInterrupt):
        typed("途中\x03")
    with pytest.raises(EOFError):
        typed("\x04")


def test_messages_are_remembered_for_the_next_chat(typed, tmp_path):
    assert typed("髙﨑🐈" + ENTER, "一" + ALT_ENTER + "二" + ENTER) == ["髙﨑🐈", "一\n二"]
    assert typed(UP + ENTER) == ["一\n二"]
    assert typed(UP + UP + UP + ENTER) == ["髙﨑🐈"]
    if os.name == "posix":
        assert chat_terminal.history_file().stat().st_mode & 0o777 == 0o600
    assert chat_terminal.history_file().parent == tmp_path


def test_without_a_place_for_it_the_history_is_this_chats_own(typed, tmp_path, monkeypatch):
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("JLORA_CACHE", str(tmp_path / "file" / "folder"))
    assert typed("猫" + ENTER, UP + ENTER) == ["猫", "猫"]


def test_a_history_that_can_no_longer_be_written_does_not_end_the_chat(typed, monkeypatch):
    from prompt_toolkit.history import FileHistory

    def full(self, string):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(FileHistory, "store_string", full)
    assert typed("猫" + ENTER, "犬" + ENTER) == ["猫", "犬"]


@pytest.fixture
def terminal(monkeypatch):
    for stream in ("stdin", "stdout"):
        monkeypatch.setattr(f"sys.{stream}.isatty", lambda: True, raising=False)


def test_a_terminal_is_read_with_prompt_toolkit(terminal, monkeypatch, tmp_path):
    monkeypatch.setenv("JLORA_CACHE", str(tmp_path))
    assert isinstance(chat_terminal.open_reader(COMMANDS), chat_terminal.TerminalReader)


class Tty(io.StringIO):
    def isatty(self):
        return True


def test_without_prompt_toolkit_a_terminal_is_read_line_by_line(monkeypatch):
    monkeypatch.setitem(sys.modules, "prompt_toolkit", None)
    monkeypatch.setattr(sys, "stdin", Tty('猫\n"""一\n二\n"""\n""""""\n"""三\n'))
    monkeypatch.setattr(sys, "stdout", Tty())
    reader = chat_terminal.open_reader(COMMANDS)
    assert not reader.prefills
    assert [reader.read(), reader.read(), reader.read()] == ["猫", "一\n二", ""]
    with pytest.raises(EOFError):
        reader.read()
    assert sys.stdout.getvalue() == "you> " * 4
