"""From a tick to its order in the venue client's hands, on threads, its intent on disk before.

    python -m benchmarks.tick_to_order [--samples N] [--block N] [--dir FOLDER] [--json]

The node is the real tree over a real journal; only the market, the strategy (an entry at every bar) and the venue
(it notes the instant, accepts, and says that the order expired) are made for this.  The clock starts when the source
hands over the bar, and stops inside the venue's `submit`.  The floor is two bare pykka actors, the second of which
commits one row at synchronous=FULL.  A second floor commits what the node commits for an order, to a journal: what is
above it is the actors' part.  Blocks of all take turns.
"""

import sys
import tempfile
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from decimal import Decimal
from pathlib import Path
from time import perf_counter
from typing import Any

import apsw
import pykka

from actors.health import Machine
from benchmarks.common import arguments, compared, say, spread
from benchmarks.surroundings import SYMBOL, WAIT_S, GatedMarket, NotingVenue
from gateways.headlines import NoHeadlines
from gateways.paper import profile_of
from holdfast.config.problems import Problem
from holdfast.config.settings import Feed, Settings, StrategySettings
from holdfast.config.settings import Journal as JournalSettings
from holdfast.parts import Parts, limits_of, paper_settings, shape_of
from holdfast.recovery import JournalRecorder, JournalRecovery, draft_of, recorded_of
from holdfast.routes import LEAVES_HOUSE, routes_for
from holdfast.wiring import TRADING, Current, Ports, tree, urgency_of
from messages.codec import encode
from messages.node import StateMarked
from messages.positions import AccountOpened
from persistence.journal import Journal
from persistence.reader import JournalReader
from supervision import Recorded, RecordedClock, Switchboard, System, Threads

RATIO_MAX = 1.5
FLOOR_IS = "two pykka actors, one commit"
JOURNAL_FLOOR_IS = "two pykka actors, one commit of the node's own records to a journal"


def main() -> None:
    """Measure, and print."""
    parser = arguments("From a tick to its order in the venue client's hands.")
    parser.add_argument("--samples", type=int, default=2_000, help="ticks to measure")
    parser.add_argument("--block", type=int, default=200, help="ticks of one side before the other takes its turn")
    wanted = parser.parse_args()
    # As the node has it: a thread that is waited for gets its turn soon.
    sys.setswitchinterval(0.0005)
    with tempfile.TemporaryDirectory(dir=wanted.dir) as folder:
        say(measure(Path(folder), samples=wanted.samples, block=wanted.block), as_json=wanted.json)


def measure(folder: Path, *, samples: int, block: int) -> list[dict[str, Any]]:
    """Let node and floor take turns, and set their times beside each other."""
    ours: list[float] = []
    floors: list[float] = []
    journal_floors: list[float] = []
    with ExitStack() as stack:
        node, floor = _Node(folder / "home", stack), _Floor(_RowCommits(folder / "floor.db"), stack)
        node.run(block)
        journal_floor = _Floor(_JournalCommits(folder / "floor", node.records_of_an_order()), stack)
        floor.run(block)
        journal_floor.run(block)
        while len(ours) < samples:
            floors += floor.run(block)
            journal_floors += journal_floor.run(block)
            ours += node.run(block)
    (our_p50, our_p99), (floor_p50, floor_p99) = spread(_us(ours)), spread(_us(floors))
    half = compared(
        "tick_to_order_p50", ours=our_p50, floor=floor_p50, unit="us", floor_is=FLOOR_IS, ratio_max=RATIO_MAX
    )
    most = compared("tick_to_order_p99", ours=our_p99, floor=floor_p99, unit="us", floor_is=FLOOR_IS)
    beside = compared(
        "tick_to_order_beside_its_journal",
        ours=our_p50,
        floor=spread(_us(journal_floors))[0],
        unit="us",
        floor_is=JOURNAL_FLOOR_IS,
    )
    return [half | {"samples": len(ours)}, most, beside]


def _us(times_s: Sequence[float]) -> list[float]:
    return [time_s * 1e6 for time_s in times_s]


class _Node:
    """A node whose market goes on only while it is let."""

    def __init__(self, home: Path, stack: ExitStack) -> None:
        self._home, self._market, self._venue = home, GatedMarket(), NotingVenue()
        parts = _parts(self._market)
        journal = Journal.open(home)
        stack.callback(journal.close)
        recorder = JournalRecorder(journal, linger_s=JournalSettings().linger_ms / 1000, on_failure=_leave)
        runtime = Threads(RecordedClock())
        stack.callback(runtime.close)
        system = _system(home, runtime, recorder, parts)
        recorder.ask_for_turn = runtime.errand(recorder.commit_here, dispatcher=TRADING, urgency=urgency_of("journal"))
        stack.callback(recorder.close)
        stack.enter_context(pool := ThreadPoolExecutor(max_workers=2))
        system.switchboard.record("node", [AccountOpened(cash={"USDT": Decimal(10_000)}, quote="USDT")])
        system.start(tree(Current(parts), _ports(self._venue, recorder, pool)))
        stack.callback(self._market.close)
        stack.callback(_stop, system)

    def run(self, count: int) -> list[float]:
        """Let so many bars pass; return the seconds from each to its order."""
        self._venue.expect(count)
        ticks = self._market.let(count)
        orders = self._venue.wait()
        return [order - tick for tick, order in zip(ticks, orders, strict=True)]

    def records_of_an_order(self) -> list[Recorded]:
        """Return the records from one intent, which was not the first, to the next."""
        with JournalReader(self._home) as reader:
            records = [recorded_of(record) for record in reader.read()]
        first, last = [place for place, record in enumerate(records) if record.kind == "OrderIntended"][-2:]
        return records[first + 1 : last + 1]


