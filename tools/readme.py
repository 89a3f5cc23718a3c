"""Run the commands that the READMEs show, and write down what they print.

    python tools/readme.py            # both files, in place

Every fenced `console` block is run from top to bottom in one temporary folder; each line that
starts with `$ ` is a command, and what stands below it is replaced by its real output.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
LANGUAGES = {"README.md": "en", "README.ja.md": "ja"}
BLOCK = re.compile(r"(```console\n)(.*?)(```)", re.DOTALL)
WIDTH = "96"


def output_of(command: str, folder: Path, language: str) -> str:
    """What `command` prints, stderr first as on a terminal, without this machine's names."""
    environment = {
        **os.environ,
        "JLORA_LANG": language,
        "JLORA_CACHE_GIB": "0",  # as at the first time
        "COLUMNS": WIDTH,
        "NO_COLOR": "1",
        "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
    }
    done = subprocess.run(
        command,
        shell=True,
        cwd=folder,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        encoding="utf-8",
        check=False,
    )
    lines = (line.rstrip() for line in done.stdout.splitlines())
    return "".join(line + "\n" for line in lines if line).replace(f"{folder}{os.sep}", "")


def rerun(text: str, folder: Path, language: str) -> str:
    """`text` with every console block run again in `folder`."""

    def block(found: re.Match[str]) -> str:
        commands = [line[2:] for line in found[2].splitlines() if line.startswith("$ ")]
        shown = (f"$ {command}\n{output_of(command, folder, language)}" for command in commands)
        return found[1] + "".join(shown) + found[3]

    return BLOCK.sub(block, text)


def main() -> None:
    """Rewrite both READMEs."""
    for name, language in LANGUAGES.items():
        path = ROOT / name
        with tempfile.TemporaryDirectory() as folder:
            text = rerun(path.read_text(encoding="utf-8"), Path(folder), language)
        path.write_text(text, encoding="utf-8", newline="\n")


if __name__ == "__main__":
    main()
