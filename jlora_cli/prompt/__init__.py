"""From an example to text to ids and labels, the same in training, at inference and after a merge.

A template is Jinja text, rendered in a sandbox; the special tokens that it writes become ids
exactly once, and user text never does. The answer and the token that ends it are supervised,
nothing else. What a `PromptFormat` holds is saved beside the adapter and is all that inference
needs to build the very prompt of the training.
"""

from jlora_cli.prompt.encoding import Prompter, differs_from_own, format_for
from jlora_cli.prompt.format import CARD_NAME, PromptFormat, read_card, read_rules
from jlora_cli.prompt.rows import IGNORED, Encoded, EncodedRows, Whole
from jlora_cli.prompt.rules import AnswerStream, TextRules, rules_for
from jlora_cli.prompt.templates import choose_template

__all__ = [
    "CARD_NAME",
    "IGNORED",
    "AnswerStream",
    "Encoded",
    "EncodedRows",
    "PromptFormat",
    "Prompter",
    "TextRules",
    "Whole",
    "choose_template",
    "differs_from_own",
    "format_for",
    "read_card",
    "read_rules",
    "rules_for",
]
