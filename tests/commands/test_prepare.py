from __future__ import annotations

import json

import pytest
import typer
from typer.testing import CliRunner

from jlora_cli import preparing, screen
from jlora_cli.commands import prepare as command
from jlora_cli.dataset import FORMATS, parse_mapping
from jlora_cli.errors import JloraError
from jlora_cli.messages import CATALOGUE
from jlora_cli.preparing import Audit, Rules

ROW = {"messages": [{"role": "user", "content": "ｶﾞ Ａ１"}, {"role": "assistant", "content": "🐈"}]}

FIGURES = {
    "unknown": {
        "per_thousand": 12.3,
        "prompts": 10.0,
        "answers": 20.0,
        "characters": {"🐈": 1234, "\u3000": 2},
    },
    "byte_fallback_share": 0.0,
    "characters_per_token": 1.5,
    "round_trip_share": 0.5,
    "round_trip_share_but_width": 0.75,
    "round_trip_rows": 8,
    "survives": {"newlines": False, "tabs": True},
    "special_literals": {"</s>": 1},
    "special_ids": {
        "eos": 2, "bos": None, "pad": 2, "unk": 0, "distinct": False, "inside_embedding": None,
    },
    "stock_parity": {"class": "T5Tokenizer", "texts": 9, "differ": 3, "transformers": "5.23.0"},
}  # fmt: skip


TOKENS = {
    "total": 1234,
    "supervised": 5,
    "longest": 6,
    "mean": 7.5,
    "quantiles": {"p50": 4, "p90": 5, "p99": 6},
    "histogram": [{"from": 1, "to": 16, "rows": 8}],
    "audited_rows": 8,
    **FIGURES,
}


@pytest.fixture
def run():
    app = typer.Typer()
    app.command()(command.prepare)
    screen.forget_consoles()

    def run_one(*words):
        return CliRunner().invoke(app, [str(word) for word in words])

    yield run_one
    screen.forget_consoles()


@pytest.fixture
def rows(tmp_path):
    path = tmp_path / "rows.jsonl"
    path.write_text((json.dumps(ROW) + "\n") * 2 + '{"messages": []}\n', encoding="utf-8")
    return path


def test_json_is_one_document_with_every_key(run, rows, tmp_path):
    done = run(rows, "--output", tmp_path / "out", "--on-bad-row", "skip", "--json")
    facts = json.loads(done.stdout)
    assert done.exit_code == 0
    assert (facts["rows_read"], facts["rows_kept"], facts["dropped"]) == (3, 2, {"no_messages": 1})
    assert (facts["train_rows"], facts["validation_rows"], facts["format"]) == (2, 0, "messages")
    assert [found["id"] for found in facts["findings"]] == ["prepare.skipped", "prepare.duplicates"]
    assert "tokens" not in facts
    assert f"--data {tmp_path / 'out'}" in done.stderr.replace("\n", "")


def test_a_person_reads_counts_and_the_next_command(run, rows, tmp_path):
    done = run(rows, "--output", tmp_path / "out", "--on-bad-row", "skip")
    assert "dropped: no_messages" in done.stdout
    assert "repeat an earlier row" in done.stderr
    assert "jlora train" in done.stderr
    assert (tmp_path / "out/dataset.json").is_file()


def test_a_bad_row_is_left_to_the_front_door(run, rows, tmp_path):
    done = run(rows, "--output", tmp_path / "out")
    assert isinstance(done.exception, JloraError)
    assert "line 3" in done.exception.problem
    assert not (tmp_path / "out").exists()


def test_options_reach_the_worker(run, tmp_path, monkeypatch):
    asked = {}

    def worker(sources, **given):
        asked.update(given, sources=sources)
        return preparing.Prepared(
            given["output"],
            9,
            9,
            {},
            8,
            1,
            "dolly",
            [],
            TOKENS,
        )

    monkeypatch.setattr(preparing, "prepare", worker)
    done = run(
        "a.jsonl",
        "org/b",
        "--output",
        tmp_path,
        "--model",
        "org/m",
        "--format",
        "dolly",
        "--template",
        "alpaca-ja",
        "--validation",
        "0.1",
        "--max-length",
        "64",
        "--dedupe",
        "--stock-parity",
    )
    assert done.exit_code == 0
    assert asked["sources"] == ["a.jsonl", "org/b"]
    assert asked["rules"] == Rules(format="dolly", dedupe="exact", validation="0.1")
    assert asked["audit"] == Audit("org/m", "alpaca-ja", 64, stock_parity=True)
    assert "Tokens: 1,234 in all" in done.stdout
    assert "--model org/m" in done.stderr
    assert "12.30 of 1,000 (prompts 10.00, answers 20.00)" in done.stdout
    assert "🐈 1,234, \\u3000 2" in done.stdout
    assert "EOS 2, BOS –, PAD 2, UNK 0 (not distinct)" in done.stdout
    assert "stock T5Tokenizer (transformers 5.23.0) would give other ids for 3 of 9" in done.stderr


