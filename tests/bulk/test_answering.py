"""A file of prompts is answered as each prompt alone would be, and survives a kill at any time."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import pytest

from jlora_cli.bulk import Job, Shaping, answer_rows, read_rows
from jlora_cli.dataset import Message
from jlora_cli.errors import JloraError
from jlora_cli.events import Answered, Stage
from jlora_cli.generation import Answerer, load_answerer
from jlora_cli.model import Placement
from jlora_cli.run_folder import open_source
from jlora_cli.sampling import Sampling
from tests.tiny_models import save_tiny_model

ROOT = Path(__file__).parents[2]
GREEDY = Sampling(max_new_tokens=6, temperature=0.0)
DRAWN = Sampling(max_new_tokens=6, temperature=1.0, top_p=1.0, top_k=0, seed=5)
PROMPTS = (
    "猫",
    "吾輩は猫である。名前はまだ無い。どこで生れたかとんと見当がつかぬ。",
    "ｶﾞｷﾞとＡ１🐈",
    "髙﨑さんと\n𠮷野さん",
    "Hello",
    "何でも薄暗いじめじめした所でニャーニャー",
    "はい",
)


@pytest.fixture(scope="module")
def answerer(tiny_run):
    return load_answerer(open_source(str(tiny_run)), Placement())


@pytest.fixture
def job(tmp_path):
    path = tmp_path / "rows.jsonl"
    lines = [json.dumps({"prompt": prompt, "id": n}) for n, prompt in enumerate(PROMPTS)]
    path.write_text("\n".join(lines), encoding="utf-8")
    return Job(read_rows(path), path, tmp_path / "out.jsonl", GREEDY, Shaping(), batch_size=3)


def answered(job):
    return [json.loads(line) for line in job.output.read_text(encoding="utf-8").splitlines()]


@pytest.mark.parametrize("architecture", ["gpt_neox", "gpt2", "llama", "qwen3", "gemma2"])
def test_batch_answers_are_those_of_each_prompt_alone(tmp_path, job, architecture):
    base = save_tiny_model(tmp_path / architecture, architecture)
    answerer = load_answerer(open_source(str(base)), Placement())
    answer_rows(answerer, job)
    alone = [answerer.answer([Message("user", prompt)], GREEDY).text for prompt in PROMPTS]
    assert [row["answer"] for row in answered(job)] == alone
    assert [row["id"] for row in answered(job)] == list(range(7))
    assert len(set(alone)) > 3


def test_the_longest_prompts_are_answered_first_in_batches_of_like_length(
    answerer, job, monkeypatch
):
    batches = []
    each = Answerer.answer_each

    def hear(self, conversations, *terms, **named):
        batches.append([turns[0].content for turns in conversations])
        return each(self, conversations, *terms, **named)

    monkeypatch.setattr(Answerer, "answer_each", hear)
    answer_rows(answerer, job)
    lengths = [
        [len(answerer.prompter.prompt_ids([Message("user", text)])) for text in batch]
        for batch in batches
    ]
    assert [len(batch) for batch in batches] == [3, 3, 1]
    flat = [length for batch in lengths for length in batch]
    assert flat == sorted(flat, reverse=True)
    assert len(set(flat)) > 3


def test_each_sample_is_drawn_from_a_seed_of_its_own(answerer, job):
    answer_rows(answerer, replace(job, sampling=DRAWN, samples=3))
    rows = answered(job)
    for number, prompt in enumerate(PROMPTS):
        expected = [
            answerer.answer([Message("user", prompt)], replace(DRAWN, seed=5 + 3 * number + n)).text
            for n in range(3)
        ]
        assert rows[number]["answers"] == expected
        assert rows[number]["answer"] == expected[0]
    assert any(len(set(row["answers"])) > 1 for row in rows)


def test_the_summary_counts_rows_answers_tokens_and_reasons(answerer, job):
    told = []
    summary = answer_rows(answerer, replace(job, sampling=DRAWN, samples=2), told.append)
    rows = answered(job)
    assert (summary.rows, summary.answers, summary.resumed) == (7, 14, 0)
    assert sum(summary.finish_reasons.values()) == 14
    assert summary.answer_tokens >= sum(row["answer_tokens"] for row in rows)
    assert summary.tokens_per_second > 0
    assert summary.seconds_to_first_token > 0
    assert told == [Answered(3, 7), Answered(6, 7), Answered(7, 7)]
    assert not job.journal.exists()


def test_what_could_not_be_extracted_is_counted(answerer, job):
    summary = answer_rows(answerer, replace(job, shaping=Shaping("regex:決して無い")))
    assert summary.not_extracted == 7
    assert [row["extracted"] for row in answered(job)] == [None] * 7


# --- going on ---------------------------------------------------------------------------------


class StoppedError(Exception):
    pass


def interrupted(answerer, job, after):
    """Run `job` until `after` rows are told of."""

    def stop(event):
        if isinstance(event, Answered) and event.done >= after:
            raise StoppedError

    with pytest.raises(StoppedError):
        answer_rows(answerer, job, stop)
    assert not job.output.exists()


@pytest.mark.parametrize("sampling", [GREEDY, DRAWN], ids=["greedy", "drawn"])
def test_a_run_that_went_on_is_byte_for_byte_one_that_was_never_ended(answerer, job, sampling):
    job = replace(job, sampling=sampling, samples=2 if sampling is DRAWN else 1)
    whole = replace(job, output=job.output.with_name("whole.jsonl"))
    answer_rows(answerer, whole)
    interrupted(answerer, job, 3)
    told = []
    summary = answer_rows(answerer, job, told.append)
    assert told[0] == Stage("infer.stage.resuming", {"done": 3, "total": 7})
    assert summary.resumed == 3
    assert job.output.read_bytes() == whole.output.read_bytes()
    assert not job.journal.exists()


@pytest.mark.parametrize("cut", [1, 7, 30, 200])
def test_a_line_that_was_cut_off_is_dropped_and_its_row_answered_again(answerer, job, cut):
    whole = replace(job, output=job.output.with_name("whole.jsonl"))
    answer_rows(answerer, whole)
    interrupted(answerer, job, 6)
    written = job.journal.read_bytes()
    job.journal.write_bytes(written[:-cut])
    assert answer_rows(answerer, job).resumed < 6
    assert job.output.read_bytes() == whole.output.read_bytes()


def test_a_journal_that_was_cut_off_in_its_first_line_begins_anew(answerer, job):
    job.journal.write_bytes(b'{"journal": 1, "ro')
    assert answer_rows(answerer, job).resumed == 0
    assert len(answered(job)) == 7


@pytest.mark.parametrize(
    ("change", "named"),
    [
        ({"sampling": replace(GREEDY, seed=1)}, "sampling"),
        ({"samples": 2}, "samples"),
        ({"batch_size": 2}, "batch_size"),
        ({"model": {"base": "other"}}, "model"),
    ],
)
def test_a_journal_of_other_settings_is_refused_and_left_alone(answerer, job, change, named):
    interrupted(answerer, job, 3)
    before = job.journal.read_bytes()
    with pytest.raises(JloraError) as refused:
        answer_rows(answerer, replace(job, **change))
    assert refused.value.problem.endswith(f"with other settings: {named} differ")
    assert job.journal.read_bytes() == before


def test_a_journal_of_other_rows_is_refused(answerer, job):
    interrupted(answerer, job, 3)
    with pytest.raises(JloraError, match="rows differ"):
        answer_rows(answerer, replace(job, rows=job.rows[:-1]))


def test_how_answers_are_written_may_change_when_a_run_goes_on(answerer, job):
    interrupted(answerer, job, 3)
    answer_rows(answerer, replace(job, shaping=Shaping("strip", "{id}:{finish_reason}")))
    lines = job.output.read_text(encoding="utf-8").splitlines()
    assert [line.partition(":")[0] for line in lines] == [str(n) for n in range(7)]


@pytest.mark.parametrize("content", [b"{\n", b"3\n", b"memo", b'{"journal": 1}\n{"row": 1}\n'])
def test_a_file_that_is_no_journal_is_refused_and_left_alone(answerer, job, content):
    job.journal.write_bytes(content)
    with pytest.raises(JloraError) as refused:
        answer_rows(answerer, job)
    assert str(job.journal) in refused.value.problem
    assert job.journal.read_bytes() == content


def test_a_journal_that_cannot_be_written_is_refused(answerer, job, monkeypatch):
    def full(_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(JloraError, match=r"cannot write .*journal: No space left"):
        answer_rows(answerer, job)


def test_a_killed_process_loses_no_batch_and_doubles_no_row(tiny_run, tmp_path):
    rows = tmp_path / "rows.jsonl"
    prompts = [prompt * (1 + n % 3) for n, prompt in enumerate(PROMPTS * 30)]
    rows.write_text("\n".join(json.dumps({"prompt": p}) for p in prompts), encoding="utf-8")
    words = [
        *(sys.executable, "-m", "jlora_cli", "infer", str(tiny_run), "--input", str(rows)),
        *("--max-new-tokens", "8", "--batch-size", "2", "--output"),
    ]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL, "env": environment}
    output, whole = tmp_path / "out.jsonl", tmp_path / "whole.jsonl"
    journal = tmp_path / "out.jsonl.journal"
    with subprocess.Popen([*words, str(output)], **quiet) as killed:
        while not (journal.exists() and journal.stat().st_size > 4000):
            assert killed.poll() is None
            time.sleep(0.001)
        killed.kill()
    assert killed.returncode != 0
    assert not output.exists()
    done = journal.read_bytes().count(b"\n") - 1
    assert 0 < done < len(prompts)
    subprocess.run([*words, str(output)], check=True, **quiet)
    subprocess.run([*words, str(whole)], check=True, **quiet)
    assert output.read_bytes() == whole.read_bytes()
    assert len(output.read_bytes().splitlines()) == len(prompts)
