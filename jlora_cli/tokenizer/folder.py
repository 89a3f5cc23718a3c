"""What the tokenizer files of a model folder say; knows nothing of how text becomes ids."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, NamedTuple

from jlora_cli.errors import refuse

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

NAMES = (
    "tokenizer.model",
    "spiece.model",
    "tokenizer.json",
    "tokenizer_config.json",
    "special_tokens_map.json",
    "added_tokens.json",
    "chat_template.jinja",
    "vocab.json",
    "merges.txt",
    "vocab.txt",
)
# A tiktoken ranks file also likes to be called tokenizer.model: "IQ== 0", one line a token.
TIKTOKEN = re.compile(rb"[A-Za-z0-9+/]+={0,2} \d+\r?\n")


class AddedToken(NamedTuple):
    """A token that the configuration puts beside the vocabulary."""

    literal: str
    id: int
    special: bool


@dataclass(frozen=True)
class TokenizerFolder:
    """The parsed tokenizer files of `path`; `model_file` is its SentencePiece model, if any."""

    path: Path
    model_file: Path | None
    config: Mapping[str, Any]
    special_names: Mapping[str, Any]
    added_json: Mapping[str, Any]
    document: Mapping[str, Any] | None = field(repr=False)

    @property
    def class_name(self) -> str:
        """The class that the configuration names, without its Fast."""
        return str(self.config.get("tokenizer_class") or "").removesuffix("Fast")

    def name_of(self, role: str) -> str | None:
        """The literal that stands for `role` ("eos_token", ...), where the files name one."""
        named = self.config.get(role) or self.special_names.get(role)
        if isinstance(named, dict):
            named = named.get("content")
        return named if isinstance(named, str) and named else None

    def added_tokens(self) -> list[AddedToken]:
        """Every token named beside the vocabulary, by id; special where any file says so.

        One character is never special: a "!" that some model pads with is still text.
        """
        named = self.special_literals()
        found: dict[int, AddedToken] = {}
        for token in self._declared():
            before = found.get(token.id)
            special = token.special or (before is not None and before.special)
            special = (special and len(token.literal) > 1) or token.literal in named
            found[token.id] = token._replace(special=special)
        return [found[id_] for id_ in sorted(found)]

    def _declared(self) -> list[AddedToken]:
        tokens = [AddedToken(k, v, False) for k, v in self.added_json.items()]
        listed = (self.document or {}).get("added_tokens") or []
        tokens += [AddedToken(t["content"], t["id"], bool(t.get("special"))) for t in listed]
        decoder = self.config.get("added_tokens_decoder") or {}
        tokens += [
            AddedToken(token["content"], int(id_), bool(token.get("special")))
            for id_, token in decoder.items()
        ]
        return tokens

    def special_literals(self) -> set[str]:
        """The literals that the files name for a role (BOS, mask, ...) or list as special."""
        roles = ("bos", "eos", "pad", "unk", "cls", "sep", "mask")
        listed: list[Any] = [self.name_of(f"{role}_token") for role in roles]
        for source in (self.config, self.special_names):
            for key in ("additional_special_tokens", "extra_special_tokens"):
                extra = source.get(key) or []
                listed += extra.values() if isinstance(extra, dict) else extra
        names = {each.get("content") if isinstance(each, dict) else each for each in listed}
        return {name for name in names if isinstance(name, str) and len(name) > 1}

    def chat_template(self) -> str | None:
        """The template for conversations: the file, else the configuration's (default) one."""
        file = self.path / "chat_template.jinja"
        if file.is_file():
            return read_text(file)
        template = self.config.get("chat_template")
        if isinstance(template, list):
            named = {t.get("name"): t.get("template") for t in template if isinstance(t, dict)}
            template = named.get("default")
        return template if isinstance(template, str) else None

    def files(self) -> tuple[Path, ...]:
        """The tokenizer files themselves, the vocabulary first."""
        known = [self.path / name for name in NAMES]
        first = [self.model_file] if self.model_file else []
        return tuple(dict.fromkeys(first + [file for file in known if file.is_file()]))


def read_folder(path: Path) -> TokenizerFolder:
    """The tokenizer files of `path`, parsed.

    Raises:
        JloraError: there is no such folder, it holds no vocabulary, or a file is broken.
    """
    if not path.is_dir():
        raise refuse("tokenizer.no_folder", folder=path)
    document_file = path / "tokenizer.json"
    document = read_object(document_file) if document_file.is_file() else None
    model_file = _model_file(path)
    if model_file is None and document is None:
        ranks = _tiktoken_file(path)
        if ranks is not None:
            raise refuse("tokenizer.tiktoken", file=ranks)
        raise refuse("tokenizer.no_files", folder=path)
    return TokenizerFolder(
        path=path,
        model_file=model_file,
        config=read_object(path / "tokenizer_config.json"),
        special_names=read_object(path / "special_tokens_map.json"),
        added_json=read_object(path / "added_tokens.json"),
        document=document,
    )


def _model_file(path: Path) -> Path | None:
    """The folder's SentencePiece model: the usual names first, then any other *.model.

    Under another name it must at least begin as one does, with the tag of its first piece.
    """
    usual = [path / name for name in NAMES if name.endswith(".model")]
    for file in usual:
        if file.is_file() and not _is_tiktoken(file):
            return file
    others = sorted(set(path.glob("*.model")) - set(usual))
    return next((file for file in others if read_bytes(file)[:1] == b"\n"), None)


def _tiktoken_file(path: Path) -> Path | None:
    """The folder's tiktoken ranks, which tell neither how text is split nor the special ids."""
    files = sorted([*path.glob("*.tiktoken"), *path.glob("*.model")])
    return next(filter(_is_tiktoken, files), None)


def _is_tiktoken(file: Path) -> bool:
    return TIKTOKEN.match(read_bytes(file)[:4096]) is not None


def read_object(file: Path) -> dict[str, Any]:
    """The JSON object in `file`; empty where there is no such file.

    Raises:
        JloraError: the file is unreadable, no JSON, or no object.
    """
    if not file.is_file():
        return {}
    try:
        value = json.loads(read_text(file))
    except (json.JSONDecodeError, RecursionError) as error:
        raise refuse("tokenizer.broken_json", file=file, reason=error) from error
    if not isinstance(value, dict):
        raise refuse("tokenizer.not_an_object", file=file)
    return value


def read_text(file: Path) -> str:
    """The file's UTF-8 text, its byte order mark left out."""
    try:
        return read_bytes(file).decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise refuse("tokenizer.not_utf8", file=file, place=error.start) from error


def read_bytes(file: Path) -> bytes:
    """The file's bytes; unreadable ones are a JloraError that names the file."""
    try:
        return file.read_bytes()
    except OSError as error:
        raise refuse("tokenizer.unreadable", file=file, reason=error.strerror or error) from error
