"""What the tests of training share: rows, proposals over a tiny base, and real processes."""

from __future__ import annotations

import os

import pytest

from jlora_cli.machine import Machine
from jlora_cli.proposal import propose
from tests.tiny_runs import write_rows
from tests.training.forking import Launcher

CPU = Machine(
    system="Linux",
    python="3.11",
    in_virtual_environment=True,
    cpu="x86_64",
    cores=2,
    memory_gib=16.0,
    free_memory_gib=12.0,
    disk_free_gib=100.0,
)
VALIDATION = (("名前は何ですか？", "名前はまだ無い。"), ("どこですか？", "薄暗い所です。🐈"))


@pytest.fixture(scope="session")
def data(tmp_path_factory):
    """Six rows to train on and two held out: (train file, validation file)."""
    folder = tmp_path_factory.mktemp("rows")
    return write_rows(folder / "行.jsonl"), write_rows(folder / "検証.jsonl", VALIDATION)


@pytest.fixture
def proposal(tiny_base, data, tmp_path):
    """A maker of proposals: twelve steps of two rows each unless options say otherwise."""

    def make(**options):
        settings = {
            "model": str(tiny_base),
            "data": str(data[0]),
            "output": str(tmp_path / "実行"),
            "max_steps": 12,
            "batch_size": 2,
            "learning_rate": 0.01,
            "warmup_steps": 0,
            "sample_prompts": ["吾輩は何ですか？"],
        }
        return propose("cpu-small", {**settings, **options}, CPU)

    return make


@pytest.fixture(autouse=True)
def short_samples(monkeypatch):
    """Sample answers of four tokens: what they say is tested elsewhere."""
    monkeypatch.setattr("jlora_cli.training.saving._SAMPLE_TOKENS", 4)


@pytest.fixture(scope="session")
def launcher():
    """Starts `python -m jlora_cli` in processes of their own; only where there is fork."""
    if not hasattr(os, "fork"):
        yield None
        return
    made = Launcher()
    yield made
    made.close()
