"""The loss looks at answers alone, and packed rows do not see each other.

Every architecture whose rows are kept apart is tried on a random model of two layers whose
weights are wide enough (0.1) for attention to matter; its LoRA B tensors are filled, because at
their usual zero the gradients of A would be zero too and equal for no reason.
"""

from __future__ import annotations

import copy
import math
import random
import sys
from dataclasses import replace
from types import ModuleType, SimpleNamespace

import pytest
import torch
from torch.nn.functional import cross_entropy

from jlora_cli.config import RunConfig
from jlora_cli.model import Placement, attach_adapter, load_base
from jlora_cli.prompt import IGNORED, Encoded
from jlora_cli.recipe import ROWS_APART
from jlora_cli.training import attention, lora
from jlora_cli.training.attention import answering, keeps_rows_apart, rows_of
from jlora_cli.training.batches import pack, pad
from jlora_cli.training.last_block import focus_on, narrow_last_block, widen_last_block
from jlora_cli.training.loading import quicken
from jlora_cli.training.lora import fuse
from jlora_cli.training.loss import _CrossEntropy, make_batch, mean_loss, summed_loss
from jlora_cli.training.rotary import rotate_at_once
from tests.live_tensors import LiveTensors
from tests.tiny_models import ARCHITECTURES, PAD_ID, WINDOW, save_tiny_model

# Rounding of float32 sums in another order; measured at most 1e-6.
TOLERANCE = 1e-5
LENGTHS = (23, 5, 17, 40, 2)


def row_of(length, seed, *, prompt=0.5):
    """Random ids, the first half of them the prompt."""
    ids = [random.Random(f"{seed}-{i}").randrange(4, 300) for i in range(length)]
    cut = max(1, int(length * prompt))
    return Encoded(ids, [IGNORED] * cut + ids[cut:], f"吾輩.jsonl:{seed}")


ROWS = [row_of(length, seed) for seed, length in enumerate(LENGTHS, start=1)]


def adapted(folder, attention="sdpa"):
    """With "stock", as transformers and PEFT have it."""
    base = load_base(folder, Placement())
    if attention != "stock":
        quicken(base, attention)
    model = attach_adapter(base, RunConfig(lora_dropout=0.0))
    if attention != "stock":
        fuse(model)
        narrow_last_block(base)
        rotate_at_once(base)
    filled = torch.Generator().manual_seed(3)
    for name, parameter in model.named_parameters():
        if "lora_" in name:
            parameter.data.normal_(std=0.05, generator=filled)
    return model.train()


@pytest.fixture(scope="module")
def tiny(tmp_path_factory):
    """Adapted tiny models by (architecture, attention), each made once."""
    root = tmp_path_factory.mktemp("architectures")
    folders = {name: save_tiny_model(root / name, name) for name in ARCHITECTURES}
    made = {}

    def get(architecture, attention="sdpa"):
        key = (architecture, attention)
        if key not in made:
            made[key] = adapted(folders[architecture], attention)
        return made[key]

    return get


def loss_and_gradients(model, batches):
    model.zero_grad()
    total = 0.0
    for batch in batches:
        loss = summed_loss(model, batch)
        loss.backward()
        total += float(loss.detach())
    return total, {n: p.grad.clone() for n, p in model.named_parameters() if p.grad is not None}


def logits_of(model, batch, **changes):
    arguments = {"attention_mask": batch.mask, "use_cache": False}
    focus_on(getattr(model, "get_base_model", lambda: model)(), None)
    with torch.no_grad():
        return model(
            input_ids=batch.ids, position_ids=batch.positions, **(arguments | changes)
        ).logits[0]


def hidden_of(model, batch):
    """What the last layer gives, before the output layer: (length, width)."""
    base = model.get_base_model()
    focus_on(base, None)
    arguments = {"rows": batch.rows} if keeps_rows_apart(base) else {"attention_mask": batch.mask}
    with torch.no_grad():
        told = base.base_model(
            input_ids=batch.ids, position_ids=batch.positions, use_cache=False, **arguments
        )
    return told.last_hidden_state[0]


def spans(rows):
    """Where each row lies in a pack."""
    start = 0
    for row in rows:
        yield slice(start, start + len(row.ids))
        start += len(row.ids)


