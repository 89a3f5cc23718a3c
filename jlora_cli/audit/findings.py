"""What of the figures harms a training: a finding each, none for healthy rows."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from jlora_cli.audit.figures import SHOWN, folds_case, unknown_ids_of
from jlora_cli.audit.texts import SPACING
from jlora_cli.audit.wording import counted, names
from jlora_cli.finding import finding, found

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from jlora_cli.audit.texts import Texts
    from jlora_cli.finding import Finding, Severity
    from jlora_cli.prompt import Prompter

# Of 1,000 tokens; below it a stray emoji is no reason to stop.
_MANY_UNKNOWN = 5.0
# Characters a token on Japanese text: 1.17 to 1.99 for nine vocabularies made for Japanese, 6,000
# pieces and up; about a third where every byte of a character is a token of its own.
_FEW_CHARACTERS = 0.8
_JAPANESE_SHARE, _ENOUGH_LETTERS = 0.3, 1000
_KANA_OR_KANJI = re.compile(r"[ぁ-ヿ㐀-鿿豈-﫿ｦ-ﾟ\U00020000-\U0003ffff]")
_SHARE_OF_TEXTS = 0.2


def of_ids(
    prompter: Prompter, figures: Mapping[str, Any], embedding: int | None
) -> Iterator[Finding]:
    """Ids that fall together, lie outside the embedding, or that a template spells out."""
    tokenizer, ends = prompter.tokenizer, prompter.stop_ids
    # GPT-2 has one control token for every role, and bytes that leave nothing unknown.
    harmless = tokenizer.family == "tokenizer.json" and not unknown_ids_of(tokenizer)
    if tokenizer.unk_id in ends and not harmless:
        yield found("eos-is-unk", token=tokenizer.unk_id)
    if tokenizer.pad_id in ends:
        yield found("eos-is-pad", token=tokenizer.pad_id)
    if embedding is not None and tokenizer.rows > embedding:
        yield found("ids-outside-embedding", ids=tokenizer.rows, rows=embedding)
    split = figures["template_specials_split"]
    if split:
        literals = ", ".join(f"{literal} ({count})" for literal, count in split.items())
        yield found("template-specials-split", literals=literals, more=sum(split.values()))


def of_system(prompter: Prompter, texts: Texts) -> Iterator[Finding]:
    """System messages that the template passes over."""
    if texts.system_rows and not prompter.writes_system:
        template = prompter.format.template
        yield found("system-not-written", rows=f"{texts.system_rows:,}", template=template)


def of_unknown(unknown: Mapping[str, Any]) -> Iterator[Finding]:
    """Too many tokens, of all or of the answers, that the vocabulary does not know."""
    most = max(unknown["per_thousand"] or 0.0, unknown["answers"] or 0.0)
    if most > _MANY_UNKNOWN:
        yield found(
            "unknown-tokens",
            per_thousand=f"{unknown['per_thousand']:.1f}",
            prompts=f"{unknown['prompts']:.1f}",
            answers=f"{unknown['answers']:.1f}",
            characters=counted(unknown["characters"]) or "?",
        )


def of_losses(prompter: Prompter, texts: Texts, survives: Mapping[str, bool]) -> Iterator[Finding]:
    """Newlines, white space and capital letters that stand in the rows and do not survive."""
    total = texts.rows
    if prompter.rules.newline == "space" and texts.newline_rows:
        count = texts.newline_answers
        # A question reads well enough in one line; an answer is then never written in two.
        severity: Severity = "warning" if count else "note"
        yield finding("newlines-lost", severity, count=count, rows=texts.newline_rows, total=total)
    lost = {name: texts.spaced_answers[name] for name in SPACING if not survives[name]}
    if any(lost.values()):
        what = names(name for name, count in lost.items() if count)
        yield found("spaces-lost", count=max(lost.values()), total=total, what=what)
    if texts.has_capitals and folds_case(prompter):
        rows, answers = texts.capital_rows, texts.capital_answers
        yield found("case-folded", rows=rows, total=total, answers=answers)


def of_spellings(texts: Texts, spelled: Mapping[str, int]) -> Iterator[Finding]:
    """Control tokens spelled out in the rows."""
    if spelled:
        literals = counted(dict(list(spelled.items())[:SHOWN]))
        told = {"rows": texts.spelled_rows, "total": texts.rows, "literals": literals}
        yield found("special-tokens-in-text", **told)


def of_language(texts: Texts, density: float) -> Iterator[Finding]:
    """A vocabulary not made for the language of the rows; `density` is characters a token."""
    letters = sum(n for c, n in texts.characters.items() if not c.isspace())
    japanese = sum(n for c, n in texts.characters.items() if _KANA_OR_KANJI.match(c))
    in_japanese = letters >= _ENOUGH_LETTERS and japanese > _JAPANESE_SHARE * letters
    if in_japanese and 0 < density < _FEW_CHARACTERS:
        yield found("model-not-for-language", density=f"{density:.2f}")


def of_places(texts: Texts) -> Iterator[Finding]:
    """Questions and answers written into one text, where both are trained."""
    if texts.marked > _SHARE_OF_TEXTS * texts.texts:
        yield found("prompts-supervised", rows=texts.marked, total=texts.texts, mark=texts.mark)
