"""What is drawn next is kept and put back, on every device that draws."""

from __future__ import annotations

import torch

from jlora_cli.training.randomness import put_back, random_state


def test_the_numbers_of_an_apple_gpu_are_drawn_again_too(monkeypatch):
    drawn = []
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: True)
    monkeypatch.setattr(torch.mps, "get_rng_state", lambda: torch.tensor([7]))
    monkeypatch.setattr(torch.mps, "set_rng_state", drawn.append)

    put_back(random_state())

    assert drawn == [torch.tensor([7])]


def test_a_state_of_another_machine_is_put_back_as_far_as_it_goes():
    state = random_state()
    wanted = torch.rand(3)

    put_back(state | {"mps": torch.tensor([7])})

    assert torch.equal(torch.rand(3), wanted)
