"""How the next token is chosen, and where each value of that comes from; knows no tensors."""

from __future__ import annotations

import json
import math
import re
from dataclasses import asdict, dataclass, fields
from typing import TYPE_CHECKING, Any, Literal

from jlora_cli.config import nearest
from jlora_cli.errors import refuse
from jlora_cli.messages import say
from jlora_cli.recipe import sampling_of

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from jlora_cli.run_folder import Artifact

Source = Literal["option", "model", "recipe", "default"]


@dataclass(frozen=True)
class Sampling:
    """How the next token is chosen. `temperature` 0 is greedy; `top_k` 0 and `top_p` 1 are off.

    seed: the first conversation's; the ones behind it count up from there.
    stop: an answer ends before the first of these texts.
    no_repeat_ngram_size: forbids every run of so many tokens that prompt and answer hold already;
        0 is off, and stays so by default: 2 forbids the second 「ました。」 of an answer.
    alternatives: how many tokens to name beside each chosen one.
    """

    max_new_tokens: int = 256
    temperature: float = 0.7
    top_p: float = 0.75
    top_k: int = 40
    repetition_penalty: float = 1.0
    seed: int = 42
    stop: tuple[str, ...] = ()
    no_repeat_ngram_size: int = 0
    alternatives: int = 0

    def as_json(self) -> dict[str, Any]:
        return {**asdict(self), "stop": list(self.stop)}


DEFAULTS = Sampling()
# What a person may set: (type, least, greatest) of each field.
RANGES: dict[str, tuple[type, float, float]] = {
    "max_new_tokens": (int, 1, math.inf),
    "temperature": (float, 0, math.inf),
    "top_p": (float, 0, 1),
    "top_k": (int, 0, math.inf),
    "repetition_penalty": (float, 0.01, math.inf),
    "no_repeat_ngram_size": (int, 0, math.inf),
    "stop": (str, 0, math.inf),
    "seed": (int, 0, math.inf),
}
GREEDY = Sampling(temperature=0.0, top_p=1.0, top_k=0)
# What is settled: all but what an answer only tells of itself.
SETTINGS = tuple(field.name for field in fields(Sampling) if field.name != "alternatives")
# What a model may say of itself: (least, greatest) that makes sense.
_OF_MODEL: dict[str, tuple[float, float]] = {
    "temperature": (0.0, 100.0),
    "top_p": (0.0, 1.0),
    "top_k": (0, 1 << 30),
    "repetition_penalty": (0.01, 100.0),
    "max_new_tokens": (1, 1 << 20),
}


@dataclass(frozen=True)
class SettledSampling:
    """The sampling of an answer, and where each value of it comes from."""

    sampling: Sampling
    sources: dict[str, Source]

    def describe(self) -> str:
        """The values that matter, by source, in one line."""
        values = self.sampling.as_json()
        idle = {"top_p", "top_k", "seed"} if self.sampling.temperature == 0 else set()
        by_source: dict[Source, list[str]] = {}
        for name, source in self.sources.items():
            off = source == "default" and values[name] in (0, 1, [])
            if name not in idle and not off:
                by_source.setdefault(source, []).append(f"{name} {_written(values[name])}")
        parts = [
            say("sampling.part", values=", ".join(each), source=say(f"sampling.source.{source}"))
            for source, each in by_source.items()
        ]
        return say("sampling.used", parts="; ".join(parts))

    def as_json(self) -> dict[str, dict[str, object]]:
        """Value and source of each field, as `--json` prints them."""
        values = self.sampling.as_json()
        return {
            name: {"value": values[name], "source": source} for name, source in self.sources.items()
        }


def settle_sampling(asked: Mapping[str, Any], artifact: Artifact) -> SettledSampling:
    """What was asked for, else what the model's own files say, its recipe, jlora's defaults.

    Of its generation_config.json the numbers count; `do_sample` does not, which most leave out
    or write without thought.
    """
    # `--help` shows these options, and hub.py brings the machine along: a quarter of its time.
    from jlora_cli.hub import find_model  # noqa: PLC0415

    folder = find_model(artifact.base, what="config")
    own = (artifact.card or {}).get("base", {}).get("model", artifact.base)
    told: list[tuple[Source, Mapping[str, Any]]] = [
        ("option", asked),
        ("model", _of_model(folder / "generation_config.json")),
        ("recipe", sampling_of(own)),
    ]
    values: dict[str, Any] = {}
    sources: dict[str, Source] = {}
    for name in SETTINGS:
        found = next(((source, given[name]) for source, given in told if name in given), None)
        sources[name], values[name] = found or ("default", getattr(DEFAULTS, name))
    return SettledSampling(Sampling(**values), sources)


def read_setting(name: str, text: str) -> Any:
    """The value of a field of `Sampling` that a person typed; no text means no stop string.

    Raises:
        JloraError: there is no such field, or it cannot take this value.
    """
    if name not in RANGES:
        raise refuse(
            "sampling.no_such", name=name, hint=nearest(name, RANGES), known=", ".join(RANGES)
        )
    kind, least, greatest = RANGES[name]
    if kind is str:
        return (unescape(text),) if text else ()
    try:
        value = kind(text)
    except ValueError:
        value = math.nan
    if not least <= value <= greatest or value == math.inf:
        whole = say("sampling.whole_number" if kind is int else "sampling.number")
        bound = "sampling.between" if greatest < math.inf else "sampling.from"
        range_ = say(bound, number=whole, least=f"{least:g}", greatest=f"{greatest:g}")
        raise refuse("sampling.bad_value", name=name, value=text, range=range_)
    return value


def unescape(text: str) -> str:
    r"""`text` with \n, \t and \\ as the characters they mean: not every shell can type these."""
    return re.sub(r"\\([nt\\])", lambda found: _ESCAPES[found[1]], text)


_ESCAPES = {"n": "\n", "t": "\t", "\\": "\\"}


def _written(value: Any) -> str:
    if isinstance(value, list):
        return json.dumps(value, ensure_ascii=False)
    return f"{value:g}" if isinstance(value, float) else str(value)


def _of_model(path: Path) -> dict[str, Any]:
    """The numbers that make sense in a generation_config.json; {} where there is none."""
    try:
        said = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    if not isinstance(said, dict):
        return {}
    return {
        name: type(getattr(DEFAULTS, name))(said[name])
        for name, (least, greatest) in _OF_MODEL.items()
        if _is_number(said.get(name)) and least <= said[name] <= greatest
    }


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)
