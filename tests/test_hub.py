from __future__ import annotations

import errno
import importlib.util
import json
import re
import sys
import zipfile
from datetime import UTC, datetime
from decimal import Decimal

import pytest

from jlora_cli import hub, preparing
from jlora_cli.errors import JloraError
from jlora_cli.run_folder import open_source
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
def test_what_looks_local_is_not_downloaded(source, server, tmp_path, monkeypatch):
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")  # a checkout may hold a folder runs/
    assert "does not exist" in problem(source).problem
    assert server.seen == []


def test_a_name_inside_a_folder_that_is_here_is_not_downloaded(server, tmp_path, monkeypatch):
    (tmp_path / "data").mkdir()
    monkeypatch.chdir(tmp_path)
    for source in ("data/none", "runs/none"):
        assert f"{source} does not exist" in problem(source).problem
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


def test_an_adapter_of_the_hub_is_opened_whole(server, tmp_path):
    folder = tmp_path / "repos/lora"
    folder.mkdir(parents=True)
    (folder / "adapter_config.json").write_text('{"base_model_name_or_path": "org/tiny"}')
    (folder / "adapter_model.safetensors").write_bytes(b"weights")
    server.models["someone/lora"] = Repository({"main": folder})

    found = open_source("someone/lora")

    assert found.base == "org/tiny"
    assert names(found.adapter) == ["adapter_config.json", "adapter_model.safetensors"]


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
    assert hub.load_hub_rows("org/rows", split="train") == online
    assert [path.name for path in online] == ["train.jsonl"]
    with pytest.raises(JloraError, match="HF_HUB_OFFLINE"):
        hub.load_hub_rows("org/other")


def test_data_set_whose_hub_went_away_comes_from_the_cache(server, tmp_path, monkeypatch):
    server.datasets["org/rows"] = make_dataset(tmp_path / "d", {"rows.jsonl": json.dumps(ROW)})
    online = hub.load_hub_rows("org/rows")
    monkeypatch.setenv("HF_ENDPOINT", "http://127.0.0.1:9")
    assert hub.load_hub_rows("org/rows") == online


@pytest.mark.parametrize("files", [{"README.md": "# x"}, {"test.arrow": ""}, {"a.parquet.md": ""}])
def test_data_set_without_rows_is_refused(server, tmp_path, files):
    server.datasets["org/none"] = make_dataset(tmp_path / "d", files)
    with pytest.raises(JloraError, match='no data file of the split "train"'):
        hub.load_hub_rows("org/none")
    assert not any("/resolve/" in path for _, path, _ in server.seen)


def test_offline_rows_need_only_their_own_split(server, tmp_path, monkeypatch):
    files = {"data/train.jsonl": json.dumps(ROW), "data/test.jsonl": json.dumps(ROW)}
    server.datasets["org/rows"] = make_dataset(tmp_path / "d", files)
    online = hub.load_hub_rows("org/rows")
    asked = len(server.seen)
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    assert hub.load_hub_rows("org/rows") == online
    assert len(server.seen) == asked
    with pytest.raises(JloraError, match="HF_HUB_OFFLINE"):
        hub.load_hub_rows("org/rows", split="test")


def test_offline_misses_the_shard_that_was_not_fetched(server, tmp_path, monkeypatch):
    files = {f"train-{number}.jsonl": json.dumps(ROW) for number in range(2)}
    server.datasets["org/rows"] = make_dataset(tmp_path / "d", files)
    hub.load_hub_rows("org/rows")[1].unlink()
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    with pytest.raises(JloraError, match=r"not \(wholly\) in the local cache"):
        hub.load_hub_rows("org/rows")


def no_list(*_, **__):
    from huggingface_hub.errors import CachedRepoTreeNotFoundError

    raise CachedRepoTreeNotFoundError


@pytest.mark.parametrize("list_tree", [None, no_list])
def test_offline_rows_of_a_cache_without_a_list(server, tmp_path, monkeypatch, list_tree):
    """As huggingface_hub 1.x leaves it, or a program that fetched file by file."""
    files = {"train.jsonl": json.dumps(ROW), "README.md": "", "test.jsonl": json.dumps(ROW)}
    server.datasets["org/rows"] = make_dataset(tmp_path / "d", files)
    online = hub.load_hub_rows("org/rows")
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    monkeypatch.setattr("huggingface_hub.get_cached_repo_tree", list_tree, raising=False)
    assert hub.load_hub_rows("org/rows") == online


RECORDS = [
    {"instruction": "ｶﾞの Ａ１は？\n二行目", "output": "🐈にゃ"},
    {"instruction": "髙﨑さんと𠮷野家", "output": "「はい」\u2028そう"},
]


def save_arrow(path, records):
    """One Arrow file: the stream that `save_to_disk` of datasets writes."""
    import pyarrow

    path.parent.mkdir(parents=True, exist_ok=True)
    table = pyarrow.Table.from_pylist(records)
    with pyarrow.OSFile(str(path), "wb") as sink, pyarrow.ipc.new_stream(sink, table.schema) as out:
        out.write_table(table)


@pytest.fixture
def arrow(server, monkeypatch, tmp_path):
    """A data set as `save_to_disk` lays it out: no file that jlora reads itself."""
    monkeypatch.setenv("HF_DATASETS_CACHE", str(tmp_path / "datasets"))
    folder = tmp_path / "repos/arrow [1]"
    save_arrow(folder / "train/data-00000-of-00002.arrow", RECORDS[:1])
    save_arrow(folder / "train/data-00001-of-00002.arrow", RECORDS[1:])
    save_arrow(folder / "test/data-00000-of-00001.arrow", [{"instruction": "試験", "output": "x"}])
    for name in ("dataset_dict.json", "train/state.json", "train/dataset_info.json"):
        (folder / name).write_text('{"splits": ["train", "test"]}', encoding="utf-8")
    server.datasets["org/arrow"] = Repository({"main": folder})
    return "org/arrow"


