"""The demo's path, step after step: the same workers that the commands call, without network."""

from __future__ import annotations

import json
import time
from dataclasses import dataclass
from importlib import resources
from typing import TYPE_CHECKING

from jlora_cli.dataset import Message
from jlora_cli.diagnosis import diagnose
from jlora_cli.errors import JloraError
from jlora_cli.evaluation import Evaluation, Terms, evaluate
from jlora_cli.events import Notify, Stage, Typed, ignore
from jlora_cli.generation import load_answerer
from jlora_cli.machine import command_line, read_machine
from jlora_cli.merging import Merged, merge
from jlora_cli.merging import Terms as MergeTerms
from jlora_cli.model import Placement
from jlora_cli.preparing import Rules, load_data, prepare
from jlora_cli.proposal import propose
from jlora_cli.run_folder import make_run_folder, open_source
from jlora_cli.sampling import Sampling
from jlora_cli.training.session import train

if TYPE_CHECKING:
    from pathlib import Path

    from jlora_cli.generation import Answer, Answerer
    from jlora_cli.machine import Machine
    from jlora_cli.run_folder import Artifact

SUFFIX = "にゃ"
PROFILE = "cpu-small"
_GREEDY = Sampling(max_new_tokens=64, temperature=0.0)


@dataclass(frozen=True)
class Walk:
    """What the demo reached. Shares are of the held-out prompts, from 0 to 1."""

    seconds: float
    run: Path
    prompts: list[str]
    base: list[Answer]
    tuned: list[Answer]
    merged: list[Answer]
    evaluation: Evaluation
    verification: Merged

    def suffix_share(self, answers: list[Answer]) -> float:
        """The share of answers that end in 「にゃ」."""
        return sum(answer.text.endswith(SUFFIX) for answer in answers) / len(answers)

    @property
    def eos_share(self) -> float:
        """The share of all answers, of base, tuned and merged model, that ended by themselves."""
        answers = [*self.base, *self.tuned, *self.merged]
        return sum(answer.finish_reason == "eos" for answer in answers) / len(answers)

    def as_json(self) -> dict[str, object]:
        named = {"base": self.base, "tuned": self.tuned, "merged": self.merged}
        return {
            "seconds": round(self.seconds, 1),
            "suffix_share": {name: self.suffix_share(answers) for name, answers in named.items()},
            "eos_share": self.eos_share,
            "max_logit_difference": self.verification.max_logit_difference,
            "same_greedy_text": [a.text for a in self.tuned] == [a.text for a in self.merged],
            "perplexity": {
                "base": self.evaluation.base.perplexity if self.evaluation.base else None,
                "tuned": self.evaluation.tuned.perplexity,
            },
            "run": str(self.run),
            "answers": [
                {"prompt": prompt, "base": b.text, "tuned": t.text, "merged": m.text}
                for prompt, b, t, m in zip(
                    self.prompts, self.base, self.tuned, self.merged, strict=True
                )
            ],
        }


def held_out_prompts() -> list[str]:
    """The 20 prompts that stand in neither the training nor the validation rows."""
    text = (
        resources.files("jlora_cli").joinpath("assets/demo_data/prompts.jsonl").read_text("utf-8")
    )
    return [json.loads(line)["prompt"] for line in text.splitlines() if line]


def walk(output: Path, notify: Notify = ignore) -> Walk:
    """The whole path into `output`: data/, run/ and merged/.

    Raises:
        JloraError: the output is in use, or a step failed.
    """
    begun = time.monotonic()
    data, run, merged_folder = output / "data", output / "run", output / "merged"
    held_out = data / "validation.jsonl"

    def typed(*words: object) -> None:
        notify(Typed(command_line(["jlora", *map(str, words)])))

    make_run_folder(output)
    typed("env-check")
    machine = _check(notify)
    typed("prepare", "demo", "--validation", "demo-validation", "--output", data)
    prepare(["demo"], output=data, rules=Rules(validation="demo-validation"), notify=notify)
    typed("train", "--profile", PROFILE, "--model", "demo", "--data", data, "--output", run)
    _train(data, run, machine, notify)
    artifact = open_source(str(run))
    typed("evaluate", run, "--data", held_out, "--compare-base", "--expect", f"{SUFFIX}$")
    evaluation = _evaluate(artifact, held_out, notify)
    typed("merge", run, "--output", merged_folder, "--dtype", "float32")
    prompts = held_out_prompts()
    verification = _merge(artifact, merged_folder, prompts, notify)
    typed("infer", run, "--prompt", prompts[0], "--temperature", 0)
    notify(Stage("demo.stage.asking", {"count": len(prompts)}))
    answerer = load_answerer(artifact, Placement())
    tuned = _answers(answerer, prompts, notify)
    with answerer.model.disable_adapter():
        base = _answers(answerer, prompts, notify)
    whole = load_answerer(open_source(str(merged_folder)), Placement())
    merged = _answers(whole, prompts, notify)
    seconds = time.monotonic() - begun
    return Walk(seconds, run, prompts, base, tuned, merged, evaluation, verification)


def _check(notify: Notify) -> Machine:
    machine = read_machine()
    worst = sum(item.severity == "error" for item in diagnose(machine))
    notify(Stage("demo.stage.checked", {"errors": worst, "cores": machine.cores}))
    return machine


def _train(data: Path, run: Path, machine: Machine, notify: Notify) -> None:
    options = {"model": "demo", "data": str(data), "output": str(run)}
    proposal = propose(PROFILE, options, machine)
    for found in proposal.findings:
        if found.severity == "error":
            raise JloraError(found.evidence, remedy=found.remedy)
    train(proposal, notify)


def _evaluate(artifact: Artifact, held_out: Path, notify: Notify) -> Evaluation:
    examples = load_data(str(held_out)).examples
    terms = Terms(_GREEDY, expect=f"{SUFFIX}$", compare_base=True)
    evaluation = evaluate(artifact, examples, Placement(), terms, notify)
    base, tuned = evaluation.base or evaluation.tuned, evaluation.tuned
    shown: dict[str, object] = {
        "before": f"{base.perplexity:.2f}",
        "after": f"{tuned.perplexity:.2f}",
        "base": f"{base.expect_share or 0:.0%}",
        "tuned": f"{tuned.expect_share or 0:.0%}",
    }
    notify(Stage("demo.stage.scores", shown))
    return evaluation


def _merge(artifact: Artifact, folder: Path, prompts: list[str], notify: Notify) -> Merged:
    merged = merge(artifact, folder, MergeTerms("float32", prompts=prompts), notify)
    difference = f"{merged.max_logit_difference:.1e}"
    same = "✓" if merged.same_greedy_text else "✗"
    notify(Stage("demo.stage.equal", {"difference": difference, "same": same}))
    return merged


def _answers(answerer: Answerer, prompts: list[str], notify: Notify) -> list[Answer]:
    turns = [[Message("user", prompt)] for prompt in prompts]
    return answerer.answer_many(turns, _GREEDY, batch_size=10, notify=notify)
