"""What a training step takes of memory, before anything is loaded. Arithmetic only, no torch."""

from jlora_cli.memory.batch import MicroBatch, heaviest, heaviest_part, micro_batch
from jlora_cli.memory.estimate import (
    GIB,
    RUNTIME_GIB,
    adapter_parameters,
    kept_by_heap,
    memory_terms,
    words_at_once,
)
from jlora_cli.memory.fitting import available_gib, changes_that_fit, device_of, longest_that_fits

__all__ = [
    "GIB",
    "RUNTIME_GIB",
    "MicroBatch",
    "adapter_parameters",
    "available_gib",
    "changes_that_fit",
    "device_of",
    "heaviest",
    "heaviest_part",
    "kept_by_heap",
    "longest_that_fits",
    "memory_terms",
    "micro_batch",
    "words_at_once",
]
