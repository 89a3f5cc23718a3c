"""`jlora env-check` through Typer, on machines that tests make up."""

from __future__ import annotations

import json
import sys
from dataclasses import replace
from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner

from jlora_cli import machine as machines
from jlora_cli import screen
from jlora_cli.commands import env_check as command
from jlora_cli.commands import folding
from jlora_cli.errors import JloraError
from jlora_cli.machine import Gpu, Machine, TorchBuild, requirements
from jlora_cli.messages import use_language

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
    """`run(machine, *options)`: the command on that machine; `run.pip` is what pip was asked."""
    app = typer.Typer()
    app.callback()(lambda: None)
    app.command("env-check")(command.env_check)
    ran: list[list[str]] = []

    def apply(machine, arguments):
        ran.append(list(arguments))
        return run_it.code

    def run_it(machine, *options):
        seen = list(machine) if isinstance(machine, list) else [machine]
        monkeypatch.setattr(
            machines, "read_machine", lambda **_: seen.pop(0) if len(seen) > 1 else seen[0]
        )
        screen.forget_consoles()
        return CliRunner().invoke(app, ["env-check", *options])

    monkeypatch.setattr(machines, "apply", apply)
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
    assert (
        f'\n        pip install --upgrade "torch>=2.11,<2.15" --index-url {CU126}\n' in done.stdout
    )


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
    assert document["schema"] == 1
    assert document["run"] is None
    assert set(document["profiles"]) == {"recommended", "reason", "fitting"}
    assert len(document["findings"]) >= 6
    for item in document["findings"]:
        assert set(item) == {"id", "severity", "evidence", "consequence", "remedy"}
        assert item["severity"] in {"ok", "warning", "error"}


def test_a_run_with_an_asked_model_is_told_with_its_memory(run, tiny_base):
    document = json.loads(run(HEALTHY, "--model", str(tiny_base), "--json").stdout)

    assert document["run"]["fits"] is True
    assert document["run"]["profile"] == "a100"
    assert document["run"]["memory_gib"]["total"] < document["run"]["available_gib"]
    assert "✓" in run(HEALTHY, "--model", str(tiny_base)).stdout


def test_a_run_that_does_not_fit_is_told_with_what_helps(run):
    small = replace(HEALTHY, gpus=(replace(A100, memory_gib=8.0, free_gib=0.01),))
    done = run(small, "--profile", "surface-cuda", "--model", "demo")

    assert "! demo with profile surface-cuda needs about" in done.stdout
    assert "→ choose a smaller model" in done.stdout


def test_slow_trials_are_asked_for_by_an_option(run, monkeypatch):
    asked = []
    run(HEALTHY)  # sets read_machine
    monkeypatch.setattr(machines, "read_machine", lambda **how: asked.append(how) or HEALTHY)
    app = typer.Typer()
    app.callback()(lambda: None)
    app.command("env-check")(command.env_check)
    CliRunner().invoke(app, ["env-check", "--try"])
    CliRunner().invoke(app, ["env-check"])

    assert [how["slow_trials"] for how in asked] == [True, False]


def test_paste_is_markdown_without_user_host_and_tokens(run, monkeypatch):
    monkeypatch.setattr(Path, "home", lambda: Path("/home/takasaki"))
    monkeypatch.setattr(command.getpass, "getuser", lambda: "takasaki")
    monkeypatch.setattr(command.platform, "node", lambda: "nyanko.example")
    secret = "/home/takasaki/x.so: hf_abcdefghij0123456789 on nyanko"
    done = run(replace(SURFACE, torch=TorchBuild("2.14.1+cpu", "cpu", error=secret)), "--paste")

    assert done.stdout.startswith("### jlora ")
    assert "| CPU | EPYC 7763, 16 cores |" in done.stdout
    assert "- ✗ `torch-broken`" in done.stdout
    assert "~/x.so: hf_*** on HOST" in done.stdout
    assert "  ```\n  pip install --force-reinstall" in done.stdout
    for told in ("takasaki", "nyanko", "abcdefghij"):
        assert told not in done.stdout
    assert done.exit_code == 1


def test_without_rich_the_findings_come_as_plain_text(run, monkeypatch):
    monkeypatch.setitem(sys.modules, "jlora_cli.commands.folding", None)
    monkeypatch.delattr("jlora_cli.commands.folding")
    done = run(SURFACE)

    assert "- ✗ `torch-cpu-only`" in done.stdout
    assert done.exit_code == 1


def test_a_user_without_a_name_is_no_fault(run, monkeypatch):
    def nobody():
        raise OSError("No username set in the environment")

    monkeypatch.setattr(command.getpass, "getuser", nobody)

    assert run(HEALTHY, "--paste").exit_code == 0


def test_sentences_are_folded_on_a_terminal_and_lines_to_paste_are_not(run, monkeypatch):
    monkeypatch.setattr(folding, "terminal_width", lambda: 60)
    told = run(SURFACE).stdout.splitlines()
    line = f'        pip install --upgrade "torch>=2.11,<2.15" --index-url {CU126}'

    assert line in told
    assert told[3].strip() == "with an NVIDIA GPU (NVIDIA GeForce GTX 1060)."
    assert max(len(each) for each in told[:-2] if each != line) <= 60


def test_fix_without_a_terminal_is_refused_and_names_yes(run):
    refusal = run(SURFACE, "--fix").exception

    assert isinstance(refusal, JloraError)
    assert "--yes" in refusal.remedy
    assert run.pip == []


def test_fix_with_yes_runs_the_lines_and_checks_again(run):
    done = run([SURFACE, HEALTHY], "--fix", "--yes", "--json")

    assert run.pip == [["install", "--upgrade", "torch>=2.11,<2.15", "--index-url", CU126]]
    assert done.exit_code == 0
    assert json.loads(done.stdout)["facts"]["usable_gpu"] == "NVIDIA A100-SXM4-80GB"
    assert 'pip install --upgrade "torch>=2.11,<2.15"' in done.stderr


@pytest.mark.parametrize(("answer", "lines"), [(True, 1), (False, 0)])
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

    assert "nothing that the package manager can mend" in done.stderr
    assert done.exit_code == 0


def test_a_line_that_fails_stops_the_fixing(run):
    run.code = 1
    refusal = run(SURFACE, "--fix", "--yes").exception

    assert isinstance(refusal, JloraError)
    assert 'pip install --upgrade "torch>=2.11,<2.15"' in refusal.problem
    assert "still there" in refusal.remedy
    assert len(run.pip) == 1


def test_fix_shows_what_has_to_be_done_by_hand(run):
    done = run(replace(SURFACE, disk_free_gib=2.0), "--fix", "--yes")

    assert "By hand: free some space" in done.stderr


def test_fix_runs_no_line_twice(run):
    without = replace(SURFACE, torch=None, packages={})
    run(without, "--fix", "--yes")

    assert len(run.pip) == len({tuple(line) for line in run.pip}) == 2


def test_an_error_that_was_not_there_before_is_said(run):
    worse = replace(HEALTHY, torch=TorchBuild("2.14.1", "cu130", error="ImportError: libcudart"))
    done = run([SURFACE, worse], "--fix", "--yes")

    assert "! These errors were not there before: torch-broken." in done.stderr
    assert done.exit_code == 1


def test_without_yaml_the_machine_is_still_checked(run, monkeypatch):
    monkeypatch.setitem(sys.modules, "jlora_cli.profile", None)
    document = json.loads(run(HEALTHY, "--json").stdout)

    assert document["profiles"]["recommended"] is None
    assert document["profiles"]["fitting"] == []
    assert "Profiles that fit" not in run(HEALTHY).stdout
