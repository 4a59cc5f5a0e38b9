"""However much one client asks for, the node can be halted."""

import json
import socket
import time
from contextlib import ExitStack, closing
from pathlib import Path

import pytest

from holdfast.admin.address import address_of
from holdfast.admin.connection import Limits
from holdfast.admin.protocol import Code
from holdfast.answers import STREAMS_MAX
from tests.holdfast.test_processes import Node, running

pytestmark = pytest.mark.slow

FOLLOWED = 30
"""Streams that one connection asks for: more than there are threads for all clients."""


def connection_to(node: Node) -> socket.socket:
    client = socket.socket(socket.AF_UNIX)
    client.settimeout(20)
    with address_of(node.home / "admin.sock") as address:
        client.connect(address)
    return client


def test_one_client_that_follows_the_journal_many_times_keeps_nobody_from_halting_the_node(tmp_path: Path) -> None:
    with running(tmp_path / "home") as node, ExitStack() as connected:
        client = connected.enter_context(closing(connection_to(node)))
        for number in range(FOLLOWED):
            params = {"n": 0, "follow": True}
            client.sendall(
                json.dumps({"jsonrpc": "2.0", "id": number, "method": "tail", "params": params}).encode() + b"\n"
            )
        refused: list[int] = []
        with client.makefile("rb") as lines:
            while len(refused) < FOLLOWED - STREAMS_MAX:
                line = json.loads(lines.readline())
                refused += [line["error"]["code"]] if "error" in line else []

            answer = node.order("halt", reason="crowded")

            assert set(refused) == {Code.LIMIT}
            assert answer["ok"]
            assert node.status()["state"] == "halted"


@pytest.mark.parametrize("follow", [True, False])
def test_clients_that_follow_or_are_silent_keep_nobody_from_halting_the_node(tmp_path: Path, follow: bool) -> None:
    with running(tmp_path / "home") as node, ExitStack() as connected:
        for _ in range(Limits().connections):
            client = connected.enter_context(closing(connection_to(node)))
            asked = {"jsonrpc": "2.0", "id": 1, "method": "tail", "params": {"n": 1, "follow": follow}}
            client.sendall(json.dumps(asked).encode() + b"\n")
            assert b'"item"' in client.recv(65_536)
        time.sleep(Limits().fresh_s)

        answer = node.order("halt", reason="crowded")

        assert answer["ok"]
        assert node.status()["state"] == "halted"


def test_who_stops_following_makes_room_for_another(tmp_path: Path) -> None:
    with running(tmp_path / "home") as node:

        def follows() -> bool:
            with closing(connection_to(node)) as client:
                asked = {"jsonrpc": "2.0", "id": 1, "method": "tail", "params": {"n": 1, "follow": True}}
                client.sendall(json.dumps(asked).encode() + b"\n")
                return b'"item"' in client.recv(65_536)

        for _ in range(3 * STREAMS_MAX):
            assert node.wait_until(follows, "room for one more")
