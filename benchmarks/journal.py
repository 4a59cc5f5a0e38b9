"""Figures of the journal, each beside a floor measured in the same run.

    python -m benchmarks.journal [--events N] [--rounds N] [--dir FOLDER] [--json]

A ratio of times is floor / ours, so that more is better; 1.00 would be as fast as the floor.  Appending is measured
when the write-ahead logs have their size and are used again, as they are in all but the first minutes of a node.
"""

import argparse
import json
import os
import tempfile
from collections.abc import Callable, Iterator
from contextlib import closing
from decimal import Decimal
from functools import partial
from itertools import count, islice
from pathlib import Path
from statistics import median
from time import perf_counter
from typing import Any

import apsw

from domain.market import Bar
from domain.money import Money
from domain.order import Fill, Terms
from domain.proposal import Entry
from messages.base import Event
from messages.codec import encode
from messages.market import BarsClosed, OfferAnswered, Offered
from messages.orders import OrderAccepted, OrderFilled, OrderIntended
from messages.positions import PositionChanged
from messages.risk import OrderApproved
from persistence.chain import GENESIS
from persistence.journal import Journal
from persistence.reader import JournalReader
from persistence.records import COLUMNS, PLACES, Draft
from persistence.scan import check_chain
from persistence.watermark import START

AT = 1_700_000_000_000
GROUP = 100
WARM_UP_GROUPS = 300
ACTORS = ("positions", "executor", "breaker", "feed", "sentiment", "confidence", "cross", "operations")
TAIL = 1_000


def main() -> None:
    """Measure, and print."""
    parser = argparse.ArgumentParser(description="Figures of the journal beside floors measured in the same run.")
    parser.add_argument("--events", type=int, default=1_000_000, help="events in the large journal")
    parser.add_argument("--rounds", type=int, default=300, help="rounds of the figures about appending")
    parser.add_argument("--dir", help="a folder on the disk to measure; default the one for temporary files")
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    wanted = parser.parse_args()
    with tempfile.TemporaryDirectory(dir=wanted.dir) as folder:
        figures = {
            "append_single": measure_single(Path(folder) / "single", wanted.rounds),
            "append_group": measure_group(Path(folder) / "group", wanted.rounds),
            **measure_large(Path(folder) / "large", wanted.events),
        }
    print(json.dumps(figures) if wanted.json else "\n".join(map(sentence, figures.values())))


def sentence(figure: dict[str, Any]) -> str:
    """Say a figure in one line."""
    ratio = f", {figure['ratio']:.2f}x of the floor (target {figure['target']})" if "ratio" in figure else ""
    floor = f"; floor {figure['floor_us']:.2f} us {figure['floor']}" if "floor" in figure else ""
    return f"{figure['what']}: {figure['ours']}{floor}{ratio}"


def measure_single(home: Path, rounds: int) -> dict[str, Any]:
    """Append one at a time through the journal, and as a bare commit of the same row."""
    drafts = stream()
    with closing(Journal.open(home)) as journal, closing(bare(home / "bare.db")) as connection:
        warm_up(journal, connection, drafts)
        ours, floor = [], []
        for event, actor in islice(drafts, rounds * 4):
            row = (*place(event, actor, journal.last_seq + 1), GENESIS)
            floor.append(timed(partial(commit, connection, [row])))
            ours.append(timed(partial(append, journal, [(event, actor)])))
    return compared("append one at a time", ours, floor, "for a bare commit at synchronous=FULL", ">= 0.6")


