"""`jlora infer` prints the answer alone, or writes a whole file of answered rows, or refuses."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner

from jlora_cli import generation, screen
from jlora_cli.commands import infer as command
from jlora_cli.dataset import Message
from jlora_cli.errors import JloraError
from jlora_cli.generation import Answer, Answerer, load_answerer
from jlora_cli.model import Placement
from jlora_cli.run_folder import open_source
from jlora_cli.sampling import Sampling

GREEDY = ("--temperature", "0", "--max-new-tokens", "8")
SAMPLING = Sampling(max_new_tokens=8, temperature=0.0)
FOREIGN_BASE = Path("../shared/bad/good/base")
ROWS = [
    {"prompt": "吾輩は猫である。", "id": 7, "note": "ｶﾞ Ａ１"},
    {"messages": [{"role": "system", "content": "猫"}, {"role": "user", "content": "名前は？"}]},
    {"prompt": "🐈", "answer": "古い", "tags": ["髙﨑", None]},
    {
        "messages": [
            {"role": "user", "content": "どこで\n生れた？"},
            {"role": "assistant", "content": "見当がつかぬ。"},
        ]
    },
]


@pytest.fixture
def run():
    """The command; a refusal is raised."""
    app = typer.Typer()
    app.command()(command.infer)

    def call(*words):
        screen.forget_consoles()
        done = CliRunner().invoke(app, [str(word) for word in words])
        screen.forget_consoles()
        if isinstance(done.exception, JloraError):
            raise done.exception
        return done

    return call


@pytest.fixture(scope="module")
def answerer(tiny_run):
    return load_answerer(open_source(str(tiny_run)), Placement())


@pytest.fixture
def rows(tmp_path):
    path = tmp_path / "rows.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in ROWS), encoding="utf-8")
    return path


class Reciter:
    """A model that says the same pieces to everyone."""

    def __init__(self, *pieces):
        self.pieces = pieces

    def answer(self, messages, sampling, on_text=None):
        for piece in self.pieces if on_text else ():
            on_text(piece)
        return Answer("".join(self.pieces), [1], "length", 3)


# --- one prompt -----------------------------------------------------------------------------


def test_stdout_is_the_answer_alone(run, tiny_run, answerer):
    done = run(tiny_run, "--prompt", "吾輩は何ですか？", *GREEDY)
    expected = answerer.answer([Message("user", "吾輩は何ですか？")], SAMPLING)
    assert (done.exit_code, done.stdout) == (0, expected.text + "\n")
    assert done.stderr == ("Sampling: max_new_tokens 8, temperature 0 (as asked)\n")


def test_json_is_one_document_with_the_keys_of_the_contract(run, tiny_run, answerer):
    done = run(tiny_run, "--prompt", "🐈", *GREEDY, "--json")
    expected = answerer.answer([Message("user", "🐈")], SAMPLING)
    found = json.loads(done.stdout)
    assert found.pop("seconds_to_first_token") > 0
    assert found.pop("tokens_per_second") > 0
    assert found.pop("sampling")["temperature"] == {"value": 0.0, "source": "option"}
    assert found.pop("placement")["device"] == "cpu"
    assert found == {
        "prompt": "🐈",
        "answer": expected.text,
        "finish_reason": expected.finish_reason,
        "prompt_tokens": expected.prompt_tokens,
        "answer_tokens": expected.answer_tokens,
    }


def test_model_text_is_printed_as_it_is(run, tiny_run, monkeypatch):
    pieces = ("[INST]", ":cat:[/INST]", "[bold]太字[/bold]\t", "\r\n", "  ｶﾞ", "\n\n")
    monkeypatch.setattr(generation, "load_answerer", lambda *_, **__: Reciter(*pieces))
    done = run(tiny_run, "--prompt", "猫")
    assert done.stdout_bytes.decode() == "".join(pieces) + "\n"


def test_a_system_message_stands_before_the_prompt(run, tiny_run, answerer):
    done = run(tiny_run, "--prompt", "猫", "--system", "猫として話す", *GREEDY, "--json")
    asked = [Message("system", "猫として話す"), Message("user", "猫")]
    found = json.loads(done.stdout)
    assert found["answer"] == answerer.answer(asked, SAMPLING).text
    assert found["prompt_tokens"] == len(answerer.prompter.prompt_ids(asked))
    assert found["prompt_tokens"] != len(answerer.prompter.prompt_ids(asked[1:]))


def test_template_none_continues_the_bare_text(run, tiny_run, answerer):
    done = run(tiny_run, "--prompt", "吾輩は", "--template", "none", *GREEDY, "--json")
    bare = answerer.prompter.tokenizer.encode("吾輩は")
    assert json.loads(done.stdout)["prompt_tokens"] == len(bare)


def test_sampling_options_reach_the_model(run, tiny_run, monkeypatch):
    heard = []
    monkeypatch.setattr(
        Answerer,
        "answer",
        lambda _, m, s, t: heard.append((list(m), s)) or Answer("", [], "eos", 1),
    )
    options = {"max-new-tokens": 5, "temperature": 0.3, "top-p": 0.4, "top-k": 6, "seed": 9}
    words = [word for name, value in options.items() for word in (f"--{name}", value)]
    words += ["--no-repeat-ngram-size", 3, "--stop", r"\n", "--stop", "。"]
    run(tiny_run, "--prompt", "猫", *words, "--repetition-penalty", "1.5")
    run(tiny_run, "--prompt", "猫")
    assert heard == [
        ([Message("user", "猫")], Sampling(5, 0.3, 0.4, 6, 1.5, 9, ("\n", "。"), 3)),
        ([Message("user", "猫")], Sampling(256, 0.7, 0.75, 40, 1.0, 42)),
    ]


def test_how_to_load_is_asked_of_the_options(run, tiny_run):
    with pytest.raises(JloraError) as refusal:
        run(tiny_run, "--prompt", "猫", "--quantization", "4bit", "--device", "cpu")
    assert refusal.value.remedy == "use --quantization none"


def test_an_adapter_on_other_weights_is_warned_of_on_stderr(run, tiny_run, tiny_base, tmp_path):
    from tests.tiny_models import save_tiny_model

    other = save_tiny_model(tmp_path / "other", seed=1)
    done = run(tiny_run, "--base", other, "--prompt", "猫", *GREEDY)
    assert done.exit_code == 0
    assert f"! {tiny_run / 'adapter'} was trained on other weights" in done.stderr
    assert "trained on" not in done.stdout


def test_a_merged_folder_is_asked_under_the_same_prompt_ids(run, tiny_run, tmp_path, answerer):
    from jlora_cli.merging import merge

    merge(open_source(str(tiny_run)), tmp_path / "merged")
    whole = load_answerer(open_source(str(tmp_path / "merged")), Placement())
    asked = [Message("user", "ｶﾞｷﾞと\nＡ１")]
    assert whole.prompter.prompt_ids(asked) == answerer.prompter.prompt_ids(asked)
    both = [run(s, "--prompt", "猫", *GREEDY).stdout for s in (tiny_run, tmp_path / "merged")]
    assert both[0] == both[1]


@pytest.mark.skipif(not FOREIGN_BASE.is_dir(), reason="the shared inputs are not here")
def test_a_plain_model_folder_answers(run):
    words = ("--prompt", "こんにちは", "--max-new-tokens", "4", "--json")
    done = run(FOREIGN_BASE, *words)
    found = json.loads(done.stdout)
    assert (found["answer_tokens"], found["finish_reason"]) == (4, "length")


# --- a file of them -------------------------------------------------------------------------


def test_rows_are_answered_in_input_order_and_keep_their_keys(run, tiny_run, answerer, rows):
    output = rows.parent / "answered.jsonl"
    done = run(tiny_run, "--input", rows, "--output", output, *GREEDY, "--batch-size", "3")
    text = output.read_text(encoding="utf-8")
    answered = [json.loads(line) for line in text.splitlines()]
    asked = [
        [Message("user", "吾輩は猫である。")],
        [Message("system", "猫"), Message("user", "名前は？")],
        [Message("user", "🐈")],
        [Message("user", "どこで\n生れた？")],  # the answer at its end is what is asked for
    ]
    expected = [answerer.answer(messages, SAMPLING) for messages in asked]
    assert answered == [
        {
            **row,
            "answer": answer.text,
            "finish_reason": answer.finish_reason,
            "prompt_tokens": answer.prompt_tokens,
            "answer_tokens": answer.answer_tokens,
        }
        for row, answer in zip(ROWS, expected, strict=True)
    ]
    assert "髙﨑" in text
    assert done.stdout == ""
    assert done.stderr.endswith(f"4 answers written to {output}\n")


def test_a_system_message_is_for_rows_that_have_none(run, tiny_run, answerer, rows):
    output = rows.parent / "out.jsonl"
    run(tiny_run, "--input", rows, "--output", output, "--system", "ｶﾞ", *GREEDY)
    counts = [json.loads(line)["prompt_tokens"] for line in output.read_text().splitlines()]
    asked = [
        [Message("system", "ｶﾞ"), Message("user", "吾輩は猫である。")],
        [Message("system", "猫"), Message("user", "名前は？")],
        [Message("system", "ｶﾞ"), Message("user", "🐈")],
        [Message("system", "ｶﾞ"), Message("user", "どこで\n生れた？")],
    ]
    assert counts == [len(answerer.prompter.prompt_ids(messages)) for messages in asked]


def test_a_prepared_input_is_asked_as_in_the_training(run, tiny_base, tmp_path):
    user = {"role": "user", "content": "訳して。\n\n吾輩は猫"}
    path = tmp_path / "rows.jsonl"
    path.write_text(json.dumps({"messages": [user], "input": "吾輩は猫"}), encoding="utf-8")
    words = ("--input", path, "--output", tmp_path / "out.jsonl", "--template", "alpaca-ja")
    run(tiny_base, *words, *GREEDY)
    row = json.loads((tmp_path / "out.jsonl").read_text(encoding="utf-8"))
    answerer = load_answerer(open_source(str(tiny_base)), Placement(), template="alpaca-ja")
    asked = [Message("user", "訳して。\n\n吾輩は猫")]
    ids = answerer.prompter.prompt_ids(asked, input="吾輩は猫")
    assert row["prompt_tokens"] == len(ids)
    assert "### 入力:\n吾輩は猫\n" in answerer.prompter.tokenizer.decode(ids)


def test_byte_order_mark_blank_lines_and_windows_line_ends_are_read(run, tiny_run, tmp_path):
    path = tmp_path / "rows.jsonl"
    path.write_bytes('\ufeff{"prompt": "猫"}\r\n\r\n{"prompt": "犬"}\r\n'.encode())
    run(tiny_run, "--input", path, "--output", tmp_path / "out.jsonl", *GREEDY)
    answered = (tmp_path / "out.jsonl").read_text(encoding="utf-8").splitlines()
    assert [json.loads(line)["prompt"] for line in answered] == ["猫", "犬"]


@pytest.mark.parametrize(
    "line",
    [
        "{prompt: 猫}",
        '"prompt"',
        '["prompt"]',
        "null",
        "7",
        '{"text": "猫"}',
        '{"prompt": 7}',
        '{"prompt": null}',
        '{"messages": []}',
        '{"messages": "猫"}',
        '{"messages": [{"role": "user"}]}',
        '{"messages": [{"role": "user", "content": null}]}',
        '{"messages": [{"role": "tool", "content": "猫"}]}',
        '{"messages": [{"role": "system", "content": "猫"}]}',
        '{"messages": [{"role": "assistant", "content": "猫"}]}',
        "[" * 100_000,
    ],
)
def test_a_bad_row_is_named_by_its_line_before_anything_is_loaded(
    run, tiny_run, tmp_path, monkeypatch, line
):
    monkeypatch.setattr(generation, "load_answerer", lambda *a, **k: pytest.fail("loaded"))
    path = tmp_path / "rows.jsonl"
    path.write_text(f'{{"prompt": "猫"}}\n\n{line}\n', encoding="utf-8")
    with pytest.raises(JloraError) as refusal:
        run(tiny_run, "--input", path, "--output", tmp_path / "out.jsonl")
    assert f"{path}:3" in refusal.value.problem or f"{path} line 3" in refusal.value.problem
    assert not (tmp_path / "out.jsonl").exists()


def test_a_row_too_long_for_the_model_is_named_before_any_is_answered(
    run, tiny_run, tmp_path, monkeypatch
):
    monkeypatch.setattr(Answerer, "answer_each", lambda *a, **k: pytest.fail("answered"))
    path = tmp_path / "rows.jsonl"
    path.write_text('{"prompt": "猫"}\n{"prompt": "' + "猫" * 300 + '"}\n', encoding="utf-8")
    with pytest.raises(JloraError, match=r"rows\.jsonl line 2: the prompt and --max-new-tokens"):
        run(tiny_run, "--input", path, "--output", tmp_path / "out.jsonl", *GREEDY)


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (None, "does not exist"),
        ('{"prompt": "吾輩は猫"}\n'.encode() + b'{"prompt": "\x81"}\n', "line 2"),
        (b"", "rows"),
    ],
)
def test_a_file_that_cannot_be_read_is_refused(run, tiny_run, tmp_path, content, said):
    path = tmp_path / "rows.jsonl"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(JloraError) as refusal:
        run(tiny_run, "--input", path, "--output", tmp_path / "out.jsonl")
    assert str(path) in refusal.value.problem
    assert said in refusal.value.problem


@pytest.mark.parametrize("made", [Path.touch, Path.mkdir])
def test_an_output_that_exists_is_refused_before_anything_is_loaded(
    run, tiny_run, rows, monkeypatch, made
):
    monkeypatch.setattr(generation, "load_answerer", lambda *a, **k: pytest.fail("loaded"))
    made(rows.parent / "out.jsonl")
    with pytest.raises(JloraError, match=r"out\.jsonl exists already"):
        run(tiny_run, "--input", rows, "--output", rows.parent / "out.jsonl")


def test_an_output_without_a_folder_is_refused_before_anything_is_loaded(
    run, tiny_run, rows, monkeypatch
):
    monkeypatch.setattr(generation, "load_answerer", lambda *a, **k: pytest.fail("loaded"))
    with pytest.raises(JloraError, match=r"the folder of .*out\.jsonl does not exist"):
        run(tiny_run, "--input", rows, "--output", rows.parent / "無い" / "out.jsonl")


def test_a_run_that_is_stopped_half_way_leaves_no_output_but_what_it_knows(
    run, tiny_run, rows, monkeypatch
):
    def stop_half_way(self, event):
        if event.done > 1:
            raise KeyboardInterrupt

    monkeypatch.setattr(screen.Teller, "notify", stop_half_way)
    words = ("--input", rows, "--output", rows.parent / "out.jsonl", "--batch-size", "1", *GREEDY)
    done = run(tiny_run, *words)
    assert done.exit_code != 0
    left = sorted(path.name for path in rows.parent.iterdir())
    assert left == ["out.jsonl.journal", "rows.jsonl"]
    assert "the same command goes on" in done.stderr


def test_a_full_disk_is_refused_in_the_user_s_words(run, tiny_run, rows, monkeypatch):
    from jlora_cli.bulk import answering

    def full(path, text):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(answering, "write_whole", full)
    with pytest.raises(JloraError, match=r"cannot write .*out\.jsonl: No space left on device"):
        run(tiny_run, "--input", rows, "--output", rows.parent / "out.jsonl", *GREEDY)


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ((), "give either --prompt or --input"),
        (("--prompt", "猫", "--input", "a.jsonl", "--output", "b"), "give either --prompt"),
        (("--input", "a.jsonl"), "--input and --output belong together"),
        (("--prompt", "猫", "--output", "b.jsonl"), "--input and --output belong together"),
    ],
)
def test_other_combinations_are_usage_faults(run, tiny_run, words, said):
    done = run(tiny_run, *words)
    assert done.exit_code == 2
    assert said in " ".join(done.stderr.replace("│", " ").split())


# --- samples, parts, templates --------------------------------------------------------------


def test_several_samples_are_those_of_counted_seeds_a_blank_line_between(run, tiny_run, answerer):
    words = ("--temperature", "1", "--top-p", "1", "--top-k", "0", "--max-new-tokens", "8")
    done = run(tiny_run, "--prompt", "猫", "--num-samples", "3", "--seed", "7", *words)
    drawn = Sampling(8, 1.0, 1.0, 0)
    expected = [
        answerer.answer([Message("user", "猫")], replace(drawn, seed=seed)).text
        for seed in (7, 8, 9)
    ]
    assert len(set(expected)) > 1
    assert done.stdout == "\n\n".join(expected) + "\n"


def test_greedy_samples_would_be_the_same_and_are_refused_before_anything_is_loaded(
    run, tiny_run, monkeypatch
):
    monkeypatch.setattr(generation, "load_answerer", lambda *a, **k: pytest.fail("loaded"))
    with pytest.raises(JloraError, match="the temperature is 0"):
        run(tiny_run, "--prompt", "猫", "--num-samples", "2", *GREEDY)


def test_a_template_writes_a_line_of_one_s_own(run, tiny_run, answerer):
    words = ("--output-template", r"{prompt}\t{answer}\t{finish_reason}", "--extract", "strip")
    done = run(tiny_run, "--prompt", "猫", *words, *GREEDY)
    expected = answerer.answer([Message("user", "猫")], SAMPLING)
    assert done.stdout == f"猫\t{expected.text.strip()}\t{expected.finish_reason}\n"


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--extract", "regex:("), "is no regular expression"),
        (("--extract", "yaml"), "--extract yaml is not known"),
        (("--output-template", "{answer"), "cannot be read"),
        (("--output-template", "{id}"), "names {id}, which --prompt has not"),
    ],
)
def test_what_cannot_be_written_is_refused_before_anything_is_loaded(
    run, tiny_run, monkeypatch, words, said
):
    monkeypatch.setattr(generation, "load_answerer", lambda *a, **k: pytest.fail("loaded"))
    with pytest.raises(JloraError) as refusal:
        run(tiny_run, "--prompt", "猫", *words)
    assert said in refusal.value.problem


def test_a_template_of_a_key_that_a_row_has_not_names_that_row(run, tiny_run, rows, monkeypatch):
    monkeypatch.setattr(generation, "load_answerer", lambda *a, **k: pytest.fail("loaded"))
    words = ("--input", rows, "--output", rows.parent / "out.txt", "--output-template", "{id}")
    with pytest.raises(JloraError) as refusal:
        run(tiny_run, *words)
    assert refusal.value.problem == f"--output-template names {{id}}, which {rows}:2 has not"


def test_a_table_becomes_lines_of_a_template(run, tiny_run, tmp_path):
    table = tmp_path / "質問.csv"
    table.write_text("\ufeffid,prompt\n7,猫\n8,犬\n", encoding="utf-8")
    output = tmp_path / "out.tsv"
    words = ("--input", table, "--output", output, "--output-template", r"{id}\t{prompt_tokens}")
    done = run(tiny_run, *words, "--extract", "regex:決して無い", *GREEDY)
    lines = output.read_text(encoding="utf-8").splitlines()
    assert [line.split("\t")[0] for line in lines] == ["7", "8"]
    assert "in 2 answers, --extract found nothing" in done.stderr


def test_json_of_a_file_is_a_summary(run, tiny_run, rows):
    words = ("--input", rows, "--output", rows.parent / "out.jsonl", *GREEDY, "--json")
    found = json.loads(run(tiny_run, *words).stdout)
    assert (found["rows"], found["answers"], found["resumed"]) == (4, 4, 0)
    assert found["tokens_per_second"] > 0
    assert found["seconds_to_first_token"] > 0
    assert found["sampling"]["max_new_tokens"] == {"value": 8, "source": "option"}
    assert found["placement"]["precision"] == "float32"


def test_the_same_command_goes_on_and_says_so(run, tiny_run, rows, monkeypatch):
    words = ("--input", rows, "--output", rows.parent / "out.jsonl", "--batch-size", "1", *GREEDY)
    with monkeypatch.context() as patch:

        def stop_half_way(self, event):
            if getattr(event, "done", 0) > 1:
                raise KeyboardInterrupt

        patch.setattr(screen.Teller, "notify", stop_half_way)
        run(tiny_run, *words)
    done = run(tiny_run, *words)
    assert "2 of 4 rows are answered already; going on" in done.stderr
    assert len((rows.parent / "out.jsonl").read_text(encoding="utf-8").splitlines()) == 4


# --- probabilities --------------------------------------------------------------------------


def test_probabilities_stand_beside_each_token_in_json(run, tiny_run):
    done = run(tiny_run, "--prompt", "猫", *GREEDY, "--json", "--show-probabilities")
    found = json.loads(done.stdout)
    assert len(found["tokens"]) == found["answer_tokens"]
    first = found["tokens"][0]
    assert first["probability"] == pytest.approx(first["alternatives"][0]["probability"])
    assert len(first["alternatives"]) == 5


def test_probabilities_are_a_table_behind_the_answer(run, tiny_run, answerer):
    done = run(tiny_run, "--prompt", "猫", *GREEDY, "--show-probabilities")
    expected = answerer.answer([Message("user", "猫")], SAMPLING)
    answer, _, table = done.stdout.partition("\n")
    assert done.stdout.startswith(expected.text.partition("\n")[0])
    assert answer
    assert "instead of it" in table
    assert table.count("%") >= 5 * expected.answer_tokens


def test_probabilities_are_drawn_in_a_page(run, tiny_run, tmp_path):
    page = tmp_path / "確率.html"
    done = run(tiny_run, "--prompt", "猫<b>", *GREEDY, "--html", page)
    text = page.read_text(encoding="utf-8")
    assert "<title>猫&lt;b&gt;</title>" in text
    assert "Answer by probability" in text
    assert "http" not in text
    assert f"Page written to {page}" in done.stderr


def test_a_page_that_cannot_be_written_is_refused(run, tiny_run, tmp_path):
    with pytest.raises(JloraError, match="cannot write"):
        run(tiny_run, "--prompt", "猫", *GREEDY, "--html", tmp_path / "無い" / "a.html")


# --- how it is loaded -----------------------------------------------------------------------


def test_an_adapter_trained_in_4_bits_answers_in_full_precision_without_a_gpu_and_says_so(
    run, tiny_run, tmp_path
):
    adapter = Path(shutil.copytree(tiny_run / "adapter", tmp_path / "adapter"))
    card = json.loads((adapter / "jlora.json").read_text(encoding="utf-8"))
    card["training"]["quantization"] = "4bit"
    (adapter / "jlora.json").write_text(json.dumps(card), encoding="utf-8")
    done = run(adapter, "--prompt", "猫", *GREEDY, "--device", "cpu", "--json")
    assert json.loads(done.stdout)["placement"]["quantization"] == "none"
    assert "trained in 4bit, answering in full precision: the device is cpu" in done.stderr
