"""Homes whose journals are backed up, restored, damaged and salvaged, and what is asked of them."""

import shutil
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import msgspec

from actors.breaker_memory import BreakerState
from domain.order import generation_of
from gateways.paper.audit import Audit
from gateways.sample import SampleMarket
from holdfast.config.loading import load_settings
from holdfast.mending.progress import Progress
from holdfast.parts import Parts, gather
from holdfast.rebuild import Rebuilt
from holdfast.replay import rebuild
from holdfast.staging import StagedNode
from messages.node import BreakerAsked, OperatorCommanded
from persistence.reader import JournalReader
from tests.endurance.nodes import ROOT

QUIET = Progress(wanted=False)
OVERRIDES = ("feed.speed=max", "journal.snapshot_every=300")


def nothing(point: str) -> None:
    """Do nothing at a cue."""


class Killed(BaseException):
    """Stands for the end of the process: nothing that names what it catches catches it."""


def killed_at(point: str, nth: int = 1) -> Callable[[str], None]:
    """Return a cue that ends all at a point, the nth time it comes."""
    left = [nth]

    def cue(name: str) -> None:
        left[0] -= name == point
        if name == point and left[0] == 0:
            raise Killed(point)

    return cue


@cache
def parts() -> Parts:
    """Return a node's parts: the generated market of two days, and both strategies."""
    settings = load_settings(None, environ={}, overrides=OVERRIDES).settings
    return msgspec.structs.replace(gather(settings, folder=ROOT), source=SampleMarket(days=2))


def live(home: Path, events: int, *, seed: int = 1, folder: str = ".") -> Path:
    """Let a node live in a home for so many events, and die."""
    with StagedNode(parts(), home, seed=seed, folder=folder) as node:
        wanted = node.last_seq + events
        node.run(lambda: node.last_seq >= wanted)
        node.commit()
    return home


def copy_of_living(home: Path, copy: Path, events: int) -> Path:
    """Return a copy of a home as a process that is killed now leaves it, its log not yet copied."""
    with StagedNode(parts(), home, seed=1) as node:
        wanted = node.last_seq + events
        node.run(lambda: node.last_seq >= wanted)
        node.commit()
        shutil.copytree(home, copy)
        (copy / "journal.db-shm").unlink()
    return copy


def mode_at_start(home: Path) -> tuple[str, str]:
    """Start a node, and return its state with the reason once it has lived a little."""
    with StagedNode(parts(), home, seed=2) as node:
        wanted = node.last_seq + 60
        node.run(lambda: node.last_seq >= wanted)
        state = breaker_of(node)
        node.commit()
    return state.mode, state.halted


def breaker_of(node: StagedNode) -> BreakerState:
    """Return what the breaker knows."""
    return msgspec.json.decode(node.ask("breaker", BreakerAsked()), type=BreakerState)


def resume(node: StagedNode) -> None:
    """Open the node again, as an operator does."""
    command = OperatorCommanded(
        request_id="again", command="resume", user="tester", process=1, wall_ms=1, reason="looked into it"
    )
    node.switchboard.record("node", [command])


def hashes(home: Path, until: int | None = None) -> list[bytes]:
    """Return the hash of every record."""
    with JournalReader(home) as reader:
        return [record.hash for record in reader.read(until=until)]


def rebuilt(home: Path, to: int | None = None) -> Rebuilt:
    """Return all memories as of a sequence."""
    return rebuild(home, None if to is None else str(to))[0]


def client_ids(home: Path) -> list[str]:
    """Return the client ids of all intents, in sequence."""
    with JournalReader(home) as reader:
        payloads = [msgspec.json.decode(record.payload) for record in reader.read(kinds=["OrderIntended"])]
    return [payload["terms"]["client_id"] for payload in payloads]


def generations_of(ids: list[str]) -> set[int | None]:
    """Return the generations that client ids were made in."""
    return {generation_of(client_id) for client_id in ids}


def book_of(home: Path) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return the states of all orders and the balances, as the venue has them."""
    audit = Audit(home / "venue.db")
    try:
        return dict(audit.states()), dict(audit.balances())
    finally:
        audit.close()


def bytes_of(home: Path) -> dict[str, bytes]:
    """Return the bytes of the files that are a journal, and of the venue's book; a look at them makes an empty log."""
    names = ("journal.db", "journal.db-wal", "journal.watermark", "venue.db")
    found = {name: (home / name).read_bytes() for name in names if (home / name).exists()}
    return {name: content for name, content in found.items() if content}
