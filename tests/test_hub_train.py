"""The main job against a hub: everything a process of its own fetches, and what it leaves."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING

import pytest

from tests.hub_server import Hub, Repository, serving

if TYPE_CHECKING:
    from pathlib import Path

TOKEN = "hf_secretSECRETsecret0123456789abcdef"
MODEL, ROWS = "org/tiny-neox", "org/rows"
QUESTIONS = ("こんにちは", "ｶﾞとＡ１は？", "髙﨑さんと𠮷野家", "二行の\n質問")


@dataclass
class Place:
    """A hub with one model and one data set, and the folder in which commands run."""

    hub: Hub
    folder: Path

    def jlora(
        self, *arguments: str, home: str = "home", offline: bool = False
    ) -> subprocess.CompletedProcess[str]:
        """`jlora ARGUMENTS` with a cache of its own, as a user runs it."""
        inherited = {
            key: value for key, value in os.environ.items() if not key.startswith(("HF_", "COV_"))
        }
        chosen = {
            "HF_HOME": str(self.folder / home),
            "HF_ENDPOINT": self.hub.endpoint,
            "HF_TOKEN": TOKEN,
            "JLORA_LANG": "en",
            "PYTHONIOENCODING": "utf-8",
        }
        return subprocess.run(
            [sys.executable, "-m", "jlora_cli", *arguments],
            cwd=self.folder,
            env=inherited | chosen | ({"HF_HUB_OFFLINE": "1"} if offline else {}),
            capture_output=True,
            encoding="utf-8",
            timeout=300,
            check=False,
        )

    def asked(self, since: int = 0) -> list[str]:
        """The paths that were asked of the hub."""
        return [path for _, path, _ in self.hub.seen[since:]]


@pytest.fixture(scope="module")
def place(tmp_path_factory, tiny_base):
    folder = tmp_path_factory.mktemp("hub_train")
    rows = [{"instruction": text, "output": f"はい、{text}🐈"} for text in QUESTIONS]
    (folder / "rows").mkdir()
    lines = "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows)
    (folder / "rows/train.jsonl").write_text(lines, encoding="utf-8")
    with serving() as hub:
        hub.models[MODEL] = Repository({"main": tiny_base})
        hub.datasets[ROWS] = Repository({"main": folder / "rows"})
        yield Place(hub, folder)


@pytest.fixture(scope="module")
def trained(place):
    """Two steps on the hub's model and rows; everything is fetched anew."""
    options = ["--model", MODEL, "--data", ROWS, "--set", "max_steps=2", "--output", "run"]
    return place.jlora("train", *options)


def files_of(folder):
    return [path for path in folder.rglob("*") if path.is_file()]


def test_training_from_a_hub_leaves_a_finished_run(place, trained):
    assert trained.returncode == 0, trained.stderr
    record = json.loads((place.folder / "run/run.json").read_text(encoding="utf-8"))
    assert record["status"] == "finished"
    assert record["result"]["optimizer_steps"] == 2
    assert any(path.endswith("/model.safetensors") for path in place.asked())
    assert any(path.endswith("/train.jsonl") for path in place.asked())


def test_adapter_names_the_hub_id_as_its_base(place, trained):
    facts = json.loads((place.folder / "run/adapter/jlora.json").read_text(encoding="utf-8"))
    assert facts["base"]["model"] == MODEL
    config = (place.folder / "run/adapter/adapter_config.json").read_text(encoding="utf-8")
    assert json.loads(config)["base_model_name_or_path"] == MODEL


def test_run_answers_offline_from_the_cache(place, trained):
    asked = len(place.hub.seen)
    options = ["--prompt", QUESTIONS[0], "--max-new-tokens", "4", "--json"]
    answered = place.jlora("infer", "run", *options, offline=True)
    assert answered.returncode == 0, answered.stderr
    facts = json.loads(answered.stdout)
    assert facts["prompt"] == QUESTIONS[0]
    assert 1 <= facts["answer_tokens"] <= 4
    assert len(place.hub.seen) == asked


def test_token_is_sent_to_the_hub_and_written_nowhere(place, trained):
    assert any(TOKEN in authorization for *_, authorization in place.hub.seen)
    left = files_of(place.folder / "run")
    assert len(left) >= 5  # run.json, metrics, and an adapter's config, weights and tokenizer
    assert [path.name for path in left if TOKEN.encode() in path.read_bytes()] == []
    assert TOKEN not in trained.stdout + trained.stderr


def test_training_from_a_hub_draws_no_bars_into_a_pipe(trained):
    assert trained.stdout == ""
    drawn = [line for line in trained.stderr.splitlines() if "it/s" in line or "Warning" in line]
    assert drawn == []


def test_dry_run_fetches_no_weights(place):
    asked = len(place.hub.seen)
    options = ["--model", MODEL, "--data", ROWS, "--set", "max_steps=2", "--dry-run", "--json"]
    shown = place.jlora("train", *options, home="dry")
    assert shown.returncode == 0, shown.stderr
    plan = json.loads(shown.stdout)["plan"]
    assert (plan["rows"], plan["optimizer_steps"]) == (len(QUESTIONS), 2)
    files = {path.rpartition("/")[2] for path in place.asked(asked) if "/resolve/" in path}
    assert {"config.json", "spiece.model", "train.jsonl"} <= files
    assert not any("safetensors" in name for name in files)
    assert not (place.folder / "runs").exists()
    assert TOKEN not in shown.stdout + shown.stderr


@pytest.mark.parametrize("option", ["--model", "--data"])
def test_offline_without_cache_is_refused(place, option):
    """Each of the two is missed by name; the other one is embedded."""
    asked = len(place.hub.seen)
    here = {"--model": "demo", "--data": "demo"} | {option: {"--model": MODEL}.get(option, ROWS)}
    options = [word for pair in here.items() for word in pair]
    refused = place.jlora("train", *options, "--output", "gone", home="empty", offline=True)
    assert refused.returncode == 1
    error, fix = refused.stderr.strip().splitlines()[-2:]
    assert error == (
        f"Error: {here[option]} is not (wholly) in the local cache, and HF_HUB_OFFLINE forbids the "
        "network."
    )
    assert fix.startswith("Fix:   fetch it once with the network")
    assert TOKEN not in refused.stdout + refused.stderr
    assert not (place.folder / "gone").exists()
    assert len(place.hub.seen) == asked
