"""A merged folder answers as base + adapter do, here and in stock transformers, or is not there."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import weakref
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file

from jlora_cli.dataset import Message
from jlora_cli.errors import JloraError, refuse
from jlora_cli.events import Stage, Warned
from jlora_cli.generation import load_answerer
from jlora_cli.merging import PROMPTS, Terms, folder, job, merge, verify
from jlora_cli.model import Placement, fingerprint
from jlora_cli.run_folder import Artifact, open_source
from jlora_cli.sampling import Sampling
from tests.tiny_models import EOS_ID, save_tiny_model, save_tiny_picture_model
from tests.tiny_runs import PAIRS, train_tiny_run

PICTURES = "gemma3 with pictures"
ARCHITECTURES = ("gpt2", "gpt_neox", "llama", PICTURES)
GREEDY = Sampling(max_new_tokens=24, temperature=0.0)
QUESTIONS = [question for question, _ in PAIRS]
# Rounding of float32 sums in another order: the merge adds up weights, the adapter outputs.
TOLERANCE = 1e-4
WEIGHTS = "adapter_model.safetensors"


@pytest.fixture(scope="module")
def runs(tiny_run, tmp_path_factory):
    """A finished run by architecture: `tiny_run`, or one trained here."""
    root, made = tmp_path_factory.mktemp("runs"), {"gpt_neox": tiny_run}

    def get(architecture):
        if architecture not in made:
            folder = root / architecture / "base"
            seeing = architecture == PICTURES
            base = (
                save_tiny_picture_model(folder) if seeing else save_tiny_model(folder, architecture)
            )
            made[architecture] = train_tiny_run(root / architecture, base)
        return made[architecture]

    return get


@pytest.fixture(scope="module")
def merges(runs, tmp_path_factory):
    """(folder, figures, what was told) of one merge by architecture."""
    root, made = tmp_path_factory.mktemp("merged"), {}

    def get(architecture):
        if architecture not in made:
            told = []
            folder = root / architecture
            artifact = open_source(str(runs(architecture)))
            made[architecture] = folder, merge(artifact, folder, notify=told.append), told
        return made[architecture]

    return get


@pytest.fixture
def adapter_copy(tiny_run, tmp_path):
    """A copy of an adapter folder whose tensors or files a test may change."""
    folder = tmp_path / "adapter"
    shutil.copytree(tiny_run / "adapter", folder)
    return folder


def answerer_of(source):
    return load_answerer(open_source(str(source)), Placement())


def logits_of(model, ids):
    with torch.inference_mode():
        return model(torch.tensor([ids]), use_cache=False).logits[0]


def left_in(folder):
    return sorted(path.name for path in folder.iterdir())


# --- the merged model answers the same -------------------------------------------------------


@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_merged_logits_and_greedy_texts_are_those_of_base_and_adapter(runs, merges, architecture):
    tuned, whole = answerer_of(runs(architecture)), answerer_of(merges(architecture)[0])
    differences = []
    for question in QUESTIONS:
        ids = tuned.prompter.prompt_ids([Message("user", question)])
        assert whole.prompter.prompt_ids([Message("user", question)]) == ids
        both = [logits_of(answerer.model, ids) for answerer in (tuned, whole)]
        differences.append(float((both[0] - both[1]).abs().max()))
        with tuned.model.disable_adapter():
            assert (logits_of(tuned.model, ids) - both[1]).abs().max() > 100 * TOLERANCE
        answers = [a.answer([Message("user", question)], GREEDY) for a in (tuned, whole)]
        assert answers[0] == answers[1]
    assert len(differences) == len(QUESTIONS)
    assert max(differences) <= TOLERANCE


@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_figures_of_the_merge_say_so(merges, architecture):
    folder, figures, _ = merges(architecture)
    assert 0 <= figures.max_logit_difference <= TOLERANCE
    assert (figures.top1_agreement, figures.same_greedy_text) == (1.0, True)
    assert (figures.dtype, figures.output) == ("float32", str(folder))
    written = json.loads((folder / "verification.json").read_text(encoding="utf-8"))
    assert written == figures.as_json()


@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_stock_transformers_loads_the_folder_and_gives_the_same_logits(merges, architecture):
    from transformers import AutoModelForCausalLM

    folder = merges(architecture)[0]
    answerer = answerer_of(folder)
    stock = AutoModelForCausalLM.from_pretrained(folder).eval()
    ids = answerer.prompter.prompt_ids([Message("user", "髙﨑さんと🐈")])
    assert stock.dtype == torch.float32
    assert torch.equal(logits_of(stock, ids), logits_of(answerer.model, ids))


def test_the_folder_is_a_whole_model_with_the_adapter_s_tokenizer_and_card(tiny_run, merges):
    folder = merges("gpt_neox")[0]
    assert left_in(folder) == [
        "config.json",
        "generation_config.json",
        "jlora.json",
        "model.safetensors",
        "spiece.model",
        "tokenizer.json",
        "tokenizer_config.json",
        "verification.json",
    ]
    for name in ("spiece.model", "tokenizer.json"):
        assert (folder / name).read_bytes() == (tiny_run / "adapter" / name).read_bytes()
    before, after = (
        json.loads((place / "tokenizer_config.json").read_text(encoding="utf-8"))
        for place in (tiny_run / "adapter", folder)
    )
    assert after == before | {"chat_template": after["chat_template"]}
    card, trained = (
        json.loads((place / "jlora.json").read_text(encoding="utf-8"))
        for place in (folder, tiny_run / "adapter")
    )
    assert trained["tokenizer"]["portable"]["tokenizer_json"] == "rebuilt"
    merged = card["tokenizer"].pop("portable")
    assert (merged["exact"], merged["tokenizer_json"]) == (True, "original")  # the adapter's
    del trained["tokenizer"]["portable"]
    assert card == {**trained, "merged": True}


def test_config_and_generation_config_are_those_of_the_base(tmp_path):
    base = save_tiny_model(
        tmp_path / "base", "gpt2", resid_pdrop=0.2, embd_pdrop=0.0, summary_first_dropout=0.3
    )
    edited = json.loads((base / "config.json").read_text())
    del edited["attn_pdrop"]  # the architecture's default, 0.1, need not be written
    (base / "config.json").write_text(json.dumps(edited))
    said = {"eos_token_id": [EOS_ID, 50], "temperature": 0.6, "do_sample": True}
    (base / "generation_config.json").write_text(json.dumps(said))
    run = train_tiny_run(tmp_path, base)
    merge(open_source(str(run)), tmp_path / "merged")
    assert json.loads((tmp_path / "merged/config.json").read_text()) == edited
    kept = json.loads((tmp_path / "merged/generation_config.json").read_text())
    assert {name: kept[name] for name in said} == said


def test_the_run_s_own_prompts_are_asked(tiny_run, merges):
    _, figures, told = merges("gpt_neox")
    lines = (tiny_run / "samples.jsonl").read_text(encoding="utf-8").splitlines()
    assert figures.prompts == len({json.loads(line)["prompt"] for line in lines}) == 3
    assert Stage("merge.stage.reading", {"count": 3}) in told


def test_prompts_that_are_given_are_asked_instead(tiny_run, tmp_path, monkeypatch):
    heard = []
    read = verify._read
    monkeypatch.setattr(verify, "_read", lambda a, q, *r: heard.append(q) or read(a, q, *r))
    terms = Terms(prompts=["吾輩は", "🐈"])
    assert merge(open_source(str(tiny_run)), tmp_path / "out", terms).asked == "given"
    asked = [[q.messages[0].content for q in questions] for questions in heard]
    assert asked == [["吾輩は", "🐈"]] * 2


@pytest.mark.parametrize("content", [None, '{"when": "before"}\n', "{cut", "[1]\n"])
def test_a_run_without_readable_samples_is_asked_the_built_in_prompts(tiny_run, tmp_path, content):
    run = tmp_path / "run"
    shutil.copytree(tiny_run, run)
    (run / "samples.jsonl").unlink()
    if content is not None:
        (run / "samples.jsonl").write_text(content)
    assert merge(open_source(str(run)), tmp_path / "out").prompts == len(PROMPTS) == 4


def test_only_prompts_that_leave_room_for_an_answer_are_asked(tiny_run, tmp_path):
    long = "吾輩は猫である。" * 40
    artifact = open_source(str(tiny_run))
    assert merge(artifact, tmp_path / "out", Terms(prompts=[long, "猫"])).prompts == 1
    with pytest.raises(JloraError, match="do not fit into the model's 256"):
        merge(artifact, tmp_path / "none", Terms(prompts=[long]))
    assert left_in(tmp_path) == ["out"]


# --- other precisions -------------------------------------------------------------------------


def test_bfloat16_is_written_and_its_difference_told(runs, tmp_path):
    from transformers import AutoModelForCausalLM

    figures = merge(open_source(str(runs("gpt2"))), tmp_path / "half", Terms("bfloat16"))
    assert figures.dtype == "bfloat16"
    # bfloat16 keeps 8 bits: 2**-9 of each weight is rounded away, far more than float32 sums are.
    assert 1e-4 < figures.max_logit_difference < 0.3
    tensors = load_file(tmp_path / "half/model.safetensors")
    assert {tensor.dtype for tensor in tensors.values()} == {torch.bfloat16}
    assert AutoModelForCausalLM.from_pretrained(tmp_path / "half").dtype == torch.bfloat16


def test_half_precision_is_rounded_once_after_the_sum(runs, merges, tmp_path):
    merge(open_source(str(runs("gpt2"))), tmp_path / "half", Terms("bfloat16"))
    exact = load_file(merges("gpt2")[0] / "model.safetensors")
    rounded = load_file(tmp_path / "half/model.safetensors")
    assert exact.keys() == rounded.keys()
    assert sum(torch.equal(rounded[n], exact[n].bfloat16()) for n in exact) == len(exact) > 20


def test_logits_are_compared_along_the_same_text_although_a_token_tips(
    tiny_run, tmp_path, monkeypatch
):
    load = verify.load_answerer

    def tip(artifact, placement):
        whole = load(artifact, placement)
        answer_many = whole.answer_many

        def other(*asked, **terms):
            said = answer_many(*asked, **terms)
            return [replace(a, ids=[9, *a.ids[:-1]], text="別の" + a.text) for a in said]

        whole.answer_many = answer_many if artifact.adapter else other
        return whole

    monkeypatch.setattr(verify, "load_answerer", tip)
    figures = merge(open_source(str(tiny_run)), tmp_path / "out")
    assert not figures.same_greedy_text
    assert figures.max_logit_difference <= TOLERANCE
    assert figures.top1_agreement == 1.0


@pytest.mark.parametrize("spoiled", [float("nan"), float("inf"), 3.0])
def test_a_merged_model_that_answers_otherwise_is_refused_and_removed(
    tiny_run, tmp_path, monkeypatch, spoiled
):
    write = job.write_shards

    def spoil(shards, draft, *terms):
        write(shards, draft, *terms)
        tensors = load_file(draft / "model.safetensors")
        tensors["embed_out.weight"][7] = spoiled
        save_file(tensors, draft / "model.safetensors", metadata={"format": "pt"})

    monkeypatch.setattr(job, "write_shards", spoil)
    with pytest.raises(JloraError, match="the merged model differs from base") as refusal:
        merge(open_source(str(tiny_run)), tmp_path / "out")
    assert refusal.value.remedy == "merge with --dtype float32; nothing was written"
    assert left_in(tmp_path) == []


# --- refused before anything is written --------------------------------------------------------


def refusal_of(artifact, folder, terms=None):
    with pytest.raises(JloraError) as refusal:
        merge(artifact, folder / "out", terms)
    assert "out" not in left_in(folder)
    assert ".out.part" not in left_in(folder)
    return refusal.value.problem


def test_a_whole_model_has_nothing_to_merge(tiny_base, tmp_path):
    found = refusal_of(open_source(str(tiny_base)), tmp_path)
    assert found == f"{tiny_base} is no adapter, there is nothing to merge"


def test_other_weights_under_the_same_names_are_refused(tiny_run, tmp_path):
    other = save_tiny_model(tmp_path / "other", seed=1)
    found = refusal_of(open_source(str(tiny_run), base=str(other)), tmp_path)
    assert found == f"{tiny_run / 'adapter'} was trained on other weights than those in {other}"


def test_an_adapter_without_effect_is_refused(adapter_copy, tmp_path):
    tensors = load_file(adapter_copy / WEIGHTS)
    emptied = {n: t * 0 if "lora_B" in n else t for n, t in tensors.items()}
    save_file(emptied, adapter_copy / WEIGHTS)
    found = refusal_of(open_source(str(adapter_copy)), tmp_path)
    assert found == f"{adapter_copy} changes nothing: every lora_B tensor is zero (untrained?)"


@pytest.mark.parametrize("size", [0, 1000])
def test_a_cut_off_adapter_is_refused_by_name(adapter_copy, tmp_path, size):
    whole = (adapter_copy / WEIGHTS).read_bytes()
    (adapter_copy / WEIGHTS).write_bytes(whole[:size])
    found = refusal_of(open_source(str(adapter_copy)), tmp_path)
    assert found.startswith(f"{adapter_copy / WEIGHTS} is empty or cut off")


def test_a_quantized_base_is_refused(tiny_base, adapter_copy, tmp_path):
    base = tmp_path / "quantized"
    shutil.copytree(tiny_base, base)
    config = json.loads((base / "config.json").read_text())
    config["quantization_config"] = {"quant_method": "bitsandbytes", "load_in_4bit": True}
    (base / "config.json").write_text(json.dumps(config))
    found = refusal_of(open_source(str(adapter_copy), base=str(base)), tmp_path)
    assert found.startswith(f"{base} holds quantized weights")


@pytest.mark.parametrize("taken", ["file", "folder"])
def test_an_output_in_use_is_refused_and_left_alone(tiny_run, tmp_path, taken):
    output = tmp_path / "merged"
    kept = output if taken == "file" else output / "吾輩.txt"
    kept.parent.mkdir(exist_ok=True)
    kept.write_text("猫")
    with pytest.raises(JloraError) as refusal:
        merge(open_source(str(tiny_run)), output)
    assert refusal.value.problem == f"{output} exists and is not empty"
    assert kept.read_text() == "猫"


def test_an_output_that_cannot_be_made_is_refused_before_anything_is_loaded(
    tiny_run, tmp_path, monkeypatch
):
    (tmp_path / "file").write_text("猫")
    monkeypatch.setattr(verify, "load_answerer", lambda *a, **k: pytest.fail("loaded"))
    with pytest.raises(JloraError, match=r"cannot write .*file/out"):
        merge(open_source(str(tiny_run)), tmp_path / "file" / "out")
    assert left_in(tmp_path) == ["file"]


@pytest.mark.parametrize("fault", [OSError(28, "No space left on device"), KeyboardInterrupt()])
def test_a_merge_that_breaks_off_leaves_nothing(tiny_run, tmp_path, monkeypatch, fault):
    def break_off(path, document):
        assert (tmp_path / ".out.part/model.safetensors").is_file()
        raise fault

    monkeypatch.setattr(folder, "write_json", break_off)
    wanted = JloraError if isinstance(fault, OSError) else KeyboardInterrupt
    with pytest.raises(wanted) as raised:
        merge(open_source(str(tiny_run)), tmp_path / "out")
    assert left_in(tmp_path) == []
    assert wanted is KeyboardInterrupt or "No space left on device" in str(raised.value)


def test_what_an_earlier_merge_left_half_written_is_replaced(tiny_run, tmp_path):
    (tmp_path / ".out.part").mkdir()
    (tmp_path / ".out.part/chat_template.jinja").write_text("{{ 猫")
    (tmp_path / "out").mkdir()
    merge(open_source(str(tiny_run)), tmp_path / "out")
    assert left_in(tmp_path) == ["out"]
    assert "chat_template.jinja" not in left_in(tmp_path / "out")


# --- adapters of other tools -------------------------------------------------------------------


@pytest.fixture
def foreign(tiny_base, tmp_path):
    """An adapter as plain PEFT saves it: no card, no tokenizer, a base's name."""
    from peft import LoraConfig, get_peft_model
    from transformers import AutoModelForCausalLM

    base = AutoModelForCausalLM.from_pretrained(tiny_base)
    names = ["query_key_value", "dense_h_to_4h"]
    adapted = get_peft_model(base, LoraConfig(r=4, lora_alpha=8, target_modules=names))
    generator = torch.Generator().manual_seed(5)
    for name, parameter in adapted.named_parameters():
        if "lora_B" in name:
            parameter.data.normal_(std=0.3, generator=generator)
    adapted.save_pretrained(tmp_path / "foreign")
    return tmp_path / "foreign"


