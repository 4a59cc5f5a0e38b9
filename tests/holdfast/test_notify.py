"""Laws of what a service manager hears: each word in its time, and never at the cost of the node."""

import resource
import socket
import time
from contextlib import closing
from pathlib import Path

import pytest

from holdfast import notify
from holdfast.notify import ServiceManager


@pytest.fixture
def manager(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> socket.socket:
    """Return the socket of a service manager."""
    listening = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    listening.bind(str(tmp_path / "notify"))
    monkeypatch.setenv("NOTIFY_SOCKET", str(tmp_path / "notify"))
    return listening


def test_a_manager_hears_that_the_node_is_ready_lives_and_stops(manager: socket.socket) -> None:
    with closing(manager):
        node = ServiceManager()
        node.ready()
        node.alive()
        node.stopping()

        assert [manager.recv(64) for _ in range(3)] == [b"READY=1", b"WATCHDOG=1", b"STOPPING=1"]


def test_a_manager_that_reads_nothing_holds_nobody_up(manager: socket.socket, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(notify, "PATIENCE_S", 0.05)
    queue_max = int(Path("/proc/sys/net/unix/max_dgram_qlen").read_text())
    with closing(manager):
        node, began = ServiceManager(), time.monotonic()
        for _ in range(queue_max + 10):
            node.alive()
        node.stopping()

        assert time.monotonic() - began < 2.0


def test_a_process_without_a_file_left_says_nothing_and_goes_on(manager: socket.socket) -> None:
    with closing(manager):
        node, (soft, hard) = ServiceManager(), resource.getrlimit(resource.RLIMIT_NOFILE)
        resource.setrlimit(resource.RLIMIT_NOFILE, (3, hard))
        try:
            node.alive()
        finally:
            resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