# --- packing --------------------------------------------------------------------------------


def test_every_architecture_whose_rows_are_kept_apart_is_tried_here():
    assert set(ROWS_APART) == set(ARCHITECTURES)


def worst(found, wanted):
    """The largest relative error by norm."""
    assert len(found) == len(wanted) > 0
    assert all(float(wanted[name].norm()) > 0 for name in wanted)
    return max(float((found[n] - wanted[n]).norm() / wanted[n].norm()) for n in wanted)


@pytest.mark.parametrize("attention", ["stock", "sdpa", "eager", "varlen"])
@pytest.mark.parametrize("architecture", ROWS_APART)
def test_a_packed_batch_has_the_loss_and_gradients_of_its_single_rows(
    tiny, architecture, attention
):
    model = tiny(architecture, attention)
    together, gradients = loss_and_gradients(model, [pack(ROWS)])
    apart, wanted = loss_and_gradients(model, [pack([row]) for row in ROWS])
    assert together == pytest.approx(apart, rel=TOLERANCE)
    assert worst(gradients, wanted) < TOLERANCE


@pytest.mark.parametrize("architecture", ROWS_APART)
def test_in_float64_a_pack_equals_stock_transformers_row_by_row_to_ten_digits(tiny, architecture):
    model = copy.deepcopy(tiny(architecture, "stock")).double()
    alone = [pack([row]) for row in ROWS]
    stock, from_stock = loss_and_gradients(model, alone)
    quicken(model.get_base_model(), "sdpa")
    assert fuse(model) > 0
    narrow_last_block(model.get_base_model())
    rotate_at_once(model.get_base_model())
    apart, wanted = loss_and_gradients(model, alone)
    together, gradients = loss_and_gradients(model, [pack(ROWS)])
    assert together == pytest.approx(apart, rel=1e-10)
    assert worst(gradients, wanted) < 1e-10
    # transformers takes the softmax of Gemma 2 in float32 whatever the model is in.
    digits = 1e-6 if architecture == "gemma2" else 1e-10
    assert together == pytest.approx(stock, rel=digits)
    assert worst(gradients, from_stock) < digits


@pytest.mark.parametrize("architecture", ROWS_APART)
def test_a_padded_batch_has_the_loss_and_gradients_of_a_packed_one(tiny, architecture):
    model = tiny(architecture)
    packed, gradients = loss_and_gradients(model, [pack(ROWS)])
    padded, wanted = loss_and_gradients(model, [pad(ROWS, PAD_ID)])
    assert packed == pytest.approx(padded, rel=TOLERANCE)
    assert worst(gradients, wanted) < TOLERANCE


@pytest.mark.parametrize("architecture", ROWS_APART)
def test_a_pack_filled_up_for_compiled_kernels_learns_the_same(tiny, architecture):
    model = tiny(architecture)
    bare, wanted = loss_and_gradients(model, [pack(ROWS)])
    filled = pack(ROWS, filled_to=128, pad_id=PAD_ID)
    assert filled.ids.shape == (1, 128)
    found, gradients = loss_and_gradients(model, [filled])
    assert found == pytest.approx(bare, rel=TOLERANCE)
    assert worst(gradients, wanted) < TOLERANCE


@pytest.mark.parametrize("attention", ["sdpa", "eager", "varlen"])
@pytest.mark.parametrize("architecture", ROWS_APART)
def test_changing_one_row_of_a_pack_changes_no_other_rows_output(tiny, architecture, attention):
    model = tiny(architecture, attention)
    other = row_of(len(ROWS[1].ids), "もう一つ")
    before = hidden_of(model, pack(ROWS))
    after = hidden_of(model, pack([ROWS[0], other, *ROWS[2:]]))
    moved = [float((before[at] - after[at]).abs().max()) for at in spans(ROWS)]
    assert moved[1] > 0.1
    # Not merely close: what a row may not attend to enters none of its sums.
    assert [moved[0], *moved[2:]] == [0.0] * (len(ROWS) - 1)


