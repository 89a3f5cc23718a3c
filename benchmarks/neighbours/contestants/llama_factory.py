"""`llamafactory-cli train` in this process; no checkpointing, which it would choose itself."""

from __future__ import annotations

import importlib.machinery
import json
import sys
import types
from pathlib import Path
from typing import Any

from benchmarks.neighbours.contestants.watch import Watch, arguments, count


def main() -> None:
    """Train the job that is named."""
    stand_in("torchaudio")
    from llamafactory.data.template import register_template  # noqa: PLC0415
    from llamafactory.train.tuner import run_exp  # noqa: PLC0415

    from benchmarks.neighbours.contestants.trainer import watched  # noqa: PLC0415

    job, output, _ = arguments(sys.argv[1:])
    watch = Watch()
    watching = watched(watch)
    # The rows are templated already: a prompt, an answer, and the end that the tool puts behind.
    register_template(name="as_it_stands")
    settings = settings_of(job, output / "adapter")
    run_exp(dict(settings))
    watch.saved(output / "adapter")
    command = f"llamafactory-cli train {json.dumps(settings)}"
    watch.write(output / "figures.json", count(watching.rows), command=command)


def stand_in(name: str) -> None:
    """An empty module for one that cannot be loaded and that no text job uses.

    LLaMA-Factory imports torchaudio whatever it trains; the newest is built for another torch.
    """
    made = types.ModuleType(name)
    made.__spec__ = importlib.machinery.ModuleSpec(name, None)
    sys.modules[name] = made


def settings_of(job: dict[str, Any], output: Path) -> dict[str, Any]:
    """The job as LLaMA-Factory's settings."""
    return {
        "stage": "sft",
        "do_train": True,
        "model_name_or_path": job["base"],
        "dataset_dir": str(Path(job["folder"], "bare")),
        "dataset": "rows",
        "template": "as_it_stands",
        "cutoff_len": job["max_length"],
        "output_dir": str(output),
        "finetuning_type": "lora",
        "lora_rank": job["lora_r"],
        "lora_alpha": job["lora_alpha"],
        "lora_dropout": job["lora_dropout"],
        "lora_target": job["targets"],
        "num_train_epochs": job["epochs"],
        "per_device_train_batch_size": job["batch_size"],
        "learning_rate": job["learning_rate"],
        "seed": job["seed"],
        "disable_gradient_checkpointing": True,
        "save_strategy": "no",
        "report_to": "none",
        "use_cpu": True,
    }


if __name__ == "__main__":
    main()
