"""A conversation -> an answer: batches, streams, and the sampling that chooses each token.

Works on ids; what they mean to a person is the prompter's business. An answer does not depend on
its batch: rows are padded on the left, padding is masked and given no position, and every row
draws from a generator of its own.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import torch

from jlora_cli.artifact import prompt_format, tokenizer_folder
from jlora_cli.errors import refuse
from jlora_cli.events import Answered, Notify, Warned, ignore
from jlora_cli.hub import find_model
from jlora_cli.messages import say
from jlora_cli.model import DTYPES, Placement, choose_device, load_base, read_adapter
from jlora_cli.prompt import Prompter
from jlora_cli.tokenizer import load_tokenizer
from jlora_cli.weights import trained_elsewhere

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    from transformers import PreTrainedModel

    from jlora_cli.dataset import Message
    from jlora_cli.run_folder import Artifact
    from jlora_cli.sampling import Sampling

QUANTIZATIONS = ("none", "8bit", "4bit")
FinishReason = Literal["eos", "stop", "length"]


@dataclass(frozen=True)
class Answer:
    """One answer: its ids without the ending token, its text, and why it ended."""

    text: str
    ids: list[int]
    finish_reason: FinishReason
    prompt_tokens: int

    @property
    def answer_tokens(self) -> int:
        return len(self.ids)


class Answerer:
    """A loaded model and its prompter: conversations in, answers out."""

    def __init__(self, model: PreTrainedModel, prompter: Prompter) -> None:
        self.model = model
        self.prompter = prompter

    def fits(self, messages: Sequence[Message], sampling: Sampling, *, input: str = "") -> bool:
        """Whether this prompt and an answer of full length fit into the model's context."""
        prompt = self.prompter.prompt_ids(messages, input=input)
        return len(prompt) + sampling.max_new_tokens <= context_length(self.model)

    def answer(
        self,
        messages: Sequence[Message],
        sampling: Sampling,
        on_text: Callable[[str], None] | None = None,
        *,
        input: str = "",
    ) -> Answer:
        """One answer; `on_text` gets its text piece by piece, as soon as each is certain."""
        prompt = self.prompter.prompt_ids(messages, input=input)
        stream = self.prompter.stream()
        ids: list[int] = []
        reason: FinishReason = "length"
        with torch.inference_mode():
            for (token,) in self._steps({0: prompt}, sampling):
                if token in self.prompter.stop_ids:
                    reason = "eos"
                    break
                ids.append(token)
                if on_text is not None and (text := stream.push(token)):
                    on_text(text)
        if on_text is not None and (text := stream.finish()):
            on_text(text)
        return Answer(self.prompter.answer(ids), ids, reason, len(prompt))

    def answer_many(
        self,
        conversations: Sequence[Sequence[Message]],
        sampling: Sampling,
        *,
        inputs: Sequence[str] = (),
        batch_size: int = 8,
        notify: Notify = ignore,
    ) -> list[Answer]:
        """Answers in the order of `conversations`, made in batches of like length.

        `inputs`: each conversation's, where rows keep an instruction's input apart.
        """
        prompts = [
            self.prompter.prompt_ids(messages, input=input)
            for messages, input in zip(
                conversations, inputs or [""] * len(conversations), strict=True
            )
        ]
        order = sorted(range(len(prompts)), key=lambda i: len(prompts[i]), reverse=True)
        answers: dict[int, Answer] = {}
        for start in range(0, len(order), batch_size):
            chosen = order[start : start + batch_size]
            made = self._batch({i: prompts[i] for i in chosen}, sampling)
            answers.update(zip(chosen, made, strict=True))
            notify(Answered(len(answers), len(prompts)))
        return [answers[i] for i in range(len(prompts))]

    def _batch(self, prompts: dict[int, list[int]], sampling: Sampling) -> list[Answer]:
        ids: list[list[int]] = [[] for _ in prompts]
        ended = [False] * len(prompts)
        with torch.inference_mode():
            for tokens in self._steps(prompts, sampling):
                for row, token in enumerate(tokens):
                    ended[row] = ended[row] or token in self.prompter.stop_ids
                    if not ended[row]:
                        ids[row].append(token)
                if all(ended):
                    break
        return [
            Answer(self.prompter.answer(row), row, "eos" if done else "length", len(prompt))
            for row, done, prompt in zip(ids, ended, prompts.values(), strict=True)
        ]

    def _steps(self, numbered: dict[int, list[int]], sampling: Sampling) -> Iterator[list[int]]:
        """The next token of every prompt, again and again, up to the limit.

        A prompt's number says which generator it draws from.
        """
        prompts = list(numbered.values())
        self._check_length(prompts, sampling)
        device = self.model.device
        width = max(map(len, prompts))
        pad = self.prompter.format.pad_id or 0
        ids = torch.tensor([[pad] * (width - len(p)) + p for p in prompts], device=device)
        mask = torch.tensor([[0] * (width - len(p)) + [1] * len(p) for p in prompts], device=device)
        random = [
            torch.Generator(device=device).manual_seed((sampling.seed + number) % 2**63)
            for number in numbered
        ]
        seen, past, step = ids, None, ids
        for _ in range(sampling.max_new_tokens):
            positions = (mask.cumsum(-1) - 1).clamp(min=0)[:, -step.shape[1] :]
            result = self.model(
                input_ids=step,
                attention_mask=mask,
                position_ids=positions,
                past_key_values=past,
                use_cache=True,
                logits_to_keep=1,
            )
            past = result.past_key_values
            chosen = choose_tokens(result.logits[:, -1].float(), seen, mask, sampling, random)
            yield chosen[:, 0].tolist()
            step = chosen
            seen = torch.cat([seen, chosen], dim=1)
            mask = torch.cat([mask, torch.ones_like(chosen)], dim=1)

    def _check_length(self, prompts: list[list[int]], sampling: Sampling) -> None:
        if any(not prompt for prompt in prompts):
            raise refuse("generation.empty_prompt")
        longest = max(map(len, prompts))
        context = context_length(self.model)
        if longest + sampling.max_new_tokens > context:
            raise refuse(
                "generation.too_long", prompt=longest, new=sampling.max_new_tokens, context=context
            )


