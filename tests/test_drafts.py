"""A folder appears whole: made anew, or filled where it is there already."""

from __future__ import annotations

import os

import pytest

from jlora_cli.drafts import draft_for, forget_draft, put_in_place


def a_draft(folder):
    """What is to become `folder`: a file, a folder with one, and the file that comes last."""
    draft = draft_for(folder, "part")
    (draft / "行").mkdir(parents=True)
    for name in ("a.json", "行/𠮷.txt", "z.safetensors"):
        (draft / name).write_text("猫", encoding="utf-8")
    return draft


def names(folder):
    return sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*"))


WHOLE = ["a.json", "z.safetensors", "行", "行/𠮷.txt"]


def test_a_new_folder_is_the_draft_itself(tmp_path):
    draft = a_draft(tmp_path / "出力")
    assert draft.parent == tmp_path

    put_in_place(draft, tmp_path / "出力")

    assert names(tmp_path / "出力") == WHOLE
    assert names(tmp_path) == ["出力", *(f"出力/{name}" for name in WHOLE)]


def test_the_folder_that_a_shell_stands_in_is_filled(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    here = type(tmp_path)(".")

    put_in_place(a_draft(here), here)

    assert names(tmp_path) == WHOLE


@pytest.mark.skipif(os.name == "nt", reason="links want a right on Windows")
def test_a_link_to_an_empty_folder_stays_one(tmp_path):
    (tmp_path / "別のディスク").mkdir()
    link = tmp_path / "出力"
    link.symlink_to(tmp_path / "別のディスク", target_is_directory=True)

    put_in_place(a_draft(link), link)

    assert link.is_symlink()
    assert names(tmp_path / "別のディスク") == WHOLE


def test_what_a_killed_process_left_is_removed(tmp_path):
    folder = tmp_path / "出力"
    folder.mkdir()
    a_draft(folder)

    forget_draft(folder, "part")
    forget_draft(folder, "part")

    assert names(folder) == []


def test_what_tells_that_all_is_there_is_moved_last(tmp_path, monkeypatch):
    folder = tmp_path / "出力"
    folder.mkdir()
    moved = []
    replace = type(folder).replace
    monkeypatch.setattr(
        type(folder),
        "replace",
        lambda path, target: moved.append(path.name) or replace(path, target),
    )

    put_in_place(a_draft(folder), folder, last="a.json")

    assert moved == ["z.safetensors", "行", "a.json"]
