"""A checkpoint is whole or absent, a damaged one is passed over, and none of it is executed."""

from __future__ import annotations

import errno
import hashlib
import json
import pickle
import shutil
from contextlib import suppress
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from jlora_cli.config import RunConfig
from jlora_cli.errors import JloraError
from jlora_cli.model import Placement, adapter_state, attach_adapter, load_base
from jlora_cli.prompt import Encoded
from jlora_cli.training import checkpoints
from jlora_cli.training.batches import pack
from jlora_cli.training.checkpoints import Beside, Trained
from jlora_cli.training.loss import summed_loss
from jlora_cli.training.optimizer import make_optimizer, make_scheduler
from jlora_cli.training.precision import Precision

FILES = ("adapter_model.safetensors", "best.safetensors", "optimizer.pt", "progress.json")
BATCH = pack([Encoded([5, 6, 7, 8, 9], [-100, -100, 7, 8, 9])])
PROGRESS = {"identity": {"base": "髙﨑"}, "progress": {"step": 2}}


def trained_on(base, *, rank=4):
    config = RunConfig(
        optimizer="adamw",
        warmup_steps=0,
        lora_r=rank,
        lora_dropout=0.1,
        lora_targets=("dense",),
    )
    adapted = attach_adapter(load_base(base, Placement()), config).train()
    optimizer = make_optimizer(adapted, config)
    return Trained(
        adapted, optimizer, make_scheduler(optimizer, config, 10), Precision("float32", "cpu")
    )


def learn(trained, count=2):
    for _ in range(count):
        summed_loss(trained.adapted, BATCH).backward()
        trained.optimizer.step()
        trained.optimizer.zero_grad()
        trained.scheduler.step()


@pytest.fixture(scope="module")
def written(tiny_base, tmp_path_factory):
    """A folder with the checkpoints of steps 2 and 4, never changed."""
    folder = tmp_path_factory.mktemp("checkpoints")
    torch.manual_seed(1)
    trained = trained_on(tiny_base)
    for step in (2, 4):
        learn(trained)
        checkpoints.save(folder, step, trained, PROGRESS, Beside(adapter_state(trained.adapted)))
    return folder


@pytest.fixture
def folder(written, tmp_path):
    """A copy to be damaged."""
    return Path(shutil.copytree(written, tmp_path / "checkpoints"))


def digest(path):
    return hashlib.sha256(path.read_bytes()).hexdigest()


def names(paths):
    return [path.name for path in paths]


# --- written whole --------------------------------------------------------------------------


def test_a_checkpoint_holds_its_files_and_a_manifest_of_their_digests(written):
    path = written / "step-000004"
    assert sorted(names(path.iterdir())) == sorted([*FILES, "manifest.json"])
    manifest = json.loads((path / "manifest.json").read_text())
    assert manifest == {name: digest(path / name) for name in FILES}
    assert sorted(names(written.iterdir())) == ["step-000002", "step-000004"]


def test_the_newest_whole_checkpoint_is_found_by_number_and_not_by_name(folder):
    (folder / "step-000004").rename(folder / "step-1000000")
    (folder / "step-000002").rename(folder / "step-999999")
    (folder / "step-latest").mkdir()
    assert checkpoints.newest(folder) == (folder / "step-1000000", [])


def test_where_there_is_none_none_is_found(tmp_path):
    assert checkpoints.newest(tmp_path / "無い") == (None, [])


@pytest.mark.parametrize(
    "fault",
    [
        ("write_json", OSError(errno.ENOSPC, "No space left on device")),
        ("save_file", OSError(errno.EIO, "Input/output error")),
        ("_sha256", RuntimeError("PytorchStreamWriter failed writing file data/0")),
    ],
    ids=["manifest", "tensors", "torch"],
)
def test_a_checkpoint_that_cannot_be_written_leaves_the_older_ones_alone(
    folder, tiny_base, monkeypatch, fault
):
    name, error = fault

    def fail(*_):
        raise error

    before = {path: digest(path) for path in folder.rglob("*") if path.is_file()}
    monkeypatch.setattr(checkpoints, name, fail)
    with pytest.raises(JloraError) as refused:
        checkpoints.save(folder, 6, trained_on(tiny_base), PROGRESS)
    assert str(folder / "step-000006") in refused.value.problem
    assert str(error) in refused.value.problem
    assert "--resume" in refused.value.remedy
    assert {path: digest(path) for path in folder.rglob("*") if path.is_file()} == before
    assert sorted(names(folder.iterdir())) == ["step-000002", "step-000004"]


