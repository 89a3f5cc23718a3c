"""4- and 8-bit bases through the real bitsandbytes, whose CPU backend runs everywhere."""

from __future__ import annotations

import pytest
import torch

from jlora_cli.config import RunConfig
from jlora_cli.model import Placement, attach_adapter, load_base
from jlora_cli.prompt import Encoded
from jlora_cli.training import attention
from jlora_cli.training.loading import quicken
from jlora_cli.training.loss import make_batch, summed_loss

pytestmark = pytest.mark.filterwarnings("ignore::FutureWarning", "ignore::DeprecationWarning")
LINEAR = {"8bit": "Linear8bitLt", "4bit": "Linear4bit"}


@pytest.mark.parametrize("quantization", ["8bit", "4bit"])
def test_adapter_learns_on_a_quantized_base(tiny_base, quantization):
    placement = Placement("cpu", "float32", quantization)
    base = load_base(tiny_base, placement)
    config = RunConfig(quantization=quantization, lora_dropout=0.0)

    # As a run has it: in eval mode bitsandbytes repacks 4-bit weights on CPUs with AVX-512 BF16.
    adapted = attach_adapter(base, config).train()
    optimizer = torch.optim.AdamW([p for p in adapted.parameters() if p.requires_grad], lr=1e-2)
    batch = make_batch([Encoded([5, 6, 7, 8], [-100, 6, 7, 8])], packing=True, pad_id=0)
    losses = []
    for _ in range(8):
        loss = summed_loss(adapted, batch)
        loss.backward()
        optimizer.step()
        optimizer.zero_grad()
        losses.append(float(loss.detach()))

    kinds = {type(module).__name__ for module in adapted.modules()}
    assert LINEAR[quantization] in kinds
    assert losses[-1] < losses[0]
    assert {p.dtype for p in adapted.parameters() if p.requires_grad} == {torch.float32}


@pytest.mark.parametrize("quantization", ["none", "4bit"])
def test_attention_is_given_half_precision_whatever_autocast_makes_of_norms(
    tiny_base, quantization, monkeypatch
):
    # On CUDA, autocast has layer norms give float32, and a quantized layer gives what it is given;
    # so done here on a CPU, where autocast leaves norms alone.
    stock, seen = torch.nn.functional.layer_norm, []

    def as_on_cuda(x, shape, weight, bias, eps):
        if torch.is_autocast_enabled("cpu"):
            x, weight, bias = x.float(), weight.float(), bias.float()
        return stock(x, shape, weight, bias, eps)

    monkeypatch.setattr("torch.nn.functional.layer_norm", as_on_cuda)
    monkeypatch.setattr(attention, "_fits_kernel", lambda query: bool(seen.append(query.dtype)))
    base = load_base(tiny_base, Placement("cpu", "bfloat16", quantization))
    quicken(base, "varlen")
    adapted = attach_adapter(base, RunConfig(quantization=quantization)).train()
    batch = make_batch([Encoded([5, 6, 7, 8], [-100, 6, 7, 8])], packing=True, pad_id=0)

    with torch.autocast("cpu", torch.bfloat16):
        summed_loss(adapted, batch).backward()

    assert seen == [torch.bfloat16] * base.config.num_hidden_layers
