"""Compiled blocks give what they give as they are; no compiler is needed to find out.

The backend aot_eager traces forward and backward pass as the default one does, and runs torch's own
kernels. The kernel for all rows of a pack is there on CUDA only: a mask made of the same borders
stands in for it.
"""

from __future__ import annotations

import sys
from dataclasses import replace
from types import ModuleType, SimpleNamespace

import pytest
import torch
from torch.nn.functional import scaled_dot_product_attention

from jlora_cli.config import RunConfig
from jlora_cli.model import Placement, attach_adapter, load_base
from jlora_cli.prompt import IGNORED, Encoded
from jlora_cli.training import lora
from jlora_cli.training.batches import pack
from jlora_cli.training.compiling import (
    compile_blocks,
    is_compiled,
    tokens_of_pack,
    uncompiled,
    undo_compile,
)
from jlora_cli.training.loading import Shelf, quicken
from jlora_cli.training.lora import fuse
from jlora_cli.training.loss import summed_loss
from tests.tiny_models import save_tiny_model

# torch 2.13 warns of what it does itself while it traces.
pytestmark = pytest.mark.filterwarnings("ignore")
FILLED_TO = 64
# More than torch._dynamo compiles of one function (8): each block by itself would be too many.
BLOCKS = 10


def in_one_kernel(query, key, value, borders, _, longest, *__, scale, window_size, enable_gqa):
    """varlen_attn's part that a run uses: heads are (tokens, heads, width)."""
    assert longest == FILLED_TO
    assert window_size == (-1, 0)
    place = torch.arange(query.shape[0], dtype=torch.int32)
    row = torch.searchsorted(borders, place, right=True)
    seen = (row[:, None] == row[None, :]) & (place[:, None] >= place[None, :])
    heads = (each.transpose(0, 1).unsqueeze(0) for each in (query, key, value))
    made = scaled_dot_product_attention(*heads, attn_mask=seen, scale=scale, enable_gqa=enable_gqa)
    return made.squeeze(0).transpose(0, 1)


@pytest.fixture(autouse=True)
def stand_in(monkeypatch):
    module = ModuleType("torch.nn.attention.varlen")
    module.varlen_attn = in_one_kernel
    monkeypatch.setitem(sys.modules, "torch.nn.attention.varlen", module)
    monkeypatch.setattr("jlora_cli.training.attention._fits_kernel", lambda _: True)
    torch._dynamo.reset()
    yield
    torch._dynamo.reset()


@pytest.fixture(scope="module", params=["gpt2", "gpt_neox", "llama"])
def base_folder(request, tmp_path_factory):
    layers = "n_layer" if request.param == "gpt2" else "num_hidden_layers"
    return save_tiny_model(tmp_path_factory.mktemp("base"), request.param, **{layers: BLOCKS})


class Counted:
    """The backend aot_eager, and how often it was asked to compile."""

    def __init__(self):
        self.graphs = 0

    def __call__(self, graph, inputs):
        from torch._dynamo.backends.debugging import aot_eager

        self.graphs += 1
        return aot_eager(graph, inputs)


def made(folder, backend=None, *, checkpointing=False):
    """An adapted base; with `backend`, its blocks are compiled."""
    base = load_base(folder, Placement())
    quicken(base, "varlen")
    model = attach_adapter(base, RunConfig(lora_dropout=0.1)).train()
    fuse(model)
    filled = torch.Generator().manual_seed(3)
    for name, parameter in model.named_parameters():
        if "lora_" in name:
            parameter.data.normal_(std=0.05, generator=filled)
    if checkpointing:
        base.gradient_checkpointing_enable({"use_reentrant": False})
    if backend is not None:
        count = compile_blocks(base, backend=backend, fullgraph=True)
        assert count == base.config.num_hidden_layers
    return model


def batch_of(*lengths):
    rows = [
        Encoded([*range(9 + i, 9 + i + n)], [IGNORED, IGNORED, *range(11 + i, 9 + i + n)])
        for i, n in enumerate(lengths)
    ]
    return pack(rows, filled_to=FILLED_TO)


