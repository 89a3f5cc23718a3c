"""What every test shares: English sentences, no network but loopback, a clean environment."""

from __future__ import annotations

import socket

import pytest

from jlora_cli import messages

LOOPBACK = {"127.0.0.1", "::1", "localhost"}


@pytest.fixture(autouse=True)
def english():
    messages.use_language("en")
    yield
    messages.use_language("en")


@pytest.fixture(autouse=True)
def no_network(monkeypatch):
    """Any connection that leaves this machine is a fault of the test."""
    connect = socket.socket.connect

    def only_loopback(self, address):
        if isinstance(address, tuple) and address[0] not in LOOPBACK:
            raise AssertionError(f"a test tried to reach {address[0]}")
        return connect(self, address)

    monkeypatch.setattr(socket.socket, "connect", only_loopback)
