"""What is kept for the next time: whole or not at all, found by its key, never in the way."""

from __future__ import annotations

import mmap
import os
import pickle
import sys
import time
from array import array
from pathlib import Path

import pytest

from jlora_cli.cache import Draft, Scratch, find, keeping, key_of, limit_bytes, scratch, sections

TEXT = "髙﨑と𠮷野家で🐈が\nｶﾞｷﾞ"


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    monkeypatch.setenv("JLORA_CACHE", str(tmp_path / "cache"))
    monkeypatch.delenv("JLORA_CACHE_GIB", raising=False)
    return tmp_path / "cache" / "rows"


def kept(key, numbers=range(10), **how):
    with Draft(key) as draft:
        for number in numbers:
            draft.extend(array("i", [number]))
        arrays = {"lines": array("I", [7, 8, 9]), "nothing": array("Q")}
        return draft.finish(("tokens", "i"), arrays, {"text": TEXT}, **how)


def assert_whole(entry, numbers=range(10)):
    assert entry["tokens"].tolist() == list(numbers)
    assert (entry["lines"].tolist(), entry["nothing"].tolist()) == ([7, 8, 9], [])
    assert entry.facts == {"text": TEXT}
    assert "lines" in entry
    assert "starts" not in entry


def test_an_entry_is_found_by_its_key(folder):
    assert find("a") is None
    assert_whole(kept("a"))
    assert_whole(find("a"))
    assert find("b") is None
    assert find(None) is None
    assert [path.name for path in folder.iterdir()] == ["a.rows"]


@pytest.mark.skipif(sys.platform == "win32", reason="rights are others there")
def test_an_entry_is_for_its_owner_alone(folder):
    kept("a")
    assert (folder / "a.rows").stat().st_mode & 0o777 == 0o600


def test_a_key_is_of_what_it_is_made_from(monkeypatch):
    first = key_of({"行": "髙", "b": 1})
    assert key_of({"b": 1, "行": "髙"}) == first
    assert key_of({"b": 2, "行": "髙"}) != first
    monkeypatch.setattr(keeping, "_FORMAT", 2)
    assert key_of({"b": 1, "行": "髙"}) != first


@pytest.mark.parametrize("at", [0, 9, 20, 70, 100, -1])
def test_a_damaged_entry_is_noticed_and_removed(folder, at):
    kept("a")
    path = folder / "a.rows"
    content = bytearray(path.read_bytes())
    content[at] ^= 1
    path.write_bytes(content)
    assert find("a") is None
    assert not path.exists()
    assert_whole(kept("a"))


@pytest.mark.parametrize("size", [0, 10, 64, 90])
def test_an_entry_that_was_cut_off_is_noticed(folder, size):
    kept("a")
    content = (folder / "a.rows").read_bytes()
    (folder / "a.rows").write_bytes(content[:size])
    assert find("a") is None


def test_what_cannot_be_removed_is_made_anew_all_the_same(folder, monkeypatch):
    kept("a")
    (folder / "a.rows").write_bytes(b"")

    def refuses(path, **how):
        raise PermissionError(path)

    monkeypatch.setattr(Path, "unlink", refuses)
    assert find("a") is None


def test_an_error_leaves_nothing_behind(folder):
    with pytest.raises(TypeError), Draft("a") as draft:
        draft.extend(None)
    assert list(folder.iterdir()) == []


def test_two_drafts_of_one_key_do_not_meet(folder):
    with Draft("a") as one, Draft("a") as other:
        one.extend(array("i", [1]))
        other.extend(array("i", [1]))
        entries = [draft.finish(("tokens", "i"), {}, {}) for draft in (one, other)]
    assert [entry["tokens"].tolist() for entry in entries] == [[1], [1]]
    assert [path.name for path in folder.iterdir()] == ["a.rows"]


def test_a_file_in_use_that_cannot_be_replaced_is_done_without(folder, monkeypatch):
    kept("a")

    def refuses(path, goal):
        raise PermissionError(goal)  # Windows, where another process has it mapped

    monkeypatch.setattr(Path, "replace", refuses)
    entry = kept("a", range(5))
    assert_whole(entry, range(5))
    assert_whole(find("a"))
    assert [path.name for path in folder.iterdir()] == ["a.rows"]
    assert_whole(pickle.loads(pickle.dumps(entry)), range(5))


def test_an_entry_that_is_not_to_be_kept_is_there_all_the_same(folder):
    assert_whole(kept("a", keep=False))
    assert_whole(kept(None))
    assert list(folder.iterdir()) == []


@pytest.mark.parametrize(
    ("said", "gib"), [(None, 8), ("", 8), ("0", 0), ("0.5", 0.5), ("viel", 8), ("-1", 0)]
)
def test_the_limit_is_said_in_gib(said, gib, monkeypatch):
    if said is not None:
        monkeypatch.setenv("JLORA_CACHE_GIB", said)
    assert limit_bytes() == gib * 2**30


def test_a_cache_that_is_off_keeps_and_finds_nothing(folder, monkeypatch):
    kept("a")
    monkeypatch.setenv("JLORA_CACHE_GIB", "0")
    assert find("a") is None
    assert_whole(kept("b"))
    assert [path.name for path in folder.iterdir()] == ["a.rows"]


