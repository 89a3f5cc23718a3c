"""Load a base, quantise it, attach or read an adapter: each checked before it is trusted.

Weights come from safetensors only, code never comes with a model. Knows no data and no prompt.
"""

from __future__ import annotations

import hashlib
import json
import re
import warnings
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import torch
from huggingface_hub.errors import StrictDataclassError
from safetensors import SafetensorError, safe_open
from transformers import AutoConfig, AutoModelForCausalLM
from transformers.utils import logging as transformers_logging

from jlora_cli.errors import refuse
from jlora_cli.messages import say
from jlora_cli.recipe import attention_layers
from jlora_cli.run_folder import ADAPTER_CONFIG, ADAPTER_WEIGHTS, read_model_config

if TYPE_CHECKING:
    from collections.abc import Iterator
    from collections.abc import Set as AbstractSet
    from pathlib import Path

    from peft import PeftModel
    from transformers import PretrainedConfig, PreTrainedModel

    from jlora_cli.config import RunConfig
    from jlora_cli.errors import JloraError
    from jlora_cli.tokenizer import Tokenizer

DTYPES = {"float32": torch.float32, "bfloat16": torch.bfloat16, "float16": torch.float16}

# What transformers raises, itself or from below, over a config.json that it cannot follow.
_UNLOADABLE = (
    ArithmeticError,
    AttributeError,
    ImportError,
    KeyError,
    OSError,
    RuntimeError,
    SafetensorError,
    StrictDataclassError,
    TypeError,
    ValueError,
)
# Whole-file hashes up to here; larger files are sampled, because 7 GB take half a minute.
_HASHED_WHOLE = 64 << 20
_SAMPLES, _SAMPLE_BYTES = 256, 64 << 10
_REASON = 200


@dataclass(frozen=True)
class Placement:
    """Where and how a base is loaded. `device`: "cpu", "cuda" or "mps"."""

    device: str = "cpu"
    precision: str = "float32"
    quantization: str = "none"
    attention: str = "sdpa"


def load_base(
    folder: Path, placement: Placement, *, dropout: float = 0.0, tokenizer: Tokenizer | None = None
) -> PreTrainedModel:
    """The causal LM in `folder`, in eval mode on its device.

    `dropout` replaces every dropout of the architecture (it acts in training only).

    Raises:
        JloraError: needs code of its own, has no safetensors, does not fit its config, or has
            fewer embedding rows than the tokenizer has ids.
    """
    check_base(folder)
    transformers_logging.set_verbosity_error()
    transformers_logging.disable_progress_bar()
    model: PreTrainedModel
    try:
        model, told = AutoModelForCausalLM.from_pretrained(
            folder,
            config=_config_with(folder, dropout),
            dtype=DTYPES[placement.precision],
            local_files_only=True,
            use_safetensors=True,
            # None is SDPA where the architecture has it: Gemma 2's soft-capping has no kernel.
            attn_implementation=None if placement.attention == "sdpa" else placement.attention,
            quantization_config=_quantization(placement),
            device_map={"": placement.device} if placement.device != "cpu" else None,
            # transformers would fill what is missing or misshapen with random numbers, and only
            # log it: both are refused below.
            ignore_mismatched_sizes=True,
            output_loading_info=True,
        )
    except _UNLOADABLE as error:
        raise refuse("model.cannot_load", folder=folder, problem=_reason(error)) from error
    _check_loaded(folder, model, told)
    rows = model.get_input_embeddings().weight.shape[0]
    if tokenizer is not None and tokenizer.size > rows:
        raise refuse("model.tokenizer_larger", folder=folder, ids=tokenizer.size, rows=rows)
    return model.eval()


def _config_with(folder: Path, dropout: float) -> PretrainedConfig:
    config = AutoConfig.from_pretrained(folder, local_files_only=True)
    for name, value in config.to_dict().items():
        if is_dropout(name) and isinstance(value, int | float) and not isinstance(value, bool):
            setattr(config, name, dropout)
    return config


