"""Files -> records -> checked examples, without torch. Knows neither hub, tokenizer nor model.

`files` gives lines of text, `strict_json` single values, `rows` the rows of a container,
`formats` and `turns` their meaning, `faults` what is wrong with them, `reading` the whole.
"""

from __future__ import annotations

from jlora_cli.dataset.examples import ROLES, Example, Loaded, Message
from jlora_cli.dataset.files import is_folder
from jlora_cli.dataset.formats import FORMATS
from jlora_cli.dataset.reading import (
    MANIFEST,
    TRAIN_FILE,
    VALIDATION_FILE,
    OnBadRow,
    files_of,
    is_prepared,
    join,
    read_examples,
)
from jlora_cli.dataset.rows import SUFFIXES

__all__ = [
    "FORMATS",
    "MANIFEST",
    "ROLES",
    "SUFFIXES",
    "TRAIN_FILE",
    "VALIDATION_FILE",
    "Example",
    "Loaded",
    "Message",
    "OnBadRow",
    "files_of",
    "is_folder",
    "is_prepared",
    "join",
    "read_examples",
]
