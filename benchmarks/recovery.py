"""An actor of ours crashes, with so many events since its snapshot: how long until it answers again.

The floor decodes and folds the same events, which are in memory already, in the same process.
"""

import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from decimal import Decimal
from pathlib import Path
from statistics import median
from typing import Any

from actors.positions import Positions, PositionsMemory
from benchmarks.common import compared
from domain.market import Bar, Instrument
from domain.money import Money
from domain.order import Fill
from holdfast.recovery import JournalRecorder, JournalRecovery
from holdfast.routes import routes_for
from messages.base import Event
from messages.codec import decode, encode
from messages.market import BarsClosed, FramesClosed
from messages.node import HoldingsAsked, StateMarked
from messages.orders import OrderFilled
from messages.positions import AccountOpened
from persistence.journal import Journal
from supervision import (
    Backoff,
    Break,
    ChildSpec,
    Lane,
    Progress,
    Recorded,
    RecordedClock,
    Supervisor,
    SupervisorSpec,
    Switchboard,
    System,
    Threads,
)

NAME = "positions"
SYMBOLS = ("BTCUSDT", "ETHUSDT")
MINUTE_MS = 60_000
WAIT_S = 60.0
RATIO_MAX = 2.0
INSTRUMENTS = {
    symbol: Instrument(symbol, symbol[:3], "USDT", tick=Decimal("0.01"), lot=Decimal("0.00001")) for symbol in SYMBOLS
}


def recovery(*, events: int, rounds: int, folder: str | None = None) -> dict[str, Any]:
    """Let crashes and floors take turns; compare a crash until the actor answers with decoding and folding."""
    with tempfile.TemporaryDirectory(dir=folder) as home, ExitStack() as stack:
        known: list[Recorded] = []
        keeper = _Keeper(Path(home), stack, known.extend)
        keeper.remember(events)
        since = [record[:11] for record in known if record.seq > 1]
        ours, floors = [], []
        for _ in range(rounds):
            floors.append(_timed(lambda: _decode_and_fold(since)))
            ours.append(_timed(keeper.crash_and_be_back))
    return compared(
        "recovery",
        ours=median(ours) * 1000,
        floor=median(floors) * 1000,
        unit="ms",
        floor_is=f"decode and fold the same {events} events",
        ratio_max=RATIO_MAX,
        left_out="the wait before a restart, which is a setting",
    )


class _Keeper:
    """The keeper of positions on threads, with a journal on disk."""

    def __init__(self, home: Path, stack: ExitStack, on_records: Callable[[Sequence[Recorded]], object]) -> None:
        journal = Journal.open(home)
        stack.callback(journal.close)
        self._recorder = JournalRecorder(journal, linger_s=0.05, on_failure=lambda error: None)
        stack.callback(self._recorder.close)
        runtime = Threads(RecordedClock())
        stack.callback(runtime.close)
        self._board = Switchboard(
            clock=runtime.clock,
            recorder=_Listening(self._recorder, on_records),
            encode=encode,  # type: ignore[arg-type]
            routes=routes_for([NAME]),
        )
        self._recorder.on_durable = self._board.on_durable
        self._is_back = threading.Event()
        self._system = System(
            runtime=runtime,
            switchboard=self._board,
            recover=JournalRecovery(home, self._recorder.wait),
            marker=StateMarked,
            on_report=lambda report: self._is_back.set() if isinstance(report, Progress) else None,
        )
        self._system.start(_root())
        self._is_back.wait(WAIT_S)

    def remember(self, count: int) -> None:
        """Take a snapshot, then have so many events remembered."""
        seq = self._board.record("edge", [AccountOpened(cash={"USDT": Decimal(10_000)}, quote="USDT")])
        memory = PositionsMemory(INSTRUMENTS, "USDT")
        self._recorder.wait(seq, WAIT_S)
        self._recorder.keep_states(seq, {NAME: (memory.version, memory.save())})
        events = _events(count)
        for start in range(0, count, 500):
            self._board.record("edge", events[start : start + 500])
        self._recorder.wait(self._board.last_seq, WAIT_S)
        self._system.ask(NAME, HoldingsAsked(), WAIT_S)

    def crash_and_be_back(self) -> None:
        """Crash, and return when a question is answered again."""
        self._is_back.clear()
        self._system.tell(NAME, Break("to be measured"), Lane.SYSTEM)
        if not self._is_back.wait(WAIT_S):
            raise RuntimeError(f"expected {NAME} to be back within {WAIT_S} s, was not")
        self._system.ask(NAME, HoldingsAsked(), WAIT_S)


class _Listening:
    """The journal's recorder, with somebody who sees what goes in."""

    def __init__(self, recorder: JournalRecorder, on_records: Callable[[Sequence[Recorded]], object]) -> None:
        self._recorder = recorder
        self._on_records = on_records
        self.hurry, self.wait = recorder.hurry, recorder.wait

    @property
    def durable_seq(self) -> int:
        """Return the highest sequence on disk."""
        return self._recorder.durable_seq

    def enqueue(self, records: Sequence[Recorded]) -> None:
        """Take records in."""
        self._on_records(records)
        self._recorder.enqueue(records)


def _root() -> ChildSpec:
    keeper = ChildSpec(
        name=NAME,
        start=lambda system, seat: Positions(system, seat, memory=PositionsMemory(INSTRUMENTS, "USDT")),
        backoff=Backoff(base_s=0.0),
    )
    flags = SupervisorSpec(intensity=1_000, period_s=60.0, children=(keeper,))
    return ChildSpec(
        name="root", start=lambda system, seat: Supervisor(system, seat, spec=flags), shutdown_s=None, supervises=flags
    )


def _events(count: int) -> list[Event]:
    """Return a market's minutes, of which each 15th closes a frame, with a trade now and then, all heard by it."""
    return [event for minute in range(1, count + 1) for event in _minute(minute, minute * MINUTE_MS)][:count]


def _minute(minute: int, at: int) -> Iterator[Event]:
    prices = [Decimal(30_000 + minute % 977) / 4, Decimal(2_000 + minute % 89) / 8]
    bars = tuple(
        Bar(symbol, "1m", at - MINUTE_MS, at, price, price + 2, price - 2, price + 1, Decimal("12.345"))
        for symbol, price in zip(SYMBOLS, prices, strict=True)
    )
    yield BarsClosed(at=at, bars=bars)
    if minute % 15 == 0:
        yield FramesClosed(at=at, bars=bars)
    if minute % 100 == 0:
        side: Any = "buy" if minute % 200 == 0 else "sell"
        fee = Money(Decimal("0.05"), "USDT")
        fill = Fill(f"t{minute}", f"c{minute}", SYMBOLS[0], side, Decimal("0.01"), prices[0], fee, "taker", at)
        yield OrderFilled(fill=fill, strategy="one", evidence="answer")


def _decode_and_fold(records: Sequence[tuple[Any, ...]]) -> None:
    memory = PositionsMemory(INSTRUMENTS, "USDT")
    for record in records:
        memory.fold(Recorded._make((*record, decode(record[3], record[4], record[10]))))


def _timed(work: Callable[[], object]) -> float:
    began = time.perf_counter()
    work()
    return time.perf_counter() - began