def _check_loaded(folder: Path, model: PreTrainedModel, told: dict[str, Any]) -> None:
    """Refuse weights that fill the architecture of config.json only in part, or overflow it.

    Tensors outside the language model's layers may be left over: a vision tower, old buffers.
    """
    layer = re.compile(rf"({model.base_model_prefix}\.)?(h|layers)\.\d+\..*weight")
    misshapen = {name for name, *_ in told["mismatched_keys"]}
    surplus = {name for name in told["unexpected_keys"] if layer.fullmatch(name)}
    missing = set(told["missing_keys"])
    if missing or misshapen or surplus:
        raise refuse(
            "model.tensors_differ",
            folder=folder,
            missing=len(missing),
            misshapen=len(misshapen),
            unexpected=len(surplus),
            name=min(missing | misshapen | surplus),
        )


def is_dropout(name: str) -> bool:
    """Whether a key of a model's config.json is the share of something that training drops."""
    return "dropout" in name or name.endswith("pdrop")


def check_base(folder: Path) -> dict[str, Any]:
    """The config of the model in `folder`, refused where loading would run code or fail late.

    Raises:
        JloraError: see `load_base`.
    """
    config = read_model_config(folder)
    shapes = {name: shape for name, shape, _ in tensor_shapes(folder)}
    if not shapes:
        pickled = any(folder.glob("*.bin"))
        raise refuse("model.pickled" if pickled else "model.no_weights", folder=folder)
    _check_embedding(folder, config, shapes)
    return config


def _check_embedding(folder: Path, config: dict[str, Any], shapes: dict[str, list[int]]) -> None:
    said = config.get("vocab_size", (config.get("text_config") or {}).get("vocab_size"))
    if said is None:  # the architecture's default; loading finds out
        return
    for name, shape in shapes.items():
        if (
            name.endswith(("embed_in.weight", "wte.weight", "embed_tokens.weight"))
            and said != shape[0]
        ):
            raise refuse("model.embedding_differs", folder=folder, said=said, rows=shape[0])


def tensor_shapes(
    folder: Path, pattern: str = "*.safetensors"
) -> Iterator[tuple[str, list[int], str]]:
    """(name, shape, dtype) of every tensor in a folder's safetensors files, weights unread.

    Raises:
        JloraError: a file is empty or cut off.
    """
    for path in sorted(folder.glob(pattern)):
        try:
            with safe_open(path, framework="numpy") as file:
                for name in file.keys():  # noqa: SIM118 - safe_open is no dict
                    part = file.get_slice(name)
                    yield name, part.get_shape(), part.get_dtype()
        except (SafetensorError, OSError) as error:
            raise refuse("model.damaged", path=path, problem=_reason(error)) from error


def _quantization(placement: Placement) -> Any:
    if placement.quantization == "none":
        return None
    from transformers import BitsAndBytesConfig  # noqa: PLC0415 - bitsandbytes takes 1.5 s

    if placement.quantization == "8bit":
        return BitsAndBytesConfig(load_in_8bit=True)
    return BitsAndBytesConfig(
        load_in_4bit=True,
        bnb_4bit_quant_type="nf4",
        bnb_4bit_use_double_quant=True,
        bnb_4bit_compute_dtype=DTYPES[placement.precision],
    )


