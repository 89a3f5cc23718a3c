"""What a text looks like in tokens: its pieces to draw, what is lost, and stock beside exact.

Draws nothing itself and imports no transformers: stock ids come in as numbers.
"""

from jlora_cli.token_view.pieces import Cell, Losses, cells, loss_sentences, losses, marked, top
from jlora_cli.token_view.stock import (
    chunks_of,
    compare,
    opening,
    stock_cells,
    stock_sentences,
    together,
)
from jlora_cli.token_view.view import View, origin_sentences

__all__ = [
    "Cell",
    "Losses",
    "View",
    "cells",
    "chunks_of",
    "compare",
    "loss_sentences",
    "losses",
    "marked",
    "opening",
    "origin_sentences",
    "stock_cells",
    "stock_sentences",
    "together",
    "top",
]
