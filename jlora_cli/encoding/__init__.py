"""A source -> encoded rows: once, by all cores, kept for the next time, mapped into memory.

`source` are the files and their checked rows, which `spool` holds out of memory; `pieces` is the
work of one process, `wholes` rows at their full lengths, `fitting` rows that fit, `encoder` the
whole. Of each row only places and counts stay in memory.
"""

from __future__ import annotations

from jlora_cli.encoding.encoder import Encoder, Fitted, Told, Wanted

__all__ = ["Encoder", "Fitted", "Told", "Wanted"]
