"""What of the figures harms a training: a finding each, none for healthy rows."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from jlora_cli.audit.figures import SHOWN, SPACING, Data, folds_case, unknown_ids_of
from jlora_cli.audit.wording import counted, names
from jlora_cli.finding import finding, found

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from jlora_cli.finding import Finding, Severity
    from jlora_cli.prompt import Prompter

# Of 1,000 tokens; below it a stray emoji is no reason to stop.
_MANY_UNKNOWN = 5.0
# Characters a token on Japanese text: 1.17 to 1.99 for nine vocabularies made for Japanese, 6,000
# pieces and up; about a third where every byte of a character is a token of its own.
_FEW_CHARACTERS = 0.8
_JAPANESE_SHARE, _ENOUGH_LETTERS = 0.3, 1000
_KANA_OR_KANJI = re.compile(r"[ぁ-ヿ㐀-鿿豈-﫿ｦ-ﾟ\U00020000-\U0003ffff]")
# How scripts write an answer's place into one text, where the loss then covers the question too.
_ANSWER_PLACES = re.compile(
    r"^#+ ?(?:Response|Assistant|Answer|Output|回答|応答|出力|アシスタント) ?[:：]?\s*$"
    r"|^(?:Assistant|システム|アシスタント|AI) ?[:：]"
    r"|\[/INST\]|<\|im_start\|>assistant|<start_of_turn>model|<\|assistant\|>",
    re.MULTILINE,
)
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
    if embedding is not None and tokenizer.size > embedding:
        yield found("ids-outside-embedding", ids=tokenizer.size, rows=embedding)
    split = figures["template_specials_split"]
    if split:
        literals = ", ".join(f"{literal} ({count})" for literal, count in split.items())
        yield found("template-specials-split", literals=literals, more=sum(split.values()))


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


def of_losses(prompter: Prompter, data: Data, survives: Mapping[str, bool]) -> Iterator[Finding]:
    """Newlines, white space and capital letters that stand in the rows and do not survive."""
    total = len(data.rows)
    if prompter.rules.newline == "space" and data.characters["\n"]:
        count = data.answers_with(lambda text: "\n" in text)
        # A question reads well enough in one line; an answer is then never written in two.
        severity: Severity = "warning" if count else "note"
        rows = sum(any("\n" in text for text in texts) for texts in data.rows)
        yield finding("newlines-lost", severity, count=count, rows=rows, total=total)
    lost = {
        name: sum(shown in answer for answer in data.answers)
        for name, shown in SPACING.items()
        if not survives[name]
    }
    if any(lost.values()):
        what = names(name for name, count in lost.items() if count)
        yield found("spaces-lost", count=max(lost.values()), total=total, what=what)
    if any(c != c.lower() for c in data.characters) and folds_case(prompter):
        rows = sum(any(text != text.lower() for text in texts) for texts in data.rows)
        answers = data.answers_with(lambda text: text != text.lower())
        yield found("case-folded", rows=rows, total=total, answers=answers)


def of_spellings(data: Data, figures: Mapping[str, Any]) -> Iterator[Finding]:
    """Control tokens spelled out in the rows."""
    spelled = figures["special_literals"]
    if spelled:
        rows = sum(any(s in text for s in spelled for text in texts) for texts in data.rows)
        literals = counted(dict(list(spelled.items())[:SHOWN]))
        yield found("special-tokens-in-text", rows=rows, total=len(data.rows), literals=literals)


def of_language(data: Data, figures: Mapping[str, Any]) -> Iterator[Finding]:
    """A vocabulary that was not made for the language of the rows."""
    letters = sum(n for c, n in data.characters.items() if not c.isspace())
    japanese = sum(n for c, n in data.characters.items() if _KANA_OR_KANJI.match(c))
    density = figures["characters_per_token"]
    in_japanese = letters >= _ENOUGH_LETTERS and japanese > _JAPANESE_SHARE * letters
    if in_japanese and 0 < density < _FEW_CHARACTERS:
        yield found("model-not-for-language", density=f"{density:.2f}")


def of_places(data: Data) -> Iterator[Finding]:
    """Questions and answers written into one text, where both are trained."""
    texts = data.texts
    marked = [match[0].strip() for text in texts if (match := _ANSWER_PLACES.search(text))]
    if len(marked) > _SHARE_OF_TEXTS * len(texts):
        yield found("prompts-supervised", rows=len(marked), total=len(texts), mark=marked[0])
