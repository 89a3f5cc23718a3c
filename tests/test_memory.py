"""The estimate of memory is what autograd keeps and what lives at once, counted on real steps."""

from __future__ import annotations

import dataclasses
import json

import pytest

from jlora_cli.config import RunConfig
from jlora_cli.machine import Gpu, Machine, TorchBuild
from jlora_cli.memory import (
    GIB,
    RUNTIME_GIB,
    MicroBatch,
    changes_that_fit,
    heaviest,
    heaviest_part,
    kept_by_heap,
    longest_that_fits,
    memory_terms,
    micro_batch,
)
from jlora_cli.memory.block import kept_of_blocks
from jlora_cli.prompt import IGNORED, Encoded
from jlora_cli.shape import read_shape
from tests.model_configs import GPT2, LLAMA, NEOX

LAPTOP = Machine("Linux", "3.11.7", True, "", 2, 16.0, 7.128, 100.0)
A100 = Machine(
    "Linux", "3.11.7", True, "", 8, 100.0, 90.0, 500.0,
    gpus=(Gpu("A100", 40.0, 38.5, (8, 0)),),
    torch=TorchBuild("2.11.0", "cu126", True, ("sm_80",)),
)  # fmt: skip
SETTLED = {
    "precision": "float32", "packing": True, "warmup_steps": 0, "max_length": 512,
    "gradient_checkpointing": False, "optimizer": "adamw", "attention": "sdpa",
    "lora_dropout": 0.0,
}  # fmt: skip


def settled(**values):
    """A config without "auto", as an estimate needs it."""
    return RunConfig(**(SETTLED | values))