def test_the_oldest_entries_go_when_there_is_no_more_room(folder, monkeypatch):
    for age, key in enumerate("abc"):
        kept(key)
        os.utime(folder / f"{key}.rows", (1000 - age, 1000 - age))
    assert find("c") is not None  # now the one that was used last
    size = (folder / "a.rows").stat().st_size
    monkeypatch.setenv("JLORA_CACHE_GIB", str(2.5 * size / 2**30))
    kept("d")
    assert {path.stem for path in folder.iterdir()} == {"c", "d"}
    monkeypatch.setenv("JLORA_CACHE_GIB", str(0.5 * size / 2**30))
    assert_whole(kept("e"))  # larger than all that may be kept
    assert {path.stem for path in folder.iterdir()} == {"c", "d"}


def test_what_a_killed_run_left_is_removed_after_a_day(folder):
    folder.mkdir(parents=True)
    old, new = folder / "x.1-1.partial", folder / "y.2-2.partial"
    for path in (old, new):
        path.write_bytes(b"x")
    os.utime(old, (time.time() - 90_000, time.time() - 90_000))
    kept("a")
    assert {path.name for path in folder.iterdir()} == {"a.rows", new.name}


def test_an_entry_that_goes_while_others_are_counted_is_no_fault(folder, monkeypatch):
    kept("a")
    monkeypatch.setattr(keeping, "_listed", lambda path: [path / "gone.rows", path / "b.rows"])
    assert_whole(kept("b"))
    monkeypatch.undo()
    assert keeping._listed(folder / "none") == []


def test_an_entry_goes_to_other_processes_by_its_name(folder):
    entry = kept("a")
    sent = pickle.dumps(entry)
    assert len(sent) < 500
    assert_whole(pickle.loads(sent))
    (folder / "a.rows").unlink()
    assert_whole(pickle.loads(pickle.dumps(entry)))


def test_pages_that_were_given_back_come_again():
    entry = kept("a")
    entry.release()
    assert_whole(entry)
    held_in_memory = pickle.loads(pickle.dumps(kept(None)))
    held_in_memory.release()
    assert_whole(held_in_memory)


def test_where_nothing_can_be_mapped_the_file_is_read(monkeypatch):
    def refuses(*_, **__):
        raise OSError

    monkeypatch.setattr(sections.mmap, "mmap", refuses)
    monkeypatch.setattr(sections, "isinstance", lambda *_: False, raising=False)
    assert_whole(kept("a"))
    assert mmap.mmap is refuses


# A disk that is full or gone


class Full:
    """A file whose disk takes `room` more bytes."""

    def __init__(self, file, room):
        self._file, self._room = file, room

    def write(self, data):
        if not self._room:
            raise OSError(28, "No space left on device")
        part = min(self._room, len(data), 3)  # and only a part at once
        self._room -= part
        return self._file.write(data[:part])

    def __getattr__(self, name):
        return getattr(self._file, name)


@pytest.mark.parametrize("room", [0, 1, 5, 11])
def test_what_a_full_disk_does_not_take_stays_in_memory(tmp_path, room):
    grown = Scratch(tmp_path / "a" / "x")
    grown._file = Full(grown._file, room)
    for part in (b"abcd", "髙".encode(), b"xyz"):
        grown.append(part)
    grown.overwrite(b"AB")
    grown.append(b"!")
    assert grown.read(0, 99) == "ABcd髙xyz!".encode()
    assert grown.flush() is (grown.path is not None)
    assert (grown.path is None) == (room < 13)
    assert list((tmp_path / "a").iterdir()) == []
    grown.close()


def test_a_header_that_a_full_disk_does_not_take_stays_in_memory(tmp_path):
    grown = Scratch(tmp_path / "x")
    grown.append(b"abcd")
    grown._file = Full(grown._file, 0)
    grown.overwrite(b"AB")
    assert (grown.read(0, 4), grown.path) == (b"ABcd", None)
    grown.close()


def test_a_disk_that_keeps_nothing_is_noticed(tmp_path, monkeypatch):
    def refuses(_):
        raise OSError

    grown = Scratch(tmp_path / "x")
    grown.append(b"abcd")
    monkeypatch.setattr(scratch.os, "fsync", refuses)
    assert grown.flush() is False
    assert (grown.read(1, 2), list(tmp_path.iterdir())) == (b"bc", [])
    grown.close()


def test_a_cache_folder_that_cannot_be_made_is_done_without(tmp_path, monkeypatch):
    (tmp_path / "file").write_text("", encoding="utf-8")
    monkeypatch.setenv("JLORA_CACHE", str(tmp_path / "file"))
    assert_whole(kept("a"))
    assert find("a") is None


def test_much_goes_to_a_temporary_file_and_little_stays_in_memory(monkeypatch):
    monkeypatch.setattr(scratch, "SMALL_BYTES", 5)
    grown = Scratch()
    grown.append(b"abc")
    assert grown._on_disk is False
    grown.append(b"defg")
    assert grown._on_disk is True
    grown.append(b"h")
    assert grown.read(0, 9) == b"abcdefgh"
    grown.close()


def test_where_there_is_no_room_for_a_temporary_file_all_stays_in_memory(monkeypatch, tmp_path):
    monkeypatch.setattr(scratch, "SMALL_BYTES", 5)
    made = (tmp_path / "x").open("w+b", buffering=0)

    def none(**_):
        raise FileNotFoundError  # tempfile's, when no folder is usable

    for temporary in (none, lambda **_: Full(made, 1)):
        monkeypatch.setattr(scratch.tempfile, "TemporaryFile", temporary)
        grown = Scratch()
        grown.append(b"abc")
        grown.append(b"defg")
        assert (grown.read(0, 9), grown._on_disk) == (b"abcdefg", False)
        grown.close()
    made.close()
