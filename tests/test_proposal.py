"""From options to a settled, encoded run, before torch is imported."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from jlora_cli.config import FIELDS
from jlora_cli.errors import JloraError
from jlora_cli.machine import Machine
from jlora_cli.messages import use_language
from jlora_cli.preflight import FindingError
from jlora_cli.preparing import Rules, prepare
from jlora_cli.prompt import IGNORED
from jlora_cli.proposal import propose
from jlora_cli.recipe import ROWS_APART
from tests.machines import A100, CASES, GTX1060, H200, M2, T4
from tests.vocabularies import MODELS, train_pieces, write

LAPTOP = Machine("Linux", "3.11.7", True, "", 2, 16.0, 8.0, 100.0)
CONTEXT = 64
SHAPE = {
    "model_type": "gpt_neox", "hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 4,
    "intermediate_size": 64, "max_position_embeddings": CONTEXT, "vocab_size": 700,
}  # fmt: skip
OWN = (
    "{% for m in messages %}{{ m.content }}"
    "{% if m.role == 'assistant' %}</s>{% endif %}{% endfor %}"
)


@pytest.fixture(scope="session")
def vocabulary(tmp_path_factory):
    """The files of a small tokenizer, each with its bytes."""
    folder = train_pieces(tmp_path_factory.mktemp("base") / "neox-nl", {}, **MODELS["neox-nl"])
    return {file.name: file.read_bytes() for file in folder.iterdir()}


@pytest.fixture
def make_base(vocabulary, tmp_path):
    """A model folder without weights: all that a proposal reads."""

    def make(template=None, **shape):
        folder = tmp_path / "base"
        folder.mkdir(exist_ok=True)
        for name, content in vocabulary.items():
            (folder / name).write_bytes(content)
        write(folder, "config.json", SHAPE | shape)
        if template:
            write(folder, "tokenizer_config.json", {"chat_template": template})
        return str(folder)

    return make


def chat(number, answer="にゃ"):
    asked = {"role": "user", "content": f"猫{number}は？"}
    return {"messages": [asked, {"role": "assistant", "content": f"{number}{answer}"}]}


@pytest.fixture
def make_data(tmp_path):
    def make(rows, name="rows.jsonl"):
        lines = [json.dumps(row, ensure_ascii=False) + "\n" for row in rows]
        (tmp_path / name).write_text("".join(lines), encoding="utf-8")
        return str(tmp_path / name)

    return make


@pytest.fixture
def made(make_base, make_data, monkeypatch, tmp_path):
    """`propose` on 55 healthy rows, with what else a test asks for."""
    monkeypatch.chdir(tmp_path)
    common = {"model": make_base(), "data": make_data([chat(n) for n in range(55)])}

    def propose_with(profile="cpu-small", machine=LAPTOP, **options):
        return propose(profile, common | options, machine)

    return propose_with


def ids_of(proposal):
    return [item.id for item in proposal.findings]


# --- a healthy run ---------------------------------------------------------------------------


def test_a_healthy_run_is_settled_to_the_last_setting(made):
    proposal = made()
    config = proposal.config
    assert (ids_of(proposal), proposal.refused, proposal.warnings) == ([], False, [])
    assert [name for name in FIELDS if getattr(config, name) == "auto"] == []
    # 55 rows in batches of 8 are 7 steps; 8 epochs are 56, a tenth of them warm-up.
    assert (proposal.plan.optimizer_steps, proposal.plan.warmup_steps) == (56, 6)
    assert (proposal.plan.rows, len(proposal.train.rows)) == (55, 55)
    assert (proposal.model_type, proposal.profile) == ("gpt_neox", "cpu-small")
    assert proposal.format.newline == "nl"


RTX3090 = CASES["RTX 3090 24 GB, Windows"].machine
PATHS = {
    # sm_61 on Windows, and sm_75: torch's fused attention, one row after the other.
    "GTX 1060, Windows": (
        *(GTX1060, "surface-cuda"),
        ("sdpa", "needs compute capability 8.0 or newer; NVIDIA GeForce GTX 1060 has 6.1"),
        (False, "needs Triton, which torch does not bring on Windows"),
        (
            "には Compute Capability 8.0 以上が必要ですが、NVIDIA GeForce GTX 1060 は 6.1",
            "Triton が",
        ),
    ),
    "T4": (
        *(T4, "t4"),
        ("sdpa", "needs compute capability 8.0 or newer; Tesla T4 has 7.5"),
        (False, "rows that are computed one by one would be compiled anew"),
        ("には Compute Capability 8.0 以上が必要ですが、Tesla T4 は 7.5", "再コンパイル"),
    ),
    "RTX 3090, Windows": (
        *(RTX3090, "rtx-24gb"),
        ("varlen", "all rows of a pack in one kernel of torch"),
        (False, "needs Triton, which torch does not bring on Windows"),
        ("全行を torch の 1 つのカーネルで", "Windows の torch に含まれていません"),
    ),
    "A100 in 4 bits": (
        *(A100, "a100-4bit"),
        ("varlen", "all rows of a pack in one kernel of torch"),
        (False, "bitsandbytes' layers are not compiled"),
        ("全行を torch の 1 つのカーネルで", "bitsandbytes の層は"),
    ),
    "H200": (
        *(H200, "h200"),
        ("varlen", "all rows of a pack in one kernel of torch"),
        (False, "the run is too short"),
        ("全行を torch の 1 つのカーネルで", "短く"),
    ),
    "Apple M2": (
        *(M2, "apple-mps"),
        ("sdpa", "one kernel for all rows needs an NVIDIA GPU"),
        (False, "has not been tried with jlora on Apple M2"),
        ("には NVIDIA の GPU が必要です", "Apple M2 での torch.compile は"),
    ),
}


@pytest.mark.parametrize("name", PATHS)
def test_the_plan_names_the_attention_and_compile_path_and_why(made, name):
    machine, profile, attention, compiled, japanese = PATHS[name]

    config = made(profile=profile, machine=machine).as_json()["config"]

    for setting, (value, reason) in (("attention", attention), ("compile", compiled)):
        assert (config[setting]["value"], config[setting]["source"]) == (value, "auto")
        assert reason in config[setting]["reason"]
    use_language("ja")
    config = made(profile=profile, machine=machine).as_json()["config"]
    for setting, words in zip(("attention", "compile"), japanese, strict=True):
        assert words in config[setting]["reason"]


def test_every_value_of_the_document_says_where_it_came_from(made):
    proposal = made(learning_rate="1e-3", epochs="2")
    document = json.loads(json.dumps(proposal.as_json()))
    assert document["config"].keys() == FIELDS.keys()
    origins = {name: entry["source"] for name, entry in document["config"].items()}
    assert {origins[name] for name in ("learning_rate", "epochs", "model", "data")} == {"option"}
    assert origins["batch_size"] == "profile"
    assert origins["weight_decay"] == "default"
    assert origins["warmup_steps"] == "auto"
    assert document["config"]["learning_rate"]["value"] == 1e-3
    assert all(entry["reason"] for entry in document["config"].values())
    assert document["plan"]["optimizer_steps"] == 14  # twice 7
    assert document["profile"]["name"] == "cpu-small"


def test_profile_auto_is_chosen_by_the_machine(made):
    proposal = made(profile="auto")
    assert proposal.profile == "cpu-small"
    assert proposal.profile_reason


def test_nothing_heavy_is_imported(make_base, make_data):
    model, data = make_base(), make_data([chat(n) for n in range(30)])
    code = (
        "import sys; from jlora_cli.machine import Machine; from jlora_cli.proposal import propose;"
        "machine = Machine('Linux', '3.11.7', True, '', 2, 16.0, 8.0, 100.0);"
        f"propose('cpu-small', {{'model': {model!r}, 'data': {data!r}}}, machine);"
        "heavy = {'torch', 'transformers', 'peft', 'accelerate', 'datasets', 'numpy', 'pandas'};"
        "print(sorted(heavy & sys.modules.keys()))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


# --- what is settled by the model and the data -----------------------------------------------


def test_rows_with_an_input_get_the_template_that_has_a_place_for_it(made, make_data):
    rows = [{"instruction": f"要約{n}", "input": "文", "output": "短"} for n in range(20)]
    proposal = made(data=make_data(rows, "instructions.jsonl"))
    assert proposal.config.template == "alpaca-ja"
    assert proposal.resolved.sources["template"].reason == "suits these rows"
    assert made().config.template == "chat-markdown"


def test_the_models_own_template_comes_first(made, make_base):
    proposal = made(model=make_base(template=OWN))
    assert (proposal.config.template, proposal.format.chat_template) == ("model", OWN)
    assert proposal.resolved.sources["template"].reason == "the model brings its own"
    assert made(model=make_base(template=OWN), template="none").config.template == "none"


@pytest.mark.parametrize(
    ("architecture", "packed"), [*((name, True) for name in ROWS_APART), ("bloom", False)]
)
def test_packing_is_settled_by_what_is_proven(architecture, packed, made, make_base):
    proposal = made(model=make_base(model_type=architecture))
    assert proposal.config.packing is packed
    assert architecture in proposal.resolved.sources["packing"].reason
    assert made(model=make_base(model_type=architecture), packing="no").config.packing is False


def test_max_length_is_capped_by_the_context_with_a_reason(made):
    entry = made().as_json()["config"]["max_length"]  # the profile asks for 1024
    assert entry == {
        "value": CONTEXT,
        "source": "auto",
        "reason": "the model's context; 1024 was asked for",
    }
    assert made(max_length="48").as_json()["config"]["max_length"]["source"] == "option"


def test_max_length_auto_is_the_99th_percentile_of_the_rows(made, make_data):
    # 200 rows: the two longest are above it.
    rows = [chat(n) for n in range(198)] + [chat(n, "猫" * 9) for n in (198, 199)]
    proposal = made(data=make_data(rows), max_length="auto")
    lengths = sorted(len(row.ids) for row in made(data=make_data(rows)).train.rows)
    entry = proposal.as_json()["config"]["max_length"]
    assert (entry["value"], entry["source"]) == (lengths[197], "auto")
    assert f"the longest has {lengths[-1]} tokens" in entry["reason"]
    assert (proposal.plan.rows, proposal.train.dropped) == (
        198,
        ["rows.jsonl:199", "rows.jsonl:200"],
    )


def test_max_length_auto_of_few_rows_keeps_them_all(made):
    proposal = made(max_length="auto")
    assert proposal.plan.rows == 55
    assert proposal.config.max_length == proposal.plan.longest_row


def test_max_length_auto_stays_within_the_context(made, make_data):
    rows = [chat(n, "長" * 99) for n in range(30)] + [chat(n) for n in range(30)]
    proposal = made(data=make_data(rows), max_length="auto")
    assert proposal.config.max_length == CONTEXT
    assert "the model's context; the rows want" in proposal.resolved.sources["max_length"].reason


def test_answers_are_cut_only_where_asked(made, make_data):
    rows = [chat(n) for n in range(30)] + [chat(30, "長" * 99)]
    proposal = made(data=make_data(rows), truncate="cut")
    assert (proposal.plan.cut_answers, ids_of(proposal)) == (1, ["answers-truncated"])
    assert "1 of 31 answers are cut off at 64 tokens" in proposal.findings[0].evidence


def test_validation_is_found_beside_prepared_data(made, make_data, tmp_path):
    source = make_data([chat(n) for n in range(60)])
    prepared = prepare([source], output=tmp_path / "ready", rules=Rules(validation="0.2"))
    proposal = made(data=str(tmp_path / "ready"))
    assert prepared.validation_rows > 0
    assert proposal.plan.validation_rows == prepared.validation_rows
    assert proposal.plan.rows == prepared.train_rows
    assert made().plan.validation_rows == 0


def test_validation_rows_of_its_own_are_read_and_compared(made, make_data):
    held_out = make_data([chat(3), chat(77)], "held_out.jsonl")
    proposal = made(validation=held_out)
    assert proposal.plan.validation_rows == 2
    assert ids_of(proposal) == ["validation-in-training"]
    assert "1 of 2" in proposal.findings[0].evidence


def test_output_is_a_folder_of_its_own_under_runs(made):
    proposal = made()
    output = Path(proposal.config.output)
    assert output.parent == Path("runs")
    assert output.name.endswith("-base")
    assert not output.exists()
    assert proposal.resolved.sources["output"].origin == "auto"


def test_template_and_supervision_reach_the_rows(made, make_data):
    two = chat(1)["messages"] + chat(2)["messages"]
    data = make_data([{"messages": two}])
    every, last = (
        made(data=data, template="none", train_on=asked).train.rows for asked in ("all", "last")
    )
    assert every[0].ids == last[0].ids
    trained = [sum(label != IGNORED for label in rows[0].labels) for rows in (every, last)]
    assert trained[0] == 2 * trained[1] > 0


def test_rows_too_long_are_dropped_and_told(made, make_data):
    rows = [chat(n) for n in range(30)] + [chat(30, "長" * 99)]
    proposal = made(data=make_data(rows))
    assert proposal.train.dropped == ["rows.jsonl:31"]
    assert (proposal.plan.dropped_rows, ids_of(proposal)) == (1, ["rows-dropped"])


def test_lower_casing_follows_the_models_name(made, make_base, monkeypatch):
    folder = Path(make_base())
    monkeypatch.setattr("jlora_cli.proposal.making.find_model", lambda name, what: folder)
    assert made(model="rinna/japanese-gpt2-small").format.lower_case is True
    assert made(model="org/name").format.lower_case is False


def test_the_same_rows_give_the_same_fingerprint(made, make_data):
    first = made().data_fingerprint
    assert made(seed="7").data_fingerprint == first
    assert made(train_on="last").data_fingerprint == first  # they have one turn each
    assert made(data=make_data([chat(1)], "other.jsonl")).data_fingerprint != first


def test_a_packaged_profiles_attention_layers_are_named_as_the_architecture_does(made, tmp_path):
    proposal = made(profile="surface-cuda")  # c_attn, on a GPT-NeoX
    assert proposal.config.lora_targets == ("query_key_value",)
    assert (
        "the profile names another's (c_attn)" in proposal.resolved.sources["lora_targets"].reason
    )
    (tmp_path / "own.yaml").write_text("lora_targets: [c_attn]\n", encoding="utf-8")
    assert "targets-match-nothing" in ids_of(made(profile=str(tmp_path / "own.yaml")))
    assert "targets-match-nothing" in ids_of(made(profile="surface-cuda", lora_targets="c_attn"))


def test_a_value_says_in_which_profile_it_stands(made, tmp_path):
    (tmp_path / "mine.yaml").write_text("extends: cpu-small\nwarmup_steps: 3\n", encoding="utf-8")
    proposal = made(profile="mine.yaml")
    sources = {name: (s.origin, s.reason) for name, s in proposal.resolved.sources.items()}
    assert sources["warmup_steps"] == ("profile", "mine.yaml")
    assert sources["warmup_ratio"] == ("profile", "cpu-small")
    assert ids_of(proposal) == []  # what extends a profile may override it
    both = "warmup_steps: 3\nwarmup_ratio: 0.2\nlora_targets: [auto]\n"
    (tmp_path / "mine.yaml").write_text(both, encoding="utf-8")
    assert ids_of(made(profile="mine.yaml")) == ["unused-setting"]


def test_a_base_of_the_hub_is_to_be_downloaded_unless_it_is_here(made, make_base, monkeypatch):
    folder = Path(make_base(torch_dtype="float16"))
    monkeypatch.setattr("jlora_cli.proposal.making.find_model", lambda name, what: folder)
    plan = made(model="org/name").plan
    # Two bytes of each weight; the tiny base is a hundredth of a MiB.
    assert plan.download_gib == pytest.approx(plan.base_parameters * 2 / 2**30, abs=0.01)
    monkeypatch.setattr("jlora_cli.plan._stored_gib", lambda shape: 7.0)
    assert made(model="org/name").plan.download_gib == 7.0
    assert made().plan.download_gib == 0.0  # a folder of one's own
    (folder / "model.safetensors").write_bytes(b"")
    assert made(model="org/name").plan.download_gib == 0.0


def test_measured_figures_stand_in_the_plan(made):
    told = made().with_measured(peak_gib=1.5, tokens_per_second=10.0)
    assert (told.plan.measured, told.plan.memory_gib["total"]) == (True, 1.5)


# --- prompts answered before and after --------------------------------------------------------


def test_sample_prompts_are_the_first_different_ones_held_out_rows_before(made, make_data):
    held_out = make_data([chat(77), chat(77), chat(78)], "held_out.jsonl")
    assert made(validation=held_out).prompts == ("猫77は？", "猫78は？", "猫0は？")
    assert made().prompts == ("猫0は？", "猫1は？", "猫2は？")
    assert made(sample_prompts="こんにちは").prompts == ("こんにちは",)


def test_a_prompt_that_leaves_no_room_for_an_answer_is_passed_over(made, make_data):
    rows = [chat(n) for n in range(20)]
    rows[0]["messages"][0]["content"] = "長い質問です。" * 4
    assert made(data=make_data(rows)).prompts[0] == "猫1は？"


def test_text_rows_give_no_prompt(made, make_data):
    rows = [{"text": f"吾輩は猫である。{n}"} for n in range(30)]
    proposal = made(data=make_data(rows))
    assert (proposal.prompts, proposal.plan.rows) == ((), 30)


# --- what is shown of it -----------------------------------------------------------------------


def test_the_preview_shows_what_is_trained(made):
    first = made().preview()[0]
    assert first.origin == "rows.jsonl:1"
    assert first.spans == [
        ("### User:<NL>猫0は?<NL><NL>### Assistant:<NL>", False),
        ("0にゃ</s>", True),
    ]
    (shown, *_) = json.loads(json.dumps(made().as_json()))["preview"]
    assert shown["spans"][1] == {"text": "0にゃ</s>", "trained": True}


def test_another_template_than_the_models_own_is_told(made, make_base):
    own = make_base(template=OWN)
    assert ids_of(made(model=own, template="alpaca-ja")) == ["template-differs"]
    assert ids_of(made(model=own)) == []
    raising = make_base(template="{{ raise_exception('system only') }}")
    assert ids_of(made(model=raising, template="alpaca-ja")) == ["template-differs"]


def test_a_proposal_is_varied_without_encoding_anew(made, monkeypatch):
    proposal = made()
    monkeypatch.setattr("jlora_cli.proposal.making.Encoder", None)
    other = proposal.varied({"learning_rate": "0.1", "epochs": "2"})
    assert (other.config.learning_rate, other.plan.optimizer_steps) == (0.1, 14)
    assert other.plan.warmup_steps == 1  # a tenth of 14, settled anew
    assert ids_of(other) == ["learning-rate-unusual"]
    assert other.resolved.sources["epochs"].origin == "option"
    assert (ids_of(proposal), proposal.plan.optimizer_steps) == ([], 56)


# --- refusals --------------------------------------------------------------------------------


@pytest.mark.parametrize(("missing", "option"), [("model", "--model"), ("data", "--data")])
def test_what_is_missing_is_named_with_its_option(missing, option, made):
    with pytest.raises(JloraError) as caught:
        propose("cpu-small", {"model": "demo", "data": "demo"} | {missing: None}, LAPTOP)
    assert missing in caught.value.problem
    assert option in caught.value.remedy


def test_the_first_recipe_is_refused_for_its_warm_up(made):
    # 55 rows, batches of 4, 3 epochs: 42 steps under a warm-up of 100.
    proposal = made(warmup_steps="100", batch_size="4", epochs="3")
    assert (ids_of(proposal), proposal.refused) == (["warmup-exceeds-run"], True)
    assert proposal.plan.peak_learning_rate == pytest.approx(0.42 * proposal.config.learning_rate)


def test_what_the_owner_allows_is_no_refusal_and_recorded(made):
    assert made().refused is False  # makes the base and the rows
    asked = {"warmup_steps": "100", "batch_size": "4", "epochs": "3"}
    common = {"model": "base", "data": "rows.jsonl"}
    proposal = propose("cpu-small", common | asked, LAPTOP, allowed=["warmup-exceeds-run"])
    assert [(f.id, f.severity) for f in proposal.findings] == [("warmup-exceeds-run", "warning")]
    assert proposal.refused is False
    assert proposal.as_json()["allowed"] == ["warmup-exceeds-run"]


@pytest.mark.parametrize("place", [".", "adapter"])
def test_an_adapter_in_a_bases_place_is_refused_with_what_to_type(place, made, tmp_path):
    folder = tmp_path / "tuned" / place
    folder.mkdir(parents=True)
    write(folder, "adapter_config.json", {"base_model_name_or_path": "org/猫"})
    (folder / "adapter_model.safetensors").write_bytes(b"")
    with pytest.raises(FindingError) as refused:
        made(model="tuned")
    assert refused.value.finding.id == "base-is-adapter"
    assert refused.value.remedy == "use --model org/猫 --from-adapter tuned"


def test_4_bit_without_a_gpu_is_refused_and_told_with_the_rest(made):
    proposal = made(quantization="4bit", learning_rate="0.1")
    assert ids_of(proposal) == ["quantization-unavailable", "learning-rate-unusual"]
    assert proposal.refused


def test_a_profile_that_does_not_fit_is_warned_of_and_runs(made, tmp_path):
    own = tmp_path / "自分.yaml"
    own.write_text("extends: surface-cuda\n", encoding="utf-8")
    proposal = made(profile=str(own))
    assert (ids_of(proposal), proposal.refused) == (["profile-does-not-fit"], False)
    assert proposal.findings[0].remedy == "use --profile cpu-small"
    assert proposal.config.precision == "float32"


def test_what_the_tokenizer_loses_is_told_with_the_rest(made, make_data):
    rows = [chat(n) for n in range(54)] + [chat(54, "＜／ｓ＞🐈")]
    proposal = made(data=make_data(rows), learning_rate="0.1")
    assert ids_of(proposal) == ["learning-rate-unusual", "special-tokens-in-text"]
    assert "1 of 55 rows" in proposal.findings[1].evidence
    assert proposal.refused is False
    document = json.loads(json.dumps(proposal.as_json()))
    assert document["tokens"]["special_literals"] == {"＜／ｓ＞": 1}
    assert document["tokens"]["special_ids"]["inside_embedding"] is True


def test_the_stock_class_is_compared_on_the_rows_when_asked(made, monkeypatch):
    measured = {"class": "T5Tokenizer", "texts": 72, "differ": 3, "transformers": "5"}
    monkeypatch.setattr("jlora_cli.proposal.values.stock_parity", lambda tokenizer, texts: measured)
    proposal = made()
    compared = proposal.with_stock_parity()
    assert compared.tokens == proposal.tokens | {"stock_parity": measured}
    assert proposal.parity_texts[-1] == "猫54は？<NL>54にゃ"
    assert compared.findings == proposal.findings == []


def test_an_output_in_use_is_refused(made, tmp_path):
    (tmp_path / "used").mkdir()
    assert made(output="used").refused is False
    (tmp_path / "used" / "file").write_text("x", encoding="utf-8")
    proposal = made(output="used")
    assert (ids_of(proposal), proposal.refused) == (["output-in-use"], True)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (None, "config.json is missing"),
        ("{", "config.json cannot be read"),
        ("[1]", "config.json cannot be read"),
        ('{"auto_map": {}}', "config.json"),
    ],
)
def test_a_config_that_cannot_be_used_is_named(text, said, made, make_base):
    path = Path(make_base()) / "config.json"
    path.unlink()
    if text is not None:
        path.write_text(text, encoding="utf-8")
    with pytest.raises(JloraError) as caught:
        made()
    assert said in caught.value.problem.replace("has no", "is missing")


def test_a_tokenizer_larger_than_the_embedding_is_refused(made, make_base):
    with pytest.raises(JloraError, match="100"):
        made(model=make_base(vocab_size=100))


def test_data_that_jlora_warns_of_is_warned_of(made, make_data, tmp_path):
    for name in ("a.jsonl", "b.jsonl"):
        make_data([chat(n) for n in range(20)], name)
    (tmp_path / "folder").mkdir()
    for name in ("a.jsonl", "b.jsonl"):
        (tmp_path / name).rename(tmp_path / "folder" / name)
    (warning,) = made(data=str(tmp_path / "folder")).warnings
    assert "a.jsonl" in warning


# --- resuming --------------------------------------------------------------------------------


def test_resuming_needs_an_output_of_its_own(made):
    with pytest.raises(JloraError, match="--output"):
        made().for_resume()


def test_resuming_an_unfinished_run_may_use_its_folder(made, tmp_path):
    (tmp_path / "run" / "checkpoints" / "step-000002").mkdir(parents=True)
    write(tmp_path / "run", "run.json", {"status": "interrupted"})
    proposal = made(output="run")
    assert ids_of(proposal) == ["output-in-use"]
    resumed = proposal.for_resume()
    assert (ids_of(resumed), resumed.refused) == ([], False)
    assert resumed.train == proposal.train


def test_resuming_keeps_every_other_fault(made, tmp_path):
    (tmp_path / "run" / "checkpoints" / "step-000002").mkdir(parents=True)
    resumed = made(output="run", warmup_steps="100", epochs="1").for_resume()
    assert ids_of(resumed) == [
        "warmup-exceeds-run",
    ]
    assert resumed.refused


def test_a_finished_run_is_not_resumed(made, tmp_path):
    (tmp_path / "run").mkdir()
    write(tmp_path / "run", "run.json", {"status": "finished"})
    with pytest.raises(JloraError, match="run is finished already"):
        made(output="run").for_resume()


def test_resuming_where_nothing_was_saved_leaves_nothing(made, tmp_path):
    with pytest.raises(JloraError, match="no whole checkpoint"):
        made(output="new").for_resume()
    assert not (tmp_path / "new").exists()


# --- real rows -------------------------------------------------------------------------------

SHARED = Path(__file__).parents[1] / ".." / "shared" / "data"
BESIDE = pytest.mark.skipif(
    not SHARED.is_dir(), reason="the sample data sets are not beside this checkout"
)


@BESIDE
def test_all_dolly_rows_are_proposed_on_the_demo_base():
    data = str(SHARED / "dolly_ja" / "dolly_like_ja.json")
    options = {"model": "demo", "data": data, "max_length": "auto"}
    proposal = propose("cpu-small", options, LAPTOP)
    assert proposal.plan.rows + proposal.plan.dropped_rows == 4278  # the rows of the file
    assert proposal.plan.dropped_rows <= 4278 // 50  # 98 % fit into the demo's context
    assert {"no-supervised-tokens", "eos-not-supervised"}.isdisjoint(ids_of(proposal))


@BESIDE
def test_the_rows_of_the_first_recipe_are_proposed_on_the_demo_base():
    options = {
        "model": "demo",
        "data": str(SHARED / "messages" / "training_data.jsonl"),
        "validation": str(SHARED / "messages" / "validation_data.jsonl"),
    }
    proposal = propose("cpu-small", options, LAPTOP)
    assert (proposal.plan.rows, proposal.plan.validation_rows) == (55, 10)
    assert (proposal.plan.dropped_rows, proposal.refused) == (0, False)
