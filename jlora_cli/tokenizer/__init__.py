"""The model's own tokenizer, exactly: text to ids and back, by the files of its folder.

`folder.py` reads what the files say, `pieces.py` and `fast.py` hold the two kinds of
vocabulary, `stream.py` turns ids into text as they arrive, `tokenizer.py` puts them together.
Nothing here knows transformers, a template, or which class a configuration names for itself:
the classes are where Japanese ids go wrong.
"""

from __future__ import annotations

from jlora_cli.tokenizer.stream import StreamDecoder
from jlora_cli.tokenizer.tokenizer import Tokenizer, load_tokenizer

__all__ = ["StreamDecoder", "Tokenizer", "load_tokenizer"]