def test_what_a_killed_run_left_half_written_is_neither_found_nor_in_the_way(folder, tiny_base):
    draft = folder / ".step-000006.part"
    shutil.copytree(folder / "step-000004", draft)
    (draft / "rubbish").write_text("半分")
    assert checkpoints.newest(folder) == (folder / "step-000004", [])
    path = checkpoints.save(folder, 6, trained_on(tiny_base), PROGRESS)
    assert checkpoints.newest(folder) == (path, [])
    assert not draft.exists()
    assert "rubbish" not in names(path.iterdir())


def test_a_checkpoint_of_the_same_step_is_replaced(folder, tiny_base):
    before = digest(folder / "step-000004" / "adapter_model.safetensors")
    path = checkpoints.save(folder, 4, trained_on(tiny_base), PROGRESS)
    assert digest(path / "adapter_model.safetensors") != before
    assert checkpoints.newest(folder) == (folder / "step-000004", [])
    assert not (path / "best.safetensors").exists()


# --- damaged --------------------------------------------------------------------------------


def delete(path):
    path.unlink()


def empty(path):
    path.write_bytes(b"")


def halve(path):
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


def zero_tail(path):
    data = path.read_bytes()
    cut = len(data) * 3 // 4
    path.write_bytes(data[:cut] + bytes(len(data) - cut))


def flip_bit(path):
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(bytes(data))


DAMAGES = (delete, empty, halve, zero_tail, flip_bit)


@pytest.mark.parametrize("damage", DAMAGES)
@pytest.mark.parametrize("name", [*FILES, "manifest.json"])
def test_a_damaged_checkpoint_is_named_and_the_older_one_taken(folder, name, damage):
    before = digest(folder / "step-000004" / name)
    damage(folder / "step-000004" / name)
    assert damage is delete or digest(folder / "step-000004" / name) != before
    assert checkpoints.newest(folder) == (folder / "step-000002", [folder / "step-000004"])


@pytest.mark.parametrize("missing", ["adapter_model.safetensors", "optimizer.pt", "progress.json"])
def test_a_manifest_that_leaves_a_file_out_makes_no_whole_checkpoint(folder, missing):
    path = folder / "step-000004"
    manifest = json.loads((path / "manifest.json").read_text())
    del manifest[missing]
    (path / missing).unlink()
    (path / "manifest.json").write_text(json.dumps(manifest))
    assert checkpoints.newest(folder) == (folder / "step-000002", [path])


@pytest.mark.parametrize("text", ["{}", "[]", "null", '"髙"', "3"])
def test_a_manifest_of_another_kind_makes_no_whole_checkpoint(folder, text):
    (folder / "step-000004" / "manifest.json").write_text(text)
    assert checkpoints.newest(folder)[1] == [folder / "step-000004"]


def test_all_damaged_ones_are_named_the_newest_first(folder):
    for step in ("step-000002", "step-000004"):
        flip_bit(folder / step / "optimizer.pt")
    (folder / "step-000009").write_text("フォルダーではない")
    found, damaged = checkpoints.newest(folder)
    assert found is None
    assert names(damaged) == ["step-000009", "step-000004", "step-000002"]


# --- kept -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("count", "left"), [(1, ["000004"]), (2, ["000002", "000004"]), (9, ["000002", "000004"])]
)
def test_only_the_newest_are_kept(folder, count, left):
    checkpoints.keep_newest(folder, count, step=4)
    assert sorted(names(folder.iterdir())) == [f"step-{step}" for step in left]


def test_a_damaged_later_checkpoint_does_not_push_out_the_one_that_was_resumed_from(folder):
    # Resumed from step 2 because step 4 was damaged, then interrupted at step 3.
    flip_bit(folder / "step-000004" / "optimizer.pt")
    shutil.copytree(folder / "step-000002", folder / "step-000003")
    checkpoints.keep_newest(folder, 1, step=3)
    assert names(folder.iterdir()) == ["step-000003"]


# --- put back -------------------------------------------------------------------------------


def test_what_is_restored_goes_on_bit_for_bit_as_if_nothing_had_happened(tiny_base, tmp_path):
    torch.manual_seed(5)
    trained = trained_on(tiny_base)
    learn(trained)
    path = checkpoints.save(tmp_path, 2, trained, PROGRESS, Beside(adapter_state(trained.adapted)))
    at_two = {n: t.clone() for n, t in adapter_state(trained.adapted).items()}
    learn(trained, 3)

    torch.manual_seed(99)
    other = trained_on(tiny_base)
    learn(other, 1)
    best = checkpoints.restore(path, other)
    assert all(torch.equal(t, at_two[n]) for n, t in adapter_state(other.adapted).items())
    assert all(torch.equal(best[name], at_two[name]) for name in at_two)
    learn(other, 3)  # with dropout: the random numbers were put back as well

    wanted = adapter_state(trained.adapted)
    assert len(wanted) == 4  # A and B of one layer in each of two blocks
    assert all(torch.equal(t, wanted[n]) for n, t in adapter_state(other.adapted).items())
    assert any(not torch.equal(wanted[name], at_two[name]) for name in wanted)
    assert other.scheduler.get_last_lr() == trained.scheduler.get_last_lr()


