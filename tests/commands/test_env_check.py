"""`jlora env-check` through Typer, on machines that tests make up."""

from __future__ import annotations

import json
import subprocess
from dataclasses import replace

import pytest
import typer
from typer.testing import CliRunner

from jlora_cli import machine as machines
from jlora_cli import profile as profiles
from jlora_cli import screen
from jlora_cli.commands import env_check as command
from jlora_cli.errors import JloraError
from jlora_cli.machine import Gpu, Machine, TorchBuild, requirements
from jlora_cli.messages import use_language
from jlora_cli.profile import Profile

A100 = Gpu("NVIDIA A100-SXM4-80GB", 80.0, 79.2, (8, 0))
HEALTHY = Machine(
    system="Linux",
    python="3.11.9",
    in_virtual_environment=True,
    cpu="EPYC 7763",
    cores=16,
    memory_gib=128.0,
    free_memory_gib=100.0,
    disk_free_gib=500.0,
    driver="580.95.05",
    driver_cuda=(13, 0),
    gpus=(A100,),
    torch=TorchBuild("2.14.1", "cu130", cuda_available=True),
    packages={name: part.split(",")[0][2:] or "1" for name, part in requirements().items()},
    environment={"HF_HUB_OFFLINE": "1"},
)
SURFACE = replace(
    HEALTHY,
    system="Windows",
    gpus=(Gpu("NVIDIA GeForce GTX 1060", 6.0, 5.2, (6, 1)),),
    torch=TorchBuild("2.14.1+cpu", "cpu", cuda_available=False),
)
CU126 = "https://download.pytorch.org/whl/cu126"


@pytest.fixture
def run(monkeypatch):
    """`run(machine, *options)`: the command on that machine; `run.pip` are the pip lines it ran."""
    app = typer.Typer()
    app.callback()(lambda: None)
    app.command("env-check")(command.env_check)
    ran: list[list[str]] = []

    def pip(line, **_):
        ran.append(line[3:])
        return subprocess.CompletedProcess(line, run_it.code)

    def run_it(machine, *options):
        seen = list(machine) if isinstance(machine, list) else [machine]
        monkeypatch.setattr(
            machines, "read_machine", lambda **_: seen.pop(0) if len(seen) > 1 else seen[0]
        )
        screen.forget_consoles()
        return CliRunner().invoke(app, ["env-check", *options])

    monkeypatch.setattr(command.subprocess, "run", pip)
    run_it.pip, run_it.code = ran, 0
    yield run_it
    screen.forget_consoles()


def test_a_healthy_machine_ends_well_and_names_its_profiles(run):
    done = run(HEALTHY)

    assert done.exit_code == 0
    assert "✓" in done.stdout
    assert "✗" not in done.stdout
    assert "Recommended: --profile a100 (" in done.stdout


def test_an_error_ends_with_1_and_shows_the_line_that_mends_it(run):
    done = run(SURFACE)

    assert done.exit_code == 1
    assert "✗ torch 2.14.1+cpu is a CPU-only build" in done.stdout
    assert f'\n        pip install "torch>=2.11,<2.15" --index-url {CU126}\n' in done.stdout


def test_it_speaks_japanese(run):
    use_language("ja")
    done = run(SURFACE)

    assert "CPU 専用の版です" in done.stdout
    assert "このマシンに合うプロファイル: cpu, cpu-small" in done.stdout


def test_json_is_one_document_with_facts_findings_and_profiles(run):
    done = run(SURFACE, "--json")
    document = json.loads(done.stdout)

    assert done.exit_code == 1
    assert document["facts"]["gpus"][0]["capability"] == [6, 1]
    assert document["facts"]["environment"] == {"HF_HUB_OFFLINE": "1"}
    assert document["facts"]["usable_gpu"] is None
    assert set(document["profiles"]) == {"recommended", "reason", "fitting"}
    assert len(document["findings"]) >= 6
    for item in document["findings"]:
        assert set(item) == {"id", "severity", "evidence", "consequence", "remedy"}
        assert item["severity"] in {"ok", "warning", "error"}


def test_a_profile_too_large_for_the_machine_is_named(run, monkeypatch, tmp_path):
    monkeypatch.setattr(profiles, "profile_names", lambda: ["a100", "cpu-small"])
    own = {"mine.yaml": "a100", "free.yaml": None}
    monkeypatch.setattr(
        profiles, "load_profile", lambda name: Profile(name, tmp_path, "", {}, own.get(name))
    )

    assert "! Profile a100 asks for more" in run(SURFACE, "--profile", "a100").stdout
    assert "! Profile mine.yaml asks for more" in run(SURFACE, "--profile", "mine.yaml").stdout
    assert "✓ Profile a100 fits" in run(HEALTHY, "--profile", "a100").stdout
    assert "Profile free.yaml" not in run(HEALTHY, "--profile", "free.yaml").stdout


def test_a_local_model_names_the_package_it_needs(run, tmp_path):
    (tmp_path / "config.json").write_text('{"model_type": "qwen"}', encoding="utf-8")

    assert "Not installed: tiktoken." in run(HEALTHY, "--model", str(tmp_path)).stdout
    assert run(HEALTHY, "--model", "rinna/japanese-gpt2-medium").exit_code == 0


def test_a_broken_config_is_refused_with_its_path(run, tmp_path):
    (tmp_path / "config.json").write_text("{", encoding="utf-8")
    refusal = run(HEALTHY, "--model", str(tmp_path)).exception

    assert isinstance(refusal, JloraError)
    assert "config.json is not JSON" in refusal.problem


def test_fix_without_a_terminal_is_refused_and_names_yes(run):
    refusal = run(SURFACE, "--fix").exception

    assert isinstance(refusal, JloraError)
    assert "--yes" in refusal.remedy
    assert run.pip == []


def test_fix_with_yes_runs_the_lines_and_checks_again(run):
    done = run([SURFACE, HEALTHY], "--fix", "--yes", "--json")

    assert run.pip == [
        ["uninstall", "-y", "torch"],
        ["install", "torch>=2.11,<2.15", "--index-url", CU126],
    ]
    assert done.exit_code == 0
    assert json.loads(done.stdout)["facts"]["usable_gpu"] == "NVIDIA A100-SXM4-80GB"
    assert 'pip install "torch>=2.11,<2.15"' in done.stderr


@pytest.mark.parametrize(("answer", "lines"), [(True, 2), (False, 0)])
def test_fix_asks_before_each_remedy(run, monkeypatch, answer, lines):
    asked = []
    monkeypatch.setattr(screen, "is_interactive", lambda: True)
    monkeypatch.setattr(screen, "confirm", lambda question: asked.append(question) or answer)

    done = run(SURFACE, "--fix")

    assert len(asked) == 1
    assert f"--index-url {CU126}" in asked[0]
    assert len(run.pip) == lines
    assert done.exit_code == 1


def test_fix_says_when_pip_can_mend_nothing(run):
    done = run(HEALTHY, "--fix", "--yes")

    assert "nothing that pip can mend" in done.stderr
    assert done.exit_code == 0


def test_a_line_that_fails_stops_the_fixing(run):
    run.code = 1
    refusal = run(SURFACE, "--fix", "--yes").exception

    assert isinstance(refusal, JloraError)
    assert "pip uninstall -y torch" in refusal.problem
    assert len(run.pip) == 1
