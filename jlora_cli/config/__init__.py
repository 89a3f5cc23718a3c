"""The settings of a run: what they are, where each came from, and what "auto" became.

`RunConfig` is the one list of settings; the options of `jlora train`, the keys of a profile and
the run's record are all read from its fields. `resolve` merges (option beats profile beats
default), `settle` turns every "auto" into a value with a reason. Both are pure: this room knows
neither files nor devices nor the terminal.
"""

from jlora_cli.config.other_tools import own_name
from jlora_cli.config.settings import (
    AUTO,
    AUTO_SWITCH,
    FIELDS,
    SHORTEST,
    SWITCH,
    Kind,
    ProfileValues,
    Resolved,
    RunConfig,
    Source,
    kind_of,
    nearest,
    parse_options,
    parse_setting,
    resolve,
    write_instead,
)
from jlora_cli.config.settling import (
    best_precision,
    bitsandbytes_lack,
    cuda_lack,
    has_precision,
    settle,
    training_gpu,
    training_gpus,
)

__all__ = [
    "AUTO",
    "AUTO_SWITCH",
    "FIELDS",
    "SHORTEST",
    "SWITCH",
    "Kind",
    "ProfileValues",
    "Resolved",
    "RunConfig",
    "Source",
    "best_precision",
    "bitsandbytes_lack",
    "cuda_lack",
    "has_precision",
    "kind_of",
    "nearest",
    "own_name",
    "parse_options",
    "parse_setting",
    "resolve",
    "settle",
    "training_gpu",
    "training_gpus",
    "write_instead",
]