def test_an_adapter_of_plain_peft_is_merged_with_a_warning_of_what_was_not_checked(
    foreign, tiny_base, tmp_path
):
    told = []
    artifact = open_source(str(foreign))
    assert artifact == Artifact(base=str(tiny_base), adapter=foreign)
    figures = merge(artifact, tmp_path / "out", notify=told.append)
    (warning,) = [event.text for event in told if isinstance(event, Warned)]
    assert str(foreign) in warning
    assert "whether" in warning
    assert str(tiny_base) in warning
    assert "prompt template" in warning
    assert figures.max_logit_difference <= TOLERANCE
    assert figures.prompts == len(PROMPTS)


def test_the_card_of_such_a_merge_holds_the_prompt_that_was_verified(foreign, tiny_base, tmp_path):
    merge(open_source(str(foreign)), tmp_path / "out")
    card = json.loads((tmp_path / "out/jlora.json").read_text(encoding="utf-8"))
    assert card["prompt"]["template"] == "chat-markdown"
    assert card["base"] == {"model": str(tiny_base), "fingerprint": fingerprint(tiny_base)}
    assert card["merged"] is True
    assert answerer_of(tmp_path / "out").prompter.format.template == "chat-markdown"


# --- memory ------------------------------------------------------------------------------------


def test_no_model_is_in_memory_while_another_is_or_while_shards_are_written(
    tiny_run, tmp_path, monkeypatch
):
    load, write = verify.load_answerer, job.write_shards
    loaded, alive = [], []

    def remember(artifact, placement):
        alive.append([one() is not None for one in loaded])
        answerer = load(artifact, placement)
        loaded.append(weakref.ref(answerer.model.get_input_embeddings().weight))
        return answerer

    def look(*given):
        alive.append([one() is not None for one in loaded])
        write(*given)

    monkeypatch.setattr(verify, "load_answerer", remember)
    monkeypatch.setattr(job, "write_shards", look)
    merge(open_source(str(tiny_run)), tmp_path / "out")
    assert alive == [[], [False], [False]]


