"""`trl sft` in this process; float32 and no checkpointing, which it would not choose itself."""

from __future__ import annotations

import shlex
import sys
from pathlib import Path
from typing import Any

from trl.scripts import sft

from benchmarks.neighbours.contestants.trainer import watched
from benchmarks.neighbours.contestants.watch import Watch, arguments, count


def main() -> None:
    """Train the job that is named, with the further options that are."""
    job, output, options = arguments(sys.argv[1:])
    watch = Watch()
    watching = watched(watch)
    words = [*options_of(job, output / "adapter"), *options]
    parser = sft.make_parser()
    sft.main(*parser.parse_args_and_config(words, fail_with_unknown_args=False))
    watch.saved(output / "adapter")
    command = shlex.join(["trl", "sft", *words])
    watch.write(output / "figures.json", count(watching.rows), command=command)


def options_of(job: dict[str, Any], output: Path) -> list[str]:
    """The job as options of `trl sft`."""
    named = {
        "model_name_or_path": job["base"],
        "dataset_name": Path(job["folder"], "pairs"),
        "output_dir": output,
        "num_train_epochs": job["epochs"],
        "per_device_train_batch_size": job["batch_size"],
        "learning_rate": job["learning_rate"],
        "max_length": job["max_length"],
        "seed": job["seed"],
        "lora_r": job["lora_r"],
        "lora_alpha": job["lora_alpha"],
        "lora_dropout": job["lora_dropout"],
        # TRL 1.16 makes a list of one name a regular expression, which must match a whole path.
        "lora_target_modules": f".*{job['targets']}",
        "use_peft": True,
        "bf16": False,
        "gradient_checkpointing": False,
        "use_cpu": True,
        "save_strategy": "no",
        "report_to": "none",
    }
    return [word for name, value in named.items() for word in (f"--{name}", f"{value}")]


if __name__ == "__main__":
    main()
