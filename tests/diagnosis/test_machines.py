"""Made-up machines of every kind: what env-check finds on each, word for word."""

from __future__ import annotations

import pytest

from jlora_cli.diagnosis import diagnose
from jlora_cli.messages import CATALOGUE
from tests.made_up_machines import GOLDEN, MACHINES, all_told


@pytest.mark.parametrize("name", MACHINES)
def test_each_machine_has_exactly_the_faults_that_it_was_made_with(name):
    machine, faults = MACHINES[name]

    assert {item.id for item in diagnose(machine) if item.severity != "ok"} == faults


@pytest.mark.parametrize("lang", ["en", "ja"])
def test_what_is_told_is_the_golden_text(lang):
    """After a change of wording: `python -m tests.made_up_machines`, and read the difference."""
    golden = (GOLDEN / f"env_check.{lang}.txt").read_text(encoding="utf-8")

    assert golden.count("\n== ") == len(MACHINES) - 1
    assert all_told(lang) == golden


def test_the_machines_cover_every_finding_about_a_machine():
    covered = {id for made in MACHINES.values() for id in made.faults}
    # disk-for-model, profile-fit, run-fit and model-unknown need a model or a profile.
    asked = {"disk-for-model", "profile-fit", "run-fit", "model-unknown"}
    modules = ("machine", "machine_gpu", "machine_packages", "machine_room")
    areas = [__import__(f"jlora_cli.messages.{name}", fromlist=["x"]) for name in modules]
    known = {key.removesuffix(".remedy") for area in areas for key in area.MESSAGES
             if key.endswith(".remedy")}  # fmt: skip

    assert len(MACHINES) >= 40
    assert len(known) > 30
    assert known - asked == covered
    assert all(f"{id}.evidence" in CATALOGUE for id in covered)