def test_a_model_audits_the_rows(run, rows, tmp_path):
    words = ["--on-bad-row", "skip", "--model", "demo", "--json"]
    done = run(rows, "--output", tmp_path / "out", *words)
    tokens = json.loads(done.stdout)["tokens"]
    assert done.exit_code == 0
    assert tokens["survives"]["newlines"] is True
    assert tokens["special_ids"]["inside_embedding"] is True
    assert "stock_parity" not in tokens


def test_every_rule_reaches_the_worker(run, tmp_path, monkeypatch):
    asked = {}

    def worker(sources, **given):
        asked.update(given, sources=sources)
        return preparing.Prepared(given["output"], 1, 1, {}, 1, 0, "dialogue", [])

    monkeypatch.setattr(preparing, "prepare", worker)
    words = "--map messages=log --map user=客 --encoding cp932 --shuffle --limit 9 --sample 8"
    words += " --seed 7 --parquet --format dialogue"
    assert run("a.jsonl", "--output", tmp_path, *words.split(), "--dedupe", "near").exit_code == 0
    assert asked["sources"] == ["a.jsonl"]
    assert asked["rules"] == Rules(
        format="dialogue",
        mapping=parse_mapping(["messages=log", "user=客"]),
        encoding="cp932",
        dedupe="near",
        shuffle=True,
        limit=9,
        sample=8,
        seed=7,
        parquet=True,
    )


def test_near_without_a_source_is_wrong_use(run, tmp_path):
    done = run("--dedupe", "near", "--output", tmp_path / "out")
    assert done.exit_code == 2
    assert "SOURCE" in done.stderr


def test_a_file_named_near_is_a_source_where_nothing_is_dropped(run, tmp_path, monkeypatch):
    seen = []

    def worker(sources, **given):
        seen.extend(sources)
        return preparing.Prepared(given["output"], 1, 1, {}, 1, 0, "text", [])

    monkeypatch.setattr(preparing, "prepare", worker)
    assert run("near", "--output", tmp_path).exit_code == 0
    assert seen == ["near"]


def test_a_person_sees_how_each_file_was_read(run, tmp_path):
    for number in range(14):
        text = "question,answer\nこれは何ですか,それは猫です\n"
        (tmp_path / f"{number:02}.csv").write_bytes(text.encode("cp932"))
    done = run(tmp_path, "--output", tmp_path.with_name("out"), "--model", "demo", "--dedupe")
    assert done.exit_code == 0
    assert "question_answer (question, answer)" in done.stdout
    assert "cp932" in done.stdout
    assert "and 2 more files" in done.stdout
    assert "dropped: duplicate" in done.stdout
    assert "█" in done.stdout
    assert "Half of the rows have up to" in done.stdout
    assert "turns: assistant" in done.stdout
    assert "13 more files are like it." in done.stderr
    assert "⟦それは猫です" in done.stderr


@pytest.mark.parametrize("words", [["--max-length", "8"], ["--stock-parity"]])
def test_what_is_measured_with_a_tokenizer_needs_a_model(words, run, rows, tmp_path):
    done = run(rows, "--output", tmp_path / "out", *words)
    assert done.exit_code == 2
    assert "--model" in done.stderr


@pytest.mark.parametrize(
    "words", [[], ["a.jsonl"], ["a.jsonl", "--output", "o", "--on-bad-row", "x"]]
)
def test_wrong_use_is_exit_2(run, words):
    assert run(*words).exit_code == 2


def test_the_help_names_every_format():
    assert ", ".join(FORMATS) == command.FORMATS


def test_every_sentence_has_its_remedy():
    refusals = [key for key in CATALOGUE if key.startswith(("data.row.", "hub."))]
    seen = [key for key in refusals if not key.endswith(".fix")]
    assert len(seen) > 40
    assert [key for key in seen if f"{key}.fix" not in CATALOGUE] == []
