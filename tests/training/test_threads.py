"""As many threads as there are cores that other processes leave."""

from __future__ import annotations

import subprocess
import sys
import time
from types import SimpleNamespace

import pytest
import torch

from jlora_cli.training import threads
from jlora_cli.training.processes import World
from jlora_cli.training.threads import Seen, Threads, busy_cores, threads_beside, watch_threads

CPU = torch.device("cpu")


@pytest.fixture
def two_threads():
    """torch with two threads, that nobody asked for."""
    before = torch.get_num_threads()
    torch.set_num_threads(2)
    with pytest.MonkeyPatch.context() as patch:
        for name in threads._ASKED:
            patch.delenv(name, raising=False)
        yield
    torch.set_num_threads(before)


@pytest.mark.parametrize(
    ("others", "cores", "most", "wanted"),
    [
        (0.0, 2, 2, 2),
        (0.4, 2, 2, 2),
        (0.7, 2, 2, 1),  # one of two cores, shared with a thread of this process
        (1.0, 2, 2, 1),
        (2.0, 2, 2, 1),
        (5.0, 2, 2, 1),
        (1.0, 16, 8, 8),  # two cores to a physical one
        (4.0, 16, 8, 6),
        (16.0, 16, 8, 1),
        (0.0, 64, 4, 4),
    ],
)
def test_each_thread_finds_a_core_of_its_own(others, cores, most, wanted):
    assert threads_beside(others, cores=cores, most=most) == wanted


def test_what_this_process_works_is_not_counted():
    before, after = Seen(10.0, 100.0, 3.0), Seen(12.0, 103.5, 5.0)
    assert busy_cores(before, after) == pytest.approx(0.75)
    # The clocks of cores and processes tick apart.
    assert busy_cores(before, Seen(12.0, 101.9, 5.0)) == 0.0
    assert busy_cores(before, before) == 0.0


def test_a_second_of_a_core_is_what_it_worked():
    times = SimpleNamespace(user=3.0, system=1.0, nice=50.0, idle=70.0, iowait=5.0, steal=0.5)
    assert threads._worked(times) == 4.5  # elsewhere than on Linux some are missing


def test_processes_that_keep_every_core_busy_leave_one_thread(two_threads, monkeypatch):
    monkeypatch.setattr(threads, "_EVERY", 0.0)
    told = []
    watched = watch_threads(CPU, World(), told.append)
    command = [sys.executable, "-c", "while True: pass"]
    children = [subprocess.Popen(command) for _ in watched._cores]
    try:
        for _ in range(50):
            time.sleep(0.1)
            watched.settle()
            if torch.get_num_threads() == 1:
                break
    finally:
        for child in children:
            child.kill()
            child.wait()
    assert torch.get_num_threads() == 1
    assert told[-1].values["count"] == 1
    assert told[-1].values["most"] == 2
    watched.put_back()
    assert torch.get_num_threads() == 2


def test_cores_that_are_free_again_are_taken(two_threads, monkeypatch):
    worked = iter([0.0, 10.0, 10.5, 11.0])  # seconds of other processes, by two cores
    clock = iter([0.0, 10.0, 10.0, 20.0, 20.0, 30.0, 30.0])
    monkeypatch.setattr(threads, "_own_cores", lambda: [0, 1])
    monkeypatch.setattr(threads, "look", lambda _: Seen(next(clock), next(worked), 0.0))
    monkeypatch.setattr(threads.time, "monotonic", lambda: next(clock))
    told, counts = [], []
    watched = Threads(told.append)
    for _ in range(3):
        watched.settle()
        counts.append(torch.get_num_threads())
    assert counts == [1, 2, 2]
    assert [stage.values["count"] for stage in told] == [1, 2]


def test_a_look_too_soon_is_none(two_threads, monkeypatch):
    watched = watch_threads(CPU, World(), print)
    monkeypatch.setattr(threads, "look", None)
    watched._seen = Seen(time.monotonic() + 60, 0.0, 0.0)
    watched.settle()


def test_nothing_is_settled_where_it_is_decided(two_threads, monkeypatch):
    assert watch_threads(torch.device("cuda"), World(), print) is None
    assert watch_threads(CPU, World(0, 2), print) is None
    monkeypatch.setenv("OMP_NUM_THREADS", "2")
    assert watch_threads(CPU, World(), print) is None
    monkeypatch.delenv("OMP_NUM_THREADS")
    torch.set_num_threads(1)
    assert watch_threads(CPU, World(), print) is None