def loss_and_gradients(model, batch):
    model.zero_grad()
    torch.manual_seed(5)  # dropout's
    loss = summed_loss(model, batch)
    loss.backward()
    return loss.detach(), {n: p.grad for n, p in model.named_parameters() if p.requires_grad}


def test_compiled_blocks_give_the_same_loss_and_gradients_without_a_break(base_folder):
    backend = Counted()
    plain, compiled = made(base_folder), made(base_folder, backend)

    # Rows of other lengths, then fewer of them, as in an epoch's last step.
    for lengths in ((9, 20, 14, 17), (23, 3, 11, 8), (12, 31)):
        loss, wanted = loss_and_gradients(plain, batch_of(*lengths))
        found, gradients = loss_and_gradients(compiled, batch_of(*lengths))
        torch.testing.assert_close(found, loss)
        torch.testing.assert_close(gradients, wanted)
    # The first block, whose input wants no gradient, and one for all others.
    assert backend.graphs == 2


def test_compiled_blocks_run_under_autocast_without_a_break(base_folder, monkeypatch):
    # As on a GPU: half precision around float32 adapters, and dropout as a GPU draws it.
    monkeypatch.setattr(lora, "_drawn", drawn_as_on_a_gpu)
    backend = Counted()
    plain, compiled = made(base_folder), made(base_folder, backend)
    with torch.autocast("cpu", torch.bfloat16):
        for lengths in ((9, 20, 14, 17), (23, 3, 11, 8)):
            loss, wanted = loss_and_gradients(plain, batch_of(*lengths))
            found, gradients = loss_and_gradients(compiled, batch_of(*lengths))
            torch.testing.assert_close(found, loss, rtol=1e-3, atol=0.0)
            torch.testing.assert_close(gradients, wanted, rtol=0.1, atol=2e-3)
    assert backend.graphs == 2


def drawn_as_on_a_gpu(like, dropout):
    return torch.empty(like.shape, dtype=torch.bool, device=like.device).bernoulli_(1 - dropout)


@pytest.mark.filterwarnings("ignore:`gradient_checkpointing_enable` is deprecated:FutureWarning")
def test_compiled_blocks_that_are_made_anew_give_the_same(tiny_base):
    plain = made(tiny_base, checkpointing=True)
    compiled = made(tiny_base, Counted(), checkpointing=True)

    loss, wanted = loss_and_gradients(plain, batch_of(9, 20, 14))
    found, gradients = loss_and_gradients(compiled, batch_of(9, 20, 14))

    torch.testing.assert_close(found, loss)
    torch.testing.assert_close(gradients, wanted)


def test_compiled_blocks_run_as_they_are_where_lengths_vary_and_for_good_when_it_is_undone(
    tiny_base,
):
    backend = Counted()
    model = made(tiny_base, backend)
    base = model.get_base_model()

    with uncompiled(base):
        loss_and_gradients(model, batch_of(9, 20, 14))
    assert backend.graphs == 0
    undo_compile(base)
    assert not is_compiled(base)
    loss_and_gradients(model, batch_of(9, 20, 14))
    assert backend.graphs == 0


def test_a_base_that_waits_for_the_next_run_is_not_compiled(tiny_base):
    model = made(tiny_base, Counted())
    shelf = Shelf()

    shelf.put_back(model)

    assert not is_compiled(shelf.base)


@pytest.mark.parametrize(("size", "filled_to"), [(4, 448), (2, 256), (1, 128)])
def test_packs_of_fewer_rows_are_filled_up_to_fewer_tokens(size, filled_to):
    # Memory ran out at 4 rows a pack; filled up to as many tokens it would run out again.
    config = RunConfig(batch_size=4, packing=True, compile=True)
    train = SimpleNamespace(lengths=[110, 105, 100, 90] * 4, supervised=[50] * 16)

    # 405, 205 and 110 tokens at most, in tiles of 64.
    assert tokens_of_pack(config, train, size) == filled_to
    assert tokens_of_pack(replace(config, compile=False), train, size) == 0
