"""The run's page: the values of the record, the model's text escaped, nothing from elsewhere."""

from __future__ import annotations

import json
import math
import re
from html.parser import HTMLParser

import pytest

from jlora_cli.errors import JloraError
from jlora_cli.messages import use_language
from jlora_cli.report import build_page, write_report

ATTACK = "<script>alert('にゃ')</script>"
# Elements that HTML closes by themselves.
VOID = {"meta", "circle", "line", "polyline"}


def a_record(**changes):
    """A finished run as `jlora train` records it."""
    record = {
        "status": "finished",
        "output": "runs/髙﨑 & 🐈",
        "jlora": "0.1.0",
        "begun_at": "2026-11-22T10:51:31+00:00",
        "versions": {"torch": "2.13.0", "bitsandbytes": None},
        "result": {
            "optimizer_steps": 84,
            "train_loss": 0.09925,
            "first_loss": 2.8641,
            "validation_loss": None,
            "tokens_per_second": 2754.4,
            "seconds": 8.53,
            "peak_memory_gib": 0.5812,
            "trainable_parameters": 131072,
        },
        "findings": [
            {
                "id": "few-rows",
                "severity": "warning",
                "evidence": "only 3 <rows>",
                "consequence": "by heart",
                "remedy": "write more",
            }
        ],
        "config": {
            "lora_targets": {"value": ["c_attn", "c_proj"], "source": "option", "reason": "--x"},
            "packing": {"value": True, "source": "auto", "reason": "proven equal for gpt2"},
            "max_steps": {"value": None, "source": "default", "reason": "default"},
            "sample_prompts": {"value": [], "source": "default", "reason": "default"},
        },
    }
    return record | changes


METRICS = [
    {"kind": "step", "step": 1, "loss": 4.0},
    {"kind": "step", "step": 2, "loss": 2.0},
    {"kind": "evaluation", "step": 2, "loss": 3.0},
]
SAMPLES = [
    {"when": "before", "prompt": "[INST]\nこんにちは", "answer": ATTACK},
    {"when": "after", "prompt": "[INST]\nこんにちは", "answer": "ｶﾞにゃ"},
    {"when": "after", "prompt": "Ａ１", "answer": "髙﨑𠮷です"},
]


class Reader(HTMLParser):
    """Elements still open at the end, attributes of all, and the cells of the tables."""

    def __init__(self):
        super().__init__()
        self.open, self.cells, self.tags, self.attributes = [], [], [], []

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        self.attributes += attrs
        if tag not in VOID:
            self.open.append(tag)
        if tag == "td":
            self.cells.append("")

    def handle_endtag(self, tag):
        if tag not in VOID:
            assert self.open.pop() == tag

    def handle_data(self, data):
        if self.open and self.open[-1] == "td":
            self.cells[-1] += data


def read(page):
    reader = Reader()
    reader.feed(page)
    reader.close()
    return reader


def test_the_figures_of_the_run_are_there():
    page = build_page(a_record(), METRICS, SAMPLES)

    shown = dict(re.findall(r"<div>([^<]+)<b>([^<]+)</b></div>", page))
    assert shown == {
        "optimizer steps": "84", "training loss": "0.0993", "validation loss": "–",
        "tokens/s": "2,754", "time": "9 s", "peak memory": "0.58 GiB",
        "trainable weights": "131,072",
    }  # fmt: skip
    assert "jlora 0.1.0 · 2026-11-22T10:51:31+00:00 · torch 2.13.0<" in page


def test_settings_and_answers_stand_in_tables():
    cells = read(build_page(a_record(), METRICS, SAMPLES)).cells

    assert cells == [
        "[INST]\nこんにちは", ATTACK, "ｶﾞにゃ",
        "Ａ１", "", "髙﨑𠮷です",
        "lora_targets", "c_attn, c_proj", "option", "--x",
        "packing", "true", "auto", "proven equal for gpt2",
        "max_steps", "–", "default", "default",
        "sample_prompts", "–", "default", "default",
    ]  # fmt: skip


