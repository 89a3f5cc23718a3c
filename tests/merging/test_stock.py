"""Stock apply_chat_template builds the prompt of the training, or the template is not carried."""

from __future__ import annotations

import json

import pytest

from jlora_cli.artifact import prompt_format
from jlora_cli.dataset import Message
from jlora_cli.merging.stock import carry_template
from jlora_cli.prompt import Prompter
from jlora_cli.run_folder import Artifact
from jlora_cli.tokenizer import load_tokenizer
from jlora_cli.tokenizer.portable import write_portable
from tests.tiny_models import save_tiny_tokenizer
from tests.vocabularies import CONFIGS, MODELS, train_pieces

TURNS = (Message("user", "ｶﾞｷﾞとＡ１の\n違いは？髙﨑さん🐈"),)


def carried(folder, out, template):
    """(whether it was carried, the prompter, stock's tokenizer of the written folder)."""
    from transformers import AutoTokenizer

    tokenizer = load_tokenizer(folder)
    format = prompt_format(Artifact(str(folder)), tokenizer, template)
    prompter = Prompter(tokenizer, format)
    out.mkdir()
    assert write_portable(tokenizer, out).exact
    done = carry_template(prompter, out)
    return done, prompter, AutoTokenizer.from_pretrained(out)


def stock_ids(stock, turns):
    messages = [{"role": turn.role, "content": turn.content} for turn in turns]
    made = stock.apply_chat_template(messages, add_generation_prompt=True, return_dict=True)
    return made["input_ids"]


@pytest.mark.parametrize("template", ["chat-markdown", "alpaca-ja", "none"])
def test_stock_builds_the_prompt_of_each_template(tmp_path, template):
    save_tiny_tokenizer(tmp_path / "base")
    done, prompter, stock = carried(tmp_path / "base", tmp_path / "out", template)
    assert done
    assert stock_ids(stock, TURNS) == prompter.prompt_ids(TURNS)


NL = {"tokenizer_class": "T5Tokenizer", "eos_token": "</s>", "unk_token": "[UNK]"}


@pytest.mark.parametrize(("name", "config"), [("neox-nl", NL), ("llama", CONFIGS["llama"])])
def test_newline_pieces_and_a_leading_bos_are_written_as_in_the_training(tmp_path, name, config):
    base = tmp_path / "base"
    train_pieces(base, config, **MODELS[name])
    done, prompter, stock = carried(base, tmp_path / "out", "chat-markdown")
    assert done
    assert stock_ids(stock, TURNS) == prompter.prompt_ids(TURNS)
    said = (*TURNS, Message("assistant", "はい"), Message("user", "猫"))
    assert prompter.format.eos_id in stock_ids(stock, said)
    literal = "<NL>" if name == "neox-nl" else "<s>"
    assert prompter.tokenizer.piece_id(literal) in stock_ids(stock, TURNS)


def test_a_template_that_stock_cannot_follow_is_not_carried(tmp_path):
    save_tiny_tokenizer(tmp_path / "base")
    tokenizer = load_tokenizer(tmp_path / "base")
    text = "{% for m in messages %}{{ m.input.upper() + m.content }}{% endfor %}"
    made = prompt_format(Artifact(str(tmp_path / "base")), tokenizer, "none")
    prompter = Prompter(tokenizer, type(made)(**{**made.as_json(), "chat_template": text}))
    (tmp_path / "out").mkdir()
    write_portable(tokenizer, tmp_path / "out")
    assert not carry_template(prompter, tmp_path / "out")
    config = json.loads((tmp_path / "out/tokenizer_config.json").read_text(encoding="utf-8"))
    assert "chat_template" not in config
