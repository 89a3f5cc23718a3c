"""A conversation with a model, and what a line typed by a person does to it; no terminal.

`talk` holds the turns and asks the model, `commands` are the slash commands, `rows` saves and
loads conversations as training rows, `told` is what a person gets to see.
"""

from jlora_cli.conversation.commands import COMMANDS, take
from jlora_cli.conversation.talk import Conversation, Exchange
from jlora_cli.conversation.told import Compared, Edit, Note, Odds, Told

__all__ = [
    "COMMANDS",
    "Compared",
    "Conversation",
    "Edit",
    "Exchange",
    "Note",
    "Odds",
    "Told",
    "take",
]
