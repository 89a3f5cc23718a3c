"""Write what the documents say of the code: the profile table, the settings, the findings.

    python tools/docs.py            # all of it, in place
    python tools/docs.py --check    # exit 1, naming what is stale

Another generated page is one function and one line in GENERATED.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Callable
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))  # the made-up machines lie among the tests

from jlora_cli.commands.options import PANELS  # noqa: E402
from jlora_cli.config import FIELDS, kind_of, resolve, settle  # noqa: E402
from jlora_cli.finding import ALLOWABLE, SEVERITIES  # noqa: E402
from jlora_cli.messages import CATALOGUE, LANGUAGES, language, say, use_language  # noqa: E402
from jlora_cli.profile import load_profile  # noqa: E402
from tests.machines import CASES, HOME  # noqa: E402
from tools.explained import EXPLAINED  # noqa: E402

Rewrite = Callable[[str], str]


def main(arguments: list[str]) -> int:
    """Write every document, or with --check only name those that are stale; the exit code."""
    stale = {path: text for path, text in documents().items() if _read(path) != text}
    if "--check" in arguments:
        for path in stale:
            name = path.relative_to(ROOT).as_posix()
            print(f"{name} is stale: run `python tools/docs.py`", file=sys.stderr)
        return 1 if stale else 0
    for path, text in stale.items():
        path.write_text(text, encoding="utf-8", newline="\n")
    return 0


def documents() -> dict[Path, str]:
    """Every document as it should stand, in both languages."""
    before, made = language(), {}
    for name, rewrite in GENERATED.items():
        for chosen, ending in (("en", ".md"), ("ja", ".ja.md")):
            use_language(chosen)
            path = ROOT / f"{name}{ending}"
            made[path] = rewrite(_read(path))
    use_language(before)
    return made


def _read(path: Path) -> str:
    return path.read_text(encoding="utf-8") if path.is_file() else ""


def whole(make: Callable[[], str]) -> Rewrite:
    """The document is what `make` returns, under a line that says so."""
    return lambda _: f"<!-- {say('docs.generated')} -->\n\n{make()}"


def between(name: str, make: Callable[[], str]) -> Rewrite:
    """What stands between `<!-- NAME: begin -->` and `<!-- NAME: end -->` is `make`'s."""
    marks = re.compile(rf"(<!-- {name}: begin -->\n).*?(<!-- {name}: end -->)", re.DOTALL)

    def rewrite(text: str) -> str:
        made, count = marks.subn(lambda found: found[1] + make() + found[2], text)
        if count != 1:
            raise ValueError(f"{count} places for {name}")
        return made

    return rewrite


# -- the profiles ---------------------------------------------------------------------------------

COLUMNS = (
    *("profile", "about", "model", "precision", "quantization"),
    *("rows", "max_length", "checkpointing"),
)


def profile_table() -> str:
    """What each profile picks, settled on the made-up machine that it is for."""
    head = [say(f"docs.profiles.{column}") for column in COLUMNS]
    return "".join(_row(cells) for cells in (head, ["---"] * len(head), *map(_picks, HOME)))


def _row(cells: list[str]) -> str:
    return f"| {' | '.join(cells)} |\n"


def _picks(name: str) -> list[str]:
    profile = load_profile(name)
    resolved, _ = settle(resolve(profile.resolved_values(), {}), CASES[HOME[name]].machine)
    config = resolved.config
    parts = (config.batch_size, config.gradient_accumulation_steps, config.processes)
    rows = " x ".join(map(str, parts if config.processes != 1 else parts[:2]))
    checkpointing = "yes" if config.gradient_checkpointing is True else "no"
    return [
        f"`{name}`",
        profile.about(),
        config.model or say("docs.none"),
        config.precision,
        say("docs.none") if config.quantization == "none" else config.quantization,
        rows,
        str(config.max_length),
        say(f"docs.profiles.{checkpointing}"),
    ]


# -- the settings ---------------------------------------------------------------------------------


def settings_page() -> str:
    """One entry for every setting, by the topics of `jlora train --help`."""
    opening = f"# {say('docs.settings.title')}\n\n{say('docs.settings.intro')}\n"
    topics = (
        f"\n## {say(f'help.panel.{topic}')}\n\n{''.join(map(_entry, names))}"
        for topic, names in PANELS.items()
    )
    return opening + "".join(topics)


def _entry(name: str) -> str:
    what = say(f"setting.{name}")
    default = _shown(FIELDS[name].default)
    told = say("docs.settings.entry", name=name, takes=_takes(name), default=default, what=what)
    lines = [f"- {told}\n"]
    if f"when.{name}" in CATALOGUE:
        lines.append(f"  - {say('docs.settings.when', when=say(f'when.{name}'))}\n")
    return "".join(lines)


def _takes(name: str) -> str:
    kind = kind_of(name)
    if "|" in kind.name:
        choices = [*kind.name.split("|"), *(["auto"] if kind.auto else [])]
        return " / ".join(f"`{choice}`" for choice in dict.fromkeys(choices))
    told = say(f"docs.kind.{kind.name}")
    return say("docs.kind.or_auto", kind=told) if kind.auto else told


def _shown(default: object) -> str:
    if default in (None, ()):
        return say("docs.none")
    if isinstance(default, bool):
        return f"`{str(default).lower()}`"
    if isinstance(default, tuple):
        return f"`{','.join(map(str, default))}`"
    return f"`{default:g}`" if isinstance(default, float) else f"`{default}`"


# -- the findings ---------------------------------------------------------------------------------

PLACEHOLDER = re.compile(r"\{(\w+)[^}]*\}")


def findings_page() -> str:
    """One entry for every id that preflight, the audit or the guard may name."""
    opening = f"# {say('docs.findings.title')}\n\n{say('docs.findings.intro')}\n"
    return opening + "".join(map(_finding, sorted(SEVERITIES)))


def _finding(id: str) -> str:
    evidence, consequence, remedy = (
        PLACEHOLDER.sub(r"*\1*", CATALOGUE[f"{id}.{part}"][LANGUAGES.index(language())])
        for part in ("evidence", "consequence", "remedy")
    )
    severity = say(f"docs.findings.{SEVERITIES[id]}")
    if id in ALLOWABLE:
        severity += say("docs.findings.allowable", id=id)
    return (
        f"\n## {id}\n\n{severity}\n\n"
        f"> {evidence}  \n> {consequence}  \n> → {remedy}\n\n"
        f"{EXPLAINED[id][LANGUAGES.index(language())]}\n"
    )


# Each document in both languages: NAME.md and NAME.ja.md.
GENERATED: dict[str, Rewrite] = {
    "README": between("profiles", profile_table),
    "docs/settings": whole(settings_page),
    "docs/findings": whole(findings_page),
}


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