def _parts(market: GatedMarket) -> Parts:
    settings = Settings(
        feed=Feed(speed="max", frames=("1m",)),
        strategies={"every": StrategySettings(implementation="benchmarks.surroundings:EveryBar")},
    )
    problems: list[Problem] = []
    shape = shape_of(settings, (SYMBOL,), Path(), problems)
    if problems:
        raise RuntimeError(f"expected a node that can be built, found {problems}")
    profile = profile_of(paper_settings(settings), shape.quote)
    return Parts(settings, market, NoHeadlines(), shape, profile, limits_of(settings, (SYMBOL,), profile))


def _system(home: Path, runtime: Threads, recorder: JournalRecorder, parts: Parts) -> System:
    strategies = [f"strategy.{part.name}" for part in parts.shape.strategies]
    names = ["positions", "venue", "executor", "breaker", *strategies, "sentiment", "feed"]
    switchboard = Switchboard(
        clock=runtime.clock,
        recorder=recorder,
        encode=encode,  # type: ignore[arg-type]
        routes=routes_for([*names, "health", "herald", "archivist", "operator"]),
        leaves_house=LEAVES_HOUSE,
        a_moment_later=runtime.a_moment_later,
    )
    recorder.on_durable = switchboard.on_durable
    return System(
        runtime=runtime,
        switchboard=switchboard,
        recover=JournalRecovery(home, recorder.wait),
        marker=StateMarked,
    )


def _ports(venue: NotingVenue, recorder: JournalRecorder, pool: ThreadPoolExecutor) -> Ports:
    def fetch(job: Callable[[], Any], reply: Callable[[Any], None]) -> None:
        pool.submit(lambda: reply(job()))

    return Ports(
        venue=venue,
        generation=1,
        fetch=fetch,
        fetch_headlines=lambda reply: fetch(tuple, reply),
        keep_states=recorder.keep_states,
        durable_seq=lambda: recorder.durable_seq,
        machine=lambda: Machine(cpu_percent=0, memory_mb=0, disk_free_mb=1e6, threads=0, files=0),
        log=lambda level, event, **values: None,
        act=lambda command: (True, ""),
        pause_s=lambda at, following: 0.0,
        at_end=lambda: None,
        summary_after=lambda at: 2 * at,
    )


def _stop(system: System) -> None:
    system.stop()
    deadline = perf_counter() + WAIT_S
    while any(each.up for each in system.switchboard.vitals()) and perf_counter() < deadline:
        threading.Event().wait(0.01)


def _leave(error: BaseException) -> None:
    raise RuntimeError(f"expected a journal that can be written, found {error}") from error


class _RowCommits:
    """Commits one row at synchronous=FULL."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def open(self) -> None:
        """Make the table, on the thread that will write it."""
        self._connection = apsw.Connection(str(self._path))
        for statement in ("PRAGMA journal_mode = WAL", "PRAGMA synchronous = FULL", "CREATE TABLE t (n, text)"):
            self._connection.execute(statement).fetchall()

    def commit(self, number: int) -> None:
        """Write the row of a number."""
        self._connection.execute("BEGIN IMMEDIATE")
        self._connection.execute("INSERT INTO t VALUES (?, ?)", (number, "x" * 300))
        self._connection.execute("COMMIT")

    def close(self) -> None:
        """Let go of the file."""
        self._connection.close()


class _JournalCommits:
    """Commits the records of an order to a journal, again and again, as a send's own thread does it."""

    def __init__(self, home: Path, records: Sequence[Recorded]) -> None:
        self._home = home
        self._records = records

    def open(self) -> None:
        """Open the journal, on the thread that will write it."""
        self._journal = Journal.open(self._home)

    def commit(self, number: int) -> None:
        """Append the records as the next ones."""
        after = self._journal.last_seq
        drafts = [draft_of(record._replace(seq=seq)) for seq, record in enumerate(self._records, after + 1)]
        self._journal.append(drafts, tables_follow=True)

    def close(self) -> None:
        """Let go of the journal."""
        self._journal.close()


class _Floor:
    """Two bare pykka actors: the first tells the second, which commits and stamps."""

    def __init__(self, commits: _RowCommits | _JournalCommits, stack: ExitStack) -> None:
        self._second = _Second.start(commits)
        stack.callback(self._second.stop)
        self._first = _First.start(self._second)
        stack.callback(self._first.stop)

    def run(self, count: int) -> list[float]:
        """Send so many messages, one after another; return the seconds that each took."""
        times = []
        for _ in range(count):
            done: pykka.ThreadingFuture[float] = pykka.ThreadingFuture()
            self._first.tell(done)
            times.append(done.get(timeout=WAIT_S))
        return times


class _First(pykka.ThreadingActor):
    def __init__(self, second: "pykka.ActorRef[_Second]") -> None:
        super().__init__()
        self._next = second

    def on_receive(self, message: Any) -> None:
        self._next.tell((perf_counter(), message))


class _Second(pykka.ThreadingActor):
    def __init__(self, commits: _RowCommits | _JournalCommits) -> None:
        super().__init__()
        self._commits = commits
        self._count = 0

    def on_start(self) -> None:
        self._commits.open()

    def on_stop(self) -> None:
        self._commits.close()

    def on_receive(self, message: Any) -> None:
        self._count += 1
        self._commits.commit(self._count)
        began, done = message
        done.set(perf_counter() - began)


if __name__ == "__main__":
    main()
