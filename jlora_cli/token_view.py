"""What a text looks like in tokens: its pieces to draw, what is lost, and stock beside exact.

Draws nothing itself and imports no transformers: stock ids come in as numbers.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from functools import cache
from itertools import zip_longest
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

from jlora_cli.messages import say
from jlora_cli.tokenizer.fast import BYTE

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

    from jlora_cli.tokenizer import Tokenizer
    from jlora_cli.tokenizer.origin import Origin

CHUNK = 200  # characters, about a row of training data
TABLE_LIMIT = 200  # pieces: what is longer is summed up
PICTURE_LIMIT = 600  # characters of a text that is drawn
SHOWN_CHARACTERS = 20
FIRST_PIECES = 40


class Cell(NamedTuple):
    """A piece to draw: `kind` is plain, changed, bytes, unknown or false; `ids` how many it took.

    `text` is the part of the user's text, `piece` what the model reads instead of it.
    """

    text: str
    kind: str
    piece: str = ""
    ids: int = 1


# -- one text --------------------------------------------------------------------------------------


def cells(tokenizer: Tokenizer, text: str) -> list[Cell]:
    """The text cut as the model reads it; a character in bytes is one cell of several ids."""
    lost = set(tokenizer.special_ids.values()) | {tokenizer.unk_id}
    read, by_byte = cache(tokenizer.piece_bytes), cache(lambda id_: _is_byte(tokenizer, id_))
    made: list[Cell] = []
    held = _Held()
    for id_, part in tokenizer.surfaces(text):
        if id_ in lost:
            made += [*held.take(), Cell(part, "unknown")]
            continue
        held.add(part, read(id_), in_bytes=by_byte(id_))
        made += held.whole(first=not made)
    return made + held.take()


def _is_byte(tokenizer: Tokenizer, id: int) -> bool:
    return BYTE.fullmatch(tokenizer.pieces([id])[0]) is not None


@dataclass
class _Held:
    """Pieces that may still lack bytes of a character: what is written, and what is read."""

    written: str = ""
    content: bytes = b""
    ids: int = 0
    in_bytes: bool = False

    def add(self, written: str, content: bytes, *, in_bytes: bool = False) -> None:
        self.written += written
        self.content += content
        self.ids += 1
        self.in_bytes |= in_bytes or self.ids > 1

    def whole(self, *, first: bool = False) -> list[Cell]:
        """The cell of what is held, once its bytes are whole characters."""
        try:
            read = self.content.decode()
        except UnicodeDecodeError:
            return []
        dummy = first and read == f" {self.written}"
        changed = read != self.written and not dummy
        kind = "changed" if changed else "bytes" if self.in_bytes else "plain"
        cell = Cell(self.written, kind, read, self.ids)
        self.written, self.content, self.ids, self.in_bytes = "", b"", 0, False
        return [cell]

    def take(self) -> list[Cell]:
        """The cell of bytes that never became a character, if any are held."""
        read, kept = self.content.decode(errors="replace"), self.ids
        cell = Cell(self.written, "changed", read, kept)
        self.written, self.content, self.ids, self.in_bytes = "", b"", 0, False
        return [cell] if kept else []


@dataclass
class Losses:
    """What the model cannot see of a text, counted in characters.

    `unknown` by character; `newlines` and `spaces` that vanish; `widths` are tabs and full-width
    spaces that come back as ordinary ones; `forms` by (written, read).
    """

    unknown_tokens: int = 0
    unknown: Counter[str] = field(default_factory=Counter)
    newlines: int = 0
    spaces: int = 0
    widths: int = 0
    forms: Counter[tuple[str, str]] = field(default_factory=Counter)

    def as_json(self) -> dict[str, Any]:
        forms = [
            {"written": written, "read": read, "count": count}
            for (written, read), count in self.forms.most_common()
        ]
        counts = {"newlines": self.newlines, "spaces": self.spaces, "widths": self.widths}
        unknown = dict(self.unknown.most_common())
        return {"unknown_tokens": self.unknown_tokens, "unknown": unknown, **counts, "forms": forms}


def losses(text: str, made: Sequence[Cell]) -> Losses:
    """What is lost of `text` in its cells."""
    found = Losses()
    for cell in made:
        if cell.kind == "unknown":
            found.unknown_tokens += 1
            found.unknown.update(cell.text)
        elif cell.kind == "changed":
            _add_change(found, cell.text, cell.piece)
    # What SentencePiece strips at the ends stands in no cell.
    held = Counter("".join(cell.text for cell in made))
    for character, count in Counter(text).items():
        gone = count - held[character]
        if gone > 0 and character == "\n":
            found.newlines += gone
        elif gone > 0 and character.isspace():
            found.spaces += gone
    return found


def _add_change(found: Losses, written: str, read: str) -> None:
    gone = max(0, written.count("\n") - read.count("\n"))
    blanks = [c for c in written if c.isspace() and c != "\n"]
    left = [c for c in read if c.isspace() and c != "\n"]
    found.newlines += gone
    found.spaces += max(0, len(blanks) - len(left))
    wide = sum(c != " " for c in blanks) - sum(c != " " for c in left)
    found.widths += max(0, min(wide, len(left)))
    pair = written.strip(), read.strip()
    if pair[0] != pair[1]:
        found.forms[pair] += 1


def loss_sentences(found: Losses) -> list[str]:
    """What is lost, a sentence each; empty where nothing is."""
    told = []
    if found.unknown_tokens:
        told.append(
            say(
                "tokens.lost_unknown",
                count=sum(found.unknown.values()),
                kinds=len(found.unknown),
                characters=top(found.unknown),
            )
        )
    counted = (
        ("tokens.lost_newlines", found.newlines),
        ("tokens.lost_spaces", found.spaces),
        ("tokens.lost_widths", found.widths),
    )
    told += [say(key, count=f"{count:,}") for key, count in counted if count]
    if found.forms:
        shown = Counter({f"{a} → {b}": count for (a, b), count in found.forms.items()})
        count = f"{sum(found.forms.values()):,}"
        told.append(say("tokens.lost_forms", count=count, forms=top(shown, limit=8)))
    return told


def top(counted: Counter[str], *, limit: int = SHOWN_CHARACTERS) -> str:
    """The most frequent with their counts, and how many more there are."""
    shown = [f"{visible(key)} ×{count:,}" for key, count in counted.most_common(limit)]
    more = [say("tokens.more", count=len(counted) - limit)] if len(counted) > limit else []
    return ", ".join([*shown, *more])


def visible(text: str) -> str:
    """The text with what cannot be printed (a newline, a tab) as its escape."""
    shown = (c if c.isprintable() or c == "\u3000" else repr(c)[1:-1] for c in text)
    return "".join(shown)


MARKS = {"\n": "↵\n", "\t": "⇥"}


def marked(made: Iterable[Cell]) -> list[tuple[str, str]]:
    """(text, kind) of each cell as it is drawn: line ends visible, ids of a character counted."""
    drawn = []
    for cell in made:
        text = "".join(MARKS.get(c) or visible(c) for c in cell.text)
        many = f"×{cell.ids}" if cell.kind == "bytes" and cell.ids > 1 else ""
        drawn.append((text + many or "▁" * bool(cell.piece), cell.kind))
    return drawn


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


# -- exact and stock -------------------------------------------------------------------------------


def chunks_of(text: str, *, size: int = CHUNK) -> list[str]:
    """The text in pieces of at most `size` characters, cut between lines or behind a 。."""
    chunks, held = [], ""
    for part in _parts(text, size):
        if held and len(held) + len(part) > size:
            chunks.append(held)
            held = ""
        held += part
    kept = (chunk.strip("\n") for chunk in [*chunks, held])
    return [chunk for chunk in kept if chunk.strip()]


def _parts(text: str, size: int) -> Iterator[str]:
    for line in text.splitlines(keepends=True):
        rest = line
        while len(rest) > size:
            place = rest.rfind("。", 0, size) + 1 or size
            yield rest[:place]
            rest = rest[place:]
        yield rest


def opening(chunks: Sequence[str], *, limit: int = PICTURE_LIMIT) -> list[str]:
    """The first chunks, as many as a picture holds; at least one."""
    taken: list[str] = []
    length = 0
    for chunk in chunks:
        length += len(chunk)
        if taken and length > limit:
            break
        taken.append(chunk)
    return taken


@dataclass(frozen=True)
class Comparison:
    """Stock ids beside exact ones, chunk by chunk.

    `false` counts, by literal, the tokens that stock puts where the text has none: control ids,
    and unknowns of characters that the vocabulary knows; (how many, in how many chunks).
    `damaged` are the chunks that hold any, by place.
    """

    chunks: int
    differing: int
    damaged: tuple[int, ...]
    tokens: int
    false: Mapping[str, tuple[int, int]]
    eos: str | None

    def as_json(self) -> dict[str, Any]:
        false = {key: {"count": n, "chunks": chunks} for key, (n, chunks) in self.false.items()}
        return {
            "differing_texts": self.differing,
            "false_ends": self.false.get(self.eos or "", (0, 0))[0],
            "damaged_chunks": len(self.damaged),
            "chunks": self.chunks,
            "tokens": self.tokens,
            "false_tokens": false,
        }


def compare(
    tokenizer: Tokenizer, chunks: Sequence[str], stock: Callable[[list[str]], list[list[int]]]
) -> Comparison:
    """What `stock`, an encoder of many texts, makes of the chunks."""
    exact, other = tokenizer.encode_batch(chunks), stock(list(chunks))
    names = _reserved(tokenizer)
    count: Counter[int] = Counter()
    touched: Counter[int] = Counter()
    damaged = []
    for place, (mine, theirs) in enumerate(zip(exact, other, strict=True)):
        false = _false_ids(mine, theirs, names)
        count.update(false)
        touched.update(set(false))
        damaged += [place] if false else []
    return Comparison(
        chunks=len(chunks),
        differing=sum(mine != theirs for mine, theirs in zip(exact, other, strict=True)),
        damaged=tuple(damaged),
        tokens=sum(map(len, other)),
        false={names[id_]: (n, touched[id_]) for id_, n in count.most_common()},
        eos=names.get(-1 if tokenizer.eos_id is None else tokenizer.eos_id),
    )


def together(found: Sequence[Comparison]) -> Comparison:
    """The comparisons of many texts as one; its `damaged` only count."""
    count: Counter[str] = Counter()
    touched: Counter[str] = Counter()
    for each in found:
        count.update({literal: n for literal, (n, _) in each.false.items()})
        touched.update({literal: chunks for literal, (_, chunks) in each.false.items()})
    return Comparison(
        chunks=sum(each.chunks for each in found),
        differing=sum(each.differing for each in found),
        damaged=tuple(range(sum(len(each.damaged) for each in found))),
        tokens=sum(each.tokens for each in found),
        false={literal: (n, touched[literal]) for literal, n in count.most_common()},
        eos=next((each.eos for each in found), None),
    )


def _reserved(tokenizer: Tokenizer) -> dict[int, str]:
    """The ids that text never becomes, and unknown, each with its literal."""
    names = {id_: literal for literal, id_ in tokenizer.special_ids.items()}
    roles = (tokenizer.unk_id, tokenizer.bos_id, tokenizer.eos_id, tokenizer.pad_id)
    own = {id_: tokenizer.pieces([id_])[0] for id_ in roles if id_ is not None}
    return own | names


def _false_ids(
    exact: Sequence[int], stock: Iterable[int], names: Mapping[int, str]
) -> Counter[int]:
    """How often each reserved id stands in `stock` beyond what `exact` has."""
    return Counter(id_ for id_ in stock if id_ in names) - Counter(exact)


def stock_cells(tokenizer: Tokenizer, text: str, ids: Sequence[int]) -> list[Cell]:
    """What stock makes of a text, false tokens by their literal.

    Stock tells no places in the text, so these cells show what the model reads.
    """
    names = _reserved(tokenizer)
    false = _false_ids(tokenizer.encode(text), ids, names)
    made: list[Cell] = []
    held = _Held()
    for id_ in ids:
        if id_ in names:
            kind = "false" if id_ in false else "unknown"
            made += [*held.take(), Cell(names[id_], kind, names[id_])]
            continue
        content = tokenizer.piece_bytes(id_)
        held.add(content.decode(errors="replace"), content)
        made += [cell._replace(text=cell.piece, kind=_plain(cell)) for cell in held.whole()]
    return made + held.take()


def _plain(cell: Cell) -> str:
    return "bytes" if cell.ids > 1 else "plain"


def stock_sentences(stocks: Sequence[StockView]) -> list[str]:
    """What the stock class does to one text or many, a sentence each."""
    if not stocks:
        return []
    found, name = together([each.comparison for each in stocks]), stocks[0].name
    if not found.differing and all(each.same for each in stocks):
        return [say("tokens.stock_same", name=name)]
    told = []
    for literal, (count, chunks) in found.false.items():
        role = "end" if literal == found.eos else "token"
        told.append(
            say(
                f"tokens.stock_false_{role}",
                name=name,
                literal=literal,
                share=_percent(chunks, found.chunks),
                chunks=f"{chunks:,}",
                all=f"{found.chunks:,}",
                rate=f"{1000 * count / max(found.tokens, 1):.1f}",
            )
        )
    differing, share = f"{found.differing:,}", _percent(found.differing, found.chunks)
    differs = say(
        "tokens.stock_differs", name=name, count=differing, all=f"{found.chunks:,}", share=share
    )
    return [*told, differs]


def _percent(part: int, whole: int) -> str:
    return f"{100 * part / max(whole, 1):.1f}"


# -- which tokenizer it is -------------------------------------------------------------------------


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


# -- a text with all that is told of it ------------------------------------------------------------


class Stock(Protocol):
    """A stock tokenizer of the same vocabulary; `name` is its class."""

    name: str

    def encode(self, texts: list[str]) -> list[list[int]]: ...
    def pieces(self, ids: list[int]) -> list[str]: ...
    def decode(self, ids: list[int]) -> str: ...


@dataclass(frozen=True)
class StockView:
    """What a stock class makes of a text; `shown` are the ids of the part that is drawn."""

    name: str
    ids: list[int]
    pieces: list[str]
    decoded: str
    same: bool
    comparison: Comparison
    shown: list[int]

    def as_json(self) -> dict[str, Any]:
        own = {"class": self.name, "ids": self.ids, "pieces": self.pieces}
        return {**own, "decoded": self.decoded, "same": self.same, **self.comparison.as_json()}


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
