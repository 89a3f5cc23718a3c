"""The whole picture of a text for `jlora tokens`: a table, a summary, the stock class beside it."""

from __future__ import annotations

from itertools import zip_longest
from typing import TYPE_CHECKING, Any

from jlora_cli.messages import say
from jlora_cli.token_view.pieces import Cell, cells, loss_sentences, losses, marked, top, visible
from jlora_cli.token_view.stock import (
    Stock,
    StockView,
    chunks_of,
    compare,
    opening,
    stock_cells,
    stock_sentences,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from jlora_cli.tokenizer import Tokenizer
    from jlora_cli.tokenizer.origin import Origin

TABLE_LIMIT = 200  # pieces: what is longer is summed up
FIRST_PIECES = 40


def summary(view: View) -> list[tuple[str, str]]:
    """The figures of a text: (what, figure)."""
    found, tokens = view.lost, len(view.ids)
    in_bytes = sum(cell.ids for cell in view.cells if cell.kind == "bytes")
    newlines = view.text.count("\n")
    rows = [
        (say("tokens.row.characters"), f"{len(view.text):,}"),
        (say("tokens.row.tokens"), f"{tokens:,}"),
        (say("tokens.row.per_token"), f"{len(view.text) / max(tokens, 1):.2f}"),
        (say("tokens.row.kinds"), f"{len(set(view.ids)):,} / {view.tokenizer.size:,}"),
        (say("tokens.row.unknown"), _share(found.unknown_tokens, tokens)),
        (say("tokens.row.bytes"), _share(in_bytes, tokens)),
        (say("tokens.row.newlines"), f"{found.newlines:,} / {newlines:,}"),
    ]
    if found.unknown:
        rows.append((say("tokens.row.unknown_characters"), top(found.unknown)))
    return rows


def _share(count: int, total: int) -> str:
    return say("tokens.share", count=f"{count:,}", share=f"{1000 * count / max(total, 1):.1f}")


def origin_sentences(origin: Origin, tokenizer: Tokenizer) -> list[str]:
    """Which tokenizer a model or an adapter was trained with, as far as its files tell."""
    told = []
    name = tokenizer.files[0].name
    if origin.adapter and origin.complete:
        told.append(say("tokens.adapter_own", file=name, base=origin.base or "?"))
    elif origin.adapter:
        told.append(say("tokens.adapter_base", base=origin.base or "?", file=name))
    elif origin.base:
        told.append(say("tokens.merged", base=origin.base, file=name))
    if origin.recorded is not None:
        same = origin.recorded == tokenizer.fingerprint
        told.append(say("tokens.recorded_same" if same else "tokens.recorded_other"))
    literal = unknown_becomes(tokenizer)
    if literal is not None:
        told.append(say("tokens.unknown_is_control", file=name, literal=literal))
    return told


def unknown_becomes(tokenizer: Tokenizer) -> str | None:
    """The control token that unknown characters become by the files themselves, if any.

    So it is where transformers 5 wrote the tokenizer.json of a T5Tokenizer: `unk_id` 2.
    """
    controls = {
        id_: literal for literal, id_ in tokenizer.special_ids.items() if id_ != tokenizer.unk_id
    }
    found = [controls[id_] for id_ in tokenizer.encode("\U000f0000") if id_ in controls]
    return found[0] if found else None


class View:
    """One text in one tokenizer; `rules`, where given, are applied to it first."""

    def __init__(
        self, tokenizer: Tokenizer, text: str, rules: Callable[[str], str] | None = None
    ) -> None:
        self.tokenizer = tokenizer
        self.given = text
        self.text = text if rules is None else rules(text)
        self.ids = tokenizer.encode(self.text)
        self.decoded = tokenizer.decode(self.ids)
        self.cells = cells(tokenizer, self.text)
        self.lost = losses(self.text, self.cells)
        self.stock: StockView | None = None
        self._as_trained = rules is not None
        self._shown = self.text if not self.is_long else "\n".join(opening(chunks_of(self.text)))

    @property
    def is_long(self) -> bool:
        """Whether it is summed up rather than listed."""
        return len(self.ids) > TABLE_LIMIT

    def add_stock(self, stock: Stock) -> None:
        """Put beside it what `stock` makes of the text, whole and in chunks.

        Of a long text, the first damaged chunks are drawn then.
        """
        chunks = chunks_of(self.text)
        found = compare(self.tokenizer, chunks, stock.encode)
        if self.is_long and found.damaged:
            self._shown = "\n".join(opening([chunks[place] for place in found.damaged]))
        ids, shown = stock.encode([self.text, self._shown])
        self.stock = StockView(
            name=stock.name,
            ids=ids,
            pieces=stock.pieces(ids),
            decoded=stock.decode(ids),
            same=ids == self.ids,
            comparison=found,
            shown=shown,
        )

    def as_json(self) -> dict[str, Any]:
        """The row of `jlora tokens --json`."""
        trained = {"as_trained": self.text} if self._as_trained else {}
        pieces = self.tokenizer.pieces(self.ids)
        row = {"text": self.given, "ids": self.ids, "pieces": pieces, "decoded": self.decoded}
        stock = {"stock": self.stock.as_json()} if self.stock else {}
        return {**row, **trained, "lost": self.lost.as_json(), **stock}

    def blocks(self) -> list[tuple[str, list[tuple[str, str]]]]:
        """What is drawn: (title, marked cells), exact first."""
        part = "tokens.part" if self.is_long else "tokens.whole"
        made = [(say(part), marked(self._drawn()))]
        if self.stock:
            title = say("tokens.stock_block", name=self.stock.name)
            made.append((title, marked(self._drawn_stock(self.stock))))
        return made

    def _drawn(self) -> list[Cell]:
        return cells(self.tokenizer, self._shown) if self.is_long else self.cells

    def _drawn_stock(self, stock: StockView) -> list[Cell]:
        return stock_cells(self.tokenizer, self._shown, stock.shown)

    def legend(self) -> list[tuple[str, str]]:
        """(label, kind) of the kinds of cells that are drawn, plain ones aside."""
        drawn = self._drawn() + (self._drawn_stock(self.stock) if self.stock else [])
        kinds = {cell.kind for cell in drawn}
        named = {
            "changed": say("tokens.kind_changed"),
            "bytes": say("tokens.kind_bytes"),
            "unknown": say("tokens.kind_unknown"),
            "false": say("tokens.kind_false"),
        }
        return [(label, kind) for kind, label in named.items() if kind in kinds]

    def summary(self) -> list[tuple[str, str]]:
        """A long text in a few lines."""
        first = " | ".join(map(visible, self.tokenizer.pieces(self.ids[:FIRST_PIECES])))
        return [*summary(self), (say("tokens.row.first"), first)]

    def columns(self) -> list[str]:
        """The head of the table of a short text."""
        names = ["id", "piece", "text", *(["stock_id", "stock_piece"] if self.stock else [])]
        return [say(f"tokens.column.{name}") for name in names]

    def rows(self) -> list[list[str]]:
        """Every id with its piece and the text that it adds, and stock's beside them."""
        stream = self.tokenizer.stream()
        texts = [stream.push(id_) for id_ in self.ids]
        rows = _cells_of(self.ids, self.tokenizer.pieces(self.ids), texts)
        if self.stock is None:
            return rows
        pairs = zip_longest(rows, _cells_of(self.stock.ids, self.stock.pieces))
        return [(mine or ["", "", ""]) + (theirs or ["", ""]) for mine, theirs in pairs]

    def sentences(self) -> list[str]:
        """What it comes to: the count, the text that comes back, the losses, stock."""
        count, characters = f"{len(self.ids):,}", f"{len(self.text):,}"
        told = [say("tokens.summary", count=count, characters=characters)]
        if self.decoded == self.text:
            told.append(say("tokens.decoded_same"))
        elif not self.is_long:
            told.append(say("tokens.decoded_differs", decoded=self.decoded))
        told += loss_sentences(self.lost)
        return told + stock_sentences([self.stock] if self.stock else [])


def _cells_of(*columns: Sequence[object]) -> list[list[str]]:
    """The rows of a table, what cannot be printed shown as its escape."""
    return [[visible(str(cell)) for cell in row] for row in zip(*columns, strict=True)]
