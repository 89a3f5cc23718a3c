"""Options that several commands share, so that one flag means one thing everywhere."""

from __future__ import annotations

import inspect
import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any

import typer

from jlora_cli.config import FIELDS, SWITCH, kind_of
from jlora_cli.messages import say
from jlora_cli.sampling import RANGES, unescape

if TYPE_CHECKING:
    from collections.abc import Callable

    from jlora_cli.sampling import Sampling

Json = Annotated[bool, typer.Option("--json", help=say("help.json"))]
Source = Annotated[
    str, typer.Argument(metavar="SOURCE", help=say("help.source"), show_default=False)
]
Base = Annotated[str | None, typer.Option("--base", help=say("help.base"))]

_LOADING = {
    "quantization": "none|8bit|4bit",
    "precision": "float32|bfloat16|float16",
    "device": "cpu|cuda|mps",
}

# The settings of a run by topic, as `jlora train --help` shows them: `help.panel.TOPIC`.
PANELS: dict[str, tuple[str, ...]] = {
    "data": (
        *("model", "data", "validation", "output"),
        *("template", "max_length", "truncate", "train_on"),
    ),
    "length": (
        *("epochs", "max_steps", "batch_size", "gradient_accumulation_steps"),
        "early_stopping_patience",
    ),
    "optimizer": (
        *("learning_rate", "lr_scheduler", "warmup_steps", "warmup_ratio"),
        *("weight_decay", "max_grad_norm", "optimizer"),
    ),
    "lora": (
        *("lora_r", "lora_alpha", "lora_dropout", "lora_targets", "lora_variant"),
        "loraplus_ratio",
    ),
    "speed": (
        *("precision", "quantization", "packing", "attention", "gradient_checkpointing"),
        *("compile", "workers", "processes"),
    ),
    "regularization": ("base_dropout", "neftune_alpha", "seed"),
    "saving": (
        *("evaluation_steps", "checkpoint_steps", "keep_checkpoints", "logging_steps"),
        *("sample_prompts", "sample_steps", "report_to"),
    ),
}


def with_setting_options(command: Callable[..., None]) -> Callable[..., None]:
    """`command` with one option per RunConfig field in place of its `**settings`.

    The fields are the one list of settings, so an option can neither be missing nor differ in
    name. Every option defaults to None: only what the user typed overrides a profile.
    """
    made = [_option(name, topic) for topic, names in PANELS.items() for name in names]
    return _with_options(command, "settings", made, lambda given: given)


@dataclass(frozen=True)
class Asked:
    """What was typed of the options of `with_answer_options`, and nothing that was not.

    sampling: fields of `Sampling`; loading: how the model is loaded, None where nothing was said.
    """

    sampling: dict[str, Any]
    loading: dict[str, Any]


def with_answer_options(
    defaults: Sampling, *, of_model: bool = True
) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """A command with the options of sampling and loading in place of its `**asked`.

    It gets them as `asked=Asked(...)`. `defaults` are what the help page shows; `of_model`: it
    says that those of the model come first.
    """
    made = [_sampling_option(name, getattr(defaults, name), of_model) for name in RANGES]
    made += [_loading_option(name, choices) for name, choices in _LOADING.items()]

    def asked(given: dict[str, Any]) -> dict[str, Any]:
        typed = {name: given[name] for name in RANGES if given[name] not in (None, [])}
        if "stop" in typed:
            typed["stop"] = tuple(map(unescape, typed["stop"]))
        return {"asked": Asked(typed, {name: given[name] for name in _LOADING})}

    return lambda command: _with_options(command, "asked", made, asked)


def _with_options(
    command: Callable[..., None],
    place: str,
    made: list[inspect.Parameter],
    collect: Callable[[dict[str, Any]], dict[str, Any]],
) -> Callable[..., None]:
    """`command` with the options `made` in place of its `**place`; `collect` turns them into it."""
    parameters = inspect.signature(command, eval_str=True).parameters
    own = [parameter for name, parameter in parameters.items() if name != place]

    def run(**given: Any) -> None:
        mine = {parameter.name: given.pop(parameter.name) for parameter in own}
        command(**mine, **collect(given))

    run.__name__, run.__doc__ = command.__name__, command.__doc__
    run.__signature__ = inspect.Signature([*own, *made])  # type: ignore[attr-defined]
    run.__annotations__ = {parameter.name: parameter.annotation for parameter in [*own, *made]}
    return run


def _sampling_option(name: str, default: object, of_model: bool) -> inspect.Parameter:
    kind, least, greatest = RANGES[name]
    checks: dict[str, Any] = {"min": kind(least)} if kind is not str else {"metavar": "TEXT"}
    if greatest < math.inf:
        checks["max"] = kind(greatest)
    shown = _shown(default)
    # The seed, the stop strings and what is off belong to no model.
    own = of_model and name not in ("seed", "stop", "no_repeat_ngram_size")
    key = "help.default_else" if own else "help.default"
    about = {
        "help": say(f"help.{name}") + (say(key, value=shown) if shown else ""),
        "rich_help_panel": say("help.panel.sampling"),
        **checks,
    }
    return _parameter(name, list[str] if kind is str else kind, about)


def _loading_option(name: str, choices: str) -> inspect.Parameter:
    panel = say("help.panel.loading")
    about = {"help": say(f"help.{name}"), "metavar": choices, "rich_help_panel": panel}
    return _parameter(name, str, about)


def _parameter(name: str, kind: Any, about: dict[str, Any]) -> inspect.Parameter:
    """A keyword option that is None where it was not typed."""
    flag = "--" + name.replace("_", "-")
    annotation = Annotated[kind | None, typer.Option(flag, show_default=False, **about)]
    return inspect.Parameter(
        name, inspect.Parameter.KEYWORD_ONLY, default=None, annotation=annotation
    )


def _option(name: str, topic: str) -> inspect.Parameter:
    kind = kind_of(name)
    panel = say(f"help.panel.{topic}")
    flag = "--" + name.replace("_", "-")
    shown = _shown(FIELDS[name].default)
    help_text = say(f"setting.{name}") + (say("help.default", value=shown) if shown else "")
    about: dict[str, Any] = {"help": help_text, "show_default": False, "rich_help_panel": panel}
    if kind is SWITCH:
        annotation: Any = Annotated[bool | None, typer.Option(f"{flag}/--no-{flag[2:]}", **about)]
    else:
        metavar = kind.name.upper() if kind.name.isalpha() else kind.name
        if kind.auto and "auto" not in metavar:
            metavar += "|auto"
        annotation = Annotated[str | None, typer.Option(flag, metavar=metavar, **about)]
    return inspect.Parameter(
        name, inspect.Parameter.KEYWORD_ONLY, default=None, annotation=annotation
    )


def _shown(default: object) -> str:
    if isinstance(default, tuple):
        return ",".join(map(str, default))
    if isinstance(default, bool):
        return str(default).lower()
    return "" if default is None else f"{default:g}" if isinstance(default, float) else str(default)