@pytest.mark.parametrize("changes", [{"attention_mask": "ones"}, {"use_cache": None}])
@pytest.mark.parametrize("architecture", ROWS_APART)
def test_a_mask_of_ones_or_a_cache_leaks_in_transformers_and_not_here(tiny, architecture, changes):
    # Why the loss passes neither. Were the first half to fail, transformers would have learned to
    # keep packed rows apart in these cases too.
    batch = pack(ROWS)
    if changes == {"attention_mask": "ones"}:
        changes = {"attention_mask": torch.ones_like(batch.ids)}
    stock = tiny(architecture, "stock")
    good, leaking = logits_of(stock, batch), logits_of(stock, batch, **changes)
    moved = [float((good[at] - leaking[at]).abs().max()) for at in spans(ROWS)]
    assert moved[0] < TOLERANCE
    assert min(moved[1:]) > 0.1
    ours = tiny(architecture)
    kept = logits_of(ours, batch, rows=batch.rows, **changes)
    assert float((good - kept).abs().max()) < 1e-4


@pytest.mark.parametrize("attention", ["stock", "sdpa", "eager"])
@pytest.mark.parametrize("architecture", ["mistral", "gemma2", "gemma3_text"])
def test_a_sliding_window_reaches_as_far_in_a_pack_as_in_a_single_row(
    tiny, architecture, attention
):
    model, row = tiny(architecture, attention), row_of(3 * WINDOW, "窓")
    apart = hidden_of(model, pack([row]))
    packed = hidden_of(model, pack([ROWS[0], row]))[len(ROWS[0].ids) :]
    assert float((apart - packed).abs().max()) < TOLERANCE
    # And there is a window: another first token is out of the last one's sight after two layers.
    changed = replace(row, ids=[row.ids[0] + 1, *row.ids[1:]])
    moved = (hidden_of(model, pack([changed])) - apart).abs().amax(-1)
    assert float(moved[0]) > 0.1
    assert (float(moved[-1]) == 0.0) == (architecture == "mistral")  # Gemma: every other layer
    stock = hidden_of(tiny(architecture, "stock"), pack([row]))
    assert float((apart - stock).abs().max()) < TOLERANCE


def test_gelu_in_one_kernel_and_loras_product_in_one_piece_change_nothing(tiny):
    stock, ours = tiny("gpt2", "stock"), tiny("gpt2")
    loss, wanted = loss_and_gradients(stock, [pack(ROWS)])
    found, gradients = loss_and_gradients(ours, [pack(ROWS)])
    assert "NewGELUActivation" in {type(each).__name__ for each in stock.modules()}
    assert "NewGELUActivation" not in {type(each).__name__ for each in ours.modules()}
    assert found == pytest.approx(loss, rel=TOLERANCE)
    assert worst(gradients, wanted) < TOLERANCE


def test_a_row_longer_than_was_foretold_is_not_left_out():
    # A kernel computes as many places of a row as the longest has.
    assert rows_of((3, 9, 2), longest=8).longest == 9
    assert rows_of((3, 2), longest=8).longest == 8


def test_rows_of_all_lengths_do_not_each_wait_for_a_plan(tiny_base):
    torch.backends.cuda.enable_cudnn_sdp(True)

    quicken(load_base(tiny_base, Placement()), "sdpa")

    assert not torch.backends.cuda.cudnn_sdp_enabled()


def test_in_one_kernel_all_heads_have_autocasts_precision(monkeypatch):
    given = []

    def kernel(*heads, **_):
        given.extend(each.dtype for each in heads[:3])
        return heads[0]

    module = ModuleType("torch.nn.attention.varlen")
    module.varlen_attn = kernel
    monkeypatch.setitem(sys.modules, "torch.nn.attention.varlen", module)
    query, key, value = (torch.randn(1, 2, 5, 8) for _ in range(3))
    # As DoRA's layers over a packed base give them, beside those without an adapter.
    heads = attention._Heads(query, key.bfloat16(), value)

    with torch.autocast("cpu", torch.bfloat16):
        attention._in_one_kernel(heads, rows_of((5,)), attention._Asked(1.0, 0.0, None, None))

    assert given == [torch.bfloat16] * 3


