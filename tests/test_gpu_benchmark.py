"""The benchmark on GPUs stays ready: on a CPU it goes through with a tiny model. No timing here."""

from __future__ import annotations

import json
import subprocess

import pytest

from benchmarks.gpu import __main__ as command
from benchmarks.gpu import page
from benchmarks.gpu.contestants import CONTESTANTS, epoch_s, lack_of, named, rows_for
from benchmarks.gpu.judging import judge, with_shares
from benchmarks.gpu.rows import make_lengths, make_row
from benchmarks.gpu.shapes import SHAPES, Work, flops_of, work_of
from jlora_cli.prompt import IGNORED, Encoded
from jlora_cli.shape import read_shape


@pytest.mark.filterwarnings("ignore")
def test_every_contestant_that_a_cpu_can_be_is_measured(tmp_path, capsys):
    output = tmp_path / "gpu.json"

    assert command.main(["--tiny", "--output", str(output)]) == 0

    known = json.loads(output.read_text(encoding="utf-8"))
    results = known["results"]
    assert list(results) == [each.name for each in CONTESTANTS]
    skipped = {name for name, found in results.items() if found["status"] == "skipped"}
    assert skipped == {each.name for each in CONTESTANTS if lack_of(each, tiny=True)}
    assert {"rate", "recipe", "h200", "a100", "a100-4bit", "qwen3-8b 4bit"}.isdisjoint(skipped)
    for name in ("recipe", "h200", "a100-4bit", "qwen3-8b 4bit"):
        found = results[name]
        # Two steps of 32 rows; those of the recipe are cut.
        assert (found["steps"], found["rows_per_s"] > 0) == (2, True)
        assert found["epoch_s"] == pytest.approx(320 / found["rows_per_s"], abs=0.1)
        assert 0 < found["share_of_own"] < 2
        assert found["peak_gib"] > 0
    settings = results["a100-4bit"]["settings"]
    assert (settings["quantization"], settings["batch_size"]) == ("4bit", 16)
    assert settings["precision"] == "float32"
    assert settings["lora_targets"] == ["query_key_value"]
    assert results["agreement"]["agrees"] is True
    assert results["agreement"]["tensors"] == 4  # A and B of two blocks
    told = capsys.readouterr().out.splitlines()
    assert [line.split("  ")[0].strip() for line in told] == list(results)


def test_without_a_gpu_nothing_is_measured_and_nothing_written(monkeypatch, capsys):
    monkeypatch.setattr(command, "_no_gpu", lambda: True)

    assert command.main([]) == 1
    assert "nothing measured" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("left", "happens", "status", "reason"),
    [
        (5, None, "skipped", "no time left"),
        (400, subprocess.TimeoutExpired("python", 90), "failed", "not through after 90 s"),
        (40, subprocess.TimeoutExpired("python", 40), "failed", "not through after 40 s"),
        (400, subprocess.CompletedProcess("python", 1, "", "CUDA error\n"), "failed", "CUDA error"),
    ],
)
def test_a_contestant_that_does_not_come_through_is_told_with_the_reason(
    monkeypatch, left, happens, status, reason
):
    def run(*_, timeout, **__):
        assert timeout == min(90, left)
        if isinstance(happens, Exception):
            raise happens
        return happens

    monkeypatch.setattr(command.subprocess, "run", run)

    found = command._measured(named("h200"), left, tiny=False)

    assert found == {"status": status, "reason": reason}


def test_what_is_not_compiled_is_not_told_as_if_it_were():
    from benchmarks.gpu import own

    asked = {"compile": True}
    resolved = own.resolve(own.load_profile("h200").resolved_values(), own.parse_options(asked))

    assert own._against(resolved, asked) == ""
    refused = resolved.with_auto({"compile": (False, "no compiler")})
    assert own._against(refused, asked) == "no compiler"
    assert own._against(refused, {"compile": False}) == ""


def test_what_is_not_installed_is_skipped(monkeypatch):
    monkeypatch.setattr("importlib.util.find_spec", lambda _: None)

    assert lack_of(named("qwen3-8b trl"), tiny=False) == "trl is not installed"
    assert lack_of(named("h200"), tiny=False) == ""


# -- rows and work --------------------------------------------------------------------------------


