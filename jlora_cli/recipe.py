"""What is known of named models and no file of theirs tells: data, each line with its source."""

from __future__ import annotations

import re
from dataclasses import dataclass


@dataclass(frozen=True)
class Quirk:
    """What a model wants; `source` says who states it.

    lower_case: it was trained on lower-cased text. repetition_penalty: of its answers.
    """

    pattern: str
    source: str
    lower_case: bool = False
    repetition_penalty: float | None = None


QUIRKS = (
    Quirk(
        r"rinna/japanese-gpt2-(xsmall|small|medium)$",
        lower_case=True,
        source="model cards: tokenizer.do_lower_case = True, for a bug of tokenizer config loading",
    ),
    Quirk(
        r"rinna/japanese-gpt-neox-3\.6b-instruction-(sft-v2|ppo)$",
        repetition_penalty=1.1,
        source="model cards: repetition_penalty=1.1 in the example of model.generate",
    ),
    Quirk(
        r"llm-jp/llm-jp-3-[\w.]+-instruct\d?$",
        repetition_penalty=1.05,
        source="model cards: repetition_penalty=1.05 in the example of model.generate",
    ),
)

# Architectures whose packed rows equal rows that stand alone, and a test proves it.
ROWS_APART = (
    *("gpt2", "gpt_neox", "llama", "mistral"),
    *("qwen2", "qwen3", "gemma2", "gemma3_text"),
)

# The chat templates that jlora brings, as Jinja text. `eos_token` ends every answer; `instruction`
# and `input` are the two halves of a user turn that came with an input (alpaca, dolly).
TEMPLATES = {
    # Headings in Markdown, as the small chat recipes on rinna/japanese-gpt2-medium write them.
    "chat-markdown": (
        "{% for m in messages %}"
        "{% if m.role == 'system' %}{{ m.content }}\n\n"
        "{% elif m.role == 'user' %}### User:\n{{ m.content }}\n\n"
        "{% else %}### Assistant:\n{{ m.content }}{{ eos_token }}\n\n{% endif %}"
        "{% endfor %}"
        "{% if add_generation_prompt %}### Assistant:\n{% endif %}"
    ),
    # Stanford Alpaca's three blocks in Japanese, as the dolly-15k-ja recipes write them.
    "alpaca-ja": (
        "{% for m in messages %}"
        "{% if m.role == 'system' %}{{ m.content }}\n\n"
        "{% elif m.role == 'user' %}### 指示:\n{{ m.instruction }}\n\n"
        "{% if m.input %}### 入力:\n{{ m.input }}\n\n{% endif %}"
        "{% else %}### 回答:\n{{ m.content }}{{ eos_token }}\n\n{% endif %}"
        "{% endfor %}"
        "{% if add_generation_prompt %}### 回答:\n{% endif %}"
    ),
    # No template: the text itself, to try an untuned base.
    "none": (
        "{% for m in messages %}{{ m.content }}"
        "{% if m.role == 'assistant' %}{{ eos_token }}{% endif %}{% endfor %}"
    ),
}


# Linear layers that carry attention, by architecture; `lora_targets: attention` means these.
ATTENTION_LAYERS = {
    "gpt2": ("c_attn",),
    "gpt_neox": ("query_key_value",),
    "llama": ("q_proj", "k_proj", "v_proj", "o_proj"),
}


def attention_layers(model_type: str) -> tuple[str, ...]:
    """The names of the attention's linear layers; newer architectures follow Llama's names."""
    return ATTENTION_LAYERS.get(model_type, ATTENTION_LAYERS["llama"])


def wants_lower_case(model: str) -> bool:
    """True when the model of that hub id, or in a folder of that name, was trained lower-cased."""
    return any(quirk.lower_case for quirk in _quirks_of(model))


def sampling_of(model: str) -> dict[str, float]:
    """What is known of how that model should answer: fields of `Sampling`."""
    penalties = (quirk.repetition_penalty for quirk in _quirks_of(model))
    return next(({"repetition_penalty": each} for each in penalties if each is not None), {})


def _quirks_of(model: str) -> list[Quirk]:
    name = model.partition("@")[0].rstrip("/")
    return [quirk for quirk in QUIRKS if re.search(quirk.pattern, name)]
