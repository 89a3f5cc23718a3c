"""Stock ids beside exact ones: false control tokens, and the share of damaged chunks."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

from jlora_cli.messages import say
from jlora_cli.token_view.pieces import Cell, Held

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

    from jlora_cli.tokenizer import Tokenizer

CHUNK = 200  # characters, about a row of training data
PICTURE_LIMIT = 600  # characters of a text that is drawn


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
    held = Held()
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
