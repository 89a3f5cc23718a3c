"""Options that several commands share, so that one flag means one thing everywhere."""

from __future__ import annotations

import inspect
from typing import TYPE_CHECKING, Annotated, Any

import typer

from jlora_cli.config import FIELDS, SWITCH, kind_of
from jlora_cli.messages import say

if TYPE_CHECKING:
    from collections.abc import Callable

Json = Annotated[bool, typer.Option("--json", help=say("help.json"))]
Source = Annotated[
    str, typer.Argument(metavar="SOURCE", help=say("help.source"), show_default=False)
]
Base = Annotated[str | None, typer.Option("--base", help=say("help.base"))]
_SAMPLING: dict[str, Any] = {"rich_help_panel": say("help.panel.sampling")}
_LOADING: dict[str, Any] = {"rich_help_panel": say("help.panel.loading")}
MaxNewTokens = Annotated[
    int, typer.Option("--max-new-tokens", min=1, help=say("help.max_new_tokens"), **_SAMPLING)
]
Temperature = Annotated[
    float, typer.Option("--temperature", min=0.0, help=say("help.temperature"), **_SAMPLING)
]
TopP = Annotated[
    float, typer.Option("--top-p", min=0.0, max=1.0, help=say("help.top_p"), **_SAMPLING)
]
TopK = Annotated[int, typer.Option("--top-k", min=0, help=say("help.top_k"), **_SAMPLING)]
RepetitionPenalty = Annotated[
    float,
    typer.Option(
        "--repetition-penalty", min=0.01, help=say("help.repetition_penalty"), **_SAMPLING
    ),
]
Seed = Annotated[int, typer.Option("--seed", min=0, help=say("help.seed"), **_SAMPLING)]
Quantization = Annotated[
    str | None,
    typer.Option(
        "--quantization", metavar="none|8bit|4bit", help=say("help.quantization"), **_LOADING
    ),
]
Precision = Annotated[
    str | None,
    typer.Option(
        "--precision", metavar="float32|bfloat16|float16", help=say("help.precision"), **_LOADING
    ),
]
Device = Annotated[
    str | None, typer.Option("--device", metavar="cpu|cuda", help=say("help.device"), **_LOADING)
]

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
        *("sample_prompts", "sample_steps"),
    ),
}


def with_setting_options(command: Callable[..., None]) -> Callable[..., None]:
    """`command` with one option per RunConfig field in place of its `**settings`.

    The fields are the one list of settings, so an option can neither be missing nor differ in
    name. Every option defaults to None: only what the user typed overrides a profile.
    """
    own = [
        parameter
        for parameter in inspect.signature(command, eval_str=True).parameters.values()
        if parameter.kind is not inspect.Parameter.VAR_KEYWORD
    ]
    made = [_option(name, topic) for topic, names in PANELS.items() for name in names]

    def run(**given: Any) -> None:
        mine = {parameter.name: given.pop(parameter.name) for parameter in own}
        command(**mine, **given)

    run.__name__, run.__doc__ = command.__name__, command.__doc__
    run.__signature__ = inspect.Signature([*own, *made])  # type: ignore[attr-defined]
    run.__annotations__ = {parameter.name: parameter.annotation for parameter in [*own, *made]}
    return run


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
