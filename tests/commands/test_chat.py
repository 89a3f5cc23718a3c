"""`jlora chat` reads lines, streams answers to stdout, tells a person the rest on stderr."""

from __future__ import annotations

import json
import os
import shutil

import pytest
import typer
from typer.testing import CliRunner

from jlora_cli import generation, machine, screen
from jlora_cli.commands import chat as command
from jlora_cli.conversation import Conversation
from jlora_cli.dataset import Message
from jlora_cli.errors import JloraError, refuse
from jlora_cli.generation import Answer, load_answerer
from jlora_cli.messages import say
from jlora_cli.model import Placement
from jlora_cli.run_folder import open_source
from jlora_cli.sampling import Sampling

LOADING = "Loading {} …\nType a message; /help lists commands, Ctrl-D ends.\n"


class Echo:
    """Answers X！ in two pieces; 止 is interrupted and 長 refused behind the first of them."""

    def __init__(self, reason="eos"):
        self.reason = reason
        self.heard = []

    def fits(self, messages, sampling):
        return True

    def answer(self, messages, sampling, on_text):
        line = messages[-1].content
        self.heard.append([message.content for message in messages])
        if line == "長":
            raise refuse("generation.too_long", prompt=99, new=8, context=64)
        on_text(line)
        if line == "止":
            raise KeyboardInterrupt
        on_text("！")
        return Answer(line + "！", [1, 2], self.reason, 3)


@pytest.fixture
def echo(monkeypatch):
    model = Echo()
    monkeypatch.setattr(generation, "load_answerer", lambda *_, **__: model)
    return model


@pytest.fixture
def run():
    """The command with lines piped into it; a refusal is raised."""
    app = typer.Typer()
    app.command()(command.chat)

    def call(*words, lines):
        screen.forget_consoles()
        done = CliRunner().invoke(app, [str(word) for word in words], input=lines.encode())
        screen.forget_consoles()
        if isinstance(done.exception, JloraError):
            raise done.exception
        return done

    return call


def test_piped_lines_are_answered_without_a_terminal(run, tiny_run, echo):
    done = run(tiny_run, lines="こんにちは🐈\n\n  \nｶﾞｷﾞ Ａ１\r\n")
    assert done.exit_code == 0
    assert done.stdout == "こんにちは🐈！\nｶﾞｷﾞ Ａ１！\n"
    assert done.stderr == LOADING.format(tiny_run) + "Good-bye.\n"
    assert echo.heard == [["こんにちは🐈"], ["こんにちは🐈", "こんにちは🐈！", "ｶﾞｷﾞ Ａ１"]]


def test_a_real_model_answers_as_infer_does(run, tiny_run):
    words = ("--temperature", "0", "--max-new-tokens", "8", "--system", "猫")
    done = run(tiny_run, *words, lines="名前は？\n")
    answerer = load_answerer(open_source(str(tiny_run)), Placement())
    asked = [Message("system", "猫"), Message("user", "名前は？")]
    answer = answerer.answer(asked, Sampling(max_new_tokens=8, temperature=0.0))
    assert done.stdout == answer.text + "\n"
    assert ("cut off" in done.stderr) == (answer.finish_reason == "length")


def test_slash_commands_are_told_on_stderr(run, tiny_run, echo):
    done = run(tiny_run, lines="猫\n/undo\n/reset\n/help\n/だめ\n/exit\n犬\n")
    assert done.stdout == "猫！\n"
    assert done.stderr == LOADING.format(tiny_run) + (
        "(last exchange taken back)\n(conversation forgotten)\n"
        f"{say('chat.help')}\n"
        "There is no /だめ; commands are /help /reset /undo /exit.\nGood-bye.\n"
    )
    assert echo.heard == [["猫"]]


def test_a_stopped_reply_is_forgotten_and_the_chat_goes_on(run, tiny_run, echo):
    done = run(tiny_run, lines="止\n猫\n")
    assert done.exit_code == 0
    assert done.stdout == "止\n猫！\n"
    assert "(reply stopped)\n" in done.stderr
    assert echo.heard == [["止"], ["猫"]]


def test_a_refused_turn_is_shown_and_the_chat_goes_on(run, tiny_run, echo):
    done = run(tiny_run, lines="長\n猫\n")
    assert done.exit_code == 0
    assert done.stdout == "猫！\n"
    assert (
        "Error: 99 prompt tokens and 8 new ones do not fit into the model's 64\n"
        "Fix:   shorten the prompt or lower --max-new-tokens\n"
    ) in done.stderr
    assert echo.heard == [["長"], ["猫"]]


def test_a_cut_off_reply_is_noted(run, tiny_run, echo):
    echo.reason = "length"
    done = run(tiny_run, lines="猫\n")
    assert (done.stdout, done.stderr.splitlines()[-2]) == (
        "猫！\n",
        "(cut off at --max-new-tokens)",
    )


def test_sampling_options_reach_the_model(run, tiny_run, monkeypatch):
    heard = []

    class Listener(Echo):
        def answer(self, messages, sampling, on_text):
            heard.append(sampling)
            return super().answer(messages, sampling, on_text)

    monkeypatch.setattr(generation, "load_answerer", lambda *_, **__: Listener())
    options = {"max-new-tokens": 5, "temperature": 0.3, "top-p": 0.4, "top-k": 6, "seed": 9}
    words = [word for name, value in options.items() for word in (f"--{name}", value)]
    run(tiny_run, *words, "--repetition-penalty", "1.5", lines="猫\n")
    run(tiny_run, lines="猫\n")
    assert heard == [Sampling(5, 0.3, 0.4, 6, 1.5, 9), Sampling(256, 0.7, 0.75, 40, 1.0, 42)]


def test_without_a_source_the_newest_finished_run_talks(run, tiny_run, echo, tmp_path, monkeypatch):
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
    assert done.stderr.startswith(LOADING.format("runs/新"))
    assert done.stdout == "猫！\n"


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


def keys(*presses):
    """A keyboard: lines, or what is raised in their place."""
    left = list(presses)

    def read():
        press = left.pop(0)
        if isinstance(press, BaseException):
            raise press
        return press

    return read


def test_ctrl_c_at_the_prompt_asks_again_and_ctrl_d_ends(capsys):
    screen.forget_consoles()
    conversation = Conversation(Echo(), Sampling())
    command.talk(conversation, keys(KeyboardInterrupt(), "猫", EOFError()))
    assert capsys.readouterr() == ("猫！\n", "Good-bye.\n")
    screen.forget_consoles()


def test_a_terminal_is_read_with_prompt_toolkit(monkeypatch):
    import prompt_toolkit

    asked = []

    class Session:
        def prompt(self, text):
            asked.append(text)
            return "髙﨑"

    monkeypatch.setattr(prompt_toolkit, "PromptSession", Session)
    for stream in ("stdin", "stdout"):
        monkeypatch.setattr(f"sys.{stream}.isatty", lambda: True, raising=False)
    read = command._reader()
    assert (read(), asked) == ("髙﨑", ["you> "])
