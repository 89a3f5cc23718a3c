"""Two recipes as their authors ran them, on small stand-ins: every mistake gets its name.

The first: rinna/japanese-gpt2-medium, 55 chat rows, 42 steps under a warm-up of 100, its own
validation rows among the training rows. The second: rinna/japanese-gpt-neox-3.6b on
databricks-dolly-15k-ja, the loss over prompts too, cut at 256 tokens, no end token.
"""

from __future__ import annotations

import json

import pytest

from jlora_cli.errors import JloraError
from jlora_cli.machine import Machine
from jlora_cli.profile import load_profile
from jlora_cli.proposal import propose
from tests.vocabularies import MODELS, train_pieces, write

LAPTOP = Machine("Linux", "3.11.7", True, "", 2, 16.0, 8.0, 100.0)
SHAPE = {
    "model_type": "gpt_neox", "hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 4,
    "intermediate_size": 64, "max_position_embeddings": 1024, "vocab_size": 700,
}  # fmt: skip


@pytest.fixture(scope="module")
def base(tmp_path_factory):
    """A model folder without weights, whose vocabulary is laid out like rinna's 3.6B."""
    folder = train_pieces(tmp_path_factory.mktemp("base") / "neox", {}, **MODELS["neox-nl"])
    write(folder, "config.json", SHAPE)
    return str(folder)


def chat(number, answer):
    asked = {"role": "user", "content": f"{number}匹の猫は何をしていますか？"}
    return {"messages": [asked, {"role": "assistant", "content": answer}]}


def instruction(number):
    answer = f"{number}匹の猫が、" + "何でも薄暗いじめじめした所でニャーニャー泣いていた。\n" * 12
    return {"instruction": f"{number}匹の猫について書いてください。", "output": answer}


@pytest.fixture
def save(tmp_path):
    def write_file(name, rows):
        lines = [json.dumps(row, ensure_ascii=False) + "\n" for row in rows]
        (tmp_path / name).write_text("".join(lines), encoding="utf-8")
        return str(tmp_path / name)

    return write_file


@pytest.fixture
def own(tmp_path):
    def write_profile(text):
        path = tmp_path / "recipe.yaml"
        path.write_text(text, encoding="utf-8")
        return str(path)

    return write_profile


def ids_of(proposal):
    """Id to severity; a stand-in's 700 pieces are indeed few for Japanese."""
    found = {each.id: each.severity for each in proposal.findings}
    found.pop("model-not-for-language", None)
    return found


def test_the_first_recipe_is_refused_for_its_warm_up_and_told_the_rest(base, save, own):
    rows = [chat(n, f"{n}匹とも寝ています。🐈") for n in range(55)]
    profile = own(
        "batch_size: 4\nepochs: 3\nlearning_rate: 5e-5\nwarmup_steps: 100\nwarmup_ratio: 0.1\n"
        "max_length: 512\nlora_r: 8\nlora_alpha: 16\nlora_dropout: 0.05\n"
        "lora_targets: [query_key_value]\n"
    )
    held_out = save("validation.jsonl", rows[:5])
    options = {"model": base, "data": save("training.jsonl", rows), "validation": held_out}
    proposal = propose(profile, options, LAPTOP)
    assert proposal.plan.optimizer_steps == 42
    assert proposal.plan.peak_learning_rate == pytest.approx(0.42 * 5e-5)
    assert ids_of(proposal) == {
        "warmup-exceeds-run": "error",
        "validation-in-training": "warning",
        "learning-rate-unusual": "warning",
        "unused-setting": "warning",
    }


def test_the_second_recipe_cuts_every_answer_and_never_ends_one(base, save, own):
    profile = own(
        "batch_size: 16\ngradient_accumulation_steps: 2\nepochs: 10\nlearning_rate: 2e-4\n"
        "warmup_steps: 1\nmax_length: 256\ntruncate: cut\nlora_targets: [query_key_value]\n"
    )
    options = {"model": base, "data": save("dolly.jsonl", map(instruction, range(55)))}
    proposal = propose(profile, options, LAPTOP)
    assert proposal.plan.cut_answers == 55
    assert ids_of(proposal) == {"eos-not-supervised": "error", "answers-truncated": "warning"}


def test_the_second_recipe_trains_its_prompts(base, save, own):
    texts = [
        {"text": f"### 指示:\n{row['instruction']}\n\n### 回答:\n{row['output']}"}
        for row in map(instruction, range(55))
    ]
    profile = own("epochs: 3\nmax_length: 256\nlora_targets: [query_key_value]\n")
    proposal = propose(profile, {"model": base, "data": save("texts.jsonl", texts)}, LAPTOP)
    assert ids_of(proposal) == {"prompts-supervised": "warning"}
    # Nothing is cut: a long text stands in windows, and the last of them has its end.
    assert (proposal.plan.cut_answers, proposal.plan.truncated_rows) == (0, 55)


def test_padding_is_told_where_it_is_most_of_the_work(base, save, own):
    rows = [chat(n, "にゃ。" * (60 if n % 4 == 0 else 1)) for n in range(56)]
    profile = own("batch_size: 4\nepochs: 3\npacking: false\nlora_targets: [query_key_value]\n")
    proposal = propose(profile, {"model": base, "data": save("rows.jsonl", rows)}, LAPTOP)
    assert proposal.plan.padding_share > 0.3
    assert ids_of(proposal) == {"padding-wasted": "warning"}


def test_settings_that_nothing_reads_are_named_with_their_lines(own):
    path = own(
        "training:\n  learning_rate: 2e-4\n  num_train_epochs: 3\nlora:\n  r: 8\n"
        "padding: max_length\nmax_length: 512\n"
    )
    with pytest.raises(JloraError) as refused:
        load_profile(path)
    for said in ("line 2", "training", "line 5", "lora_r", "line 6", "padding", "unused-setting"):
        assert said in refused.value.problem
