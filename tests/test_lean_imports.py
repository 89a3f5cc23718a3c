"""A command that answers starts without what only compiled or distributed runs need."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import torch

from jlora_cli.dataset import Message
from jlora_cli.generation import load_answerer
from jlora_cli.lean_imports import import_lean, spare_bitsandbytes
from jlora_cli.model import Placement
from jlora_cli.run_folder import open_source
from jlora_cli.sampling import Sampling

ROOT = Path(__file__).parents[1]
UNWANTED = ("torch._dynamo", "torch.distributed.tensor", "sympy")
GREEDY = Sampling(max_new_tokens=12, temperature=0.0)
ANSWER = """
import json, sys
from jlora_cli.lean_imports import import_lean, spare_bitsandbytes
import_lean()
spare_bitsandbytes("none")
from jlora_cli.dataset import Message
from jlora_cli.generation import load_answerer
from jlora_cli.model import Placement
from jlora_cli.run_folder import open_source
from jlora_cli.sampling import Sampling

base, run, unwanted = json.loads(sys.argv[1])
greedy = Sampling(max_new_tokens=12, temperature=0.0)
told = {}
for name, source in (("base", base), ("run", run)):
    answerer = load_answerer(open_source(source), Placement())
    told[name] = answerer.answer([Message("user", "髙﨑さん、こんにちは🐈")], greedy).text
    told[f"{name}_loaded"] = [module for module in unwanted if module in sys.modules]
"""
LATER = """
import torch
from transformers import masking_utils

told["compiled"] = torch.compile(lambda x: x + 1, backend="eager")(torch.ones(2)).tolist()
told["compiler"] = torch._dynamo.__file__
told["masks"] = type(masking_utils.TransformGetItemToIndex()).__module__
told["model"] = __import__("transformers").models.bert.BertConfig.__name__
told["no_model"] = hasattr(__import__("transformers").models, "no_such_model")
"""


def told_by(script, *values):
    """What a fresh process prints as JSON."""
    script += "\nprint(json.dumps(told))"
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", script, json.dumps(values)],
        capture_output=True,
        text=True,
        encoding="utf-8",
        cwd=ROOT,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout.splitlines()[-1])


def test_a_lean_process_answers_as_any_other_and_can_still_compile(tiny_base, tiny_run):
    told = told_by(ANSWER + LATER, str(tiny_base), str(tiny_run), UNWANTED)
    for name, source in (("base", tiny_base), ("run", tiny_run)):
        plain = load_answerer(open_source(str(source)), Placement())
        asked = [Message("user", "髙﨑さん、こんにちは🐈")]
        assert told[name] == plain.answer(asked, GREEDY).text
    assert told["base"] != told["run"]
    assert told["base_loaded"] == []
    assert told["compiled"] == [2.0, 2.0]
    assert Path(told["compiler"]).name == "__init__.py"
    assert told["masks"] == "torch._dynamo._trace_wrapped_higher_order_op"
    assert (told["model"], told["no_model"]) == ("BertConfig", False)


def test_peft_is_imported_for_adapters_only_and_without_bitsandbytes(tiny_base, tiny_run):
    unwanted = ("peft", "bitsandbytes.functional", "datasets")
    told = told_by(ANSWER, str(tiny_base), str(tiny_run), unwanted)
    assert told["base_loaded"] == []
    assert told["run_loaded"] == ["peft"]


def test_where_torch_is_at_work_already_nothing_is_changed():
    before = torch.distributed.is_available, sys.modules["transformers.models"]
    import_lean()
    spare_bitsandbytes("none")
    assert sys.modules.get("bitsandbytes", True)  # None would block it
    assert (torch.distributed.is_available, sys.modules["transformers.models"]) == before
    assert torch.distributed.is_available()


def test_another_transformers_than_the_known_one_is_imported_as_it_wants(tiny_base, tiny_run):
    unknown = """
import jlora_cli.lean_imports as lean
lean._OF_EVERY_MODEL = ("no_such_module", *lean._OF_EVERY_MODEL)
"""
    told = told_by(unknown + ANSWER, str(tiny_base), str(tiny_run), UNWANTED)
    plain = load_answerer(open_source(str(tiny_base)), Placement())
    asked = [Message("user", "髙﨑さん、こんにちは🐈")]
    assert told["base"] == plain.answer(asked, GREEDY).text
