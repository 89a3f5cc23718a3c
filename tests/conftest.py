"""What every test shares: English sentences, no network but loopback, a clean environment."""

from __future__ import annotations

import os
import signal
import socket

import pytest

from jlora_cli import messages
from tests.tiny_models import save_tiny_model
from tests.tiny_runs import train_tiny_run

# Before torch is imported. Tiny models have nothing to share out, and where the cores are busy,
# OpenMP's threads wait for each other: measured, 13 s instead of 0.6 s for five steps of training.
os.environ.setdefault("OMP_NUM_THREADS", "1")

# A shell lets what it starts in the background ignore Ctrl-C, and so would the processes that tests
# start and interrupt.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)

LOOPBACK = {"127.0.0.1", "::1", "localhost"}


@pytest.fixture(autouse=True)
def english():
    messages.use_language("en")
    yield
    messages.use_language("en")


@pytest.fixture(autouse=True, scope="session")
def own_cache(tmp_path_factory):
    """What jlora keeps for the next time stays out of the user's cache."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("JLORA_CACHE", str(tmp_path_factory.mktemp("cache")))
        yield


@pytest.fixture(autouse=True)
def no_network(monkeypatch):
    """Any connection that leaves this machine is a fault of the test."""
    connect = socket.socket.connect

    def only_loopback(self, address):
        if isinstance(address, tuple) and address[0] not in LOOPBACK:
            raise AssertionError(f"a test tried to reach {address[0]}")
        return connect(self, address)

    monkeypatch.setattr(socket.socket, "connect", only_loopback)


@pytest.fixture(scope="session")
def tiny_base(tmp_path_factory):
    """The folder of a tiny random GPT-NeoX with its tokenizer; not to be written into."""
    return save_tiny_model(tmp_path_factory.mktemp("tiny") / "base")


@pytest.fixture(scope="session")
def tiny_run(tiny_base, tmp_path_factory):
    """A finished run folder of five steps on `tiny_base`; not to be written into."""
    return train_tiny_run(tmp_path_factory.mktemp("tiny") / "trained", tiny_base)
