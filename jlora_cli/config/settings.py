"""The one list of settings, how each is written, and where its value came from."""

from __future__ import annotations

import difflib
import math
from dataclasses import Field, dataclass, field, fields, replace
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

from jlora_cli.config.other_tools import own_name
from jlora_cli.errors import JloraError
from jlora_cli.messages import say

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

Origin = Literal["option", "profile", "default", "auto"]
AUTO = "auto"


class Kind(NamedTuple):
    """How a setting is written: its parser raises ValueError with a sentence."""

    name: str
    parse: Callable[[object], object]
    auto: bool = False


SHORTEST = 8  # tokens: what `max_length` takes at least
LOGGERS = ("tensorboard", "wandb")
_MOST = 2**32 - 1  # of whole numbers: what every library takes as a seed


def _number(raw: object, low: float, low_excluded: bool, high: float) -> float:
    try:
        value = float("bool" if isinstance(raw, bool) else str(raw))
    except ValueError as error:
        raise ValueError(say("settings.not_a_number")) from error
    if not math.isfinite(value):
        raise ValueError(say("settings.not_finite"))
    if value > high:
        raise ValueError(say("settings.out_of_range", bounds=f"<= {high:.10g}"))
    if value < low or (low_excluded and value == low):
        bounds = f"{'>' if low_excluded else '>='} {low:g}"
        raise ValueError(say("settings.out_of_range", bounds=bounds))
    return value


def _float(low: float = 0.0, *, above: bool = False, high: float = math.inf) -> Kind:
    return Kind("float", lambda raw: _number(raw, low, above, high))


def _integer(low: int, raw: object) -> int:
    value = _number(raw, low, False, _MOST)
    if value != int(value):
        raise ValueError(say("settings.not_an_integer"))
    return int(value)


def _int(low: int = 1, *, auto: bool = False) -> Kind:
    return Kind("int", lambda raw: _integer(low, raw), auto)


def _one_of(choices: tuple[str, ...], raw: object) -> str:
    if str(raw) in choices:
        return str(raw)
    near = difflib.get_close_matches(raw, choices, n=1) if isinstance(raw, str) else []
    hint = say("settings.did_you_mean", name=near[0]) if near else ""
    raise ValueError(say("settings.not_a_choice", choices=", ".join(choices)) + hint)


def _choice(*choices: str) -> Kind:
    return Kind("|".join(choices), lambda raw: _one_of(choices, raw), AUTO in choices)


def _parse_text(raw: object) -> str:
    if not isinstance(raw, str) or not raw.strip():
        raise ValueError(say("settings.not_text"))
    return raw


def _parse_names(raw: object) -> tuple[str, ...]:
    items = raw.split(",") if isinstance(raw, str) else raw
    if not isinstance(items, list | tuple) or not items:
        raise ValueError(say("settings.not_a_list"))
    return tuple(_parse_text(item).strip() for item in items)


def _parse_texts(raw: object) -> tuple[str, ...]:
    return _parse_names([raw] if isinstance(raw, str) else raw)


def _parse_loggers(raw: object) -> tuple[str, ...]:
    """Their names once each; "none", as in other tools, and an empty list are none."""
    if raw is None or raw == [] or str(raw).lower() in ("none", "null"):
        return ()
    return tuple(dict.fromkeys(_one_of(LOGGERS, name) for name in _parse_names(raw)))


def _parse_switch(raw: object) -> bool:
    words = {"true": True, "yes": True, "on": True, "false": False, "no": False, "off": False}
    if isinstance(raw, bool):
        return raw
    if isinstance(raw, str) and raw.lower() in words:
        return words[raw.lower()]
    raise ValueError(say("settings.not_a_switch"))


TEXT = Kind("text", _parse_text)
NAMES = Kind("names", _parse_names)
TEXTS = Kind("texts", _parse_texts)
LOGGER_NAMES = Kind("|".join(LOGGERS), _parse_loggers)
SWITCH = Kind("switch", _parse_switch, auto=True)
AUTO_SWITCH = Kind("true|false", _parse_switch, auto=True)