def test_less_memory_than_a_comparison_takes_is_warned_of(tiny_run, tmp_path, monkeypatch):
    told = []
    monkeypatch.setattr(job, "read_memory", lambda _: (8.0, 1e-6))
    merge(open_source(str(tiny_run)), tmp_path / "out", notify=told.append)
    (warning,) = [event.text for event in told if isinstance(event, Warned)]
    assert "--verify off" in warning


# --- not compared, or compared with more -------------------------------------------------------


def test_without_verification_the_same_weights_are_written_and_nothing_is_asked(
    tiny_run, merges, tmp_path, monkeypatch
):
    monkeypatch.setattr(verify, "load_answerer", lambda *a: pytest.fail("loaded"))
    figures = merge(open_source(str(tiny_run)), tmp_path / "out", Terms(verify="off"))
    compared = load_file(merges("gpt_neox")[0] / "model.safetensors")
    written = load_file(tmp_path / "out/model.safetensors")
    assert all(torch.equal(written[name], compared[name]) for name in compared)
    assert (figures.verify, figures.prompts, figures.max_logit_difference) == ("off", 0, None)


def test_merging_without_verification_loads_neither_transformers_nor_peft(tiny_run, tmp_path):
    code = (
        "import sys\n"
        "from pathlib import Path\n"
        "from jlora_cli.merging import Terms, merge\n"
        "from jlora_cli.run_folder import open_source\n"
        "merge(open_source(sys.argv[1]), Path(sys.argv[2]), Terms(verify='off'))\n"
        "print(sorted({'transformers', 'peft', 'accelerate'} & sys.modules.keys()))\n"
    )
    words = [sys.executable, "-c", code, str(tiny_run), str(tmp_path / "out")]
    root = str(Path(__file__).parents[2])
    done = subprocess.run(
        words, check=True, capture_output=True, text=True, env={**os.environ, "PYTHONPATH": root}
    )
    assert done.stdout == "[]\n"


