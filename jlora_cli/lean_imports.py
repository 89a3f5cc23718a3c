"""transformers without what only compiled or distributed runs need: for all other commands.

Before its first model, transformers 5.23 imports torch._dynamo (and with it sympy) for decorators
that matter to compiled models only, torch.distributed.tensor for models in parts, and reads all of
its 1,600 modelling files to learn their names. That is half of the time from the start of a
command to its first token; `benchmarks/answers.py --only start` measures both ways. Each part here
may go once transformers imports the thing where it uses it.
"""

from __future__ import annotations

import gc
import importlib
import logging
import os
import sys
from contextlib import contextmanager, suppress
from importlib.util import find_spec
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator

_COMPILER = "torch._dynamo"
_MASKS = f"{_COMPILER}._trace_wrapped_higher_order_op"
_MODELS = "transformers.models"
# What every model's own file imports.
_OF_EVERY_MODEL = ("modeling_layers", "masking_utils", "activations", "generation.utils")


def settle_libraries() -> None:
    """Tell libraries that are not imported yet how to behave in this process.

    OpenMP's threads then sleep while they wait: spinning, two of them were slower than one as soon
    as another process wanted a core. CUDA counts GPUs as nvidia-smi does, so that the first is the
    one that a run was planned for, and not the fastest. bitsandbytes does not warn of kernels for
    CPUs that it would fetch from a hub.
    """
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
    os.environ.setdefault("CUDA_DEVICE_ORDER", "PCI_BUS_ID")
    logging.getLogger("bitsandbytes").setLevel(logging.ERROR)


def import_lean() -> None:
    """Import torch and what every model needs of transformers, and nothing else.

    From then on this process holds that torch was built without its distributed part, as some
    builds are. Does nothing where torch was imported already.
    """
    if "torch" in sys.modules:
        return
    gc.disable()  # imports leave nothing behind: looking for it takes a tenth of their time
    import torch

    vars(torch.distributed)["is_available"] = lambda: False
    sys.modules[_MODELS] = _plain_package()
    # Another transformers may do more with the stand-ins than they can: then it imports the
    # real things later, and starts as slowly as without this.
    with _compiler_stands_aside(), suppress(ImportError, AttributeError, TypeError):
        for name in _OF_EVERY_MODEL:
            importlib.import_module(f"transformers.{name}")
    gc.freeze()
    gc.enable()


def spare_bitsandbytes(quantization: str) -> None:
    """Keep PEFT from importing bitsandbytes, three quarters of its time, where it is "none".

    In a lean process only: elsewhere a quantized model may come later.
    """
    if quantization == "none" and isinstance(sys.modules.get(_MODELS), _Package):
        sys.modules.setdefault("bitsandbytes", None)  # type: ignore[arg-type]  # blocks the import


class _Package(ModuleType):
    """A package whose modules are imported when they are asked for."""

    def __getattr__(self, name: str) -> Any:
        try:
            return importlib.import_module(f"{self.__name__}.{name}")
        except ImportError as error:
            raise AttributeError(name) from error


def _plain_package() -> ModuleType:
    """`transformers.models` as a folder of modules, without the list of all their names."""
    spec = find_spec("transformers")
    package = _Package(_MODELS)
    package.__path__ = [str(Path(spec.origin or "").parent / "models")] if spec else []
    return package


class _Compiler(ModuleType):
    """Stands for torch._dynamo while decorators are applied: each leaves its function as it is."""

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        return _as_it_is


def _as_it_is(function: Any = None, *_: Any, **__: Any) -> Any:
    return _as_it_is if function is None else function


def _real_mask_context() -> Any:
    """What masks of unusual models are made in; imported when the first of them is."""
    return importlib.import_module(_MASKS).TransformGetItemToIndex()


@contextmanager
def _compiler_stands_aside() -> Iterator[None]:
    compiler, masks = _Compiler(_COMPILER), _Compiler(_MASKS)
    vars(masks)["TransformGetItemToIndex"] = _real_mask_context
    sys.modules.update({_COMPILER: compiler, _MASKS: masks})
    try:
        yield
    finally:
        for name in (_COMPILER, _MASKS):
            del sys.modules[name]