@pytest.mark.parametrize("architecture", ROWS_APART)
def test_the_last_block_computes_only_where_the_loss_looks(tiny, architecture):
    model = tiny(architecture)
    base, seen = model.get_base_model(), []
    decoder = base.base_model
    blocks = decoder.h if hasattr(decoder, "h") else decoder.layers
    hooks = [
        block.mlp.register_forward_pre_hook(lambda _, told: seen.append(told[0]))
        for block in blocks
    ]
    inner = [
        module.register_forward_pre_hook(lambda _, told: seen.append(told[0].shape[0]))
        for module in blocks[-1].mlp.modules()
        if type(module).__name__ in ("Linear", "Conv1D") and module.weight.shape[1] > 8
    ]
    batch = pack(ROWS)
    summed_loss(model, batch)
    for hook in (*hooks, *inner):
        hook.remove()
    shapes = [each.shape[1] for each in seen if isinstance(each, torch.Tensor)]
    assert shapes == [sum(LENGTHS)] * 2
    rows = [each for each in seen if isinstance(each, int)]
    assert rows
    assert set(rows) == {len(batch.look_at)}


def test_the_last_block_is_given_back_as_it_was(tiny_base):
    base = load_base(tiny_base, Placement())
    batch = pack(ROWS)
    quicken(base, "sdpa")
    before = summed_loss(base, batch)
    narrow_last_block(base)
    assert float(summed_loss(base, batch).detach()) == pytest.approx(float(before.detach()))
    assert "forward" in vars(base.base_model.layers[-1].mlp)
    widen_last_block(base)
    widen_last_block(base)  # nothing more to take back
    assert "forward" not in vars(base.base_model.layers[-1].mlp)
    assert "forward" not in vars(base.base_model.layers[-1].attention.dense)


@pytest.mark.parametrize(
    ("capability", "dtype", "masked", "takes"),
    [
        ((8, 0), torch.bfloat16, False, True),
        ((9, 0), torch.float16, False, True),
        ((7, 5), torch.float16, False, False),  # a T4
        ((6, 1), torch.float32, False, False),
        ((9, 0), torch.float32, False, False),
        ((9, 0), torch.bfloat16, True, False),  # a sliding window shorter than the row
    ],
)
def test_key_heads_are_repeated_where_no_fused_kernel_shares_them(
    monkeypatch, capability, dtype, masked, takes
):
    monkeypatch.setattr("torch.cuda.get_device_capability", lambda _: capability)
    query = SimpleNamespace(is_cuda=True, dtype=dtype, device="cuda")
    assert attention._takes_groups(query, masked=masked) is takes


def test_repeated_key_heads_give_what_shared_ones_give(tiny, monkeypatch):
    shared, wanted = loss_and_gradients(tiny("llama"), [pack(ROWS)])
    monkeypatch.setattr(attention, "_takes_groups", lambda _, *, masked: False)
    repeated, gradients = loss_and_gradients(tiny("llama"), [pack(ROWS)])
    assert repeated == pytest.approx(shared, rel=TOLERANCE)
    assert worst(gradients, wanted) < TOLERANCE


def test_answers_are_made_with_transformers_own_attention(tiny):
    model = tiny("gemma2")
    base = model.get_base_model()
    with answering(base):
        assert base.config._attn_implementation == "eager"  # soft-capped
        padded = pad(ROWS, PAD_ID)
        told = logits_of(model, padded)
    assert base.config._attn_implementation == "jlora_sdpa"
    assert float((told - logits_of(tiny("gemma2", "stock"), padded)).abs().max()) < 1e-4


@pytest.mark.parametrize("dropout", [0.05, 0.1, 0.5, 0.9])
def test_dropout_drops_the_share_that_was_asked_for(dropout):
    torch.manual_seed(11)
    kept = lora._drawn(torch.empty(999, 1_001), dropout)
    assert kept.shape == (999, 1_001)
    # Four standard deviations of a million draws, in all and by column.
    assert float(kept.double().mean()) == pytest.approx(1 - dropout, abs=4 * 0.5e-3)
    assert kept.double().mean(0).sub(1 - dropout).abs().max() < 5.5 * 0.5 / 999**0.5
    assert not torch.equal(kept, lora._drawn(torch.empty(999, 1_001), dropout))


