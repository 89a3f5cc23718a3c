"""Rows in, answered rows out: a file of prompts, answered in batches that survive a kill.

`rows` reads the prompts, `shaping` makes of an answer what is written, `journal` keeps what is
done, `answering` is the order of it. No model is loaded here, and no torch.
"""

from jlora_cli.bulk.answering import Job, Summary, answer_rows
from jlora_cli.bulk.rows import PromptRow, conversation, read_rows
from jlora_cli.bulk.shaping import Said, Shaping, said_of

__all__ = [
    "Job",
    "PromptRow",
    "Said",
    "Shaping",
    "Summary",
    "answer_rows",
    "conversation",
    "read_rows",
    "said_of",
]