def rows_of(*lengths):
    """Rows of these lengths, the first half of each a prompt."""
    return [
        Encoded([7] * n, [IGNORED] * (n // 2) + [7] * (n - n // 2), f"rows.jsonl:{at}")
        for at, n in enumerate(lengths, start=1)
    ]


# --- counted on real steps ---------------------------------------------------------------------

LAYERS, HIDDEN, INNER, VOCABULARY = 8, 64, 256, 96
_COMMON = {
    "hidden_size": HIDDEN, "num_hidden_layers": LAYERS, "num_attention_heads": 4,
    "intermediate_size": INNER, "max_position_embeddings": 256, "vocab_size": VOCABULARY,
    "bos_token_id": 2, "eos_token_id": 3, "pad_token_id": 0,
}  # fmt: skip
_GROUPED = _COMMON | {"num_key_value_heads": 2}
TINY = {
    "gpt2": {
        "model_type": "gpt2", "n_embd": HIDDEN, "n_layer": LAYERS, "n_head": 4,
        "n_positions": 256, "n_inner": INNER, "vocab_size": VOCABULARY,
        "bos_token_id": 2, "eos_token_id": 3,
        "attn_pdrop": 0.0, "resid_pdrop": 0.0, "embd_pdrop": 0.0,
    },
    "gpt_neox": _COMMON | {"model_type": "gpt_neox"},
    # As rinna's: one norm after the other.
    "gpt_neox in turn": _COMMON | {"model_type": "gpt_neox", "use_parallel_residual": False},
    **{name: _GROUPED | {"model_type": name} for name in ("llama", "mistral", "qwen2")},
    "qwen3": _GROUPED | {"model_type": "qwen3", "head_dim": 24},
    **{
        name: _GROUPED | {"model_type": name, "head_dim": 24, "query_pre_attn_scalar": 24}
        for name in ("gemma2", "gemma3_text")
    },
}  # fmt: skip
ATTENTION = {"gpt2": ("c_attn",), "gpt_neox": ("query_key_value",)}
VARIANTS = {
    "plain": {},
    "attention": {"lora_targets": ("attention",)},
    "half": {"precision": "bfloat16"},
    "dropout": {"lora_dropout": 0.1},
    "half dropout": {"precision": "bfloat16", "lora_dropout": 0.1},
    "dora": {"lora_variant": "dora"},
    "padded": {"packing": False},
    "eager": {"attention": "eager"},
    "eager half": {"attention": "eager", "precision": "bfloat16"},
}
WHOLE = ("gpt2", "gpt_neox", "llama", "gemma2")
STEPS = [
    *((name, "plain") for name in TINY),
    *((name, variant) for name in WHOLE for variant in VARIANTS if variant != "plain"),
]
LENGTHS = (40, 64, 56)


class Step:
    """One forward and backward pass of a tiny model, and what was foretold of it."""

    def __init__(self, name, **settings):
        import torch
        import transformers

        from jlora_cli.model import DTYPES, attach_adapter
        from jlora_cli.training.loading import quicken
        from jlora_cli.training.lora import fuse
        from jlora_cli.training.loss import make_batch, summed_loss

        self.config = settled(batch_size=len(LENGTHS), **settings)
        made = transformers.AutoConfig.for_model(**TINY[name])
        dtype = DTYPES[self.config.precision]
        base = transformers.AutoModelForCausalLM.from_config(
            made, dtype=dtype,
            attn_implementation=None if name == "gemma2" else self.config.attention,
        )  # fmt: skip
        quicken(base, self.config.attention)
        self.model = attach_adapter(base, self.config).train()
        fuse(self.model)
        if self.config.gradient_checkpointing:
            base.gradient_checkpointing_enable({"use_reentrant": False})
        self.shape = read_shape(json.loads(made.to_json_string()))
        rows, packing = rows_of(*LENGTHS), self.config.packing
        lengths, supervised = zip(*((len(row.ids), row.supervised) for row in rows), strict=True)
        self.foretold = heaviest(lengths, supervised, self.config)
        batch = make_batch(rows, packing=packing, pad_id=0)

        def loss():
            with torch.autocast("cpu", dtype=dtype, enabled=dtype != torch.float32):
                return summed_loss(self.model, batch)

        self.loss = loss

    @property
    def terms(self):
        return memory_terms(self.config, self.shape, self.foretold, "cpu")


# DoRA's passing weights are counted below.
@pytest.mark.parametrize(("name", "variant"), [step for step in STEPS if step[1] != "dora"])
def test_activations_are_what_autograd_keeps(name, variant):
    from tests.live_tensors import kept_bytes

    step = Step(name, **VARIANTS[variant])
    counted = kept_bytes(step.model, step.loss)
    kept = kept_of_blocks(step.config, step.shape, step.foretold, "cpu")
    # Beside the blocks, the loss keeps the gradient of the last layer's output.
    width = 4 if step.config.precision == "float32" else 2
    loss = width * step.foretold.supervised * HIDDEN
    foretold = kept.activations + kept.scores + loss
    assert foretold == pytest.approx(counted, rel=0.05)


@pytest.mark.filterwarnings("ignore:`gradient_checkpointing_enable` is deprecated:FutureWarning")
@pytest.mark.parametrize("checkpointing", [False, True])
@pytest.mark.parametrize(("name", "variant"), STEPS)
def test_activations_logits_and_workspace_are_what_lives_at_once(name, variant, checkpointing):
    from tests.live_tensors import LiveTensors

    step = Step(name, gradient_checkpointing=checkpointing, **VARIANTS[variant])
    with LiveTensors(step.model) as live:
        step.loss().backward()
    foretold = sum(step.terms[term] for term in ("activations", "logits", "workspace", "gradients"))
    # The tiny block that checkpointing makes anew is a large part of so little.
    tolerance = 0.2 if checkpointing else 0.11
    assert foretold * GIB == pytest.approx(live.peak, rel=tolerance)


# --- terms by hand -----------------------------------------------------------------------------


def terms(config, shape=GPT2, lengths=(512,) * 4, device="cpu", **more):
    supervised = sum(lengths) // 2
    batch = micro_batch(lengths, supervised, packing=config.packing)
    return memory_terms(config, read_shape(shape), batch, device, **more)


def test_terms_of_the_first_recipe_by_hand():
    made = terms(settled(lora_r=8, lora_targets=("c_attn",)))
    weights, adapter = 336e6, 786_432  # see test_shape
    assert made["runtime"] == RUNTIME_GIB
    assert made["base_weights"] == pytest.approx(4 * weights / GIB, rel=0.01)
    assert made["adapter"] == made["gradients"] == 4 * adapter / GIB
    assert made["optimizer"] == 8 * adapter / GIB
    # 1,024 supervised tokens: logits and log-probabilities of 4,096 of 32,000 words at once, and
    # two hidden states of 1,024 float32.
    assert made["logits"] == 1_024 * (4_096 * 8 + 1_024 * 8) / GIB
    # A token and layer: norms 2 x 1,024 and four statistics, queries to values 3 x 1,024, what
    # attention gave and c_attn's input 2 x 1,024, GELU 4,096, A's output 8, 16 heads' sums.
    values = 2 * 1024 + 4 + 3 * 1024 + 2 * 1024 + 4096 + 8 + 16
    assert made["activations"] == pytest.approx(2048 * 24 * values * 4 / GIB)
    # No masks; 1.75 tensors of the feed-forward layer's width are more than the loss takes.
    assert made["workspace"] == pytest.approx(2048 * 1.75 * 4096 * 4 / GIB - made["logits"])
    assert (made["rows"], made["loading"]) == (0, 0)
    assert made["total"] == pytest.approx(sum(v for n, v in made.items() if n != "total"))


def test_the_datas_rows_are_counted_where_they_lie():
    assert terms(settled(), row_tokens=10**6)["rows"] == pytest.approx(5e6 / GIB)
    assert terms(settled(), row_tokens=10**6, device="cuda")["rows"] == 0


def test_quantization_packs_the_linear_layers_and_leaves_the_rest():
    # 3.6B: 36 layers of 12 x 2,816 x 2,816, and two embeddings of 32,000 x 2,816 in bfloat16.
    linear, rest = 36 * 12 * 2816**2, 2 * 32_000 * 2816
    half = {"precision": "bfloat16"}
    whole = terms(settled(**half), NEOX, device="cuda")["base_weights"]
    eight = terms(settled(**half, quantization="8bit"), NEOX, device="cuda")["base_weights"]
    four = terms(settled(**half, quantization="4bit"), NEOX, device="cuda")["base_weights"]
    assert whole == pytest.approx((linear + rest) * 2 / GIB, rel=0.001)
    assert eight == pytest.approx((linear + rest * 2) / GIB, rel=0.001)
    # A byte for 64 weights' scale, and four for 256 scales'.
    assert four == pytest.approx((linear * (0.5 + 1 / 64 + 1 / 4096) + rest * 2) / GIB, rel=0.001)
    assert terms(settled(**half), NEOX, device="cuda")["runtime"] == 0


def test_8_bit_layers_keep_their_inputs():
    quiet = {"precision": "bfloat16", "lora_targets": ("query_key_value",)}
    plain = terms(settled(**quiet), NEOX, device="cuda")["activations"]
    eight = terms(settled(**quiet, quantization="8bit"), NEOX, device="cuda")["activations"]
    assert eight > plain


def test_8_bit_layers_keep_them_though_their_block_is_made_anew():
    quiet = {"precision": "bfloat16", "gradient_checkpointing": True}
    plain, eight = (
        terms(settled(**quiet, quantization=kind), NEOX, device="cuda")["activations"]
        for kind in ("none", "8bit")
    )
    # 2,816 between two blocks; the inputs of a block's layers are 3 of these and one of 11,264.
    assert eight / plain == pytest.approx(1 + 3 + 4)


def test_the_8_bit_optimizer_keeps_two_bytes():
    two = terms(settled(optimizer="paged-adamw8bit"))
    assert two["optimizer"] * 4 == terms(settled())["optimizer"]


def test_files_that_must_be_converted_are_in_memory_beside_the_weights():
    half = NEOX | {"torch_dtype": "float16"}
    short = {"lengths": (8,)}
    made = terms(settled(), half, **short)
    weights = read_shape(NEOX).parameters
    assert made["total"] == pytest.approx(RUNTIME_GIB + weights * 6 / GIB)
    assert terms(settled(), NEOX, **short)["loading"] == 0  # float32 files are mapped
    assert terms(settled(), half, lengths=(2048,) * 8)["loading"] == 0  # training takes more


def test_attention_needs_no_mask_where_rows_are_kept_apart():
    def scores(shape, *lengths, **values):
        config = settled(**values)
        batch = micro_batch(lengths, sum(lengths), packing=config.packing)
        return kept_of_blocks(config, read_shape(shape), batch, "cpu").scores

    assert scores(GPT2, 2048, 2048) == scores(GPT2, 4096) == 0
    assert scores(GPT2, 40, 64, packing=False) == 0
    # 16 heads' float32 softmax and what is hidden, of each row by itself, in 24 blocks.
    apart = 24 * (16 * 4 + 1) * (1024**2 + 512**2)
    assert scores(GPT2, 1024, 512, attention="eager") == apart


def test_another_architecture_has_a_mask_over_the_whole_pack():
    other = LLAMA | {"model_type": "stablelm"}
    config, shape = settled(), read_shape(other)

    def scores(*lengths):
        batch = micro_batch(lengths, sum(lengths), packing=True)
        return kept_of_blocks(config, shape, batch, "cpu").scores

    assert scores(4096) == 0  # a row alone needs none
    # Each block keeps one of float32, and one of bytes stands beside them.
    assert scores(1024, 1024) == 2048**2 * (shape.layers * 4 + 1)


def test_another_architectures_output_layer_gives_all_logits_at_once():
    shape = read_shape(LLAMA | {"model_type": "stablelm"})
    batch = micro_batch([512] * 4, 1024, packing=True)
    made = memory_terms(settled(), shape, batch, "cpu")
    assert made["logits"] == 12 * 1024 * shape.vocabulary / GIB
    padded = micro_batch([512] * 4, 1024, packing=False)
    everywhere = memory_terms(settled(packing=False), shape, padded, "cpu")
    assert everywhere["logits"] == (2 * 4 * 2048 + 4 * 1024) * shape.vocabulary / GIB


# --- the heaviest rows -------------------------------------------------------------------------


def test_the_heaviest_batch_is_what_the_runs_own_batches_come_to_at_most():
    lengths, supervised = [10, 30, 20, 40], [5, 15, 10, 20]

    def of(size, **values):
        config = settled(batch_size=size, gradient_accumulation_steps=2, **values)
        return heaviest(lengths, supervised, config)

    # A step is all four rows; balanced, 40 stands with 10 and 30 with 20.
    assert of(2) == MicroBatch(50, 40**2 + 10**2, 40, 25, 25, 2, packed=True)
    # Padded, the two longest stand together.
    assert of(2, packing=False) == MicroBatch(80, 3200, 40, 80, 35, 2, packed=False)
    assert of(1) == MicroBatch(40, 1600, 40, 20, 20, 1, packed=True)
    assert of(9).places == 100
    config = settled(batch_size=2, gradient_accumulation_steps=2)
    assert heaviest(lengths, supervised, config, max_length=25).places == 45
    assert heaviest([], [], config) == MicroBatch(0, 0, 0, 0, 0, 0, packed=True)
    assert lengths == [10, 30, 20, 40]


def test_the_heaviest_part_has_the_most_places():
    lengths = [10, 30, 20, 40, 35]
    config = settled(batch_size=2, gradient_accumulation_steps=3)
    part = heaviest_part(lengths, config)
    assert sum(lengths[at] for at in part) == 50
    padded = heaviest_part(lengths, dataclasses.replace(config, packing=False))
    assert sorted(lengths[at] for at in padded) == [35, 40]
    assert heaviest_part([], config) == []


# --- what fits ---------------------------------------------------------------------------------


def with_free(gib):
    return dataclasses.replace(LAPTOP, free_memory_gib=gib)


@pytest.mark.parametrize("packing", [True, False])
def test_the_longest_that_fits_is_the_last_that_does(packing):
    config, shape = settled(packing=packing), read_shape(GPT2)
    longest = longest_that_fits(config, shape, with_free(4.0), rows_per_batch=4)
    totals = []
    for length in (longest, longest + 1):
        batch = micro_batch([length] * 4, length * 4, packing=packing)
        totals.append(memory_terms(config, shape, batch, "cpu")["total"])
    assert 64 < longest < 1024
    assert totals[0] <= 4.0 < totals[1]


def test_more_fits_where_less_is_kept():
    shape = read_shape(GPT2)
    most = longest_that_fits(settled(), shape, with_free(4.0), rows_per_batch=4)
    checkpointed = settled(gradient_checkpointing=True)
    assert 64 < most < longest_that_fits(checkpointed, shape, with_free(4.0), rows_per_batch=4)


def test_the_longest_that_fits_is_bounded_by_the_context_and_by_nothing_known():
    shape = read_shape(LLAMA)
    assert longest_that_fits(settled(), shape, with_free(1000.0), rows_per_batch=1) == 2048
    assert longest_that_fits(settled(), shape, with_free(1.0), rows_per_batch=1) == 0
    assert longest_that_fits(settled(), shape, with_free(0.0), rows_per_batch=1) is None
    half = settled(precision="bfloat16")
    assert longest_that_fits(half, shape, A100, rows_per_batch=1) == 2048


def test_a_gpu_may_pack_the_base_to_fit():
    machine = dataclasses.replace(A100, gpus=(Gpu("A100", 6.0, 6.0, (8, 0)),))
    config = settled(precision="bfloat16", batch_size=1)
    found = changes_that_fit(config, read_shape(NEOX), machine, [64], [32])
    assert found == [{"quantization": "8bit"}]
    built = TorchBuild("2.11.0", "cu126", True, ("sm_70",))
    v100 = Gpu("Tesla V100", 6.0, 6.0, (7, 0))
    older = dataclasses.replace(A100, gpus=(v100,), torch=built)
    # bitsandbytes has no 8-bit products for it.
    assert changes_that_fit(config, read_shape(NEOX), older, [64], [32]) == [
        {"quantization": "4bit"}
    ]
    packed = dataclasses.replace(config, quantization="8bit")
    assert changes_that_fit(packed, read_shape(NEOX), machine, [64], [32])[0].keys() == {
        "gradient_checkpointing"
    }


def test_a_length_that_leaves_out_most_rows_is_no_help():
    config, shape = settled(batch_size=1, gradient_checkpointing=True), read_shape(GPT2)
    long, mixed = [1000] * 5, [*[100] * 5, 1000]
    assert changes_that_fit(config, shape, with_free(1.9), long, long) == []
    (found,) = changes_that_fit(config, shape, with_free(1.9), mixed, mixed)
    assert 100 <= found["max_length"] < 1000


# --- what the heap keeps -----------------------------------------------------------------------


def test_the_heap_keeps_what_was_freed_where_there_is_room():
    made = terms(settled())
    share = 0.15 * sum(made[name] for name in ("activations", "logits", "workspace"))
    assert kept_by_heap(settled(), made, 100.0) == pytest.approx(share)
    enough = made["total"] + 3 * share
    assert kept_by_heap(settled(), made, enough) > 0
    assert kept_by_heap(settled(), made, enough - 0.001) == 0
    assert kept_by_heap(settled(), made, 0.0) == 0  # the machine does not tell what is free
    saving = settled(gradient_checkpointing=True)
    assert kept_by_heap(saving, terms(saving), 100.0) == 0