def _setting(default: object, kind: Kind) -> Any:
    return field(default=default, metadata={"kind": kind})


@dataclass(frozen=True)
class RunConfig:
    """Every setting of a training run. `None` means "not asked for"; "auto" is settled later."""

    model: str | None = _setting(None, TEXT)
    data: str | None = _setting(None, TEXT)
    validation: str | None = _setting(None, TEXT)
    template: str = _setting(AUTO, TEXT)
    max_length: int | str = _setting(AUTO, _int(SHORTEST, auto=True))
    truncate: str = _setting("turns", _choice("turns", "drop", "cut"))
    epochs: float = _setting(3.0, _float(above=True))
    max_steps: int | None = _setting(None, _int())
    batch_size: int = _setting(4, _int())
    gradient_accumulation_steps: int = _setting(1, _int())
    learning_rate: float = _setting(2e-4, _float(above=True, high=1.0))
    lr_scheduler: str = _setting("cosine", _choice("cosine", "linear", "constant"))
    warmup_steps: int | str = _setting(AUTO, _int(0, auto=True))
    warmup_ratio: float = _setting(0.05, _float(high=1.0))
    weight_decay: float = _setting(0.0, _float())
    max_grad_norm: float = _setting(1.0, _float(above=True))
    optimizer: str = _setting(AUTO, _choice(AUTO, "adamw", "adamw8bit", "paged-adamw8bit"))
    precision: str = _setting(AUTO, _choice(AUTO, "float32", "bfloat16", "float16"))
    quantization: str = _setting("none", _choice("none", "8bit", "4bit"))
    lora_r: int = _setting(8, _int())
    lora_alpha: float = _setting(16.0, _float(above=True))
    lora_dropout: float = _setting(0.05, _float(high=0.99))
    lora_targets: tuple[str, ...] = _setting((AUTO,), NAMES)
    lora_variant: str = _setting("lora", _choice("lora", "rslora", "dora"))
    packing: bool | str = _setting(AUTO, AUTO_SWITCH)
    attention: str = _setting(AUTO, _choice(AUTO, "varlen", "sdpa", "eager"))
    compile: bool | str = _setting(AUTO, SWITCH)
    gradient_checkpointing: bool | str = _setting(AUTO, AUTO_SWITCH)
    workers: int | str = _setting(AUTO, _int(0, auto=True))
    processes: int | str = _setting(1, _int(auto=True))
    seed: int = _setting(42, _int(0))
    evaluation_steps: int | str = _setting(AUTO, _int(auto=True))
    checkpoint_steps: int | str = _setting(AUTO, _int(auto=True))
    keep_checkpoints: int = _setting(2, _int())
    early_stopping_patience: int | None = _setting(None, _int())
    logging_steps: int = _setting(1, _int())
    neftune_alpha: float = _setting(0.0, _float())
    loraplus_ratio: float = _setting(1.0, _float(1.0))
    base_dropout: float = _setting(0.0, _float(high=0.99))
    train_on: str = _setting("all", _choice("all", "last"))
    sample_prompts: tuple[str, ...] = _setting((), TEXTS)
    sample_steps: int | None = _setting(None, _int())
    report_to: tuple[str, ...] = _setting((), LOGGER_NAMES)
    output: str | None = _setting(None, TEXT)


FIELDS: dict[str, Field[Any]] = {item.name: item for item in fields(RunConfig)}


def kind_of(name: str) -> Kind:
    """How the setting `name` is written."""
    kind: Kind = FIELDS[name].metadata["kind"]
    return kind


def parse_setting(name: str, raw: object) -> object:
    """The value of setting `name` as written in a profile, after an option or in `--set`.

    Raises:
        ValueError: with a sentence that says what the setting takes.
    """
    kind = kind_of(name)
    if raw is None or (isinstance(raw, str) and raw.lower() in ("none", "null")):
        if "none" in kind.name.split("|"):
            return "none"
        if FIELDS[name].default is None:
            return None
    if kind.auto and raw == AUTO:
        return AUTO
    return kind.parse(raw)