def texts(loaded):
    return [[turn["content"] for turn in each.as_record()["messages"]] for each in loaded.examples]


def test_arrow_files_become_rows(server, arrow, tmp_path):
    loaded = preparing.load_data(arrow)
    assert loaded.format == "alpaca"
    assert texts(loaded) == [[row["instruction"], row["output"]] for row in RECORDS]
    assert loaded.examples[1].origin == "train.jsonl:2"
    assert not any("test/" in path for _, path, _ in server.seen)
    commit = server.datasets[arrow].commit("main")
    made = tmp_path / "datasets/jlora/org--arrow" / commit / "train.jsonl"
    lines = made.read_text(encoding="utf-8").split("\n")
    assert [json.loads(line) for line in lines[:-1]] == RECORDS
    assert [path.name for path in made.parent.iterdir() if path.suffix != ".lock"] == [made.name]


def test_arrow_rows_are_made_once_and_read_offline(server, arrow, monkeypatch):
    (online,) = hub.load_hub_rows(arrow)
    asked, made = len(server.seen), online.stat().st_mtime_ns
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    assert hub.load_hub_rows(arrow) == [online]
    assert (len(server.seen), online.stat().st_mtime_ns) == (asked, made)


def test_arrow_rows_are_made_offline_from_the_downloaded_files(server, arrow, monkeypatch):
    (online,) = hub.load_hub_rows(arrow)
    rows = online.read_bytes()
    online.unlink()
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    assert hub.load_hub_rows(arrow) == [online]
    assert online.read_bytes() == rows


def test_another_revision_has_rows_of_its_own(server, arrow, tmp_path):
    save_arrow(tmp_path / "old/data.arrow", [{"instruction": "旧版", "output": "v1"}])
    server.datasets[arrow].revisions["v1"] = tmp_path / "old"
    assert texts(preparing.load_data(f"{arrow}@v1")) == [["旧版", "v1"]]
    assert len(texts(preparing.load_data(arrow))) == 2


def test_zip_of_jsonl_becomes_rows(server, arrow, tmp_path):
    (tmp_path / "zip").mkdir()
    dated = [row | {"asked": "2026-11-03 10:00:00"} for row in RECORDS]
    with zipfile.ZipFile(tmp_path / "zip/rows.zip", "w") as packed:
        lines = "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in dated)
        packed.writestr("inner/rows.jsonl", lines)
    server.datasets["org/zip"] = Repository({"main": tmp_path / "zip"})
    (made,) = hub.load_hub_rows("org/zip")
    rows = [json.loads(line) for line in made.read_text(encoding="utf-8").strip("\n").split("\n")]
    assert rows == dated


def test_unpacking_says_nothing_on_the_terminal(arrow, capfd):
    hub.load_hub_rows(arrow)
    assert capfd.readouterr() == ("", "")


def unreadable(server, tmp_path, name, content):
    (tmp_path / "bad").mkdir()
    (tmp_path / "bad" / name).write_bytes(content)
    server.datasets["org/bad"] = Repository({"main": tmp_path / "bad"})
    with pytest.raises(JloraError) as caught:
        hub.load_hub_rows("org/bad")
    assert not list((tmp_path / "datasets").rglob("*.jsonl*"))
    return caught.value


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("rows.arrow", b""),
        ("rows.arrow", "矢".encode() * 90),
        ("rows.zip", b"PK\x03\x04 and no more"),
        ("rows.jsonl.xz", b"no xz"),
        ("rows.csv.bz2", b"no bz2"),
    ],
)
def test_damaged_files_are_refused_by_name(server, arrow, tmp_path, name, content, capfd):
    error = unreadable(server, tmp_path, name, content)
    assert error.problem.startswith(f"{name} of org/bad cannot be read as rows: ")
    assert "hf download --repo-type dataset org/bad" in error.remedy
    assert "\n" not in error.problem
    assert capfd.readouterr() == ("", "")


def test_rows_of_bytes_are_refused_whole(server, arrow, tmp_path):
    """The first row is text, the second a picture: not one row is left behind."""
    import io

    import pyarrow

    buffer = io.BytesIO()
    table = pyarrow.table({"instruction": ["絵", "絵"], "output": [None, b"\x89PNG"]})
    with pyarrow.ipc.new_stream(buffer, table.schema) as out:
        out.write_table(table)
    error = unreadable(server, tmp_path, "rows.arrow", buffer.getvalue())
    assert error.problem == "rows.arrow of org/bad cannot be read as rows: bytes is no text"


def test_missing_datasets_package_says_how_to_install_it(arrow, monkeypatch):
    find = importlib.util.find_spec
    monkeypatch.setattr(
        "importlib.util.find_spec", lambda name: None if name == "datasets" else find(name)
    )
    with pytest.raises(JloraError) as caught:
        hub.load_hub_rows(arrow)
    assert "only the package datasets opens: data-00000-of-00002.arrow, " in caught.value.problem
    assert re.search(r'pip install "datasets[>=.\d]+"', caught.value.remedy)


def test_full_disk_while_unpacking_is_named(arrow, monkeypatch):
    def full(*_):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr("os.fsync", full)
    with pytest.raises(JloraError, match="the disk is full: org/arrow"):
        hub.load_hub_rows(arrow)


def test_dates_and_exact_numbers_become_text():
    assert hub._as_text(datetime(2026, 11, 3, 10, 0, tzinfo=UTC)) == "2026-11-03 10:00:00+00:00"
    assert hub._as_text(Decimal("0.10")) == "0.10"


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