def test_the_rows_have_150_tokens_on_average_and_are_the_same_everywhere():
    lengths = make_lengths()

    assert len(lengths.lengths) == 15_015
    assert sum(lengths.lengths) / 15_015 == pytest.approx(150, abs=0.1)
    assert (min(lengths.lengths), max(lengths.lengths)) == (12, 512)
    assert sum(lengths.supervised) / sum(lengths.lengths) == pytest.approx(0.5, abs=0.01)
    assert lengths == make_lengths()
    row = make_row(7, lengths, 32_000)
    assert (len(row.ids), row.supervised) == (lengths.lengths[7], lengths.supervised[7])
    assert row == make_row(7, lengths, 32_000)


def test_flops_by_hand():
    rows = [Encoded([1, 2, 3], [IGNORED, 2, 3]), Encoded([4], [IGNORED])]
    work = work_of(rows)

    assert work == Work(tokens=4, supervised=2, pairs=7, rows=2)  # 1 + 2 + 3 and 1
    # GPT-NeoX: 36 blocks of 12 x 2816 x 2816 weights, 3 of them before attention. Those of the
    # first get no gradient below them; of the last, 9 look at 2 of the 4 tokens.
    linear = (4 * 36 * 12 * 4 - 2 * 3 * 4 - 4 * 9 * 2) * 2816**2
    logits, attention = 4 * 32_000 * 2816 * 2, 12 * 36 * 2816 * 7
    assert flops_of(read_shape(SHAPES["neox-3.6b"]), work) == linear + logits + attention


def test_shapes_have_the_parameters_that_they_are_named_for():
    sizes = {name: read_shape(shape).parameters / 1e9 for name, shape in SHAPES.items()}

    assert sizes == {
        "neox-3.6b": pytest.approx(3.61, abs=0.01),
        "qwen3-8b": pytest.approx(8.19, abs=0.01),
    }


# -- figures and pages ----------------------------------------------------------------------------


def figures(rows_per_s, flops_per_s=4e14):
    return {
        "status": "measured", "tokens_per_s": 150 * rows_per_s, "rows_per_s": rows_per_s,
        "step_s": 32 / rows_per_s, "peak_gib": 12.3, "first_step_s": 1.0,
        "flops_per_s": flops_per_s, "settings": {"attention": "varlen"},
    }  # fmt: skip


def made_up():
    """Results as an H200 might give them; nobody measured them."""
    results = {
        "rate": {"status": "measured", "own": 6e14, "square": 7e14},
        "recipe": figures(40.0),
        "h200": figures(210.0),
        "a100-4bit": figures(105.0),
        "h200 compiled": {"status": "failed", "reason": "not through after 150 s"},
    }
    with_shares(results, 15_015)
    return results


def test_targets_are_judged_by_the_fastest_profile_in_bfloat16():
    verdicts = judge(made_up())

    assert [(each["found"], each["reached"]) for each in verdicts] == [
        (71.5, "yes"), (0.667, "yes"), (5.25, "yes"), (2.0, "no"),
    ]  # fmt: skip
    assert {each["by"] for each in verdicts} == {"h200"}
    assert {each["reached"] for each in judge({})} == {"not measured"}


def test_pages_say_what_is_known_in_both_languages():
    known = {
        "machine": {"device": "NVIDIA H200", "packages": {"torch": "2.13.0"}},
        "results": made_up(),
        "targets": judge(made_up()),
    }

    english, japanese = page.page(known, "en"), page.page(known, "ja")

    assert "Measured on NVIDIA H200, torch 2.13.0." in english
    assert "| h200 | varlen | 31,500 | 210.0 | 0.152 | 67% | 57% | 12.3 | 72 | 1.0 |" in english
    assert "| h200 compiled | failed |" in english
    assert "| a100 | not measured |" in english
    assert "| 4-bit within 1.4 times bfloat16 | 2 | no |" in english
    assert "`torch.mm` in bfloat16: 600 TFLOP/s" in english
    assert "| h200 | varlen | 31,500 |" in japanese
    assert "| a100 | 未測定 |" in japanese
    assert "NVIDIA H200、torch 2.13.0 で測定。" in japanese


def test_the_pages_are_current():
    assert {path: path.read_text(encoding="utf-8") for path in page.PAGES.values()} == page.pages()


def test_an_epoch_takes_its_rows_by_their_pace():
    assert epoch_s({"rows_per_s": 25.7}, 15_015) == pytest.approx(584, abs=1)  # the A100's
    assert len(rows_for(tiny=True).lengths) == 320
