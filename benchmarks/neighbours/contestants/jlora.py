"""`jlora train` in this process, and after it how fast the matrix products alone would be.

The loop is between two of the run's own events: the stage of training and its last step. They are
watched where they are made, so that nothing of jlora is imported earlier than by itself.
"""

from __future__ import annotations

import json
import shlex
import sys
from pathlib import Path
from typing import Any

from benchmarks.neighbours.contestants.watch import (
    FLOOR,
    Seen,
    Watch,
    arguments,
    resident_mib,
)
from jlora_cli import events
from jlora_cli.cli import main as jlora

NEVER = 10**6  # steps


class Loop:
    """Tells `watch` of the loop; `resident` is the most that was resident at the end of a step."""

    def __init__(self, watch: Watch) -> None:
        self.watch, self.resident = watch, 0.0
        self._on(events.Stage, self.stage)
        self._on(events.StepDone, self.step)

    def _on(self, event: Any, told: Any) -> None:
        made = event.__init__

        def init(self: Any, *values: Any, **named: Any) -> None:
            made(self, *values, **named)
            told(self)

        event.__init__ = init

    def stage(self, event: events.Stage) -> None:
        """A stage begins."""
        if event.name == "train.stage.training":
            self.watch.begin()

    def step(self, event: events.StepDone) -> None:
        """A step is done."""
        self.resident = max(self.resident, resident_mib())
        if event.step == event.total_steps:
            self.watch.end(event.step)


def main() -> None:
    """Train the job that is named."""
    job, output, options = arguments(sys.argv[1:])
    watch = Watch()
    loop = Loop(watch)
    floor = FLOOR in options
    words = [*words_of(job, output / "run"), *(word for word in options if word != FLOOR)]
    sys.argv = ["jlora", *words]
    try:
        jlora()
    except SystemExit as ended:
        if ended.code:
            raise
    watch.saved(output / "run" / "adapter")
    plan = json.loads((output / "run" / "run.json").read_text(encoding="utf-8"))["plan"]
    more: dict[str, Any] = {"resident_mib_most": loop.resident, "plan_rows": plan["rows"]}
    if floor:
        from benchmarks.neighbours.floor import measure_floor  # noqa: PLC0415

        more["floor"] = measure_floor(job)
    seen = Seen(plan["tokens"], plan["supervised_tokens"])
    watch.write(output / "figures.json", seen, command=shlex.join(["jlora", *words]), **more)


def words_of(job: dict[str, Any], output: Path) -> list[str]:
    """The job as a command line of jlora's; what the neighbours have not is turned off."""
    named = {
        "profile": "cpu-small",
        "model": job["base"],
        "data": Path(job["folder"], "own", "rows.jsonl"),
        "output": output,
        "template": job["template"],
        "max_length": job["max_length"],
        "epochs": job["epochs"],
        "batch_size": job["batch_size"],
        "learning_rate": job["learning_rate"],
        "lr_scheduler": "linear",
        "warmup_steps": 0,
        "lora_r": job["lora_r"],
        "lora_alpha": job["lora_alpha"],
        "lora_dropout": job["lora_dropout"],
        "lora_targets": job["targets"],
        "seed": job["seed"],
        "checkpoint_steps": NEVER,
    }
    options = ((f"--{name.replace('_', '-')}", f"{value}") for name, value in named.items())
    return ["train", *(word for pair in options for word in pair)]


if __name__ == "__main__":
    main()