def test_dropout_is_drawn_for_any_shape_and_share():
    assert lora._drawn(torch.empty(3, 7), 0.0) is None
    assert lora._drawn(torch.empty(3, 7), 1e-9).all()
    assert lora._drawn(torch.empty(1, 1), 1e-9).all()
    assert float(lora._drawn(torch.empty(64, 64), 0.999999).double().mean()) < 0.01


# --- where it looks -------------------------------------------------------------------------


@pytest.fixture(scope="module")
def wordy(tmp_path_factory):
    """A model whose vocabulary is far wider than its layers."""
    folder = tmp_path_factory.mktemp("wordy")
    return adapted(save_tiny_model(folder, "llama", vocab_size=VOCABULARY))


VOCABULARY = 20_000


def at_once(monkeypatch, words):
    monkeypatch.setattr("jlora_cli.training.loss.words_at_once", lambda *_: words)


def peak_of(model, rows):
    with LiveTensors(model) as live:
        summed_loss(model, pack(rows)).backward()
    return live.peak


def test_memory_does_not_grow_with_vocabulary_times_length(wordy, monkeypatch):
    at_once(monkeypatch, 512)
    few, many = ([row_of(40, f"{count}-{i}") for i in range(count)] for count in (4, 16))
    small, large = peak_of(wordy, few), peak_of(wordy, many)
    # 80 and 320 supervised tokens: all their logits would be 6.4 and 25.6 million bytes.
    assert small < large < 320 * VOCABULARY * 4 / 3
    # What grows is the layers' share, of 32 numbers a token and tensor.
    assert large - small < 240 * VOCABULARY * 4 / 4
    at_once(monkeypatch, VOCABULARY)
    assert peak_of(wordy, many) > 320 * VOCABULARY * 4


@pytest.mark.parametrize("architecture", ["llama", "gemma2"])
def test_the_loss_in_parts_is_the_loss_in_one(tiny, architecture, monkeypatch):
    model = tiny(architecture)
    whole, wanted = loss_and_gradients(model, [pack(ROWS)])
    at_once(monkeypatch, 7)
    parts, gradients = loss_and_gradients(model, [pack(ROWS)])
    assert parts == pytest.approx(whole, rel=TOLERANCE)
    assert worst(gradients, wanted) < TOLERANCE


def test_the_loss_over_a_large_vocabulary_stays_within_float16():
    # Nothing known yet: every token is as likely, and 100,000 of them are more than float16 holds.
    weight = torch.full((100_000, 4), 0.5, dtype=torch.float16)
    weight[7] = 1.0
    hidden = torch.zeros(2, 4, dtype=torch.float16, requires_grad=True)
    loss = _CrossEntropy.apply(hidden, weight, torch.tensor([7, 8]), None)
    loss.backward()
    assert float(loss.detach()) == pytest.approx(2 * math.log(100_000), rel=1e-5)
    # The mean of all rows less the target's own: 0.5 - 1 and 0.5 - 0.5.
    near = [pytest.approx(-0.5, abs=2e-3)] * 4, [pytest.approx(0.0, abs=2e-3)] * 4
    assert hidden.grad.tolist() == list(near)


def test_the_frozen_base_has_no_gradients_and_none_flow_below_the_first_adapter(tiny):
    model = tiny("gpt2")
    embedded = []
    hook = model.get_input_embeddings().register_forward_hook(
        lambda *told: embedded.append(told[-1].requires_grad)
    )
    loss_and_gradients(model, [pack(ROWS)])
    hook.remove()
    assert embedded == [False]
    frozen = [p for n, p in model.named_parameters() if "lora_" not in n]
    assert len(frozen) > 10
    assert all(p.grad is None and not p.requires_grad for p in frozen)


def test_the_loss_is_the_cross_entropy_of_the_answers_tokens_by_hand(tiny):
    model, row = tiny("gpt_neox"), ROWS[0]
    expected = 0.0
    for at in range(1, len(row.ids)):
        if row.labels[at] == IGNORED:
            continue
        logits = logits_of(model, pack([Encoded(row.ids[:at], [IGNORED] * at)]))[-1]
        expected += float(-logits.log_softmax(-1)[row.labels[at]])
    with torch.no_grad():
        assert float(summed_loss(model, pack([row]))) == pytest.approx(expected, rel=1e-5)