def fingerprint(folder: Path) -> str:
    """A sha256 that tells one set of weights from another: of all safetensors in a folder.

    Files over 64 MiB are hashed by their header and 256 evenly spaced samples of 64 KiB.
    """
    digest = hashlib.sha256()
    for path in sorted(folder.glob("*.safetensors")):
        size = path.stat().st_size
        digest.update(f"{path.name}:{size}".encode())
        with path.open("rb") as file:
            if size <= _HASHED_WHOLE:
                digest.update(file.read())
                continue
            for sample in range(_SAMPLES):
                file.seek((size - _SAMPLE_BYTES) * sample // (_SAMPLES - 1))
                digest.update(file.read(_SAMPLE_BYTES))
    return digest.hexdigest()


# -- adapters ----------------------------------------------------------------------------------


def find_targets(model: PreTrainedModel, asked: tuple[str, ...]) -> list[str]:
    """The names of the linear layers that get an adapter.

    `asked`: ("auto",) = every linear layer but the output's, ("attention",) = the attention's,
    else the last parts of module names.

    Raises:
        JloraError: a name matches nothing; the names that the architecture has are listed.
    """
    output = model.get_output_embeddings()
    linear = {
        name.rpartition(".")[2]
        for name, module in model.named_modules()
        if module is not output and type(module).__name__ in _LINEAR
    }
    if asked == ("auto",):
        return sorted(linear)
    wanted = attention_layers(model.config.model_type) if asked == ("attention",) else asked
    missing = [name for name in wanted if name not in linear]
    if missing:
        raise refuse(
            "targets-match-nothing.refused",
            names=", ".join(missing),
            known=", ".join(sorted(linear)),
        )
    return list(wanted)


_LINEAR = {"Linear", "Conv1D", "Linear4bit", "Linear8bitLt"}


def attach_adapter(model: PreTrainedModel, config: RunConfig) -> PeftModel:
    """A fresh LoRA adapter on `model`; its tensors alone are trainable, in float32."""
    from peft import LoraConfig, get_peft_model, prepare_model_for_kbit_training  # noqa: PLC0415

    targets = find_targets(model, config.lora_targets)
    if config.quantization != "none":
        prepare_model_for_kbit_training(model, use_gradient_checkpointing=False)
    made: PeftModel = get_peft_model(
        model,
        LoraConfig(
            r=config.lora_r,
            lora_alpha=config.lora_alpha,
            lora_dropout=config.lora_dropout,
            target_modules=targets,
            task_type="CAUSAL_LM",
            use_rslora=config.lora_variant == "rslora",
            use_dora=config.lora_variant == "dora",
            # GPT-2 stores its linear layers transposed (Conv1D); PEFT would find out and warn.
            fan_in_fan_out=model.config.model_type == "gpt2",
        ),
    )
    return made


def read_adapter(
    model: PreTrainedModel, folder: Path, *, dropout: float | None = None
) -> PeftModel:
    """`model` with the adapter in `folder`, every tensor of which was checked, in eval mode.

    `dropout` replaces the one that the adapter was trained with.

    Raises:
        JloraError: damaged, no LoRA, of another rank or base, with tensors that are missing,
            unexpected or not finite.
    """
    from peft import PeftConfig, PeftModel  # noqa: PLC0415 - takes 2 s

    _check_adapter_rank(folder, read_adapter_config(folder))
    tensors = _adapter_tensors(folder)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # PEFT warns of missing keys; they are refused below
        try:
            config = PeftConfig.from_pretrained(str(folder))
            if dropout is not None:
                config.lora_dropout = dropout
            adapted = PeftModel(model, config)
        except _UNLOADABLE as error:
            if "not found in the base model" in str(error):
                raise _tensors_differ(folder, set(), tensors.keys()) from error
            path = folder / ADAPTER_CONFIG
            raise refuse("source.bad_json", path=path, problem=_reason(error)) from error
        _check_tensors(folder, adapted, tensors)
        _fill(adapted, tensors)
    return adapted.eval()


def read_adapter_config(folder: Path) -> dict[str, Any]:
    """The adapter_config.json of the LoRA adapter in `folder`.

    Raises:
        JloraError: it cannot be read, or is of another kind of adapter.
    """
    path = folder / ADAPTER_CONFIG
    try:
        config: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise refuse("source.bad_json", path=path, problem=error) from error
    if not isinstance(config, dict):
        raise refuse("source.bad_json", path=path, problem=say("source.no_object"))
    if config.get("peft_type") != "LORA":
        raise refuse("adapter.not_lora", path=path, kind=config.get("peft_type"))
    return config


def _check_adapter_rank(folder: Path, config: dict[str, Any]) -> None:
    ranks = {config.get("r"), *(config.get("rank_pattern") or {}).values()}
    for name, shape, _ in tensor_shapes(folder, ADAPTER_WEIGHTS):
        if "lora_A" in name and shape and shape[0] not in ranks:
            raise refuse(
                "adapter.rank_differs",
                path=folder / ADAPTER_WEIGHTS,
                said=config.get("r"),
                rank=shape[0],
            )


def _adapter_tensors(folder: Path) -> dict[str, torch.Tensor]:
    from safetensors.torch import load_file  # noqa: PLC0415

    try:
        return load_file(folder / ADAPTER_WEIGHTS)
    except (SafetensorError, OSError) as error:
        path = folder / ADAPTER_WEIGHTS
        raise refuse("model.damaged", path=path, problem=_reason(error)) from error


def _check_tensors(folder: Path, adapted: PeftModel, tensors: dict[str, torch.Tensor]) -> None:
    path = folder / ADAPTER_WEIGHTS
    wanted = adapter_state(adapted)
    if wanted.keys() != tensors.keys():
        raise _tensors_differ(folder, wanted.keys(), tensors.keys())
    for name, tensor in tensors.items():
        if tensor.shape != wanted[name].shape:
            raise refuse(
                "adapter.shape_differs",
                path=path,
                name=name,
                shape=list(tensor.shape),
                wanted=list(wanted[name].shape),
            )
        if not torch.isfinite(tensor).all():
            raise refuse("adapter.not_finite", path=path, name=name)


def _tensors_differ(folder: Path, wanted: AbstractSet[str], found: AbstractSet[str]) -> JloraError:
    return refuse(
        "adapter.tensors_differ",
        path=folder / ADAPTER_WEIGHTS,
        matched=len(wanted & found),
        total=len(found),
        missing=len(wanted - found),
        unexpected=len(found - wanted),
    )


def _fill(adapted: PeftModel, tensors: dict[str, torch.Tensor]) -> None:
    from peft import set_peft_model_state_dict  # noqa: PLC0415

    set_peft_model_state_dict(adapted, tensors)


def adapter_state(adapted: PeftModel) -> dict[str, torch.Tensor]:
    """The adapter's tensors under the names that its file gives them."""
    from peft import get_peft_model_state_dict  # noqa: PLC0415

    # "auto" would look the base up on the hub to learn whether the embedding was resized.
    state: dict[str, torch.Tensor] = get_peft_model_state_dict(adapted, save_embedding_layers=False)
    return state


def has_effect(folder: Path) -> bool:
    """False when every lora_B tensor of the adapter in `folder` is zero: it changes nothing."""
    return any(bool(t.any()) for name, t in _adapter_tensors(folder).items() if "lora_B" in name)


def trainable_parameters(adapted: PeftModel) -> int:
    """How many numbers the optimizer moves."""
    return sum(p.numel() for p in adapted.parameters() if p.requires_grad)


def device_memory_gib(device: str) -> float:
    """Peak memory so far, GiB: the GPU's allocations on CUDA, else the process's resident set."""
    if device.startswith("cuda"):
        return round(torch.cuda.max_memory_allocated() / 2**30, 3)
    import sys  # noqa: PLC0415

    try:
        import resource  # noqa: PLC0415 - not on Windows
    except ImportError:
        # accelerate brings it
        import psutil  # type: ignore[import-untyped,unused-ignore]  # noqa: PLC0415

        return round(float(psutil.Process().memory_info().peak_wset) / 2**30, 3)

    unit = 1 if sys.platform == "darwin" else 1024  # getrusage(2): bytes on macOS, else KiB
    return round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit / 2**30, 3)


def choose_device(asked: str | None) -> str:
    """One of "cuda", "mps" and "cpu": as asked, else the best that torch can use here.

    Raises:
        JloraError: asked for one that torch cannot use.
    """
    there = {
        "cpu": True,
        "cuda": torch.cuda.is_available(),
        "mps": torch.backends.mps.is_available(),
    }
    if asked is None:
        return next(name for name in ("cuda", "mps", "cpu") if there[name])
    if not there.get(asked, False):
        raise refuse("model.no_device", device=asked, known=", ".join(n for n in there if there[n]))
    return asked


def _reason(error: BaseException) -> str:
    """What went wrong in one line; a bare KeyError says too little without its name."""
    text = " ".join(str(error).split())[:_REASON]
    if isinstance(error, KeyError | AttributeError):
        return f"{type(error).__name__}: {text}"
    return text or say("model.no_reason")
