"""docs/benchmarks.md and docs/benchmarks.ja.md, made of the results."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from benchmarks.neighbours.figures import OURS, Goal, done, figure, goals, ratios, spread
from benchmarks.neighbours.figures import with_epochs as runs_of
from benchmarks.neighbours.running import CONTESTANTS, SCRIPTS
from benchmarks.neighbours.wording import WORDS

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence
    from pathlib import Path

Results = dict[str, dict[str, Any]]
Say = dict[str, str]
RESULTS = ("neighbours", "first_step", "train_scale", "busy_threads")
ORDER = (
    *("seed", "plain", "trl", "trl-packed", "llama-factory", "jlora"),
    *("plain-avx2", "jlora-avx2"),
)
# figure -> digits
COLUMNS = {
    "training_cpu_s": 1,
    "training_wall_s": 1,
    "peak_mib": 0,
    "tokens_per_s": 0,
    "supervised_per_s": 0,
    "validation_loss": 4,
    "start_to_adapter_wall_s": 1,
}


def write_pages(results: Path, docs: Path) -> None:
    """Write both pages of what lies in `results`."""
    found: Results = {}
    for name in RESULTS:
        path = results / f"{name}.json"
        if path.is_file():
            found[name] = json.loads(path.read_text(encoding="utf-8"))
    for language, ending in (("en", ".md"), ("ja", ".ja.md")):
        text = page(found, WORDS[language])
        (docs / f"benchmarks{ending}").write_text(text, encoding="utf-8", newline="\n")


def page(results: Results, say: Say) -> str:
    """The page in one language."""
    parts = [f"# {say['title']}", say["intro"], *goal_section(results, say)]
    if "neighbours" in results:
        parts += neighbour_sections(results["neighbours"], say)
    sections: dict[str, Callable[[dict[str, Any], Say], list[str]]] = {
        "first_step": start_section,
        "train_scale": scale_section,
        "busy_threads": thread_section,
    }
    for name, section in sections.items():
        if name in results:
            parts += section(results[name], say)
    return "\n\n".join(parts) + "\n"


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A table in Markdown."""
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join(f"| {' | '.join(cells)} |" for cells in lines)


def shown(values: dict[str, float], digits: int) -> str:
    """A median, and the least and the most where there are more runs than one."""
    text = f"{values['median']:,.{digits}f}"
    if values["runs"] == 1:
        return text
    return f"{text} ({values['least']:,.{digits}f}–{values['most']:,.{digits}f})"


def one_in(ratio: float) -> str:
    """A ratio below one as `1/x`."""
    return f"1/{1 / ratio:.3g}" if ratio < 0.9 else f"{ratio:.3f}"


def machine_line(told: dict[str, Any], say: Say) -> str:
    """What it was measured on."""
    return say["machine"].format(**told["machine"])


# -- the goals ---------------------------------------------------------------------------------


def goal_section(results: Results, say: Say) -> list[str]:
    """Every goal that something was measured for."""
    rows = [goal_row(goal, say) for goal in goals(results) if goal.measured is not None]
    head = [say["goal"], say["at_most"], say["measured"], ""]
    return [f"## {say['goals']}", table(head, rows)] if rows else []


def goal_row(goal: Goal, say: Say) -> list[str]:
    """A goal, its limit, what was measured, and whether that is enough."""
    text = say[f"goal.{goal.key}"].format(job=goal.job, against=say.get(goal.against, goal.against))
    measured = "–" if goal.measured is None else one_in(goal.measured)
    return [text, one_in(goal.limit), measured, "✓" if goal.reached else "✗"]


# -- the neighbours ----------------------------------------------------------------------------


def neighbour_sections(document: dict[str, Any], say: Say) -> list[str]:
    """A section for each job, and how it was measured."""
    runs = runs_of(document)
    parts = []
    for job, told in document["jobs"].items():
        here = {run["contestant"] for run in runs if run["job"] == job}
        names = [name for name in ORDER if name in here]
        parts += [f"## {say[f'job.{job}']}", job_line(told, say)]
        parts.append(job_table(runs, job, names, say))
        parts += notes(runs, job, told, say)
        parts += floor_lines(runs, job, say)
    commands = "\n".join(document["commands"])
    parts += [f"## {say['how']}", machine_line(document, say), f"```\n{commands}\n```"]
    parts += [say["fair"], say["limit"], say["factory"]]
    parts += [command_section(runs, say)]
    return parts


def job_line(told: dict[str, Any], say: Say) -> str:
    """What the job is."""
    kind = say["rows_from.demo"] if told["rows_from"] == "demo" else ""
    return say["job"].format(**told) + kind


def job_table(runs: Sequence[dict[str, Any]], job: str, names: Sequence[str], say: Say) -> str:
    """A line for each contestant."""
    head = [say["contestant"], *(say[name] for name in COLUMNS), say["share_of_cpu"]]
    return table(head, [contestant_row(runs, job, name, say) for name in names])


