"""What a model asks of a machine before it can be trained there."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Wanted:
    """The needs of the model `name`.

    `packages` its tokenizer cannot do without; `weights_gib` is what its weights take on a disk
    (0 when unknown), and `cached` whether they are already there.
    """

    name: str
    packages: tuple[str, ...] = ()
    weights_gib: float = 0.0
    cached: bool = False