def test_answers_on_the_way_stand_between_in_the_order_of_their_steps():
    during = [
        {"when": "during", "step": step, "prompt": "Ａ１", "answer": answer}
        for step, answer in ((10, "髙"), (20, "髙﨑🐈"))
    ]
    page = build_page(a_record(), METRICS, [SAMPLES[0], *during, *SAMPLES[1:]])
    assert read(page).cells[:8] == [
        "[INST]\nこんにちは", ATTACK, "", "ｶﾞにゃ",
        "Ａ１", "", "step 10: 髙\nstep 20: 髙﨑🐈", "髙﨑𠮷です",
    ]  # fmt: skip
    assert "<th>during</th><th>after</th>" in page


def test_markup_in_texts_is_only_text():
    page = build_page(a_record(), METRICS, SAMPLES)

    assert "<script" not in page
    assert "&lt;script&gt;" in page
    assert "<title>Run runs/髙﨑 &amp; 🐈</title>" in page
    assert "! <b>few-rows</b> only 3 &lt;rows&gt;" in page


def test_the_page_is_whole_and_needs_nothing_else():
    reader = read(build_page(a_record(), METRICS, SAMPLES))

    assert reader.open == []
    assert not {"script", "link", "img", "iframe"} & set(reader.tags)
    assert [value for name, value in reader.attributes if name in ("src", "href")] == []
    assert ("charset", "utf-8") in reader.attributes


def test_no_address_stands_in_the_page():
    assert re.findall(r"https?://", build_page(a_record(), METRICS, SAMPLES)) == []


def test_the_language_of_the_page_is_marked():
    english = build_page(a_record(), METRICS, SAMPLES)
    use_language("ja")
    japanese = build_page(a_record(), METRICS, SAMPLES)

    assert "<html lang='en'>" in english
    assert "<html lang='ja'>" in japanese
    assert "<title>実行 runs/髙﨑" in japanese


def test_the_curve_goes_through_the_losses():
    page = build_page(a_record(), METRICS, SAMPLES)

    # 900 wide with margins of 46 and 10; the scale ends 5 % above the highest loss, 4.0.
    high, low = (10 + 234 * (1 - loss / 4.2) for loss in (4.0, 2.0))
    assert f"points='468.0,{high:.1f} 890.0,{low:.1f}'" in page
    assert f"<circle cx='890.0' cy='{10 + 234 * (1 - 3.0 / 4.2):.1f}'" in page
    assert re.findall(r">(\d\.\d\d)</text>", page) == ["0.00", "1.05", "2.10", "3.15", "4.20"]


def test_a_single_step_is_a_dot():
    page = build_page(a_record(), METRICS[:1], [])

    assert page.count("<circle") == 1
    assert "fill='var(--a)'" in page


def test_a_loss_that_is_no_number_has_no_place_on_the_chart():
    bad = {"kind": "step", "step": 3, "loss": math.nan}

    page = build_page(a_record(), [*METRICS, bad], [])

    assert "nan" not in page
    assert "loss over 2 steps" in page


def test_without_steps_and_findings_their_parts_are_left_out():
    page = build_page(a_record(findings=[]), [], [])

    assert "<svg" not in page
    assert "<ul>" not in page
    assert "<h2>Settings</h2>" in page


def test_the_page_is_made_from_what_the_folder_holds(tmp_path):
    lines = [json.dumps(row, ensure_ascii=False) for row in METRICS]
    # A process that was killed leaves half a line; a line separator is no end of a line.
    (tmp_path / "metrics.jsonl").write_text("\n".join([*lines, '{"kind": "st']), encoding="utf-8")
    sample = json.dumps({"when": "after", "prompt": "a\u2028b", "answer": "猫"}, ensure_ascii=False)
    (tmp_path / "samples.jsonl").write_text(sample + "\n", encoding="utf-8")

    path = write_report(tmp_path, a_record())

    assert path == tmp_path / "report.html"
    cells = read(path.read_text(encoding="utf-8")).cells
    assert cells[:3] == ["a\u2028b", "", "猫"]
    assert "loss over 2 steps" in path.read_text(encoding="utf-8")


def test_a_folder_without_metrics_still_has_its_settings(tmp_path):
    page = write_report(tmp_path, a_record()).read_text(encoding="utf-8")

    assert "lora_targets" in page


def test_a_record_that_no_run_wrote_is_refused(tmp_path):
    record = a_record()
    del record["config"], record["result"]

    with pytest.raises(JloraError) as refusal:
        write_report(tmp_path, record)

    assert refusal.value.problem.endswith("was not written by a run: it lacks result, config")
    assert list(tmp_path.iterdir()) == []
