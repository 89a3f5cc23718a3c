"""Runs `python -m jlora_cli` again and again without paying for torch's import each time.

Started as a program, it imports everything once, then forks one child for each job that it reads
from stdin. The child is a process of its own, with its own signals and exit code, and runs the
same module as `python -m jlora_cli`; all that is added is that it can stop itself (SIGSTOP) after
a given optimizer step, so that a test need not race it.
"""

from __future__ import annotations

import json
import os
import runpy
import signal
import subprocess
import sys
import tempfile
import traceback
from dataclasses import dataclass
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[2]


@dataclass(frozen=True)
class Ended:
    """How a child ended; `stopped` while it only waits."""

    pid: int
    code: int | None
    stopped: bool


class Launcher:
    """The test's side: starts jlora, waits for it, and sends it signals."""

    def __init__(self) -> None:
        self.errors = tempfile.TemporaryFile("w+")  # noqa: SIM115 - closed with the launcher
        environment = {**os.environ, "JLORA_LANG": "en", "HF_HUB_OFFLINE": "1"}
        self._process = subprocess.Popen(
            [sys.executable, __file__],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self.errors,
            text=True,
            cwd=ROOT,
            env=environment,
        )

    def run(self, *words: str, log: Path, stop_after: int | None = None) -> Ended:
        """`jlora WORDS` until it ends, or stops itself after the step `stop_after`."""
        return self._ask({"words": words, "log": str(log), "stop_after": stop_after})

    def go_on(self, stopped: Ended, *signals: int) -> Ended:
        """Send `signals` to a stopped child, wake it, and wait for its end."""
        assert stopped.stopped
        for number in (*signals, signal.SIGCONT):
            os.kill(stopped.pid, number)
        return self._ask({"wait": stopped.pid})

    def _ask(self, job: dict[str, Any]) -> Ended:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(json.dumps(job) + "\n")
        self._process.stdin.flush()
        return Ended(**json.loads(self._process.stdout.readline()))

    def close(self) -> None:
        """End the process; it has no children then."""
        self._process.communicate()
        self.errors.close()


def _serve() -> None:
    from jlora_cli.lean_imports import settle_libraries

    settle_libraries()
    import peft  # noqa: F401

    import jlora_cli.cli
    import jlora_cli.training.session  # noqa: F401

    for line in sys.stdin:
        job = json.loads(line)
        pid = job.get("wait") or os.fork()
        if pid == 0:
            os._exit(_child(job))
        _, status = os.waitpid(pid, os.WUNTRACED)
        stopped = os.WIFSTOPPED(status)
        code = None if stopped else os.waitstatus_to_exitcode(status)
        sys.stdout.write(json.dumps({"pid": pid, "code": code, "stopped": stopped}) + "\n")
        sys.stdout.flush()


def _child(job: dict[str, Any]) -> int:
    with Path(job["log"]).open("w") as log:
        for stream in (1, 2):
            os.dup2(log.fileno(), stream)
    sys.stdin = os.fdopen(os.open(os.devnull, os.O_RDONLY))
    # What a terminal's foreground process has, whoever started the tests.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_DFL)
    _stop_after(job["stop_after"])
    sys.argv = ["jlora", *job["words"]]
    try:
        runpy.run_module("jlora_cli", run_name="__main__", alter_sys=True)
    except SystemExit as end:
        return int(end.code or 0)
    except BaseException:  # noqa: BLE001 - the child is forked and must not go on as its parent
        traceback.print_exc()
        return 70
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
    return 0


def _stop_after(step: int | None) -> None:
    from jlora_cli.events import StepDone
    from jlora_cli.screen import Teller

    tell = Teller.notify

    def notify(self: Teller, event: Any) -> None:
        tell(self, event)
        if isinstance(event, StepDone) and event.step == step:
            os.kill(os.getpid(), signal.SIGSTOP)

    Teller.notify = notify  # type: ignore[method-assign]


if __name__ == "__main__":
    sys.path.insert(0, str(ROOT))
    _serve()
