from __future__ import annotations

import errno
import json
import sys

import pytest

from jlora_cli import hub, preparing
from jlora_cli.errors import JloraError
from tests.hub_server import Repository, serving

ROW = {
    "messages": [
        {"role": "user", "content": "ｶﾞの Ａ１"},
        {"role": "assistant", "content": "🐈にゃ"},
    ]
}


@pytest.fixture
def server(monkeypatch, tmp_path):
    with serving() as running:
        monkeypatch.setenv("HF_ENDPOINT", running.endpoint)
        monkeypatch.setenv("HF_HUB_CACHE", str(tmp_path / "cache"))
        monkeypatch.delenv("HF_HUB_OFFLINE", raising=False)
        monkeypatch.delenv("HF_TOKEN", raising=False)
        yield running


def make_model(folder, *, vocab=7):
    import numpy as np
    from safetensors.numpy import save_file

    folder.mkdir(parents=True)
    (folder / "config.json").write_text(json.dumps({"vocab_size": vocab}), encoding="utf-8")
    (folder / "spiece.model").write_bytes(b"pieces")
    (folder / "modeling_evil.py").write_text("raise SystemExit", encoding="utf-8")
    (folder / "pytorch_model.bin").write_bytes(b"pickle")
    save_file({"w": np.zeros((2, 2), dtype=np.float32)}, folder / "model.safetensors")
    (folder / "onnx").mkdir()
    (folder / "onnx/config.json").write_text("{}", encoding="utf-8")
    return folder


def names(folder):
    return sorted(path.name for path in folder.iterdir())


@pytest.fixture
def model(server, tmp_path):
    main = make_model(tmp_path / "repos/main")
    old = make_model(tmp_path / "repos/old", vocab=5)
    server.models["org/tiny"] = Repository({"main": main, "v1": old})
    return "org/tiny"


def problem(model, what="config"):
    with pytest.raises(JloraError) as caught:
        hub.find_model(model, what=what)
    return caught.value


def test_demo_is_the_packaged_folder():
    assert hub.find_model("demo", what="weights") == hub.ASSETS / "demo_base"


def test_local_folder_is_never_looked_up(tmp_path, monkeypatch, server):
    (tmp_path / "org/tiny").mkdir(parents=True)
    monkeypatch.chdir(tmp_path)
    assert hub.find_model("org/tiny", what="weights").samefile(tmp_path / "org/tiny")
    assert server.seen == []


def test_file_is_not_a_model(tmp_path):
    (tmp_path / "a.txt").write_text("x", encoding="utf-8")
    assert "is a file" in problem(str(tmp_path / "a.txt")).problem


@pytest.mark.parametrize(
    "source",
    [
        "./model",
        "../x",
        "/none/here",
        "~/none",
        "a/b/c",
        "C:\\models\\x",
        "x.jsonl",
        "runs/",
        "モデル",
        "a" * 5000 + "/é",
    ],
)
def test_what_looks_local_is_not_downloaded(source, server):
    assert "does not exist" in problem(source).problem
    assert server.seen == []


@pytest.mark.parametrize("source", ["org/name", "gpt2", "org/name@v1", "org/na.me@refs/pr/1"])
def test_hub_ids_do_not_look_local(source):
    assert not hub.looks_local(source)


def test_config_holds_no_weights_and_no_code(model):
    assert names(hub.fetch_tokenizer_files(model)) == ["config.json", "spiece.model"]


def test_weights_are_safetensors_only(model):
    found = hub.find_model(model, what="weights")
    assert names(found) == ["config.json", "model.safetensors", "spiece.model"]


def test_revision_chooses_the_files(model):
    config = hub.find_model(f"{model}@v1", what="config") / "config.json"
    assert json.loads(config.read_text(encoding="utf-8"))["vocab_size"] == 5


def test_unknown_revision_is_named(model):
    assert problem(f"{model}@v9").problem == 'org/tiny has no revision "v9".'


def test_unknown_model_is_named(server):
    error = problem("org/nothing")
    assert "org/nothing is neither a folder here nor on the hub" in error.problem
    assert "ORG/NAME" in error.remedy


def test_gated_model_says_where_to_ask(server, model):
    server.models[model].refusal = (403, "GatedRepo")
    error = problem(model)
    assert "registered users" in error.problem
    assert f"{server.endpoint}/org/tiny" in error.remedy


def test_refused_token_is_never_shown(server, model, monkeypatch):
    monkeypatch.setenv("HF_TOKEN", "hf_secretsecret")
    server.models[model].refusal = (401, "")
    error = problem(model)
    assert any("hf_secretsecret" in authorization for *_, authorization in server.seen)
    assert "hf_secretsecret" not in error.problem + error.remedy


def test_forbidden_is_a_matter_of_the_token(server, model):
    server.models[model].refusal = (403, "")
    assert "HTTP 403" in problem(model).problem


def test_broken_hub_says_its_status(server, model):
    server.models[model].refusal = (400, "")
    assert "HTTP 400" in problem(model).problem


