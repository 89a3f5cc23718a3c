"""Queries and keys are turned as transformers turns them, and only in the model that was asked."""

from __future__ import annotations

import pytest
import torch

from jlora_cli.config import RunConfig
from jlora_cli.model import Placement, attach_adapter, load_base
from jlora_cli.recipe import ROWS_APART
from jlora_cli.training.loading import Shelf
from jlora_cli.training.rotary import _layers, _turn_both, rotate_as_stock, rotate_at_once
from tests.tiny_models import LAYERS, save_tiny_model

TURNING = [name for name in ROWS_APART if name != "gpt2"]


@pytest.fixture(params=TURNING)
def base(request, tmp_path):
    return load_base(save_tiny_model(tmp_path / request.param, request.param), Placement())


def stock_of(base):
    """What the architecture's own attention layers call."""
    return next(_layers(base)).forward.__func__.__globals__["apply_rotary_pos_emb"]


def drawn(*, turned, dtype=torch.float64):
    """Queries as a layer that makes all three gives them, keys of half the heads, angles' parts.

    The halves of the angles differ, as no architecture has them, so that none stands for the other.
    """
    generator = torch.Generator().manual_seed(7)
    q = torch.randn(2, 9, 4, 24, generator=generator, dtype=dtype).transpose(1, 2)[..., :8]
    k = torch.randn(2, 9, 2, 8, generator=generator, dtype=dtype).transpose(1, 2)
    angles = torch.randn(2, 9, turned, generator=generator, dtype=dtype)
    return q.requires_grad_(), k.requires_grad_(), angles.cos(), angles.sin()


def made_by(turn, q, k, cos, sin):
    """The turned tensors and the gradients of what they came from."""
    turned = turn(q, k, cos, sin)
    weights = [torch.linspace(-1, 2, each.numel(), dtype=each.dtype) for each in turned]
    looked = sum((w.view_as(t) * t).sum() for w, t in zip(weights, turned, strict=True))
    return (*turned, *torch.autograd.grad(looked, [q, k]))


def test_queries_keys_and_their_gradients_are_those_of_transformers(base):
    given = drawn(turned=8)
    wanted = made_by(stock_of(base), *given)

    found = made_by(_turn_both, *given)

    for mine, theirs in zip(found, wanted, strict=True):
        assert torch.allclose(mine, theirs, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("base", ["gpt_neox"], indirect=True)
def test_what_is_wider_than_the_angles_stays_as_it_is(base):
    given = drawn(turned=4)
    wanted = made_by(stock_of(base), *given)

    found = made_by(_turn_both, *given)

    assert torch.equal(found[0][..., 4:], given[0][..., 4:])
    for mine, theirs in zip(found, wanted, strict=True):
        assert torch.allclose(mine, theirs, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("kinds", [("bfloat16", "float32"), ("float32", "bfloat16")])
@pytest.mark.parametrize("base", ["llama"], indirect=True)
def test_precisions_meet_as_they_do_in_transformers(base, kinds):
    heads, angles = (getattr(torch, kind) for kind in kinds)
    q, k, cos, sin = drawn(turned=8, dtype=torch.float32)
    q, k = (each.detach().to(heads).requires_grad_() for each in (q, k))
    given = (q, k, cos.to(angles), sin.to(angles))
    wanted = made_by(stock_of(base), *given)

    found = made_by(_turn_both, *given)

    for mine, theirs in zip(found, wanted, strict=True):
        assert mine.dtype == theirs.dtype
        assert torch.allclose(mine.float(), theirs.float(), rtol=2e-2, atol=2e-2)


def test_every_layer_turns_here_and_only_in_this_model(base, tmp_path):
    stock = stock_of(base)
    other = load_base(save_tiny_model(tmp_path / "other", base.config.model_type), Placement())

    assert rotate_at_once(base) == LAYERS

    assert stock_of(base) is _turn_both
    assert stock_of(other) is stock

    rotate_as_stock(base)

    assert stock_of(base) is stock


def test_an_architecture_that_turns_nothing_is_left_alone(tmp_path):
    base = load_base(save_tiny_model(tmp_path / "gpt2", "gpt2"), Placement())

    assert rotate_at_once(base) == 0


@pytest.mark.parametrize("base", ["llama"], indirect=True)
def test_a_base_that_is_put_back_turns_as_stock(base):
    # The next run may compile it.
    stock = stock_of(base)
    rotate_at_once(base)
    shelf = Shelf()

    shelf.put_back(attach_adapter(base, RunConfig()))

    assert stock_of(shelf.base) is stock
