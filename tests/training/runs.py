"""What tests do with runs: listen, read what was written, and make them go wrong."""

from __future__ import annotations

import hashlib
import json
import math

from safetensors.torch import load_file

from jlora_cli.events import StepDone
from jlora_cli.training.loss import summed_loss
from jlora_cli.training.session import train


def rows_of(path):
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


def run_of(proposal):
    return proposal.config.output


def losses(events):
    return [event.loss for event in events if isinstance(event, StepDone)]


def told(proposal, **how):
    """(record, events) of a run."""
    events = []
    return train(proposal, events.append, **how), events


def weights(tmp_path, name="実行"):
    return load_file(tmp_path / name / "adapter" / "adapter_model.safetensors")


def same(one, other, tolerance=0.0):
    assert one.keys() == other.keys()
    assert len(one) > 0
    return all(float((one[name] - other[name]).abs().max()) <= tolerance for name in one)


def crash_at(step, events=None):
    """Listens, and falls over after `step`: a power cut without the noise."""

    def notify(event):
        if events is not None:
            events.append(event)
        if isinstance(event, StepDone) and event.step == step:
            raise KeyboardInterrupt

    return notify


def files_of(folder):
    return {
        path: hashlib.sha256(path.read_bytes()).hexdigest()
        for path in folder.rglob("*")
        if path.is_file()
    }


def broken_at(step, batches_per_step, fault):
    """A `summed_loss` that goes wrong in `step`."""
    calls = []

    def loss(model, batch):
        calls.append(batch.origins)
        number = (len(calls) - 1) // batches_per_step + 1
        return fault(summed_loss(model, batch)) if number == step else summed_loss(model, batch)

    return calls, loss


def no_gradient(value):
    value.register_hook(lambda gradient: gradient * math.nan)
    return value
