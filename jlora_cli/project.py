"""A small project to start from: rows, a profile to edit, and what git should leave alone."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING

from jlora_cli.drafts import draft_for, put_in_place
from jlora_cli.errors import refuse
from jlora_cli.preparing import DEMO_DATA
from jlora_cli.profile import profiles_folder

if TYPE_CHECKING:
    from pathlib import Path

_IGNORED = "runs/\nprepared/\n*.safetensors\n"
_STARTED_FROM = "cpu-small"


def write_project(folder: Path) -> None:
    """Write the project into `folder`; all of it or nothing.

    Raises:
        JloraError: it cannot be written.
    """
    draft = draft_for(folder, "part")
    shutil.rmtree(draft, ignore_errors=True)
    try:
        (draft / "data").mkdir(parents=True)
        for name in ("train.jsonl", "validation.jsonl"):
            shutil.copyfile(DEMO_DATA / name, draft / "data" / name)
        (draft / "profile.yaml").write_text(_profile(), encoding="utf-8", newline="\n")
        (draft / ".gitignore").write_text(_IGNORED, encoding="utf-8", newline="\n")
        put_in_place(draft, folder)
    except OSError as error:
        shutil.rmtree(draft, ignore_errors=True)
        raise refuse("source.cannot_write", path=folder, problem=error.strerror) from error


def _profile() -> str:
    """The profile for small machines, opened by the command that runs it, with a model in it."""
    text = (profiles_folder() / f"{_STARTED_FROM}.yaml").read_text(encoding="utf-8")
    _, _, rest = text.partition("\n")
    return (
        "# jlora train --profile profile.yaml --data prepared\n"
        f"{rest}\n# A folder, a hub id such as rinna/japanese-gpt2-medium, or the embedded model.\n"
        "model: demo\n"
    )