def measure_group(home: Path, rounds: int) -> dict[str, Any]:
    """Append in groups, and write and sync single events of the same size to a plain file."""
    drafts = stream()
    home.mkdir()
    plain = os.open(home / "plain", os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    bare_group: list[float] = []
    with closing(Journal.open(home)) as journal, closing(bare(home / "bare.db")) as connection:
        warm_up(journal, connection, drafts)
        ours, floor = [], []
        for _ in range(rounds):
            group = list(islice(drafts, GROUP))
            rows = [
                (*place(event, actor, seq), GENESIS) for seq, (event, actor) in enumerate(group, journal.last_seq + 1)
            ]
            bare_group.append(timed(partial(commit, connection, rows)) / GROUP)
            for row in rows[:: GROUP // 4]:
                floor.append(timed(partial(synced_write, plain, row[10])))
            ours.append(timed(partial(append, journal, group)) / GROUP)
    os.close(plain)
    figure = compared(f"append in groups of {GROUP}", ours, floor, "for a single write + fdatasync", ">= 8")
    return figure | {"bare_commit_us": round(median(bare_group) * 1e6, 2)}


def measure_large(home: Path, events: int) -> dict[str, dict[str, Any]]:
    """Verify the chain of a large journal beside a raw scan of its rows, and open it ready to fold its tail."""
    build(home, events)
    connection = apsw.Connection(str(home / "journal.db"), flags=apsw.SQLITE_OPEN_READONLY)
    with closing(connection):
        ours, floor = [], []
        for _ in range(3):
            floor.append(timed(partial(scan, connection)) / events)
            ours.append(timed(partial(check_chain, connection, START)) / events)
    opened = [timed(partial(open_ready, home, events)) for _ in range(5)]
    ready = {"what": f"open {events} events, snapshots read and tail ready", "ours": f"{median(opened):.3f} s"}
    return {
        "verify_chain": compared("verify the chain", ours, floor, "for a raw scan of the rows", ">= 0.35"),
        "open_large": ready | {"ours_s": round(median(opened), 4), "target": "< 1 s", "events": events},
    }


def compared(what: str, ours: list[float], floor: list[float], against: str, target: str) -> dict[str, Any]:
    """Set medians beside each other, in microseconds an event."""
    ours_us, floor_us = median(ours) * 1e6, median(floor) * 1e6
    return {
        "what": what,
        "ours": f"{ours_us:.2f} us an event",
        "ours_us": round(ours_us, 3),
        "floor": against,
        "floor_us": round(floor_us, 3),
        "ratio": round(floor_us / ours_us, 3),
        "target": target,
    }


def timed(work: Callable[[], object]) -> float:
    """Return the seconds that work takes."""
    start = perf_counter()
    work()
    return perf_counter() - start


def warm_up(journal: Journal, connection: apsw.Connection, drafts: Iterator[tuple[Event, str]]) -> None:
    """Append as much as it takes for both write-ahead logs to be copied and used again."""
    for _ in range(WARM_UP_GROUPS):
        group = list(islice(drafts, GROUP))
        start = journal.last_seq + 1
        commit(connection, [(*place(event, actor, seq), GENESIS) for seq, (event, actor) in enumerate(group, start)])
        append(journal, group)


def append(journal: Journal, group: list[tuple[Event, str]]) -> None:
    """Encode events and append them, as the node does."""
    drafts = []
    for seq, (event, actor) in enumerate(group, journal.last_seq + 1):
        kind, version, payload = encode(event)
        drafts.append(Draft(seq, AT + seq, AT + seq, kind, version, actor, 1, seq - 1, seq - 2, seq - 1, payload))
    journal.append(drafts)


def place(event: Event, actor: str, seq: int) -> tuple[Any, ...]:
    """Return the columns of an event, without its hash."""
    kind, version, payload = encode(event)
    return (seq, AT + seq, AT + seq, kind, version, actor, 1, seq - 1, seq - 2, seq - 1, payload)


def bare(path: Path) -> apsw.Connection:
    """Return a bare connection to a table with the journal's columns."""
    connection = apsw.Connection(str(path))
    for pragma in ("journal_mode = WAL", "synchronous = FULL"):
        connection.execute(f"PRAGMA {pragma}").fetchall()
    columns = COLUMNS.replace("seq", "seq INTEGER PRIMARY KEY", 1)
    connection.execute(f"CREATE TABLE events ({columns})")
    return connection


def commit(connection: apsw.Connection, rows: list[tuple[Any, ...]]) -> None:
    """Commit rows with nothing around it."""
    connection.execute("BEGIN IMMEDIATE")
    connection.executemany(f"INSERT INTO events VALUES ({PLACES})", rows)
    connection.execute("COMMIT")


def synced_write(file: int, content: bytes) -> None:
    """Write bytes and wait until they are on disk."""
    os.write(file, content)
    os.fdatasync(file)


def build(home: Path, events: int) -> None:
    """Make a large journal, with two snapshots of every actor near its end."""
    events_and_actors = stream()
    with closing(Journal.open(home)) as journal:
        while journal.last_seq < events:
            append(journal, list(islice(events_and_actors, min(10_000, events - journal.last_seq))))
        for seq in (events - 2 * TAIL, events - TAIL):
            if seq > 0:
                journal.save_states(seq, {actor: (1, bytes(20_000)) for actor in ACTORS})


def scan(connection: apsw.Connection) -> None:
    """Read all rows and do nothing with them."""
    for _ in connection.execute(f"SELECT {COLUMNS} FROM events ORDER BY seq"):
        pass


def open_ready(home: Path, events: int) -> None:
    """Open the journal for writing, read the newest snapshots, and read the tail they leave to be folded."""
    with closing(Journal.open(home)), JournalReader(home) as reader:
        found = [reader.state_of(actor, version=1) for actor in ACTORS]
        since = min((state[0] for state in found if state is not None), default=0)
        tail = list(reader.read(since))
        if len(tail) != min(TAIL, events):
            raise RuntimeError(f"expected a tail of {min(TAIL, events)} records, found {len(tail)}")


def stream() -> Iterator[tuple[Event, str]]:
    """Return an endless run of events in about the proportions of a busy node, each with its actor.

    Three symbols and two strategies; an order lives and fills at every tenth bar.
    """
    for bar in count():
        at = AT + bar * 60_000
        yield BarsClosed(at, tuple(bar_of(symbol, at) for symbol in ("BTC/USDT", "ETH/USDT", "SOL/USDT"))), "feed"
        for strategy in ("confidence", "cross"):
            yield Offered(strategy, at, 1), "feed"
            yield OfferAnswered(strategy, at, 1), strategy
        if bar % 10 == 0:
            yield from life_of_an_order(f"h01{bar:08}e00", at)


def bar_of(symbol: str, at: int) -> Bar:
    """Return a closed bar."""
    open_, high, low, close, volume = map(Decimal, ("60012.10", "60055.00", "59987.35", "60031.80", "18.40211"))
    return Bar(symbol, "1m", at - 60_000, at, open_, high, low, close, volume)


def life_of_an_order(client_id: str, at: int) -> Iterator[tuple[Event, str]]:
    """Return the events of an entry that is approved, sent, accepted and filled."""
    quantity, price = Decimal("0.01250"), Decimal("60031.80")
    entry = Entry("BTC/USDT", quantity, price, at + 60_000, stop_price=Decimal("58831.10"), confidence=0.734)
    terms = Terms(client_id, "confidence", "BTC/USDT", "buy", "market", quantity, "entry", valid_until=at + 60_000)
    fee = Money(Decimal("0.7504"), "USDT")
    fill = Fill(f"t{client_id}", client_id, "BTC/USDT", "buy", quantity, price, fee, "taker", at)
    cash = {"USDT": Decimal("9249.60"), "BTC": quantity}
    yield OrderApproved("confidence@1#1.0", "confidence", entry, quantity, Decimal("751.20"), at), "breaker"
    yield OrderIntended(terms, ordered_by=1, attempt=0, proposal_id="confidence@1#1.0"), "executor"
    yield OrderAccepted(client_id, f"v{client_id}", "answer"), "executor"
    yield OrderFilled(fill, "confidence", "answer"), "executor"
    yield PositionChanged("confidence", "BTC/USDT", quantity, price, Decimal(0), cash, at), "positions"


if __name__ == "__main__":
    main()
