"""The figures in words: a table's lines for `prepare`, one line for `train`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from jlora_cli.messages import say

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping


def describe(figures: Mapping[str, Any]) -> list[tuple[str, str]]:
    """The figures as (name, sentence), for a table."""
    unknown, ids = figures["unknown"], figures["special_ids"]
    survives: Mapping[str, bool] = figures["survives"]
    lines = [("unknown", _unknown_line(unknown))]
    if unknown["characters"]:
        lines.append(("characters", counted(unknown["characters"])))
    lines += [
        ("bytes", say("audit.share", share=f"{100 * figures['byte_fallback_share']:.2f}")),
        ("density", f"{figures['characters_per_token']:.2f}"),
        ("round_trip", _round_trip_line(figures)),
        ("kept", names(name for name, kept in survives.items() if kept)),
        ("lost", names(name for name, kept in survives.items() if not kept)),
        ("ids", _ids_line(ids)),
    ]
    if figures["special_literals"]:
        lines.append(("literals", counted(figures["special_literals"])))
    return [(say(f"audit.row.{name}"), text) for name, text in lines]


def _unknown_line(unknown: Mapping[str, Any]) -> str:
    if unknown["per_thousand"] is None:
        return say("audit.unknown_untold")
    return say(
        "audit.unknown",
        per_thousand=f"{unknown['per_thousand']:.2f}",
        prompts=f"{unknown['prompts']:.2f}",
        answers=f"{unknown['answers']:.2f}",
    )


def _round_trip_line(figures: Mapping[str, Any]) -> str:
    exact, folded = figures["round_trip_share"], figures["round_trip_share_but_width"]
    return say(
        "audit.round_trip",
        share=f"{100 * exact:.1f}",
        folded=f"{100 * folded:.1f}",
        rows=figures["round_trip_rows"],
    )


def names(kinds: Iterator[str]) -> str:
    """Kinds of text in the user's words, or a dash."""
    return say("audit.comma").join(say(f"audit.survives.{name}") for name in kinds) or "–"


def _ids_line(ids: Mapping[str, Any]) -> str:
    roles = ("eos", "bos", "pad", "unk")
    shown = ", ".join(f"{r.upper()} {'–' if ids[r] is None else ids[r]}" for r in roles)
    remarks = [] if ids["distinct"] else [say("audit.not_distinct")]
    remarks += [say("audit.outside")] if ids["inside_embedding"] is False else []
    return f"{shown} ({say('audit.comma').join(remarks)})" if remarks else shown


def brief(figures: Mapping[str, Any]) -> str:
    """The figures in one line, for the start of a run."""
    return say(
        "audit.brief",
        unknown=_unknown_line(figures["unknown"]),
        bytes=f"{100 * figures['byte_fallback_share']:.2f}",
        density=f"{figures['characters_per_token']:.2f}",
    )


def counted(counts: Mapping[str, int]) -> str:
    """Texts with how often each occurs."""
    return say("audit.comma").join(f"{_visible(text)} {n:,}" for text, n in counts.items())


def _visible(text: str) -> str:
    return "".join(c if c.isprintable() and c != "\u3000" else repr(c)[1:-1] for c in text)
