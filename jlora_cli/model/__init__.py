"""Load a base, quantise it, attach or read an adapter: each checked before it is trusted.

Weights come from safetensors only, code never comes with a model. Knows no data and no prompt.
"""

from jlora_cli.model.adapter import (
    adapter_state,
    attach_adapter,
    find_targets,
    read_adapter,
    trainable_parameters,
)
from jlora_cli.model.base import DTYPES, Placement, is_dropout, load_base
from jlora_cli.model.device import choose_device, device_memory_gib
from jlora_cli.weights import check_base, fingerprint, read_adapter_config, tensor_shapes

__all__ = [
    "DTYPES",
    "Placement",
    "adapter_state",
    "attach_adapter",
    "check_base",
    "choose_device",
    "device_memory_gib",
    "find_targets",
    "fingerprint",
    "is_dropout",
    "load_base",
    "read_adapter",
    "read_adapter_config",
    "tensor_shapes",
    "trainable_parameters",
]