def context_length(model: PreTrainedModel) -> int:
    """The most tokens that the model's positions reach."""
    config = model.config
    names = ("max_position_embeddings", "n_positions", "max_sequence_length")
    return next((int(v) for n in names if (v := getattr(config, n, None))), 1 << 30)


def choose_tokens(
    logits: torch.Tensor,
    seen: torch.Tensor,
    mask: torch.Tensor,
    sampling: Sampling,
    random: Sequence[torch.Generator],
) -> torch.Tensor:
    """The next token of each row, shape (batch, 1), from logits of shape (batch, vocabulary).

    `seen`, `mask`: (batch, length), the ids so far and which of them are no padding; `random`: a
    generator for each row.
    """
    if sampling.repetition_penalty != 1.0:
        logits = _penalise(logits, seen, mask, sampling.repetition_penalty)
    if sampling.temperature == 0:
        return logits.argmax(-1, keepdim=True)
    logits = logits / sampling.temperature
    if sampling.top_k:
        kth = logits.topk(min(sampling.top_k, logits.shape[-1])).values[:, -1:]
        logits = logits.masked_fill(logits < kth, -torch.inf)
    if sampling.top_p < 1:
        logits = _keep_nucleus(logits, sampling.top_p)
    rows = zip(logits.softmax(-1), random, strict=True)
    return torch.stack([torch.multinomial(row, 1, generator=own) for row, own in rows])


def _penalise(
    logits: torch.Tensor, seen: torch.Tensor, mask: torch.Tensor, penalty: float
) -> torch.Tensor:
    """CTRL's repetition penalty (Keskar et al. 2019, eq. 6, signs as in transformers)."""
    # Padding may carry the id of a token that the prompt holds as well: count, do not overwrite.
    times = torch.zeros_like(logits).scatter_add(1, seen, mask.to(logits.dtype))
    punished = torch.where(logits < 0, logits * penalty, logits / penalty)
    return torch.where(times > 0, punished, logits)


def _keep_nucleus(logits: torch.Tensor, top_p: float) -> torch.Tensor:
    """Nucleus sampling (Holtzman et al. 2019): the fewest tokens whose probability is `top_p`."""
    ordered, order = logits.sort(descending=True)
    probabilities = ordered.softmax(-1)
    beyond = probabilities.cumsum(-1) - probabilities >= top_p
    beyond[:, 0] = False  # with `top_p` 0 too, the first remains
    return logits.masked_fill(beyond.scatter(1, order, beyond), -torch.inf)


def placement_for(
    artifact: Artifact, *, quantization: str | None, precision: str | None, device: str | None
) -> Placement:
    """Where and how to load: as asked, else as the adapter was trained where that fits.

    Raises:
        JloraError: no such device, precision or quantization, or none on this device.
    """
    _check_asked("--quantization", quantization, QUANTIZATIONS)
    _check_asked("--precision", precision, DTYPES)
    chosen = choose_device(device)
    trained = (artifact.card or {}).get("training", {})
    if quantization is None:
        quantization = trained.get("quantization", "none") if chosen == "cuda" else "none"
    if quantization != "none" and chosen != "cuda":
        raise refuse("generation.no_quantization", quantization=quantization, device=chosen)
    return Placement(chosen, precision or _precision(chosen, trained), quantization)


def _check_asked(option: str, value: str | None, known: Iterable[str]) -> None:
    if value is not None and value not in known:
        raise refuse("generation.no_such", option=option, value=value, known=", ".join(known))


def _precision(device: str, trained: dict[str, str]) -> str:
    """On CUDA that of the training, where the GPU has it; elsewhere float32."""
    if device != "cuda":
        return "float32"
    wanted = trained.get("precision", "bfloat16")
    missing = wanted == "bfloat16" and not torch.cuda.is_bf16_supported(including_emulation=False)
    return "float16" if missing else wanted


def load_answerer(
    artifact: Artifact,
    placement: Placement,
    *,
    template: str = "auto",
    notify: Notify = ignore,
) -> Answerer:
    """The model that `artifact` names, with the prompt format that it was trained with.

    Raises:
        JloraError: a file is missing, damaged or does not fit the others.
    """
    base = find_model(artifact.base, what="weights")
    if artifact.adapter is not None and trained_elsewhere(artifact, base):
        text = say("generation.other_base", path=artifact.adapter, base=artifact.base)
        notify(Warned(text))
    tokenizer = load_tokenizer(tokenizer_folder(artifact, base))
    format = prompt_format(artifact, tokenizer, template)
    model = load_base(base, placement, tokenizer=tokenizer)
    if artifact.adapter is not None:
        model = read_adapter(model, artifact.adapter)
    return Answerer(model, Prompter(tokenizer, format))
