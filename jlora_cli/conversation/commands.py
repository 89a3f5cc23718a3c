"""The slash commands, and what any typed line does."""

from __future__ import annotations

import difflib
import json
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from jlora_cli.conversation import rows
from jlora_cli.conversation.told import Edit, Note
from jlora_cli.messages import say
from jlora_cli.sampling import RANGES, read_setting

if TYPE_CHECKING:
    from collections.abc import Callable

    from jlora_cli.conversation.talk import Conversation, OnText
    from jlora_cli.conversation.told import Told

    # What a command does with the words behind it.
    Act = Callable[[Conversation, str, OnText], list[Told]]


def take(conversation: Conversation, line: str, on_text: OnText) -> list[Told]:
    """What a line leads to: a message is answered, a slash command obeyed.

    A message that begins with a slash is typed with two.

    Raises:
        JloraError: it cannot be done; the conversation is as it was before.
    """
    if line.startswith("//") or not line.startswith("/"):
        return conversation.reply(line[line.startswith("//") :], on_text)
    typed, *rest = line.split(maxsplit=1)
    name = _ALIASES.get(typed, typed)
    if name not in COMMANDS:
        return [Note(_unknown(name))]
    _, act = COMMANDS[name]
    return act(conversation, "".join(rest).rstrip(), on_text)


def _unknown(name: str) -> str:
    near = difflib.get_close_matches(name, [*COMMANDS], n=1, cutoff=0.5)
    hint = say("settings.did_you_mean", name=near[0]) if near else ""
    return say("chat.unknown", command=name, hint=hint)


def _help(*_: Any) -> list[Told]:
    lines = [
        f"  {f'{name} {usage}':<22}" + say(f"chat.help.{name[1:]}")
        for name, (usage, _) in COMMANDS.items()
    ]
    return [Note("\n".join([*lines, say("chat.help_keys")]))]


def _reset(conversation: Conversation, *_: Any) -> list[Told]:
    conversation.forget()
    return [Note(say("chat.reset"))]


def _undo(conversation: Conversation, *_: Any) -> list[Told]:
    taken = conversation.take_back()
    return [Note(say("chat.undone" if taken else "chat.nothing_to_undo"))]


def _retry(conversation: Conversation, _: str, on_text: OnText) -> list[Told]:
    return _instead(conversation, "", on_text)


def _edit(conversation: Conversation, text: str, on_text: OnText) -> list[Told]:
    if text or not conversation.exchanges:
        return _instead(conversation, text, on_text)
    return [Edit(conversation.exchanges[-1].question)]


def _instead(conversation: Conversation, text: str, on_text: OnText) -> list[Told]:
    """Ask the last question again, or `text` in its place; a refusal brings the exchange back."""
    before = [*conversation.exchanges]
    taken = conversation.take_back()
    if taken is None:
        return [Note(say("chat.nothing_to_repeat"))]
    try:
        return conversation.reply(text or taken.question, on_text)
    finally:
        if len(conversation.exchanges) < len(before):
            conversation.exchanges = before


def _system(conversation: Conversation, text: str, _: OnText) -> list[Told]:
    if text:
        conversation.system = None if text == "-" else text
        conversation.look_again()
    if conversation.system is None:
        return [Note(say("chat.no_system"))]
    return [Note(say("chat.system", text=conversation.system))]


def _params(conversation: Conversation, text: str, _: OnText) -> list[Told]:
    changes: dict[str, Any] = {}
    for name, value in _assignments(text):
        changes[name] = read_setting(name, value)
    if changes:
        conversation.sampling = replace(conversation.sampling, **changes)
        conversation.look_again()
    values = conversation.sampling.as_json()
    return [Note("\n".join(f"  {name} = {_written(values[name])}" for name in RANGES))]


def _assignments(text: str) -> list[tuple[str, str]]:
    """(name, value) of each NAME=VALUE; a word without "=" belongs to the value before it."""
    found: list[tuple[str, str]] = []
    for word in text.replace(" =", "=").replace("= ", "=").split(" "):
        name, given, value = word.partition("=")
        if given or not found:
            found += [(name, value)] * bool(word)
        elif found:
            found[-1] = (found[-1][0], f"{found[-1][1]} {word}")
    return found


def _written(value: object) -> str:
    if isinstance(value, list):
        return " ".join(json.dumps(each, ensure_ascii=False) for each in value)
    return f"{value:g}" if isinstance(value, float) else str(value)


def _save(conversation: Conversation, name: str, _: OnText) -> list[Told]:
    return [Note(rows.save(conversation, name) if name else _needs("/save"))]


def _load(conversation: Conversation, name: str, _: OnText) -> list[Told]:
    return [Note(rows.load(conversation, name) if name else _needs("/load"))]


def _needs(name: str) -> str:
    return say("chat.needs", command=f"{name} {COMMANDS[name][0]}")


def _compare(conversation: Conversation, text: str, _: OnText) -> list[Told]:
    return conversation.compared_on(text) if text else conversation.compared()


def _probs(conversation: Conversation, *_: Any) -> list[Told]:
    return conversation.odds()


def _stats(conversation: Conversation, *_: Any) -> list[Told]:
    if conversation.last is None:
        return [Note(say("chat.no_answer"))]
    answer, tally = conversation.last.answer, conversation.tally
    used = answer.prompt_tokens + answer.answer_tokens
    last = say(
        "chat.stats_last",
        tokens=answer.answer_tokens,
        speed=f"{answer.tokens_per_second:.1f}",
        first=f"{answer.seconds_to_first_token:.2f}",
        prompt=answer.prompt_tokens,
        reused=answer.reused_tokens,
        used=used,
        context=conversation.answerer.context,
    )
    share = tally.reused_tokens / max(tally.prompt_tokens, 1)
    every = say(
        "chat.stats_all", answers=tally.answers, tokens=tally.answer_tokens, share=f"{share:.0%}"
    )
    return [Note(f"{last}\n{every}")]


def _exit(conversation: Conversation, *_: Any) -> list[Told]:
    conversation.over = True
    return []


# Name -> (what stands behind it, what it does); `chat.help.NAME` says it in a sentence.
COMMANDS: dict[str, tuple[str, Act]] = {
    "/help": ("", _help),
    "/reset": ("", _reset),
    "/undo": ("", _undo),
    "/retry": ("", _retry),
    "/edit": ("[TEXT]", _edit),
    "/system": ("[TEXT]", _system),
    "/params": ("[NAME=VALUE]", _params),
    "/save": ("FILE.jsonl", _save),
    "/load": ("FILE.jsonl", _load),
    "/compare": ("[TEXT]", _compare),
    "/probs": ("", _probs),
    "/stats": ("", _stats),
    "/exit": ("", _exit),
}
_ALIASES = {"/quit": "/exit", "/bye": "/exit", "/?": "/help"}
