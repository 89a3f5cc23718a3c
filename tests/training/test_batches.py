"""Rows become tensors, packed end to end or padded."""

from __future__ import annotations

from collections import Counter

import pytest
import torch

from jlora_cli.prompt import IGNORED, Encoded
from jlora_cli.training.batches import pack, pad

# Ids as they might come; the answer is what follows the first two or three of them.
FIRST = Encoded([10, 11, 12, 13], [IGNORED, IGNORED, 12, 13], "夏目.jsonl:1")
SECOND = Encoded([20, 21, 22], [IGNORED, 21, 22], "夏目.jsonl:2")
WHOLE = Encoded([30, 31], [30, 31], "本文🐈.jsonl:1")


# --- tensors --------------------------------------------------------------------------------


def test_packed_rows_stand_end_to_end_and_positions_start_anew_at_each():
    batch = pack([FIRST, SECOND])
    assert batch.ids.tolist() == [[10, 11, 12, 13, 20, 21, 22]]
    assert batch.positions.tolist() == [[0, 1, 2, 3, 0, 1, 2]]
    assert batch.mask is None
    assert batch.rows.lengths == (4, 3)
    assert batch.rows.borders.tolist() == [0, 4, 7]
    assert batch.tokens == 7
    assert batch.origins == ("夏目.jsonl:1", "夏目.jsonl:2")


def test_a_pack_is_filled_up_with_a_row_that_nothing_is_learned_from():
    batch, bare = pack([FIRST, SECOND], filled_to=10, pad_id=9), pack([FIRST, SECOND])
    assert batch.ids.tolist() == [[10, 11, 12, 13, 20, 21, 22, 9, 9, 9]]
    # It may be longer than a row can be: GPT-2 has no more positions than its context.
    assert batch.positions.tolist() == [[0, 1, 2, 3, 0, 1, 2, 0, 0, 0]]
    assert batch.rows.lengths == (4, 3, 3)
    assert torch.equal(batch.targets, bare.targets)
    assert torch.equal(batch.look_at, bare.look_at)
    assert batch.tokens == 7
    assert pack([FIRST, SECOND], filled_to=5).rows.lengths == (4, 3)


def test_only_answers_are_targets_and_each_is_predicted_from_the_position_before_it():
    batch = pack([FIRST, SECOND])
    flat = batch.ids.flatten()
    assert batch.targets.tolist() == [12, 13, 21, 22]
    assert flat[batch.look_at + 1].tolist() == batch.targets.tolist()
    assert flat[batch.look_at].tolist() == [11, 12, 20, 21]


@pytest.mark.parametrize("make", [pack, lambda rows: pad(rows, 0)], ids=["packed", "padded"])
def test_the_first_token_of_a_row_is_never_predicted_from_the_row_before_it(make):
    # A row of plain text is supervised from its very first token, which nothing stands before.
    batch = make([FIRST, WHOLE, WHOLE])
    assert batch.targets.tolist() == [12, 13, 31, 31]
    assert batch.ids.flatten()[batch.look_at].tolist() == [11, 12, 30, 30]


@pytest.mark.parametrize("make", [pack, lambda rows: pad(rows, 0)], ids=["packed", "padded"])
def test_no_tensor_shares_memory_with_itself(make):
    # On its way to a GPU it is pinned, and torch pins no memory that is written to twice.
    batch = make([FIRST, SECOND, WHOLE])
    tensors = [batch.ids, batch.positions, batch.look_at, batch.targets]
    tensors += [batch.mask] if batch.rows is None else [batch.rows.borders]
    assert all(tensor.is_contiguous() for tensor in tensors)


def test_padded_rows_are_filled_on_the_right_and_masked_there():
    batch = pad([FIRST, SECOND], 9)
    assert batch.ids.tolist() == [[10, 11, 12, 13], [20, 21, 22, 9]]
    assert batch.mask.tolist() == [[1, 1, 1, 1], [1, 1, 1, 0]]
    assert batch.positions.tolist() == [[0, 1, 2, 3], [0, 1, 2, 3]]
    assert batch.tokens == 7  # padding is no token


def test_padding_that_is_a_token_of_the_text_is_still_trained_on_where_it_is_text():
    # GPT-2 pads with its EOS; the EOS of the answer must stay a target.
    row = Encoded([10, 11, 9], [IGNORED, 11, 9], "終.jsonl:1")
    assert pad([row, FIRST], 9).targets.tolist() == [11, 9, 12, 13]


def test_packed_and_padded_batches_look_at_the_same_tokens():
    rows = [FIRST, SECOND, WHOLE]
    packed, padded = pack(rows), pad(rows, 0)
    assert Counter(packed.targets.tolist()) == Counter(padded.targets.tolist())
    assert len(packed.look_at) == sum(row.supervised for row in rows) == 5


def test_a_row_without_supervision_gives_an_empty_target_of_the_right_type():
    batch = pack([Encoded([1, 2, 3], [IGNORED] * 3, "空.jsonl:1")])
    assert batch.look_at.shape == batch.targets.shape == (0,)
    assert batch.look_at.dtype == batch.targets.dtype == torch.long


@pytest.mark.parametrize("make", [pack, lambda rows: pad(rows, 0)], ids=["packed", "padded"])
def test_moving_a_batch_keeps_its_values(make):
    batch = make([FIRST, SECOND])
    moved = batch.to(torch.device("meta"))
    assert {moved.ids.device.type, moved.look_at.device.type, moved.targets.device.type} == {"meta"}
    assert (moved.rows is None) == (batch.rows is None)
    assert (moved.mask is None) == (batch.mask is None)
    assert (moved.origins, moved.tokens) == (batch.origins, batch.tokens)
    assert torch.equal(batch.to(torch.device("cpu")).ids, batch.ids)


def test_a_batch_goes_to_a_gpu_from_pinned_memory_so_that_nothing_waits(monkeypatch):
    pinned, sent = [], []

    def pin(tensor):
        pinned.append(tensor)
        return tensor

    def send(tensor, device, *, non_blocking=False):
        sent.append((tensor, device.type, non_blocking))
        return tensor

    monkeypatch.setattr(torch.Tensor, "pin_memory", pin)
    monkeypatch.setattr(torch.Tensor, "to", send)
    batch = pack([FIRST, SECOND])
    for elsewhere in ("cpu", "mps"):
        batch.to(torch.device(elsewhere))
    assert pinned == []
    # What is not pinned may be somebody else's memory by the time that it is copied.
    assert {without_waiting for *_, without_waiting in sent} == {False}
    sent.clear()
    batch.to(torch.device("cuda"))
    assert [id(each) for each in pinned] == [id(each) for each, *_ in sent]
    tensors = (batch.ids, batch.positions, batch.rows.borders, batch.look_at, batch.targets)
    assert {id(each) for each in pinned} == {id(each) for each in tensors}
    assert {(kind, without_waiting) for _, kind, without_waiting in sent} == {("cuda", True)}