def test_a_run_without_a_best_adapter_gets_none_back(tiny_base, tmp_path):
    trained = trained_on(tiny_base)
    path = checkpoints.save(tmp_path, 1, trained, PROGRESS)
    assert checkpoints.restore(path, trained) is None


def test_the_scale_of_a_float16_run_is_put_back(tiny_base, tmp_path):
    trained, other = trained_on(tiny_base), trained_on(tiny_base)
    trained.precision.scaler = torch.amp.GradScaler("cpu", init_scale=512.0)
    other.precision.scaler = torch.amp.GradScaler("cpu")
    path = checkpoints.save(tmp_path, 1, trained, PROGRESS)
    checkpoints.restore(path, other)
    assert other.precision.scaler.get_scale() == 512.0


def test_progress_is_read_back_with_its_step(written):
    progress = checkpoints.read_progress(written / "step-000004")
    assert progress == {"step": 4, **PROGRESS}


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"identity": {}}'])
def test_progress_of_another_kind_is_refused_by_name(folder, text):
    (folder / "step-000004" / "progress.json").write_text(text)
    with pytest.raises(JloraError, match="step-000004 was not written by jlora"):
        checkpoints.read_progress(folder / "step-000004")


def test_a_checkpoint_for_another_adapter_is_refused(written, tiny_base):
    with pytest.raises(JloraError, match="step-000004 was not written by jlora, or for another"):
        checkpoints.restore(written / "step-000004", trained_on(tiny_base, rank=2))


# --- nothing is executed --------------------------------------------------------------------


class Evil:
    """Unpickled, it makes a file: what a stranger's checkpoint could do worse."""

    def __init__(self, canary):
        self.canary = canary

    def __reduce__(self):
        return Path.touch, (self.canary,)


@pytest.fixture(params=["torch", "pickle"])
def poisoned(request, folder, tmp_path):
    """(checkpoint, canary): its optimizer.pt runs code when it is unpickled."""
    path, canary = folder / "step-000004", tmp_path / "JLORA_PWNED"
    if request.param == "torch":
        torch.save({"optimizer": Evil(canary)}, path / "optimizer.pt")
    else:
        (path / "optimizer.pt").write_bytes(pickle.dumps(Evil(canary), protocol=2))
    return path, canary


def test_a_pickle_that_runs_code_does_not_fit_the_manifest(poisoned, folder):
    path, canary = poisoned
    assert checkpoints.newest(folder) == (folder / "step-000002", [path])
    assert not canary.exists()


def test_a_pickle_that_runs_code_is_not_executed_even_with_a_manifest_of_its_own(
    poisoned, folder, tiny_base
):
    path, canary = poisoned
    manifest = json.loads((path / "manifest.json").read_text())
    manifest["optimizer.pt"] = digest(path / "optimizer.pt")
    (path / "manifest.json").write_text(json.dumps(manifest))
    assert checkpoints.newest(folder) == (path, [])
    with pytest.raises(JloraError, match="was not written by jlora") as refused:
        checkpoints.restore(path, trained_on(tiny_base))
    assert str(path) in refused.value.problem
    assert not canary.exists()
    with suppress(RuntimeError):  # a bare pickle is executed before torch finds it is no tensor
        torch.load(path / "optimizer.pt", weights_only=False)
    assert canary.exists()  # the poison was real


def test_no_file_of_a_checkpoint_but_the_optimizers_is_a_pickle(written):
    path = written / "step-000004"
    assert len(load_file(path / "adapter_model.safetensors")) == 4
    assert len(load_file(path / "best.safetensors")) == 4
    assert json.loads((path / "progress.json").read_text(encoding="utf-8"))["step"] == 4
    assert torch.load(path / "optimizer.pt", weights_only=True).keys() == {
        "optimizer", "scheduler", "random",
    }  # fmt: skip


# --- the same run ---------------------------------------------------------------------------


def test_a_run_that_differs_is_refused_naming_what_differs():
    saved = {"learning_rate": 0.01, "data": "a", "base": "b", "lora_targets": ["dense"]}
    checkpoints.check_same_run(saved, dict(saved), Path("歩"))
    wanted = {**saved, "learning_rate": 0.02, "base": "c"}
    with pytest.raises(JloraError) as refused:
        checkpoints.check_same_run(saved, wanted, Path("歩"))
    assert refused.value.problem == (
        "歩 belongs to another run; there and here differ: learning_rate 0.01 → 0.02, base b → c"
    )
