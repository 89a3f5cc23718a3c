"""Run folders and SOURCEs: what lies there is never looked up, what is not whole is refused."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from jlora_cli import run_folder
from jlora_cli.errors import JloraError
from jlora_cli.run_folder import (
    append_json,
    choose_output,
    in_use,
    make_run_folder,
    newest_run,
    open_source,
    read_record,
    write_json,
    write_whole,
)

CARD = {
    "base": {"model": "rinna/japanese-gpt2-medium", "fingerprint": "ab"},
    "prompt": {"newline": "keep", "lower_case": False},
}


@pytest.fixture(autouse=True)
def asked(monkeypatch, tmp_path):
    """What was looked up on a hub; every look-up finds the folder `found`."""
    names: list[str] = []

    def find_model(name, *, what):
        names.append(f"{name} {what}")
        return tmp_path / "found"

    monkeypatch.setattr(run_folder, "find_model", find_model)
    monkeypatch.chdir(tmp_path)
    return names


def an_adapter(folder, *, base="base/髙﨑", card=None, weights="adapter_model.safetensors"):
    """An adapter folder, whole as far as file names tell."""
    folder.mkdir(parents=True)
    config = {"base_model_name_or_path": base}
    (folder / "adapter_config.json").write_text(json.dumps(config), encoding="utf-8")
    (folder / weights).write_bytes(b"weights")
    if card is not None:
        (folder / "jlora.json").write_text(json.dumps(card), encoding="utf-8")
    return folder


def a_run(folder, status="finished", *, age=0, adapter=False):
    """A run folder whose record was written `age` seconds ago."""
    folder.mkdir(parents=True)
    if adapter:
        an_adapter(folder / "adapter", card=CARD)
    record = folder / "run.json"
    record.write_text(json.dumps({"status": status}), encoding="utf-8")
    written = record.stat().st_mtime_ns - age * 10**9
    os.utime(record, ns=(written, written))
    return folder


def refusal_of(source, **more):
    with pytest.raises(JloraError) as refusal:
        open_source(str(source), **more)
    assert refusal.value.remedy
    return refusal.value.problem


# -- what a SOURCE is -----------------------------------------------------------------------------


def test_a_finished_run_is_its_adapter_on_the_base_that_it_remembers(tmp_path, asked):
    run = a_run(tmp_path / "実行 🐈", adapter=True)

    found = open_source(str(run))

    assert (found.run, found.adapter) == (run, run / "adapter")
    assert found.base == "rinna/japanese-gpt2-medium"
    assert found.card == CARD
    assert asked == []


def test_an_adapter_of_another_tool_has_no_card(tmp_path, asked):
    adapter = an_adapter(tmp_path / "adapter")

    found = open_source(str(adapter))

    assert (found.base, found.card, found.run) == ("base/髙﨑", None, None)
    assert asked == []


@pytest.mark.parametrize("card", [None, CARD])
def test_the_base_that_is_named_beats_the_one_remembered(tmp_path, card):
    adapter = an_adapter(tmp_path / "adapter", card=card)

    assert open_source(str(adapter), base="other/base").base == "other/base"


@pytest.mark.parametrize("base", [{}, "text", None])
def test_a_card_without_a_base_leaves_it_to_the_config(tmp_path, base):
    adapter = an_adapter(tmp_path / "adapter", card={**CARD, "base": base})

    assert open_source(str(adapter)).base == "base/髙﨑"


def test_a_model_folder_is_a_base_without_adapter(tmp_path, asked):
    (tmp_path / "config.json").write_text("{}", encoding="utf-8")

    found = open_source(str(tmp_path))

    assert (found.base, found.adapter, found.card) == (str(tmp_path), None, None)
    assert asked == []


def test_a_merged_model_brings_its_card(tmp_path):
    (tmp_path / "config.json").write_text("{}", encoding="utf-8")
    (tmp_path / "jlora.json").write_text(json.dumps(CARD), encoding="utf-8")

    assert open_source(str(tmp_path)).card == CARD


def test_what_is_not_there_is_asked_of_the_hub(tmp_path, asked):
    (tmp_path / "found").mkdir()
    (tmp_path / "found" / "config.json").write_text("{}", encoding="utf-8")

    found = open_source("rinna/japanese-gpt2-medium")

    assert found.base == "rinna/japanese-gpt2-medium"
    assert asked == ["rinna/japanese-gpt2-medium config"]


def test_of_an_adapter_on_the_hub_the_weights_are_fetched_too(tmp_path, asked):
    an_adapter(tmp_path / "found", card=CARD)

    found = open_source("someone/猫-lora")

    assert found.adapter == tmp_path / "found"
    assert asked == ["someone/猫-lora config", "someone/猫-lora weights"]


def test_demo_is_the_embedded_model_even_beside_a_folder_of_that_name(tmp_path, asked):
    (tmp_path / "demo").mkdir()
    (tmp_path / "found").mkdir()
    (tmp_path / "found" / "config.json").write_text("{}", encoding="utf-8")

    assert open_source("demo").base == "demo"
    assert asked == ["demo config"]


def test_a_name_too_long_to_be_a_path_is_asked_of_the_hub(tmp_path, asked):
    (tmp_path / "found").mkdir()
    (tmp_path / "found" / "config.json").write_text("{}", encoding="utf-8")

    open_source("a" * 5000)

    assert asked == ["a" * 5000 + " config"]


# -- what is refused ------------------------------------------------------------------------------


@pytest.mark.parametrize("status", ["interrupted", "failed", "refused"])
def test_a_run_that_did_not_finish_is_refused(tmp_path, status):
    run = a_run(tmp_path / "run", status, adapter=True)

    problem = refusal_of(run)

    assert problem == f"{run} is not a finished run (status: {status})"


def test_a_run_without_its_record_is_refused(tmp_path):
    an_adapter(tmp_path / "run" / "adapter", card=CARD)

    assert "is not a finished run (status: ?)" in refusal_of(tmp_path / "run")


@pytest.mark.parametrize("content", ["{", "[]", '"finished"', "\x80", "[" * 100_000])
def test_a_record_that_cannot_be_read_is_refused_with_its_path(tmp_path, content):
    run = a_run(tmp_path / "run", adapter=True)
    (run / "run.json").write_bytes(content.encode("latin-1"))

    assert refusal_of(run).startswith(f"{run / 'run.json'} cannot be read: ")


def test_a_finished_run_without_its_adapter_is_refused(tmp_path):
    run = a_run(tmp_path / "run")

    assert refusal_of(run) == f"{run / 'adapter' / 'adapter_config.json'} is missing"


def test_an_adapter_without_config_is_refused_and_not_looked_up(tmp_path, asked):
    adapter = an_adapter(tmp_path / "adapter")
    (adapter / "adapter_config.json").unlink()

    assert refusal_of(adapter) == f"{adapter / 'adapter_config.json'} is missing"
    assert asked == []


def test_an_adapter_without_weights_is_refused_and_not_looked_up(tmp_path, asked):
    adapter = an_adapter(tmp_path / "adapter")
    (adapter / "adapter_model.safetensors").unlink()

    assert refusal_of(adapter) == f"{adapter / 'adapter_model.safetensors'} is missing"
    assert asked == []


def test_pickled_weights_are_refused(tmp_path):
    adapter = an_adapter(tmp_path / "adapter", weights="adapter_model.bin")

    assert refusal_of(adapter).startswith(f"{adapter / 'adapter_model.bin'} is a pickle")


@pytest.mark.parametrize("content", ["{", "[1]", "null"])
def test_an_adapter_config_that_cannot_be_read_is_refused(tmp_path, content):
    adapter = an_adapter(tmp_path / "adapter")
    (adapter / "adapter_config.json").write_text(content, encoding="utf-8")

    assert refusal_of(adapter).startswith(f"{adapter / 'adapter_config.json'} cannot be read: ")


def test_an_adapter_that_names_no_base_is_refused(tmp_path):
    adapter = an_adapter(tmp_path / "adapter", base="")

    assert refusal_of(adapter) == f"{adapter / 'adapter_config.json'} does not name a base model"
    assert open_source(str(adapter), base="b").base == "b"


def test_a_file_is_no_source(tmp_path):
    file = tmp_path / "adapter.safetensors"
    file.write_bytes(b"")

    assert refusal_of(file) == f"{file} is a file, not a folder"


def test_a_folder_of_something_else_is_refused_and_not_looked_up(tmp_path, asked):
    (tmp_path / "写真").mkdir()

    assert refusal_of(tmp_path / "写真").endswith(
        "holds neither a run, nor an adapter, nor a model"
    )
    assert asked == []


def test_a_link_that_leads_nowhere_is_not_looked_up(tmp_path, asked):
    (tmp_path / "link").symlink_to("nowhere")

    assert "holds neither" in refusal_of(tmp_path / "link")
    assert asked == []


@pytest.mark.parametrize(("name", "problem"), [("none", "does not exist"), ("file", "unfinished")])
def test_a_record_is_asked_only_of_a_run(tmp_path, name, problem):
    (tmp_path / "file").write_text("", encoding="utf-8")

    with pytest.raises(JloraError) as refusal:
        read_record(tmp_path / name)

    shown = {"does not exist": "does not exist", "unfinished": "is not a finished run (status: ?)"}
    assert refusal.value.problem == f"{tmp_path / name} {shown[problem]}"


def test_a_record_that_the_system_denies_is_refused(tmp_path, monkeypatch):
    run = a_run(tmp_path / "run")

    def denied(*_, **__):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "read_text", denied)

    assert refusal_of(run) == f"{run / 'run.json'} cannot be read: Permission denied"


# -- the newest run -------------------------------------------------------------------------------


def test_the_newest_run_is_the_finished_one_written_last(tmp_path):
    runs = tmp_path / "runs"
    a_run(runs / "20261122-c", age=300)
    newest = a_run(runs / "20261120-a", age=100)
    a_run(runs / "20261123-d", "interrupted", age=10)

    assert newest_run() == newest.relative_to(tmp_path)


def test_the_run_of_a_demo_is_found_beside_its_data(tmp_path):
    a_run(tmp_path / "runs" / "20261121-gpt2", age=300)
    demo = a_run(tmp_path / "runs" / "20261122-demo" / "run", age=100)
    (demo.parent / "data").mkdir()

    assert newest_run(tmp_path / "runs") == demo
    a_run(tmp_path / "runs" / "20261123-gpt2", age=10)
    assert newest_run(tmp_path / "runs").name == "20261123-gpt2"


def test_a_damaged_record_is_passed_over(tmp_path):
    whole = a_run(tmp_path / "runs" / "a", age=100)
    (a_run(tmp_path / "runs" / "b") / "run.json").write_text("{", encoding="utf-8")

    assert newest_run(tmp_path / "runs") == whole


@pytest.mark.parametrize("status", [None, "failed"])
def test_without_a_finished_run_there_is_no_newest(tmp_path, status):
    if status:
        a_run(tmp_path / "runs" / "a", status)

    with pytest.raises(JloraError) as refusal:
        newest_run()

    assert refusal.value.problem == "there is no finished run under runs"
    assert "jlora chat demo" in refusal.value.remedy


# -- where a run goes -----------------------------------------------------------------------------


def test_the_output_is_as_asked(monkeypatch, tmp_path):
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("USERPROFILE", str(tmp_path))

    assert choose_output("結果/1", "demo") == Path("結果/1")
    assert choose_output("~/runs", "demo") == tmp_path / "runs"


@pytest.mark.parametrize(
    ("model", "name"),
    [
        ("rinna/japanese-gpt2-medium", "japanese-gpt2-medium"),
        ("../髙﨑 の:モデル/", "髙﨑-の-モデル"),
        ("🐈", "run"),
        (".", "run"),
        ("org/name@main", "name-main"),
    ],
)
def test_without_one_it_is_dated_and_named_after_the_model(model, name):
    output = choose_output(None, model)

    stamp, _, rest = output.name.partition(f"-{name}")
    assert output.parent == Path("runs")
    assert rest == ""
    assert len(stamp) == len("20261122-105131")


def test_an_output_that_is_there_is_not_chosen_again(tmp_path, monkeypatch):
    class Clock:
        @staticmethod
        def now():
            return run_folder.datetime.fromisoformat("2026-11-22T10:51:31+09:00")

    clock = Clock.now()
    monkeypatch.setattr(Clock, "now", staticmethod(lambda: clock))
    monkeypatch.setattr(run_folder, "datetime", Clock)
    first = choose_output(None, "demo")
    first.mkdir(parents=True)
    first.with_name(f"{first.name}-2").mkdir()

    assert choose_output(None, "demo").name == f"{first.name}-3"


def test_in_use_is_what_holds_something(tmp_path):
    (tmp_path / "empty").mkdir()
    (tmp_path / "file").write_text("", encoding="utf-8")

    used = {name: in_use(tmp_path / name) for name in ("none", "empty", "file", ".")}

    assert used == {"none": False, "empty": False, "file": True, ".": True}
    assert in_use(tmp_path / ("a" * 5000)) is False


def test_runs_are_kept_out_of_git_once(tmp_path):
    make_run_folder(tmp_path / "runs" / "a")
    (tmp_path / "runs" / ".gitignore").write_text("*.bin\n", encoding="utf-8")
    make_run_folder(tmp_path / "runs" / "b")
    make_run_folder(tmp_path / "elsewhere" / "c")

    assert (tmp_path / "runs" / ".gitignore").read_text(encoding="utf-8") == "*.bin\n"
    assert not (tmp_path / "elsewhere" / ".gitignore").exists()


def test_a_new_runs_folder_ignores_all_of_it(tmp_path):
    make_run_folder(tmp_path / "runs" / "a")

    assert (tmp_path / "runs" / ".gitignore").read_text(encoding="utf-8") == "*\n"


def test_a_folder_that_cannot_be_made_is_refused(tmp_path):
    (tmp_path / "file").write_text("", encoding="utf-8")

    with pytest.raises(JloraError) as refusal:
        make_run_folder(tmp_path / "file" / "run")

    assert refusal.value.problem == f"cannot write {tmp_path / 'file' / 'run'}: Not a directory"


# -- writing --------------------------------------------------------------------------------------


def test_a_file_is_replaced_whole(tmp_path):
    path = tmp_path / "run.json"
    write_json(path, {"status": "running"})

    write_json(path, {"答え": "ｶﾞ\n🐈", "output": Path("runs/a")})

    assert json.loads(path.read_text(encoding="utf-8")) == {"答え": "ｶﾞ\n🐈", "output": "runs/a"}
    assert path.read_bytes().endswith(b"}\n")
    assert "答え".encode() in path.read_bytes()
    assert b"\r" not in path.read_bytes()


def test_a_write_that_fails_leaves_the_old_file_and_nothing_else(tmp_path):
    path = tmp_path / "run.json"
    write_whole(path, "古い\n")

    with pytest.raises(UnicodeEncodeError):
        write_whole(path, "半分 \ud83d")

    assert path.read_text(encoding="utf-8") == "古い\n"
    assert list(tmp_path.iterdir()) == [path]


def test_the_new_file_is_on_disk_before_it_takes_the_name(tmp_path, monkeypatch):
    path = tmp_path / "run.json"
    write_whole(path, "old")
    seen = []
    monkeypatch.setattr(run_folder.os, "fsync", lambda _: seen.append(path.read_text("utf-8")))

    write_whole(path, "new")

    assert seen == ["old"]
    assert path.read_text(encoding="utf-8") == "new"


def test_rows_are_appended_one_a_line(tmp_path):
    path = tmp_path / "samples.jsonl"
    append_json(path, {"answer": "一行目\n二行目"})
    append_json(path, {"answer": "a\u2028b"})

    lines = path.read_bytes().decode().split("\n")
    assert [json.loads(line)["answer"] for line in lines[:2]] == ["一行目\n二行目", "a\u2028b"]
    assert lines[2:] == [""]
