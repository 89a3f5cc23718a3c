"""What can be made anew, kept for the next time: flat arrays by the key of what made them.

Knows nothing of what the arrays mean. A cache that cannot be read or written is done without.
"""

from __future__ import annotations

from jlora_cli.cache.keeping import Draft, find, key_of
from jlora_cli.cache.place import cache_folder, limit_bytes
from jlora_cli.cache.scratch import Scratch
from jlora_cli.cache.sections import Sections

__all__ = ["Draft", "Scratch", "Sections", "cache_folder", "find", "key_of", "limit_bytes"]
