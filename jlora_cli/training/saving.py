"""What a run leaves beside its record: the adapter folder, and answers before and after."""

from __future__ import annotations

import json
import shutil
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from safetensors.torch import save_file

from jlora_cli.dataset import Message
from jlora_cli.events import Warned
from jlora_cli.generation import Answerer
from jlora_cli.messages import say
from jlora_cli.model import adapter_state
from jlora_cli.prompt import CARD_NAME, Prompter
from jlora_cli.run_folder import ADAPTER_WEIGHTS, write_json, write_whole
from jlora_cli.sampling import Sampling
from jlora_cli.tokenizer.portable import spread, write_portable
from jlora_cli.training.attention import answering
from jlora_cli.training.fitting import release_memory
from jlora_cli.training.guard import check_result, is_out_of_memory
from jlora_cli.training.randomness import undisturbed

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from peft import PeftModel

    from jlora_cli.events import Notify
    from jlora_cli.generation import Answer
    from jlora_cli.proposal import Proposal
    from jlora_cli.tokenizer.portable import Portable

_SAMPLE_TOKENS = 64
_SHOWN = 40  # characters of a prompt


def save_adapter(
    output: Path, adapted: PeftModel, proposal: Proposal, card: dict[str, Any]
) -> Portable:
    """Write `output`/adapter, under another name until it is whole; how far its tokenizer goes.

    Raises:
        JloraError: the adapter is no result; nothing lies at `output`/adapter.
    """
    draft, folder = output / ".adapter.part", output / "adapter"
    # Either may be left by a run that was killed before its record.
    for left in (draft, folder):
        shutil.rmtree(left, ignore_errors=True)
    state = {name: t.detach().cpu().contiguous() for name, t in adapter_state(adapted).items()}
    check_result(state)
    config = adapted.peft_config["default"]
    config.base_model_name_or_path = proposal.config.model
    config.inference_mode = True
    # Not PEFT's save_pretrained, which renders an empty model card for a tenth of a second.
    config.save_pretrained(str(draft))
    save_file(state, draft / ADAPTER_WEIGHTS, metadata={"format": "pt"})
    texts = [proposal.tokenizer.decode(row.ids) for row in spread(proposal.train.rows)]
    portable = write_portable(proposal.tokenizer, draft, texts)
    told = card["tokenizer"] | {"portable": portable.as_json()}
    write_json(draft / CARD_NAME, card | {"tokenizer": told})
    draft.replace(folder)
    return portable


def sample_answers(
    adapted: PeftModel, proposal: Proposal, notify: Notify
) -> Iterator[dict[str, Any]]:
    """Greedy answers to the sample prompts that leave room for one, as rows of samples.jsonl.

    A prompt that memory does not hold is left out with a warning. What is drawn and learned
    afterwards is what it would be without the answers.
    """
    training = adapted.training
    adapted.eval()
    with undisturbed(), answering(adapted.get_base_model()):
        yield from _answers(adapted, proposal, notify)
    adapted.train(training)


def _answers(adapted: PeftModel, proposal: Proposal, notify: Notify) -> Iterator[dict[str, Any]]:
    answerer = Answerer(adapted, Prompter(proposal.tokenizer, proposal.format))
    sampling = Sampling(max_new_tokens=_SAMPLE_TOKENS, temperature=0.0)
    for prompt in proposal.prompts:
        messages = [Message("user", prompt)]
        if not answerer.fits(messages, sampling):
            continue
        answer = _answer(answerer, messages, sampling)
        if answer is None:
            release_memory()
            notify(Warned(say("train.sample_left_out", prompt=prompt[:_SHOWN])))
            continue
        yield {
            "prompt": prompt,
            "answer": answer.text,
            "finish_reason": answer.finish_reason,
        }


def _answer(answerer: Answerer, messages: list[Message], sampling: Sampling) -> Answer | None:
    """The answer; None where memory ran out."""
    try:
        return answerer.answer(messages, sampling)
    except RuntimeError as error:
        if not is_out_of_memory(error):
            raise
        return None


def keep_rows(path: Path, wanted: Callable[[dict[str, Any]], bool]) -> None:
    """Keep the rows of a JSONL file that are `wanted`; a line that was cut off is not one."""
    if not path.is_file():
        return
    write_whole(path, "".join(line for line, row in _rows(path) if wanted(row)))


def last_step(path: Path) -> int:
    """The last step that a metrics file knows of; 0 where there is none."""
    return max((row["step"] for _, row in _rows(path)), default=0)


def _rows(path: Path) -> Iterator[tuple[str, dict[str, Any]]]:
    """(line, row) of a JSONL file that may not be there, or end in the middle of a line."""
    if not path.is_file():
        return
    for line in path.read_text(encoding="utf-8", errors="replace").split("\n"):
        with suppress(ValueError):
            yield line + "\n", json.loads(line)
