"""`jlora init` through Typer: a project, and the next lines to type."""

from __future__ import annotations

import shlex

import pytest
from typer.testing import CliRunner

from jlora_cli import project, screen
from jlora_cli.cli import build_app
from jlora_cli.errors import JloraError
from jlora_cli.messages import use_language


@pytest.fixture
def run(tmp_path, monkeypatch):
    """`run(name)`: `jlora init NAME` in an empty folder; a refusal is raised."""
    monkeypatch.chdir(tmp_path)

    def run_it(name):
        done = CliRunner().invoke(build_app(), ["init", name])
        if isinstance(done.exception, JloraError):
            raise done.exception
        return done

    screen.forget_consoles()
    yield run_it
    screen.forget_consoles()


def test_the_next_lines_can_be_pasted(run, tmp_path):
    done = run("新しい 計画")

    lines = [shlex.split(line) for line in done.stdout.splitlines() if line.startswith("  ")]
    assert done.exit_code == 0
    assert [line[:2] for line in lines] == [
        ["cd", "新しい 計画"], ["jlora", "prepare"], ["jlora", "train"], ["jlora", "chat"],
    ]  # fmt: skip
    named = [word for line in lines for word in line if word.endswith((".jsonl", ".yaml"))]
    assert named == ["data/train.jsonl", "data/validation.jsonl", "profile.yaml"]
    assert all((tmp_path / "新しい 計画" / name).is_file() for name in named)


def test_the_next_lines_are_told_in_japanese(run):
    use_language("ja")

    assert run("計画").stdout.startswith("プロジェクト: 計画\n次のコマンド:\n  cd 計画\n")


def test_the_folder_one_stands_in_will_do(run, tmp_path):
    run(".")

    assert (tmp_path / "profile.yaml").is_file()


def test_a_folder_in_use_is_refused_and_left_alone(run, tmp_path, monkeypatch):
    (tmp_path / "notes.txt").write_text("メモ", encoding="utf-8")
    written = []
    monkeypatch.setattr(project, "write_project", written.append)

    for name in (".", "notes.txt"):
        with pytest.raises(JloraError) as refusal:
            run(name)
        assert refusal.value.problem == f"{name} exists and is not empty"

    assert written == []
    assert (tmp_path / "notes.txt").read_text(encoding="utf-8") == "メモ"