@pytest.mark.filterwarnings("ignore::FutureWarning", "ignore::DeprecationWarning")
def test_an_adapter_trained_in_4_bits_is_compared_with_its_training_too(
    adapter_copy, tmp_path, monkeypatch
):
    # On CPUs with AVX-512 BF16, bitsandbytes repacks weights in a form for widths of 64 and more.
    monkeypatch.setattr("bitsandbytes.nn.modules.has_avx512bf16", lambda: False)
    path = adapter_copy / "jlora.json"
    card = json.loads(path.read_text(encoding="utf-8"))
    card["training"]["quantization"] = "4bit"
    path.write_text(json.dumps(card), encoding="utf-8")
    told = []
    figures = merge(open_source(str(adapter_copy)), tmp_path / "out", notify=told.append)
    assert Stage("merge.stage.as_trained", {"quantization": "4bit"}) in told
    assert figures.max_logit_difference <= TOLERANCE
    assert figures.as_trained["quantization"] == "4bit"
    # NF4 keeps 16 values a block: far from what float32 gives, and no fault of the merge.
    assert figures.as_trained["max_logit_difference"] > 100 * TOLERANCE
    assert 0 <= figures.as_trained["top1_agreement"] <= 1
    stored = json.loads((tmp_path / "out/verification.json").read_text(encoding="utf-8"))
    assert stored["as_trained"] == figures.as_trained


