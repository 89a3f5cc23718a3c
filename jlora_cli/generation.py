"""A conversation -> an answer: batches, streams, and the sampling that chooses each token.

Works on ids; what they mean to a person is the prompter's business. Greedy text does not depend
on the batch: rows are padded on the left, and padding is masked and given no position.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import torch

from jlora_cli.errors import refuse
from jlora_cli.events import Answered, Notify, ignore
from jlora_cli.hub import find_model
from jlora_cli.model import Placement, choose_device, load_base, read_adapter
from jlora_cli.prompt import Prompter, PromptFormat, choose_template, format_for
from jlora_cli.tokenizer import load_tokenizer

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from transformers import PreTrainedModel

    from jlora_cli.dataset import Message
    from jlora_cli.run_folder import Artifact

FinishReason = Literal["eos", "stop", "length"]


@dataclass(frozen=True)
class Sampling:
    """How the next token is chosen. `temperature` 0 is greedy; `top_k` 0 and `top_p` 1 are off."""

    max_new_tokens: int = 256
    temperature: float = 0.7
    top_p: float = 0.75
    top_k: int = 40
    repetition_penalty: float = 1.0
    seed: int = 42


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
            for (token,) in self._steps([prompt], sampling):
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
        batch_size: int = 8,
        notify: Notify = ignore,
    ) -> list[Answer]:
        """Answers in the order of `conversations`, made in batches of like length."""
        prompts = [self.prompter.prompt_ids(messages) for messages in conversations]
        order = sorted(range(len(prompts)), key=lambda i: len(prompts[i]), reverse=True)
        answers: dict[int, Answer] = {}
        for start in range(0, len(order), batch_size):
            chosen = order[start : start + batch_size]
            made = self._batch([prompts[i] for i in chosen], sampling)
            answers.update(zip(chosen, made, strict=True))
            notify(Answered(len(answers), len(prompts)))
        return [answers[i] for i in range(len(prompts))]

    def _batch(self, prompts: list[list[int]], sampling: Sampling) -> list[Answer]:
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
            for row, done, prompt in zip(ids, ended, prompts, strict=True)
        ]

    def _steps(self, prompts: list[list[int]], sampling: Sampling) -> Iterator[list[int]]:
        """The next token of every prompt, again and again, up to the limit."""
        self._check_length(prompts, sampling)
        device = self.model.device
        width = max(map(len, prompts))
        pad = self.prompter.format.pad_id or 0
        ids = torch.tensor([[pad] * (width - len(p)) + p for p in prompts], device=device)
        mask = torch.tensor([[0] * (width - len(p)) + [1] * len(p) for p in prompts], device=device)
        random = torch.Generator(device=device).manual_seed(sampling.seed)
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
    random: torch.Generator,
) -> torch.Tensor:
    """The next token of each row, shape (batch, 1), from logits of shape (batch, vocabulary)."""
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
    return torch.multinomial(logits.softmax(-1), 1, generator=random)


def _penalise(
    logits: torch.Tensor, seen: torch.Tensor, mask: torch.Tensor, penalty: float
) -> torch.Tensor:
    """CTRL's repetition penalty (Keskar et al. 2019, eq. 6, signs as in transformers)."""
    scores = logits.gather(1, seen)
    punished = torch.where(scores < 0, scores * penalty, scores / penalty)
    return logits.scatter(1, seen, torch.where(mask.bool(), punished, scores))


def _keep_nucleus(logits: torch.Tensor, top_p: float) -> torch.Tensor:
    """Nucleus sampling (Holtzman et al. 2019): the fewest tokens whose probability is `top_p`."""
    ordered, order = logits.sort(descending=True)
    probabilities = ordered.softmax(-1)
    beyond = probabilities.cumsum(-1) - probabilities >= top_p
    return logits.masked_fill(beyond.scatter(1, order, beyond), -torch.inf)


def placement_for(
    artifact: Artifact, *, quantization: str | None, precision: str | None, device: str | None
) -> Placement:
    """Where and how to load: as asked, else as the adapter was trained where that fits."""
    chosen = choose_device(device)
    trained = (artifact.card or {}).get("training", {})
    if quantization is None:
        quantization = trained.get("quantization", "none") if chosen == "cuda" else "none"
    if quantization != "none" and chosen != "cuda":
        raise refuse("generation.no_quantization", quantization=quantization, device=chosen)
    if precision is None:
        bfloat16 = chosen == "cuda" and torch.cuda.is_bf16_supported(including_emulation=False)
        fallback = "float16" if chosen == "cuda" else "float32"
        precision = "bfloat16" if bfloat16 else fallback
    return Placement(chosen, precision, quantization)


def load_answerer(
    artifact: Artifact, placement: Placement, *, template: str = "auto", with_adapter: bool = True
) -> Answerer:
    """The model that `artifact` names, with the prompt format that it was trained with.

    `with_adapter` False gives the base alone under the same prompts, for comparison.
    """
    base = find_model(artifact.base, what="weights")
    tokenizer = load_tokenizer(artifact.folder or base)
    if artifact.card is not None and template == "auto":
        format = PromptFormat(**artifact.card["prompt"])
    else:
        format = format_for(tokenizer, choose_template(template, tokenizer, []), artifact.base)
    model = load_base(base, placement, tokenizer=tokenizer)
    if artifact.adapter is not None and with_adapter:
        model = read_adapter(model, artifact.adapter)
    return Answerer(model, Prompter(tokenizer, format))
