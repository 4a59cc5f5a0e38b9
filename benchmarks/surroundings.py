"""What stands around a node that is measured: a market with a gate, a strategy that never rests, a venue that notes."""

import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from decimal import Decimal
from time import perf_counter
from typing import Any

from domain.market import MINUTE_MS, Bar, Instant
from domain.order import Terms
from domain.proposal import Entry, Proposal
from domain.sources import Row, Step
from domain.strategies.base import Score, View
from domain.venue import AccountReply, OrderNotFound, OrderSeen, Reply, Unproven

SYMBOL = "BTCUSDT"
BEGIN = 1_700_000_040_000
WAIT_S = 60.0


class GatedMarket:
    """One symbol's bars, as many as are let through; each is stamped as it is handed over."""

    def __init__(self) -> None:
        self._gate = threading.Semaphore(0)
        self._is_closed = False
        self._ticks: list[float] = []

    def let(self, count: int) -> list[float]:
        """Open the gate for so many bars; the list fills as they pass."""
        self._ticks = []
        self._gate.release(count)
        return self._ticks

    def close(self) -> None:
        """End the market."""
        self._is_closed = True
        self._gate.release()

    def describe(self) -> str:
        """Name the source."""
        return "bars for a benchmark"

    def symbols(self) -> Sequence[str]:
        """Return its symbol."""
        return (SYMBOL,)

    def base_timeframe(self, symbol: str) -> str:
        """Return the time frame of its rows."""
        return "1m"

    def starts_at(self) -> Instant:
        """Return the first instant that may be traded."""
        return BEGIN

    def history(self, symbol: str, timeframe: str) -> Sequence[Bar]:
        """Return no history."""
        return ()

    def steps(self, after: Instant) -> Iterator[Step]:
        """Yield bars while the gate is open."""
        opened_at = after
        while True:
            numbers = ("60012.10", "60055.00", "59987.35", "60031.80", "18.40211")
            step = Step(opened_at + MINUTE_MS, (Row(SYMBOL, "1m", opened_at, *numbers),))
            self._gate.acquire()
            if self._is_closed:
                return
            self._ticks.append(perf_counter())
            yield step
            opened_at += MINUTE_MS

    def steps_total(self) -> int | None:
        """Return None: there is always another."""


class EveryBar:
    """Proposes an entry at every bar."""

    timeframes: tuple[str, ...] = ("1m",)

    def __init__(self, symbols: Sequence[str], parameters: Mapping[str, Any]) -> None:
        self._symbols = tuple(symbols)
        self._close = Decimal(0)

    def on_bar(self, bar: Bar) -> None:
        """Keep the close."""
        self._close = bar.close

    def on_score(self, score: Score) -> None:
        """Ignore it."""

    def propose(self, view: View) -> Sequence[Proposal]:
        """Propose an entry."""
        limit = self._close - 10
        return (Entry(SYMBOL, Decimal("0.01"), self._close, view.at + MINUTE_MS, limit_price=limit, why="every bar"),)

    def save(self) -> dict[str, Any]:
        """Return the close."""
        return {"close": str(self._close)}

    def restore(self, state: dict[str, Any]) -> None:
        """Take over the close."""
        self._close = Decimal(state["close"])


class NotingVenue:
    """Accepts every order, and says right after that it expired, so that none piles up."""

    def __init__(self) -> None:
        self._report: Callable[[OrderSeen], None] = lambda seen: None
        self._stamps: list[float] = []
        self._expected = 0
        self._is_done = threading.Event()

    def expect(self, count: int) -> None:
        """Begin to count anew."""
        self._stamps, self._expected = [], count
        self._is_done.clear()

    def wait(self) -> list[float]:
        """Return the instant of each order, once all have come."""
        if not self._is_done.wait(WAIT_S):
            raise TimeoutError(f"expected {self._expected} orders within {WAIT_S} s, found {len(self._stamps)}")
        return self._stamps

    def watch(self, report: Callable[[OrderSeen], None]) -> None:
        """Take who hears of changes."""
        self._report = report

    def submit(self, terms: Terms, reply: Reply) -> None:
        """Note the instant, accept, and report the end."""
        self._stamps.append(perf_counter())
        reply(OrderSeen(terms.client_id, f"v{terms.client_id}", "accepted"))
        self._report(OrderSeen(terms.client_id, f"v{terms.client_id}", "expired"))
        if len(self._stamps) == self._expected:
            self._is_done.set()

    def cancel(self, client_id: str, symbol: str, reply: Reply) -> None:
        """Say that there is none."""
        reply(OrderNotFound(client_id))

    def look_up(self, client_id: str, symbol: str, reply: Reply, *, since: Instant = 0) -> None:
        """Say that there is none."""
        reply(OrderNotFound(client_id))

    def tell_account(self, reply: AccountReply) -> None:
        """Say that nothing can be told."""
        reply(Unproven("", "a venue without an account"))

    def show(self, at: Instant, bars: Sequence[Bar]) -> None:
        """Ignore the market."""

    def close(self) -> None:
        """Hold nothing."""
