"""An adapter, read as what it does to each weight of its base; every tensor checked."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file

from jlora_cli.errors import refuse
from jlora_cli.run_folder import ADAPTER_CONFIG, ADAPTER_WEIGHTS
from jlora_cli.shape import read_shape
from jlora_cli.weights import check_adapter_rank, read_adapter_config, reason_of

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping
    from pathlib import Path

_PREFIX = "base_model.model."
_PART = re.compile(r"(.+)\.(lora_A|lora_B|lora_embedding_[AB]|lora_magnitude_vector)(\.weight)?")
_ROLES = {
    "lora_A": "down",
    "lora_embedding_A": "down",
    "lora_B": "up",
    "lora_embedding_B": "up",
    "lora_magnitude_vector": "magnitude",
}
# Layers of these architectures are stored (in, out): transformers' Conv1D.
_TRANSPOSED = {"gpt2": "c_attn c_proj c_fc q_attn", "openai-gpt": "c_attn c_proj c_fc"}
_EMBEDDINGS = ("embed_tokens", "wte", "embed_in", "lm_head", "embed_out")
# GPT-NeoX files name the output by the first; transformers 5 renames it as it loads them.
_OLDER = {"lm_head.weight": "embed_out.weight"}
# Of models with a text model inside; transformers 5 renames these too (conversion_mapping.py):
# Gemma 3 with pictures, and Qwen3.5 where its text model is loaded alone.
_MOVED = (
    ("model.language_model.", "language_model.model."),
    ("model.", "model.language_model."),
    ("lm_head.", "language_model.lm_head."),
)
# What PEFT knows besides, and this room does not: none of it may be passed over in silence.
_UNKNOWN = (
    *("alora_invocation_tokens", "arrow_config", "kasa_config", "layer_replication", "lora_bias"),
    *("megatron_config", "monteclora_config", "target_parameters", "trainable_token_indices"),
    *("use_bdlora", "use_qalora", "velora_config"),
)
# These change the base as well, before the first step: what was saved is not all there is.
_MOVES_BASE = ("pissa", "olora", "corda", "loftq", "lora_ga")


@dataclass(frozen=True)
class Change:
    """W + scale * up @ down, the weight transposed where its layer stores it so.

    down: (rank, in); up: (out, rank). magnitude, (out,), is DoRA's: the sum's rows are scaled to
    these lengths (Liu et al. 2024, eq. 5; peft's DoraLinearVariant.merge_safe).
    """

    down: torch.Tensor
    up: torch.Tensor
    scale: float
    transposed: bool
    magnitude: torch.Tensor | None = None

    @property
    def shape(self) -> tuple[int, ...]:
        """The shape of the weight that this can change."""
        out, into = self.up.shape[0], self.down.shape[1]
        return (into, out) if self.transposed else (out, into)

    def apply(self, weight: torch.Tensor) -> torch.Tensor:
        """The changed weight in float32; `weight` stays as it is."""
        whole = weight.to(torch.float32, copy=True)
        rows = whole.T if self.transposed else whole
        rows.addmm_(self.up.float(), self.down.float(), alpha=self.scale)
        if self.magnitude is not None:
            rows *= (self.magnitude.float() / torch.linalg.norm(rows, dim=1)).unsqueeze(1)
        return whole


@dataclass(frozen=True)
class Replacement:
    """A tensor that was trained whole (PEFT's modules_to_save, biases)."""

    tensor: torch.Tensor

    @property
    def shape(self) -> tuple[int, ...]:
        return tuple(self.tensor.shape)

    def apply(self, _: torch.Tensor) -> torch.Tensor:
        return self.tensor.float()


@dataclass
class _Parts:
    """What an adapter's file holds, by module; whole tensors by name."""

    modules: dict[str, dict[str, torch.Tensor]] = field(default_factory=dict)
    embeddings: set[str] = field(default_factory=set)
    whole: dict[str, torch.Tensor] = field(default_factory=dict)


def read_changes(
    folder: Path, base_config: dict[str, Any], base_shapes: Mapping[str, list[int]]
) -> dict[str, Change | Replacement]:
    """What the adapter in `folder` does to the tensors of its base, by their names there.

    `base_shapes`: of every tensor of the base.

    Raises:
        JloraError: damaged, of a kind that cannot be added to weights, without effect, or with
            tensors that are missing, unexpected, all zero, not finite or of another shape.
    """
    config = read_adapter_config(folder)
    _check_kind(folder, config)
    check_adapter_rank(folder, config)
    tensors = _load(folder)
    _check_values(folder, tensors)
    parts = _take_apart(tensors)
    _check_names(folder, config, tensors, parts, base_shapes)
    model_type = str(base_config.get("model_type"))
    changes: dict[str, Change | Replacement] = {
        _tensor_name(f"{module}.weight", base_shapes): Change(
            found["down"],
            found["up"],
            _scale(config, module, found["down"].shape[0]),
            module in parts.embeddings or _is_transposed(module, model_type),
            found.get("magnitude"),
        )
        for module, found in parts.modules.items()
    }
    for name, tensor in parts.whole.items():
        changes[_tensor_name(name, base_shapes)] = Replacement(tensor)
    _check_shapes(folder, changes, base_shapes)
    _check_tied(folder, changes, base_config)
    return changes


def _load(folder: Path) -> dict[str, torch.Tensor]:
    path = folder / ADAPTER_WEIGHTS
    try:
        return load_file(path)
    except (SafetensorError, OSError) as error:
        raise refuse("model.damaged", path=path, problem=reason_of(error)) from error


def _check_kind(folder: Path, config: dict[str, Any]) -> None:
    initial = config.get("init_lora_weights")
    found = [name for name in _UNKNOWN if config.get(name)]
    if isinstance(initial, str) and initial.lower().startswith(_MOVES_BASE):
        found.append(f"init_lora_weights={initial}")
    if found:
        path = folder / ADAPTER_CONFIG
        raise refuse("merge.unknown_kind", path=path, names=", ".join(found))


def _check_values(folder: Path, tensors: Mapping[str, torch.Tensor]) -> None:
    path = folder / ADAPTER_WEIGHTS
    for name, tensor in tensors.items():
        if not torch.isfinite(tensor).all():
            raise refuse("adapter.not_finite", path=path, name=name)
    ups = [tensor for name, tensor in tensors.items() if "lora_B" in name]
    if ups and not any(bool(tensor.any()) for tensor in ups) and not _holds_more(tensors):
        raise refuse("merge.no_effect", path=folder)
    zero = [n for n, tensor in tensors.items() if "lora_" in n and not tensor.any()]
    if zero:
        raise refuse("merge.zero_tensors", path=path, count=len(zero), name=min(zero))


def _holds_more(tensors: Collection[str]) -> bool:
    """Whether something besides the pairs was trained, so that zero pairs are not all there is."""
    return any("lora_A" not in name and "lora_B" not in name for name in tensors)


def _take_apart(tensors: Mapping[str, torch.Tensor]) -> _Parts:
    parts = _Parts()
    for name, tensor in tensors.items():
        inner = name.removeprefix(_PREFIX)
        found = _PART.fullmatch(inner)
        if found is None:
            parts.whole[inner.replace(".base_layer.", ".")] = tensor
            continue
        parts.modules.setdefault(found[1], {})[_ROLES[found[2]]] = tensor
        if "embedding" in found[2]:
            parts.embeddings.add(found[1])
    return parts


def _tensor_name(name: str, shapes: Collection[str]) -> str:
    """The name in the base's files: some lack the model's own prefix or use an older name."""
    moved = (new + name.removeprefix(old) for old, new in _MOVED if name.startswith(old))
    candidates = (name, name.partition(".")[2], _OLDER.get(name, ""), *moved)
    return next((candidate for candidate in candidates if candidate in shapes), name)


def _check_names(
    folder: Path,
    config: dict[str, Any],
    tensors: Mapping[str, torch.Tensor],
    parts: _Parts,
    shapes: Mapping[str, list[int]],
) -> None:
    """Refuse an adapter that does not fill its base, or holds what the base has not."""
    wanted = {"down", "up", *(["magnitude"] if config.get("use_dora") else [])}
    fit = unexpected = missing = 0
    for module, found in parts.modules.items():
        there = _tensor_name(f"{module}.weight", shapes) in shapes
        fit += len(found) if there else 0
        unexpected += 0 if there else len(found)
        missing += len(wanted - found.keys())
    for name in parts.whole:
        there = _tensor_name(name, shapes) in shapes
        fit, unexpected = fit + there, unexpected + (not there)
    known = {_tensor_name(f"{module}.weight", shapes) for module in parts.modules}
    missing += 2 * len(_targeted(config, shapes) - known)
    if not parts.modules or missing or unexpected:
        raise refuse(
            "adapter.tensors_differ",
            path=folder / ADAPTER_WEIGHTS,
            matched=fit,
            total=len(tensors),
            missing=missing,
            unexpected=unexpected,
        )


def _targeted(config: dict[str, Any], shapes: Mapping[str, list[int]]) -> set[str]:
    """The base's matrices that the adapter's config names, where it does so by a plain list."""
    targets = config.get("target_modules")
    narrowed = ("exclude_modules", "layers_to_transform", "layers_pattern", "modules_to_save")
    if not isinstance(targets, list) or any(config.get(name) for name in narrowed):
        return set()
    endings = tuple(f".{target}.weight" for target in targets)
    return {n for n, shape in shapes.items() if len(shape) == 2 and f".{n}".endswith(endings)}


def _scale(config: dict[str, Any], module: str, rank: int) -> float:
    """Alpha by rank, or by its square root for rsLoRA (Kalajdzievski 2023)."""
    patterns = config.get("alpha_pattern") or {}
    named = (a for key, a in patterns.items() if re.match(rf"(.*\.)?({key})$", module))
    alpha = float(next(named, config.get("lora_alpha", 8)))
    return alpha / math.sqrt(rank) if config.get("use_rslora") else alpha / rank


def _is_transposed(module: str, model_type: str) -> bool:
    return module.rpartition(".")[2] in _TRANSPOSED.get(model_type, "").split()


def _check_shapes(
    folder: Path,
    changes: Mapping[str, Change | Replacement],
    shapes: Mapping[str, list[int]],
) -> None:
    for name, change in changes.items():
        if list(change.shape) != list(shapes[name]):
            raise refuse(
                "adapter.shape_differs",
                path=folder / ADAPTER_WEIGHTS,
                name=name,
                shape=list(change.shape),
                wanted=list(shapes[name]),
            )


def _check_tied(folder: Path, changes: Collection[str], base_config: dict[str, Any]) -> None:
    """One tensor serves as input and output embedding: a change of one would change both."""
    found = [n for n in changes if n.removesuffix(".weight").rpartition(".")[2] in _EMBEDDINGS]
    if found and read_shape(base_config).tied:
        raise refuse("merge.tied", path=folder / ADAPTER_WEIGHTS, name=min(found))