def nearest(name: str, names: Iterable[str]) -> str:
    """A question after the one of `names` that is close to `name`; empty where none is."""
    near = difflib.get_close_matches(name, list(names), n=1, cutoff=0.6)
    return say("settings.did_you_mean", name=near[0]) if near else ""


def write_instead(key: str, *others: str) -> str:
    """What to write for `key`, which is no setting; empty where nothing is near.

    It is jlora's word for another tool's, else the nearest of the settings and `others`.
    """
    plain = key.lower().replace("-", "_")
    own = plain if plain in FIELDS else own_name(key)
    return say("settings.write_instead", own=own) if own else nearest(key, (*FIELDS, *others))


@dataclass(frozen=True)
class Source:
    """Where a value came from, and why it is what it is."""

    origin: Origin
    reason: str = ""


@dataclass(frozen=True)
class Resolved:
    """A config with the source of each of its fields."""

    config: RunConfig
    sources: dict[str, Source]

    def with_auto(self, reasons: Mapping[str, tuple[object, str]]) -> Resolved:
        """The same, with settings turned from "auto" into a value; name -> (value, reason)."""
        values: dict[str, Any] = {name: value for name, (value, _) in reasons.items()}
        settled = {name: Source("auto", reason) for name, (_, reason) in reasons.items()}
        return Resolved(replace(self.config, **values), {**self.sources, **settled})

    def with_options(self, options: Mapping[str, object]) -> Resolved:
        """The same with checked options over it."""
        given = {name: Source("option", "--" + name.replace("_", "-")) for name in options}
        values: dict[str, Any] = dict(options)
        return Resolved(replace(self.config, **values), {**self.sources, **given})

    def as_json(self) -> dict[str, dict[str, object]]:
        """`{field: {value, source, reason}}`, as the plan and the run's record hold it."""
        values = {name: getattr(self.config, name) for name in FIELDS}
        return {
            name: {
                "value": list(value) if isinstance(value, tuple) else value,
                "source": self.sources[name].origin,
                "reason": self.sources[name].reason,
            }
            for name, value in values.items()
        }


@dataclass(frozen=True)
class ProfileValues:
    """What `resolve` needs of a profile: checked values, and what to call where they stand.

    `origins` names the profile that an inherited value stands in; the others stand in `name`.
    """

    name: str
    values: Mapping[str, object]
    origins: Mapping[str, str] = field(default_factory=dict)


def parse_options(options: Mapping[str, object]) -> dict[str, object]:
    """Options as the command line gave them -> checked values; `None` means "not given".

    Raises:
        JloraError: all faulty options in one error.
    """
    values: dict[str, object] = {}
    faults: list[str] = []
    for name, raw in options.items():
        if raw is None:
            continue
        flag = "--" + name.replace("_", "-")
        if name not in FIELDS:
            faults.append(f"--set {name}: {say('settings.unknown')}{write_instead(name)}")
            continue
        try:
            values[name] = parse_setting(name, raw)
        except ValueError as error:
            faults.append(f"{flag} {raw}: {error}")
    if faults:
        problem = say("settings.bad_options", faults="; ".join(faults))
        raise JloraError(problem, remedy=say("settings.bad_options.fix"))
    return values


def resolve(profile: ProfileValues | None, options: Mapping[str, object]) -> Resolved:
    """Merge checked values: option beats profile beats default; every value keeps its source."""
    profile = profile or ProfileValues("", {})
    sources = {name: Source("default", say("settings.from_default")) for name in FIELDS}
    for name in profile.values:
        sources[name] = Source("profile", profile.origins.get(name, profile.name))
    for name in options:
        sources[name] = Source("option", "--" + name.replace("_", "-"))
    merged: dict[str, Any] = {**profile.values, **options}
    return Resolved(RunConfig(**merged), sources)
