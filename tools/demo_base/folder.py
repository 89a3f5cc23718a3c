"""The files of the finished base, and the model and vocabulary read back from them."""

import copy
import json
import shutil
from pathlib import Path

import sentencepiece as spm
import torch
from transformers import GenerationConfig, GPTNeoXForCausalLM

from tools.demo_base.vocabulary import EOS

CHAT_TEMPLATE = (
    "{% for message in messages %}"
    "{% if message['role'] == 'system' %}{{ message['content'] + '\\n' }}"
    "{% elif message['role'] == 'user' %}{{ 'ユーザー: ' + message['content'] + '\\n' }}"
    "{% elif message['role'] == 'assistant' %}"
    "{{ 'システム: ' + message['content'] + eos_token + '\\n' }}"
    "{% endif %}{% endfor %}"
    "{% if add_generation_prompt %}{{ 'システム: ' }}{% endif %}"
)
TOKENIZER = {
    "tokenizer_class": "T5Tokenizer",
    "do_lower_case": False,
    "extra_ids": 0,
    "additional_special_tokens": [],
    "sp_model_kwargs": {},
    "bos_token": "<s>",
    "eos_token": "</s>",
    "unk_token": "[UNK]",
    "pad_token": "[PAD]",
    "cls_token": "[CLS]",
    "sep_token": "[SEP]",
    "mask_token": "[MASK]",
    "chat_template": CHAT_TEMPLATE,
}
CARD = Path(__file__).parent / "card.md"


def _name_rotary_share(config: Path) -> None:
    """Names the share twice: transformers 4 reads `rotary_pct` , 5 `rope_parameters`."""
    known = json.loads(config.read_text(encoding="utf-8"))
    known["rotary_pct"] = known["rope_parameters"]["partial_rotary_factor"]
    config.write_text(json.dumps(known, indent=2) + "\n", encoding="utf-8")


def write(model: GPTNeoXForCausalLM, *, spiece: Path, folder: Path) -> None:
    """The base as float16 with vocabulary, chat template and model card."""
    folder.mkdir(parents=True, exist_ok=True)
    model.generation_config = GenerationConfig(bos_token_id=2, eos_token_id=EOS, pad_token_id=0)
    copy.deepcopy(model).to(torch.float16).save_pretrained(folder)
    (folder / "model.safetensors").chmod(0o644)
    _name_rotary_share(folder / "config.json")
    if spiece != folder / "spiece.model":
        shutil.copyfile(spiece, folder / "spiece.model")
    text = json.dumps(TOKENIZER, ensure_ascii=False, indent=2)
    (folder / "tokenizer_config.json").write_text(text + "\n", encoding="utf-8")
    (folder / "README.md").write_text(CARD.read_text(encoding="utf-8"), encoding="utf-8")


def read(folder: Path) -> tuple[GPTNeoXForCausalLM, spm.SentencePieceProcessor]:
    """The base in float32 and its vocabulary."""
    model = GPTNeoXForCausalLM.from_pretrained(folder, dtype=torch.float32)
    sp = spm.SentencePieceProcessor(model_file=str(folder / "spiece.model"))
    return model.eval(), sp


def size_mb(folder: Path) -> float:
    """Megabytes (10^6 bytes) of all files of the folder."""
    return sum(file.stat().st_size for file in folder.iterdir() if file.is_file()) / 1e6
