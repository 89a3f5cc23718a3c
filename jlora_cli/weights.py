"""What lies in a model's or an adapter's folder, checked as far as it goes without its tensors."""

from __future__ import annotations

import hashlib
import json
from typing import TYPE_CHECKING, Any

from safetensors import SafetensorError, safe_open

from jlora_cli.errors import refuse
from jlora_cli.messages import say
from jlora_cli.run_folder import ADAPTER_CONFIG, ADAPTER_WEIGHTS, read_model_config

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from jlora_cli.run_folder import Artifact

# Whole-file hashes up to here; larger files are sampled, because 7 GB take half a minute.
_HASHED_WHOLE = 64 << 20
_SAMPLES, _SAMPLE_BYTES = 256, 64 << 10
_CHUNK = 1 << 20
_REASON = 200


def check_base(folder: Path) -> dict[str, Any]:
    """The config of the model in `folder`, refused where loading would run code or fail late.

    Raises:
        JloraError: it needs code of its own, has no safetensors, or an embedding of another size
            than its config says.
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
            raise refuse("model.damaged", path=path, problem=reason_of(error)) from error


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
                while chunk := file.read(_CHUNK):
                    digest.update(chunk)
                continue
            for sample in range(_SAMPLES):
                file.seek((size - _SAMPLE_BYTES) * sample // (_SAMPLES - 1))
                digest.update(file.read(_SAMPLE_BYTES))
    return digest.hexdigest()


def trained_elsewhere(artifact: Artifact, base: Path) -> bool:
    """Whether the adapter's card names other weights than those in `base`; without one, no."""
    said = (artifact.card or {}).get("base", {}).get("fingerprint")
    return said is not None and said != fingerprint(base)


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


def check_adapter_rank(folder: Path, config: dict[str, Any]) -> None:
    """Nothing, where the adapter's tensors have the rank that its config says.

    Raises:
        JloraError: they have another, or their file is empty or cut off.
    """
    ranks = {config.get("r"), *(config.get("rank_pattern") or {}).values()}
    for name, shape, _ in tensor_shapes(folder, ADAPTER_WEIGHTS):
        if "lora_A" in name and shape and shape[0] not in ranks:
            raise refuse(
                "adapter.rank_differs",
                path=folder / ADAPTER_WEIGHTS,
                said=config.get("r"),
                rank=shape[0],
            )


def reason_of(error: BaseException) -> str:
    """What went wrong in one line; a bare KeyError says too little without its name."""
    text = " ".join(str(error).split())[:_REASON]
    if isinstance(error, KeyError | AttributeError):
        return f"{type(error).__name__}: {text}"
    return text or say("model.no_reason")