def contestant_row(runs: Sequence[dict[str, Any]], job: str, name: str, say: Say) -> list[str]:
    """The figures of one, or why there are none."""
    made = done(runs, job, name)
    if not made:
        failed = next(r for r in runs if r["job"] == job and r["contestant"] == name)
        return [say.get(name, name), failed["problem"], *[""] * len(COLUMNS)]
    cells = [
        shown(spread(figure(run, column) for run in made), digits)
        for column, digits in COLUMNS.items()
    ]
    found = ratios(runs, job, name, "cpu_per_token")
    share = one_in(spread(found)["median"]) if found and name != OURS else ""
    return [say.get(name, name), *cells, share]


def notes(runs: Sequence[dict[str, Any]], job: str, told: dict[str, Any], say: Say) -> list[str]:
    """Who saw other rows or tokens than the job has."""
    lines = []
    for name in ORDER:
        for run in done(runs, job, name)[:1]:
            values = {**run, "name": say.get(name, name), "of": told["rows"]}
            if run["rows"] != told["rows"]:
                lines.append(say["note.share"].format(**values))
            elif (run["tokens"], run["supervised"]) != (told["tokens"], told["supervised"]):
                lines.append(say["note.tokens"].format(**values))
    return ["\n".join(f"- {line}" for line in lines)] if lines else []


def floor_lines(runs: Sequence[dict[str, Any]], job: str, say: Say) -> list[str]:
    """Each run that has them beside its matrix products alone."""
    lines = []
    for contestant in ORDER:
        made = [run for run in done(runs, job, contestant) if "floor" in run]
        if made:
            values = {name: spread(run["floor"][name] for run in made) for name in made[0]["floor"]}
            told = {name: shown(value, 1) for name, value in values.items()}
            ratio = shown(spread(figure(run, "floor_ratio") for run in made), 2)
            name = say.get(contestant, contestant)
            lines.append(say["floor"].format(**told, name=name, ratio=ratio))
    return lines


def command_section(runs: Sequence[dict[str, Any]], say: Say) -> str:
    """Each contestant's own command and versions, of its first run."""
    seen: dict[tuple[str, str], str] = {}
    for run in runs:
        if run["status"] == "done":
            versions = ", ".join(f"{name} {each}" for name, each in run["versions"].items())
            variables = [f"{name}={value}" for name, value in run.get("variables", {}).items()]
            said = run.get("command") or script_of(run["contestant"])
            line = " ".join([*variables, said])
            name = say.get(run["contestant"], run["contestant"])
            text = f"- {run['job']}, {name}: `{line}` ({versions})"
            seen.setdefault((run["job"], run["contestant"]), text)
    return "\n".join(seen.values())


def script_of(contestant: str) -> str:
    """What trains as a contestant that is a script of this benchmark."""
    return f"python -m {SCRIPTS}.{CONTESTANTS[contestant].script}"


# -- the others --------------------------------------------------------------------------------


def start_section(told: dict[str, Any], say: Say) -> list[str]:
    """From the command to the first step."""
    rows = [
        [say.get(name, name), *(shown(clocks[clock], 1) for clock in ("wall", "cpu"))]
        for name, clocks in told["seconds"].items()
    ]
    ratio = [one_in(spread(told["ratios"][clock])["median"]) for clock in ("wall", "cpu")]
    head = ["", say["start_wall"], say["start_cpu"]]
    commands = "\n".join(f"- `{line}`" for line in told["commands"].values())
    return [
        f"## {say['start']}",
        say["start_intro"],
        table(head, [*rows, [say["ratio"], *ratio]]),
        commands,
        machine_line(told, say),
    ]


def scale_section(told: dict[str, Any], say: Say) -> list[str]:
    """Rows and what a token of them costs."""
    names = list(next(iter(told["sizes"].values())))
    head = [say["rows"], *(say[f"scale.{name}"] for name in names)]
    rows = [
        [f"{int(size):,}", *(shown(values[name], 1) for name in names)]
        for size, values in told["sizes"].items()
    ]
    line = say["scale_intro"].format(**told)
    command = f"- `{told['command']}`"
    return [f"## {say['scale']}", line, table(head, rows), command, machine_line(told, say)]


def thread_section(told: dict[str, Any], say: Say) -> list[str]:
    """One thread, two, and as many as jlora takes."""
    counts = ("1", "2", "own")
    head = [say["beside"], *(say[f"threads.{which}"] for which in counts), say["threads.ratio"]]
    rows = [
        [say[name], *(shown(runs[which], 1) for which in counts),
         f"{spread(told['ratios'][name])['median']:.2f}"]
        for name, runs in told["wall_s"].items()
    ]  # fmt: skip
    intro = say["threads_intro"].format(**told)
    return [f"## {say['threads']}", intro, table(head, rows), machine_line(told, say)]
