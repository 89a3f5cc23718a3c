"""A fake model for conversations, and what a person sees of one, line by line."""

from __future__ import annotations

from contextlib import contextmanager

from jlora_cli.conversation import Compared, Edit, Note, Odds, take
from jlora_cli.errors import refuse
from jlora_cli.generation import Answer, TokenChoice
from jlora_cli.sampling import Sampling

SAMPLING = Sampling(max_new_tokens=8, temperature=0.0)


class Parrot:
    """Answers 「X」ですね。 in two pieces, and has room for so many characters and new tokens."""

    def __init__(self, *, room=10**9, reason="eos", adapted=True, stops_after=None, says=None):
        self.room = self.context = room
        self.reason = reason
        self.adapted = adapted
        self.stops_after = stops_after
        self.says = says
        self.asked, self.asked_base, self.seeds = [], [], []
        self._is_base = False

    def fits(self, messages, sampling):
        length = sum(len(message.content) for message in messages)
        return length + sampling.max_new_tokens <= self.room

    def answer(self, messages, sampling, on_text=None):
        if not self.fits(messages, sampling):
            raise refuse("generation.too_long", prompt=99, new=8, context=self.room)
        contents = [message.content for message in messages]
        (self.asked_base if self._is_base else self.asked).append(contents)
        self.seeds.append(sampling.seed)
        pieces = self.says or (f"「{contents[-1]}」", "ですね。")
        for number, piece in enumerate(pieces):
            if number == self.stops_after:
                raise KeyboardInterrupt
            if on_text is not None and piece:
                on_text(piece)
        text = ("base: " if self._is_base else "") + "".join(pieces)
        return Answer(text, [1, 2], self.reason, 10, (), 0.25, 12.34, 4)

    def choices(self, messages, ids, count):
        return tuple(TokenChoice(id_, "猫", 0.5, ((9, "犬", 0.25),) * count) for id_ in ids)

    @contextmanager
    def base(self):
        self._is_base = True
        yield self
        self._is_base = False


def shown(told):
    if isinstance(told, Note):
        return f"* {told.text}"
    if isinstance(told, Compared):
        return f"| {told.base} | {told.tuned}"
    if isinstance(told, Edit):
        return f"_ {told.text}"
    assert isinstance(told, Odds)
    return "% " + " ".join(f"{token.text}{token.probability}" for token in told.answer.tokens)


def talk(conversation, *lines):
    """What stands on the screen: `<` answers, `*` notes, `|` columns, `_` edits, `%` odds."""
    screen = []
    for line in lines:
        heard = []
        told = take(conversation, line, heard.append)
        screen += [f"> {line}", *(["< " + "".join(heard)] if heard else []), *map(shown, told)]
    return screen