def test_offline_reads_the_cache(server, model, monkeypatch):
    first = hub.find_model(model, what="weights")
    asked = len(server.seen)
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    assert hub.find_model(model, what="weights") == first
    assert len(server.seen) == asked


def test_offline_without_cache_says_so(server, model, monkeypatch):
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    error = problem(model)
    assert "HF_HUB_OFFLINE" in error.problem
    assert server.seen == []


def test_offline_with_half_the_files_says_so(server, model, monkeypatch):
    hub.find_model(model, what="config")
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    assert "HF_HUB_OFFLINE" in problem(model, what="weights").problem


def test_unreachable_hub_is_named(monkeypatch, tmp_path):
    monkeypatch.setenv("HF_ENDPOINT", "http://127.0.0.1:9")
    monkeypatch.setenv("HF_HUB_CACHE", str(tmp_path))
    assert "http://127.0.0.1:9 cannot be reached" in problem("org/tiny").problem


def test_model_without_safetensors_is_refused(server, tmp_path):
    folder = make_model(tmp_path / "repos/bin")
    (folder / "model.safetensors").unlink()
    server.models["org/bin"] = Repository({"main": folder})
    assert "safetensors" in problem("org/bin", what="weights").problem


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (OSError(errno.ENOSPC, "No space left on device"), "the disk is full"),
        (OSError(errno.EACCES, "Permission denied"), "Permission denied"),
        (OSError("connection broke"), "cannot be reached"),
        (ValueError("bad name"), "does not exist"),
    ],
)
def test_failures_of_this_machine_are_told_apart(monkeypatch, tmp_path, error, said):
    def fail(*_, **__):
        raise error

    monkeypatch.setenv("HF_HUB_CACHE", str(tmp_path))
    monkeypatch.setattr("huggingface_hub.snapshot_download", fail)
    assert said in problem("org/tiny").problem


def make_dataset(folder, files):
    for name, content in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content, encoding="utf-8")
    return Repository({"main": folder})


def test_data_set_gives_its_training_rows(server, tmp_path):
    line = json.dumps(ROW, ensure_ascii=False) + "\n"
    files = {"data/train.jsonl": line * 2, "data/test.jsonl": line, "README.md": "# x"}
    server.datasets["org/rows"] = make_dataset(tmp_path / "d", files)
    loaded = preparing.load_data("org/rows")
    assert [example.as_record() for example in loaded.examples] == [ROW, ROW]
    assert loaded.examples[0].origin == "train.jsonl:1"
    assert not any("test.jsonl" in path for _, path, _ in server.seen)


def test_data_set_of_parquet_files(server, tmp_path):
    pyarrow = pytest.importorskip("pyarrow")
    from pyarrow import parquet

    repository = make_dataset(tmp_path / "d", {"README.md": ""})
    table = pyarrow.Table.from_pylist([{"instruction": "猫は？", "output": "にゃ"}])
    parquet.write_table(table, tmp_path / "d/rows.parquet")
    server.datasets["org/rows"] = repository
    assert preparing.load_data("org/rows").format == "alpaca"


def test_data_set_from_the_cache(server, tmp_path, monkeypatch):
    files = {"train.jsonl": json.dumps(ROW), "validation.jsonl": json.dumps(ROW)}
    server.datasets["org/rows"] = make_dataset(tmp_path / "d", files)
    online = hub.load_hub_rows("org/rows", split="train")
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    assert [path.name for path in online] == ["train.jsonl"]
    with pytest.raises(JloraError, match="HF_HUB_OFFLINE"):
        hub.load_hub_rows("org/other")


def test_data_set_whose_hub_went_away_comes_from_the_cache(server, tmp_path, monkeypatch):
    server.datasets["org/rows"] = make_dataset(tmp_path / "d", {"rows.jsonl": json.dumps(ROW)})
    online = hub.load_hub_rows("org/rows")
    monkeypatch.setenv("HF_ENDPOINT", "http://127.0.0.1:9")
    assert hub.load_hub_rows("org/rows") == online


def test_data_set_without_rows_is_refused(server, tmp_path):
    server.datasets["org/none"] = make_dataset(tmp_path / "d", {"README.md": "", "a.arrow": ""})
    with pytest.raises(JloraError, match='no data file of the split "train"'):
        hub.load_hub_rows("org/none")


def test_unknown_data_set_is_named(server):
    with pytest.raises(JloraError, match="org/none is neither"):
        preparing.load_data("org/none")


def test_splits_go_by_name():
    files = ["data/train-0.parquet", "data/validation-0.parquet", "dataset_infos.json", ".x/a.json"]
    assert hub.of_split(files, "train") == ["data/train-0.parquet"]
    assert hub.of_split(files, "validation") == ["data/validation-0.parquet"]
    assert hub.of_split(["dolly-ja.json", "README.md"], "train") == ["dolly-ja.json"]
    assert hub.of_split(["dolly-ja.json"], "validation") == []


def test_fetch_errors_name_the_http_client():
    import huggingface_hub.file_download  # noqa: F401 - brings its HTTP client along

    assert any(name in sys.modules for name in ("httpx", "httpx2"))
    assert len(hub._fetch_errors()) > 2
