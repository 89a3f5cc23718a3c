"""Asking tools of the system: what fails, hangs or is missing says nothing."""

from __future__ import annotations

import sys

from jlora_cli.machine import tools


def test_a_tool_that_fails_hangs_or_is_missing_says_nothing(monkeypatch):
    assert tools.output([sys.executable, "-c", "print('あ'.encode() and 1)"]).strip() == "1"
    assert tools.output([sys.executable, "-c", "raise SystemExit(9)"]) == ""
    assert tools.output(["no-such-tool-of-any-machine"]) == ""
    monkeypatch.setattr(tools, "TIMEOUT_S", 0.05)
    assert tools.output([sys.executable, "-c", "import time; time.sleep(5)"]) == ""


def test_an_answer_holds_the_complaints_of_a_tool_that_fails():
    fails = "import sys; print('ok'); sys.stderr.write('駄目'); sys.exit(3)"

    assert tools.answer([sys.executable, "-X", "utf8", "-c", fails]) == "ok\n駄目"
    assert tools.answer([sys.executable, "-c", "print(1)"]) == "1\n"
    assert tools.answer(["no-such-tool-of-any-machine"]) == ""
