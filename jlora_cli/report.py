"""The run's page: one self-contained HTML file made from the run folder's records.

Reads only what the folder holds, so that a page can be made again at any time.
"""

from __future__ import annotations

import html
import json
import math
from typing import TYPE_CHECKING, Any

from jlora_cli.errors import refuse
from jlora_cli.messages import language, say

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

_STYLE = """
:root { color-scheme: light dark; --line: #8884; --soft: #8881; --a: #2f6fde; --b: #d9822b; }
body { font: 16px/1.6 system-ui, "Hiragino Sans", "Yu Gothic UI", "Noto Sans CJK JP", sans-serif;
  max-width: 62rem; margin: 2rem auto; padding: 0 1rem; }
h1 { font-size: 1.5rem; } h2 { font-size: 1.15rem; margin-top: 2.2rem; }
table { border-collapse: collapse; width: 100%; font-size: .93rem; }
th, td { text-align: left; vertical-align: top; padding: .35rem .6rem;
  border-bottom: 1px solid var(--line); }
td { white-space: pre-wrap; overflow-wrap: anywhere; }
.samples table { table-layout: fixed; }
.figures { display: flex; flex-wrap: wrap; gap: 1rem; }
.figures div { background: var(--soft); border-radius: .6rem; padding: .6rem 1rem; }
.figures b { display: block; font-size: 1.25rem; }
svg { width: 100%; height: auto; } .muted { opacity: .7; }
"""
# What of a record the page shows.
_NEEDED = ("output", "jlora", "begun_at", "versions", "result", "findings", "config")
_MARKS = {"ok": "✓", "note": "·", "warning": "!", "error": "✗"}


def write_report(run: Path, record: dict[str, Any]) -> Path:
    """Write `report.html` into the run folder `run`; returns its path.

    Raises:
        JloraError: the record lacks what a run writes into it.
    """
    missing = [name for name in _NEEDED if name not in record]
    if missing:
        raise refuse("report.incomplete", path=run / "run.json", names=", ".join(missing))
    path = run / "report.html"
    page = build_page(record, _rows(run / "metrics.jsonl"), _rows(run / "samples.jsonl"))
    path.write_text(page, encoding="utf-8", newline="\n")
    return path


def _rows(path: Path) -> list[dict[str, Any]]:
    """The rows of a JSONL file; a line cut off by the end of a process is left out."""
    if not path.is_file():
        return []
    rows = []
    for line in path.read_text(encoding="utf-8", errors="replace").split("\n"):
        try:
            rows.append(json.loads(line))
        except ValueError:
            continue
    return rows


def build_page(
    record: dict[str, Any], metrics: Sequence[dict[str, Any]], samples: Sequence[dict[str, Any]]
) -> str:
    """The page as HTML text."""
    title = html.escape(say("report.title", name=record["output"]))
    parts = [
        f"<h1>{title}</h1>",
        _figures(record),
        f"<h2>{say('report.loss')}</h2>",
        _chart(metrics),
        f"<h2>{say('report.samples')}</h2>",
        f"<div class='samples'>{_samples(samples)}</div>",
        _findings(record),
        f"<h2>{say('report.settings')}</h2>",
        _settings(record),
        f"<p class='muted'>{html.escape(_footer(record))}</p>",
    ]
    body = "\n".join(parts)
    return (
        f"<!doctype html>\n<html lang='{language()}'><head><meta charset='utf-8'>"
        f"<meta name='viewport' content='width=device-width'><title>{title}</title>"
        f"<style>{_STYLE}</style></head>\n<body>\n{body}\n</body></html>\n"
    )


def _footer(record: dict[str, Any]) -> str:
    versions = ", ".join(f"{name} {v}" for name, v in record["versions"].items() if v)
    return f"jlora {record['jlora']} · {record['begun_at']} · {versions}"


def _figures(record: dict[str, Any]) -> str:
    result = record["result"]
    shown = [
        ("report.steps", result["optimizer_steps"]),
        ("report.train_loss", _number(result["train_loss"])),
        ("report.validation_loss", _number(result["validation_loss"])),
        ("report.speed", f"{result['tokens_per_second']:,.0f}"),
        ("report.seconds", f"{result['seconds']:.0f} s"),
        ("report.memory", f"{result['peak_memory_gib']:.2f} GiB"),
        ("report.trainable", f"{result['trainable_parameters']:,}"),
    ]
    cells = "".join(
        f"<div>{say(key)}<b>{html.escape(str(value))}</b></div>" for key, value in shown
    )
    return f"<div class='figures'>{cells}</div>"


def _number(value: float | None) -> str:
    return "–" if value is None else f"{value:.4f}"