def test_where_its_training_cannot_be_repeated_that_is_told(adapter_copy, tmp_path, monkeypatch):
    path = adapter_copy / "jlora.json"
    card = json.loads(path.read_text(encoding="utf-8"))
    card["training"]["quantization"] = "4bit"
    path.write_text(json.dumps(card), encoding="utf-8")
    load = verify.load_answerer

    def without(artifact, placement):
        if placement.quantization != "none":
            raise refuse("model.cannot_load", folder="b", problem="No package metadata was found")
        return load(artifact, placement)

    monkeypatch.setattr(verify, "load_answerer", without)
    told = []
    figures = merge(open_source(str(adapter_copy)), tmp_path / "out", notify=told.append)
    assert figures.as_trained is None
    (warning,) = [event.text for event in told if isinstance(event, Warned)]
    assert "cannot be loaded in 4bit" in warning


def test_a_sharded_half_precision_base_keeps_both(tmp_path):
    from transformers import AutoModelForCausalLM

    base = save_tiny_model(tmp_path / "base", "llama")
    model = AutoModelForCausalLM.from_pretrained(base).to(torch.bfloat16)
    (base / "model.safetensors").unlink()
    model.save_pretrained(base, max_shard_size="20KB")
    run = train_tiny_run(tmp_path, base)
    figures = merge(open_source(str(run)), tmp_path / "out")
    assert figures.dtype == "bfloat16"
    files = {path.name for path in base.glob("*.safetensors*")}
    assert {path.name for path in (tmp_path / "out").glob("*.safetensors*")} == files
    assert len(files) > 2
    assert AutoModelForCausalLM.from_pretrained(tmp_path / "out").dtype == torch.bfloat16


def test_a_template_that_stock_cannot_follow_is_told(tiny_run, tmp_path, monkeypatch):
    monkeypatch.setattr(folder, "carry_template", lambda *_: False)
    told = []
    merge(open_source(str(tiny_run)), tmp_path / "out", Terms(verify="off"), told.append)
    (warning,) = [event.text for event in told if isinstance(event, Warned)]
    assert (
        "apply_chat_template builds another prompt than the training's (chat-markdown)" in warning
    )
