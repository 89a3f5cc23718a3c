"""Load a base, quantise it, attach or read an adapter: each checked before it is trusted.

Weights come from safetensors only, code never comes with a model. Knows no data and no prompt.
"""

from __future__ import annotations

import hashlib
import json
import math
import warnings
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import torch
from safetensors import SafetensorError, safe_open
from transformers import AutoConfig, AutoModelForCausalLM
from transformers.utils import logging as transformers_logging

from jlora_cli.errors import refuse
from jlora_cli.messages import say
from jlora_cli.recipe import attention_layers
from jlora_cli.run_folder import ADAPTER_CONFIG, ADAPTER_WEIGHTS

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from peft import PeftModel
    from transformers import PreTrainedModel

    from jlora_cli.config import RunConfig
    from jlora_cli.tokenizer import Tokenizer

DTYPES = {"float32": torch.float32, "bfloat16": torch.bfloat16, "float16": torch.float16}

# Whole-file hashes up to here; larger files are sampled, because 7 GB take half a minute.
_HASHED_WHOLE = 64 << 20
_SAMPLES, _SAMPLE_BYTES = 256, 64 << 10


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
    config = AutoConfig.from_pretrained(folder, local_files_only=True)
    for name, value in config.to_dict().items():
        if ("dropout" in name or name.endswith("pdrop")) and isinstance(value, float):
            setattr(config, name, dropout)
    try:
        model: PreTrainedModel = AutoModelForCausalLM.from_pretrained(
            folder,
            config=config,
            dtype=DTYPES[placement.precision],
            local_files_only=True,
            use_safetensors=True,
            attn_implementation=placement.attention,
            quantization_config=_quantization(placement),
            device_map={"": placement.device} if placement.device != "cpu" else None,
        )
    except (RuntimeError, ValueError, SafetensorError, OSError) as error:
        raise refuse("model.cannot_load", folder=folder, problem=_first_line(error)) from error
    rows = model.get_input_embeddings().weight.shape[0]
    if tokenizer is not None and tokenizer.size > rows:
        raise refuse("model.tokenizer_larger", folder=folder, ids=tokenizer.size, rows=rows)
    return model.eval()


def check_base(folder: Path) -> dict[str, Any]:
    """The config of the model in `folder`, refused where loading would run code or fail late.

    Raises:
        JloraError: see `load_base`.
    """
    path = folder / "config.json"
    try:
        config: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise refuse("model.no_config", path=path) from error
    except ValueError as error:
        raise refuse("source.bad_json", path=path, problem=error) from error
    if "auto_map" in config:
        raise refuse("model.needs_code", path=path)
    shapes = {name: shape for name, shape, _ in tensor_shapes(folder)}
    if not shapes:
        pickled = any(folder.glob("*.bin"))
        raise refuse("model.pickled" if pickled else "model.no_weights", folder=folder)
    _check_embedding(folder, config, shapes)
    return config


def _check_embedding(folder: Path, config: dict[str, Any], shapes: dict[str, list[int]]) -> None:
    said = config.get("vocab_size")
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
            raise refuse("model.damaged", path=path, problem=_first_line(error)) from error


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
    """A sha256 that tells one set of weights from another: of config.json and all safetensors.

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


def read_adapter(model: PreTrainedModel, folder: Path) -> PeftModel:
    """`model` with the adapter in `folder`, every tensor of which was checked.

    Raises:
        JloraError: damaged, of another rank or base, with tensors that are missing, unexpected
            or not finite.
    """
    from peft import PeftConfig, PeftModel  # noqa: PLC0415 - takes 2 s

    _check_adapter_rank(folder)
    try:
        config = PeftConfig.from_pretrained(str(folder))
    except (TypeError, ValueError, KeyError) as error:
        path = folder / ADAPTER_CONFIG
        raise refuse("source.bad_json", path=path, problem=_first_line(error)) from error
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # PEFT warns of missing keys; they are refused below
        adapted = PeftModel(model, config)
        tensors = _adapter_tensors(folder)
        _check_tensors(folder, adapted, tensors)
        _fill(adapted, tensors)
    return adapted.eval()


def _check_adapter_rank(folder: Path) -> None:
    config = json.loads((folder / ADAPTER_CONFIG).read_text(encoding="utf-8"))
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

    return load_file(folder / ADAPTER_WEIGHTS)


def _check_tensors(folder: Path, adapted: PeftModel, tensors: dict[str, torch.Tensor]) -> None:
    path = folder / ADAPTER_WEIGHTS
    wanted = adapter_state(adapted)
    missing, unexpected = wanted.keys() - tensors.keys(), tensors.keys() - wanted.keys()
    if missing or unexpected:
        raise refuse(
            "adapter.tensors_differ",
            path=path,
            matched=len(wanted.keys() & tensors.keys()),
            total=len(tensors),
            missing=len(missing),
            unexpected=len(unexpected),
        )
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
    try:
        import resource  # noqa: PLC0415 - not on Windows
    except ImportError:
        return math.nan
    import sys  # noqa: PLC0415

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


def _first_line(error: BaseException) -> str:
    text = str(error).strip()
    return text.splitlines()[0] if text else say("model.no_reason")
