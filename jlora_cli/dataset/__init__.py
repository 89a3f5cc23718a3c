"""Files -> records -> checked examples, without torch. Knows neither hub, tokenizer nor model.

`files` gives blocks of lines and `encodings` what they are written in; `strict_json` single values;
`documents`, `tables` and `passages` the rows of a container, `rows` those of any file; `formats`,
`mapping` and `turns` their meaning; `faults` what is wrong with them; `sieve` tallies it all,
`telling` says it, `reading` is the whole.
"""

from __future__ import annotations

from jlora_cli.dataset.examples import ROLES, Example, Loaded, Message, example_of
from jlora_cli.dataset.files import Lines, is_folder, line_blocks
from jlora_cli.dataset.formats import FORMATS
from jlora_cli.dataset.mapping import Mapping, parse_mapping
from jlora_cli.dataset.reading import (
    MANIFEST,
    TRAIN_FILE,
    VALIDATION_FILE,
    FileReading,
    files_of,
    is_prepared,
    join,
    read_examples,
    read_files,
)
from jlora_cli.dataset.rows import SUFFIXES, Piece, rows_in
from jlora_cli.dataset.sieve import Asked, OnBadRow, Sieve, Tally
from jlora_cli.dataset.sifting import Job, Sifted, folded, sift, worked

__all__ = [
    "FORMATS",
    "MANIFEST",
    "ROLES",
    "SUFFIXES",
    "TRAIN_FILE",
    "VALIDATION_FILE",
    "Asked",
    "Example",
    "FileReading",
    "Job",
    "Lines",
    "Loaded",
    "Mapping",
    "Message",
    "OnBadRow",
    "Piece",
    "Sieve",
    "Sifted",
    "Tally",
    "example_of",
    "files_of",
    "folded",
    "is_folder",
    "is_prepared",
    "join",
    "line_blocks",
    "parse_mapping",
    "read_examples",
    "read_files",
    "rows_in",
    "sift",
    "worked",
]
