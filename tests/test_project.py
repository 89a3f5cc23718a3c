"""`init`'s project: rows, a profile that loads, and all of it or nothing."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from jlora_cli.config import resolve, settle
from jlora_cli.errors import JloraError
from jlora_cli.machine import Machine
from jlora_cli.preparing import load_data
from jlora_cli.profile import load_profile
from jlora_cli.project import write_project

FILES = [".gitignore", "data", "data/train.jsonl", "data/validation.jsonl", "profile.yaml"]


def files_of(folder):
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*"))


def test_the_project_holds_rows_a_profile_and_what_git_leaves_alone(tmp_path):
    folder = tmp_path / "新しい 計画" / "猫🐈"

    write_project(folder)

    assert files_of(folder) == FILES
    assert (folder / ".gitignore").read_text(encoding="utf-8").splitlines()[0] == "runs/"
    assert (
        len(load_data(str(folder / "data" / "train.jsonl")).examples)
        == len(load_data("demo").examples)
        > 40
    )
    assert load_data(str(folder / "data" / "validation.jsonl")).examples
    assert files_of(tmp_path / "新しい 計画") == sorted(
        ["猫🐈", *(f"猫🐈/{name}" for name in FILES)]
    )


def test_its_profile_opens_with_its_command_and_settles_on_a_small_machine(tmp_path):
    write_project(tmp_path / "計画")
    path = tmp_path / "計画" / "profile.yaml"
    machine = Machine("Linux", "3.11.9", True, "EPYC", 2, 8.0, 6.0, 40.0)

    profile = load_profile(str(path))
    _, found = settle(resolve(profile.resolved_values(), {}), machine)

    first = path.read_text(encoding="utf-8").splitlines()[0]
    assert first == "# jlora train --profile profile.yaml --data prepared"
    assert profile.values["model"] == "demo"
    assert profile.values["batch_size"] == load_profile("cpu-small").values["batch_size"]
    assert found == []


@pytest.mark.parametrize("name", ["empty", "."])
def test_an_empty_folder_is_filled_where_it_stands(tmp_path, monkeypatch, name):
    folder = tmp_path / "empty"
    folder.mkdir()
    monkeypatch.chdir(folder if name == "." else tmp_path)
    before = folder.stat().st_ino

    write_project(Path(name))

    assert files_of(folder) == FILES
    assert folder.stat().st_ino == before  # a shell that stands in it still does


def test_a_leftover_of_an_earlier_try_is_not_taken_over(tmp_path):
    leftover = tmp_path / ".計画.part"
    leftover.mkdir()
    (leftover / "half").write_text("", encoding="utf-8")

    write_project(tmp_path / "計画")

    assert files_of(tmp_path / "計画") == FILES
    assert not leftover.exists()


def test_a_full_disk_leaves_nothing_behind(tmp_path, monkeypatch):
    copied = []

    def full(source, target):
        copied.append(target)
        if len(copied) == 2:
            raise OSError(28, "No space left on device")

    monkeypatch.setattr(shutil, "copyfile", full)

    with pytest.raises(JloraError) as refusal:
        write_project(tmp_path / "計画")

    assert refusal.value.problem == f"cannot write {tmp_path / '計画'}: No space left on device"
    assert len(copied) == 2
    assert list(tmp_path.iterdir()) == []