@pytest.mark.parametrize("packing", [True, False])
def test_a_prompt_without_an_answer_adds_nothing_to_the_loss(tiny, packing):
    model = tiny("llama")
    silent = Encoded(ROWS[0].ids, [IGNORED] * len(ROWS[0].ids), "空.jsonl:1")
    rows = [ROWS[1], silent]
    with torch.no_grad():
        alone = float(summed_loss(model, make_batch([ROWS[1]], packing=packing, pad_id=PAD_ID)))
        both = float(summed_loss(model, make_batch(rows, packing=packing, pad_id=PAD_ID)))
        none = float(summed_loss(model, make_batch([silent], packing=packing, pad_id=PAD_ID)))
    assert alone > 1.0
    assert both == pytest.approx(alone, rel=TOLERANCE)
    assert none == 0.0


def test_a_change_of_the_prompt_changes_the_loss_but_its_tokens_are_no_targets(tiny):
    model, row = tiny("llama"), ROWS[3]
    changed = replace(row, ids=[row.ids[0] + 1, *row.ids[1:]])
    assert pack([row]).targets.tolist() == pack([changed]).targets.tolist() == row.ids[20:]
    with torch.no_grad():
        losses = [float(summed_loss(model, pack([each]))) for each in (row, changed)]
    assert losses[0] != losses[1]


# --- the mean over a validation set ---------------------------------------------------------


@pytest.mark.parametrize("packing", [True, False])
@pytest.mark.parametrize("batch_size", [1, 2, 8])
def test_the_mean_counts_tokens_and_not_batches(tiny, packing, batch_size):
    model = tiny("gpt_neox")
    with torch.no_grad():
        total = sum(float(summed_loss(model, pack([row]))) for row in ROWS)
    expected = total / sum(row.supervised for row in ROWS)
    found = mean_loss(model, ROWS, batch_size=batch_size, packing=packing, pad_id=PAD_ID)
    assert found == pytest.approx(expected, rel=TOLERANCE)


def test_the_mean_is_taken_without_dropout_and_leaves_the_model_as_it_was(tiny_base):
    torch.manual_seed(0)
    base = load_base(tiny_base, Placement())
    model = attach_adapter(base, RunConfig(lora_dropout=0.9))
    for name, parameter in model.named_parameters():
        if "lora_B" in name:
            parameter.data.fill_(0.1)
    settings = {"batch_size": 2, "packing": True, "pad_id": PAD_ID}
    model.train()
    first = mean_loss(model, ROWS, **settings)
    assert mean_loss(model, ROWS, **settings) == first
    assert model.training
    with torch.no_grad():
        dropped = float(summed_loss(model, pack(ROWS))) / sum(row.supervised for row in ROWS)
    assert abs(dropped - first) > 1e-3  # there was dropout to leave out
    model.eval()
    assert mean_loss(model, ROWS, **settings) == first
    assert not model.training
    assert all(p.grad is None for p in model.parameters())


def test_where_memory_runs_out_the_model_trains_on_all_the_same(tiny_base, monkeypatch):
    model = attach_adapter(load_base(tiny_base, Placement()), RunConfig()).train()

    def full(*_):
        raise torch.OutOfMemoryError

    monkeypatch.setattr("jlora_cli.training.loss.summed_loss", full)
    with pytest.raises(torch.OutOfMemoryError):
        mean_loss(model, ROWS, batch_size=2, packing=True, pad_id=PAD_ID)

    assert model.training


def test_the_mean_of_nothing_is_zero(tiny):
    assert mean_loss(tiny("gpt2"), [], batch_size=2, packing=True, pad_id=PAD_ID) == 0.0


def test_the_loss_is_summed_in_float32_whatever_the_models_precision(tiny_base):
    model = load_base(tiny_base, Placement(precision="bfloat16"))
    loss = summed_loss(model, pack(ROWS))
    assert loss.dtype == torch.float32
    batch = pack(ROWS)
    logits = logits_of(model, batch)
    assert logits.dtype == torch.bfloat16
    expected = cross_entropy(logits[batch.look_at].float(), batch.targets, reduction="sum")
    assert float(loss.detach()) == pytest.approx(float(expected), rel=1e-2)
