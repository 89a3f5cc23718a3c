"""Rows in flat arrays: the same rows as before, and what all of them come to."""

from __future__ import annotations

import pickle
from array import array

import pytest

from jlora_cli.cache import Draft
from jlora_cli.prompt import (
    IGNORED,
    Census,
    Count,
    Encoded,
    StoredRows,
    census,
    count_shared,
    keys_of,
    lengths_of,
    pack,
    supervised_of,
    take_census,
    unpack,
)

END = 3
# ids, supervised from this place on, line, shortened
ROWS = [
    Encoded([5, 0, 9, END], [IGNORED, IGNORED, 9, END], "行.jsonl:1"),
    Encoded([7, END], [IGNORED, END], "行.jsonl:3"),
    Encoded([7, 8, 9], [7, 8, 9], "髙.jsonl:1", shortened=True),
    Encoded([8, END], [IGNORED, END], "髙.jsonl:1", shortened=True),
    Encoded([2**31 - 1, 4], [IGNORED, 4], "髙.jsonl:4"),
]


def section(**arrays):
    files = [[0, "行.jsonl"], [2, "髙.jsonl"]]
    with Draft(None) as draft:
        draft.extend(arrays.pop("tokens"))
        return draft.finish(("tokens", "i"), arrays, {"files": files})


@pytest.fixture
def stored():
    """The rows as they are stored: the third of four whole rows did not fit and became two."""
    whole = [*ROWS[:2], Encoded([7, 8, 9, 8, END], [7, 8, 9, 8, END]), ROWS[4]]
    first = section(
        tokens=array("i", [token for row in whole for token in pack(row)]),
        starts=array("q", [0, 4, 6, 11]),
        lengths=array("I", [4, 2, 5, 2]),
        supervised=array("I", [2, 1, 4, 1]),
        lines=array("I", [1, 3, 1, 4]),
    )
    second = section(
        tokens=array("i", [*pack(ROWS[2]), *pack(ROWS[3])]),
        starts=array("q", [0, 4, -1, -4, 11]),
        lengths=array("I", [4, 2, 3, 2, 2]),
        supervised=array("I", [2, 1, 2, 1, 1]),
        of=array("I", [0, 1, 2, 2, 3]),
        keys=array("Q", [row.key for row in ROWS]),
    )
    return StoredRows(first, second)


def test_a_token_says_whether_it_is_supervised():
    for row in ROWS:
        assert unpack(pack(row)) == (row.ids, row.labels)
    assert pack(ROWS[0]).tolist() == [5, 0, ~9, ~END]


def test_stored_rows_are_the_rows(stored):
    assert list(stored) == ROWS
    assert [stored[at] for at in range(-5, 5)] == [*ROWS, *ROWS]
    assert stored == ROWS
    assert stored != ROWS[:4]
    assert stored != [*ROWS[:4], ROWS[0]]
    assert stored != 5
    with pytest.raises(IndexError):
        stored[5]


def test_a_part_of_stored_rows_is_one_too(stored):
    part = stored[1::2]
    assert isinstance(part, StoredRows)
    assert list(part) == ROWS[1::2]
    assert (list(part.lengths), list(part.supervised)) == ([2, 2], [1, 1])
    assert part[1:] == [ROWS[3]]
    assert not stored[5:]


def test_lengths_and_counts_are_read_without_the_rows(stored, monkeypatch):
    monkeypatch.setattr(StoredRows, "_row", None)
    assert list(lengths_of(stored)) == [4, 2, 3, 2, 2]
    assert list(supervised_of(stored)) == [2, 1, 2, 1, 1]
    assert list(keys_of(stored)) == [row.key for row in ROWS]
    assert lengths_of(ROWS) == [4, 2, 3, 2, 2]
    assert supervised_of(ROWS) == [2, 1, 2, 1, 1]
    assert keys_of(ROWS) == [row.key for row in ROWS]


def test_stored_rows_go_to_other_processes(stored):
    assert pickle.loads(pickle.dumps(stored)) == ROWS


def test_rows_are_the_same_after_their_memory_was_given_back(stored, monkeypatch):
    monkeypatch.setattr("jlora_cli.prompt.stored._RELEASED_EACH", 2)
    assert list(stored) == ROWS


def test_a_row_without_labels_has_none_supervised():
    assert Encoded([], []).supervised == 0
    assert Encoded([4, 5], [4, 5]).supervised == 1  # the first is never predicted


def test_a_census_counts_ends_and_repeats():
    rows = [*ROWS, ROWS[0], Encoded(ROWS[0].ids, [IGNORED] * 4), ROWS[3]]
    # Without an end: the windows' first part, the last of ROWS, and the copy that is all prompt.
    assert take_census(rows, {END}) == Census(endless=3, endless_whole=2, repeated=2)


def test_counts_of_parts_add_up(monkeypatch):
    rows = ROWS * 3
    whole, parts = Count.of(rows, {END}), Count()
    for at in range(0, len(rows), 4):
        parts.merge(Count.of(rows[at : at + 4], {END}))
    assert parts == whole
    assert parts.census() == Census(endless=6, endless_whole=3, repeated=6)
    monkeypatch.setattr(census, "_KEYS_AT_ONCE", 2)
    assert parts.census().repeated == 6


def test_a_key_is_of_the_ids_alone():
    assert Encoded([1, 2], [1, 2], "a:1").key == Encoded([1, 2], [IGNORED, 2], "b:2", True).key
    assert len({Encoded(ids, ids).key for ids in ([1, 2], [2, 1], [1], [1, 2, 0])}) == 4


def test_rows_that_stand_on_both_sides_are_counted_as_often_as_they_are_held_out():
    assert count_shared([1, 2, 2, 3], [2, 2, 4, 3]) == 3
    assert count_shared([1, 2], []) == 0


def test_rows_that_are_read_here_and_there_do_not_stay_resident(stored, monkeypatch):
    released = []
    monkeypatch.setattr("jlora_cli.prompt.stored._RELEASED_EACH_ALONE", 3)
    monkeypatch.setattr(StoredRows, "release", lambda self: released.append(self))
    assert [stored[at] for at in (4, 0, 2, 1, 3, 0, 4)] == [
        ROWS[at] for at in (4, 0, 2, 1, 3, 0, 4)
    ]
    assert released == [stored, stored]