def _chart(metrics: Sequence[dict[str, Any]]) -> str:
    """The loss over the steps as inline SVG: training a line, validation dots."""
    train, scored = _points(metrics, "step"), _points(metrics, "evaluation")
    if not train:
        return ""
    width, height, margin = 900, 280, 46
    last = max(step for step, _ in train)
    top = max(loss for _, loss in [*train, *scored]) * 1.05 or 1.0

    def at(step: float, loss: float) -> str:
        x = margin + (width - margin - 10) * step / last
        y = 10 + (height - margin) * (1 - loss / top)
        return f"{x:.1f},{y:.1f}"

    ticks = "".join(_tick(10 + (height - margin) * (1 - i / 4), top * i / 4) for i in range(5))
    line = " ".join(at(*point) for point in train)
    # A line needs two points: a run of one step shows as a dot.
    alone = [(train[0], "var(--a)")] if len(train) == 1 else []
    dots = "".join(
        "<circle cx='{}' cy='{}' r='4' fill='{}'/>".format(*at(*point).split(","), colour)
        for point, colour in [*alone, *((point, "var(--b)") for point in scored)]
    )
    legend = (
        f"<text x='{margin}' y='{height - 6}' font-size='13' fill='currentColor'>"
        f"{say('report.legend', steps=last)}</text>"
    )
    curve = f"<polyline points='{line}' fill='none' stroke='var(--a)' stroke-width='2'/>"
    label = html.escape(say("report.loss"), quote=True)
    view = f"<svg viewBox='0 0 {width} {height}' role='img' aria-label='{label}'>"
    return f"{view}{ticks}{curve}{dots}{legend}</svg>"


def _points(metrics: Sequence[dict[str, Any]], kind: str) -> list[tuple[int, float]]:
    """(step, loss) where the loss is a number; one that is none has no place on a chart."""
    rows = [(m["step"], m["loss"]) for m in metrics if m["kind"] == kind]
    return [(step, loss) for step, loss in rows if math.isfinite(loss)]


def _tick(y: float, value: float) -> str:
    """A line across the chart with its value."""
    return (
        f"<line x1='46' x2='890' y1='{y:.1f}' y2='{y:.1f}' stroke='var(--line)'/>"
        f"<text x='4' y='{y + 4:.1f}' font-size='12' fill='currentColor'>{value:.2f}</text>"
    )


def _table(columns: Sequence[str], rows: Sequence[Sequence[object]]) -> str:
    head = "".join(f"<th>{html.escape(column)}</th>" for column in columns)
    body = "".join(
        "<tr>" + "".join(f"<td>{html.escape(str(cell))}</td>" for cell in row) + "</tr>"
        for row in rows
    )
    return f"<table><tr>{head}</tr>{body}</table>"


def _samples(samples: Sequence[dict[str, Any]]) -> str:
    """The answers of each prompt by when they were given; those during training share a cell."""
    prompts: dict[str, dict[str, list[str]]] = {}
    for sample in samples:
        text = sample["answer"]
        if sample["when"] == "during":
            text = say("report.at_step", step=sample["step"], answer=text)
        prompts.setdefault(sample["prompt"], {}).setdefault(sample["when"], []).append(text)
    given = {when for answers in prompts.values() for when in answers}
    times = [when for when in ("before", "during", "after") if when != "during" or when in given]
    columns = [say("report.prompt"), *(say(f"report.{when}") for when in times)]
    rows = [
        (prompt, *("\n".join(answers.get(when, [])) for when in times))
        for prompt, answers in prompts.items()
    ]
    return _table(columns, rows)


def _findings(record: dict[str, Any]) -> str:
    found = record["findings"]
    if not found:
        return ""
    items = "".join(
        f"<li>{_MARKS[f['severity']]} <b>{html.escape(f['id'])}</b> {html.escape(f['evidence'])} "
        f"<span class='muted'>{html.escape(f['consequence'])}</span></li>"
        for f in found
    )
    return f"<h2>{say('report.findings')}</h2><ul>{items}</ul>"


def _settings(record: dict[str, Any]) -> str:
    columns = [
        say("report.setting"),
        say("report.value"),
        say("report.source"),
        say("report.reason"),
    ]
    rows = [
        (name, _shown(entry["value"]), entry["source"], entry["reason"])
        for name, entry in record["config"].items()
    ]
    return _table(columns, rows)


def _shown(value: object) -> str:
    if value is None or value == []:
        return "–"
    if isinstance(value, bool):
        return str(value).lower()
    return ", ".join(map(str, value)) if isinstance(value, list) else str(value)
