"""From an example to text to ids and labels, the same in training, at inference and after a merge.

A template is Jinja text, rendered in a sandbox; the special tokens that it writes become ids
exactly once, and user text never does. The answer and the token that ends it are supervised,
nothing else. What a `PromptFormat` holds is saved beside the adapter and is all that inference
needs to build the very prompt of the training.
"""

from jlora_cli.prompt.census import Count, count_shared, take_census
from jlora_cli.prompt.encoding import Prompter, differs_from_own, format_for
from jlora_cli.prompt.fitting import fitted
from jlora_cli.prompt.format import CARD_NAME, PromptFormat, read_card, read_rules
from jlora_cli.prompt.rows import (
    IGNORED,
    Census,
    Encoded,
    EncodedRows,
    Whole,
    keys_of,
    lengths_of,
    supervised_of,
)
from jlora_cli.prompt.rules import AnswerStream, TextRules, rules_for
from jlora_cli.prompt.stored import StoredRows, origin_of, pack, unpack
from jlora_cli.prompt.templates import choose_template, template_for

__all__ = [
    "CARD_NAME",
    "IGNORED",
    "AnswerStream",
    "Census",
    "Count",
    "Encoded",
    "EncodedRows",
    "PromptFormat",
    "Prompter",
    "StoredRows",
    "TextRules",
    "Whole",
    "choose_template",
    "count_shared",
    "differs_from_own",
    "fitted",
    "format_for",
    "keys_of",
    "lengths_of",
    "origin_of",
    "pack",
    "read_card",
    "read_rules",
    "rules_for",
    "supervised_of",
    "take_census",
    "template_for",
    "unpack",
]
