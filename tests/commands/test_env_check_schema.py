"""`env-check --json` keeps to docs/env-check.schema.json, on this machine and on made-up ones."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from jlora_cli.advice import advise
from jlora_cli.commands import env_check as command
from jlora_cli.diagnosis import diagnose
from tests.json_schema import faults
from tests.made_up_machines import MACHINES

ROOT = Path(__file__).parents[2]
SCHEMA = json.loads((ROOT / "docs" / "env-check.schema.json").read_text(encoding="utf-8"))


def document(machine, profile=None, model=None):
    advice = advise(machine, profile=profile, model=model)
    found = [*diagnose(machine, advice.wanted), *advice.findings]
    return json.loads(json.dumps(command._document(command._Checked(machine, advice, found))))


@pytest.mark.parametrize("name", MACHINES)
def test_the_document_of_a_made_up_machine_keeps_to_the_schema(name):
    assert list(faults(document(MACHINES[name].machine), SCHEMA)) == []


@pytest.mark.parametrize("name", ["a100-80", "little-room"])
def test_the_document_with_a_model_keeps_to_the_schema(name):
    told = document(MACHINES[name].machine, model="demo")

    assert list(faults(told, SCHEMA)) == []
    assert set(told["run"]["memory_gib"]) > {"total", "base_weights"}


def test_the_real_document_of_this_machine_keeps_to_the_schema():
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "HF_TOKEN": "hf_secretsecretsecret"}
    done = subprocess.run(
        [sys.executable, "-m", "jlora_cli", "env-check", "--json"], capture_output=True,
        encoding="utf-8", env=environment, check=False,
    )  # fmt: skip
    told = json.loads(done.stdout)

    assert list(faults(told, SCHEMA)) == []
    assert told["facts"]["hub"]["token"] is True
    assert "hf_secret" not in done.stdout
    assert done.returncode in (0, 1)


def test_without_profiles_the_document_keeps_to_the_schema(monkeypatch):
    monkeypatch.setitem(sys.modules, "jlora_cli.profile", None)

    assert list(faults(document(MACHINES["a100-80"].machine), SCHEMA)) == []


@pytest.mark.parametrize(
    ("break_it", "fault"),
    [
        (lambda d: d.pop("facts"), "$.facts: is missing"),
        (lambda d: d.update(schema=2), "$.schema: 2 is not 1"),
        (lambda d: d["facts"].update(cores=True), "$.facts.cores: True is no integer"),
        (lambda d: d["facts"].update(secret="x"), "$.facts.secret: must not be there"),
        (lambda d: d["facts"].update(shell="fish"), "$.facts.shell: 'fish' is none of"),
        (lambda d: d["facts"].update(driver_cuda=[13]), "$.facts.driver_cuda: 1 items"),
        (lambda d: d["findings"][0].update(severity="bad"), "$.findings[0].severity: 'bad'"),
    ],
)
def test_the_checker_sees_what_breaks_the_schema(break_it, fault):
    told = document(MACHINES["a100-80"].machine)
    break_it(told)

    assert [each.startswith(fault) for each in faults(told, SCHEMA)] == [True]
