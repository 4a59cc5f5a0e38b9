"""The laws of a strategy's host: each offer has one answer on record, and what a strategy sees is proven."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import msgspec
import pytest

from actors.strategy import StrategyHost, StrategyMemory
from domain.market import Bar
from domain.proposal import Exit
from domain.strategies.base import Score, View
from messages.base import Event
from messages.codec import PAYLOAD_BYTES_MAX
from messages.market import FramesClosed, HistoryLoaded, OfferAnswered, Offered, OfferSkipped
from messages.node import StateMarked
from messages.orders import OrderAbsent, OrderCanceled, OrderExpired, OrderFilled, OrderRejected
from messages.positions import EquityMarked, PositionChanged
from messages.risk import OrderDenied
from messages.sentiment import HeadlineScored
from supervision import CrashReport
from tests.actors.alone import Alone
from tests.actors.values import INSTRUMENTS, T0, D, a_bar, a_fill, an_entry, answered, approved, intended, some_terms

OFFER = Offered(strategy="one", at=T0, attempt=0)
PROPOSAL = approved().proposal_id
Propose = Callable[[View], Any]


class Noting:
    """A strategy that notes what it is given, and proposes what the test says."""

    timeframes: tuple[str, ...] = ("1m",)

    def __init__(self, propose: Propose) -> None:
        self.noted: list[str] = []
        self._propose = propose

    def on_bar(self, bar: Bar) -> None:
        self.noted.append(f"{bar.symbol} {bar.timeframe} {bar.close}")

    def on_score(self, score: Score) -> None:
        self.noted.append(f"score {score.value}")

    def propose(self, view: View) -> Any:
        return self._propose(view)

    def save(self) -> dict[str, Any]:
        return {"noted": self.noted}

    def restore(self, state: Mapping[str, Any]) -> None:
        self.noted = list(state["noted"])


class Host:
    """A host alone, with what its strategy saw each time it was asked."""

    def __init__(self, propose: Propose = lambda view: ()) -> None:
        self.views: list[View] = []
        self.strategies: list[Noting] = []
        self._propose = propose
        self.alone = Alone("strategy.one", self._make).live()

    @property
    def noted(self) -> list[str]:
        """Return what the strategy of this life has noted."""
        return self.strategies[-1].noted

    def _make(self, system: Any, seat: Any) -> StrategyHost:
        strategy = Noting(self._see)
        self.strategies.append(strategy)
        memory = StrategyMemory("one", strategy, version=1)
        memory.watch(("COINUSDT",))
        return StrategyHost(system, seat, memory=memory, strategy="one", instruments=INSTRUMENTS)

    def _see(self, view: View) -> Any:
        self.views.append(view)
        return self._propose(view)


def changed(quantity: str, *, strategy: str = "one", symbol: str = "COINUSDT") -> PositionChanged:
    return PositionChanged(strategy, symbol, D(quantity), D(100), D(0), {}, T0)


def score(value: float) -> HeadlineScored:
    return HeadlineScored(Score("wire", "h", "words", value, 1_000, T0, T0))


# -- offers ----------------------------------------------------------------------------------------------------------


def test_a_strategy_that_says_more_than_the_journal_takes_ends_itself_alone() -> None:
    host = Host(lambda view: (Exit("COINUSDT", view.at, why="x" * PAYLOAD_BYTES_MAX),))

    host.alone.happen(OFFER, at=T0)

    assert host.alone.said_of(OfferAnswered) == []
    crashes = [each for each in host.alone.reports if isinstance(each, CrashReport)]
    assert crashes[0].reason.startswith("crash(EventUnwritable: expected OfferAnswered to have")


def test_an_offer_is_answered_with_all_proposals_in_one_record() -> None:
    wishes = (Exit("COINUSDT", T0 + 1), an_entry(2), an_entry(3, limit_price=D(99)))
    host = Host(lambda view: wishes)

    host.alone.happen(OFFER)

    assert host.alone.said == [answered(*wishes)]


def test_an_offer_that_nothing_comes_of_is_answered_too() -> None:
    host = Host()

    host.alone.happen(OFFER)

    assert host.alone.said == [answered()]


def test_an_offer_to_another_strategy_is_left_alone() -> None:
    host = Host()

    host.alone.happen(msgspec.structs.replace(OFFER, strategy="two"), answered(an_entry(), strategy="two"))

    assert (host.views, host.alone.said) == ([], [])


def test_a_bar_that_is_offered_again_is_answered_again_with_its_attempt() -> None:
    host = Host(lambda view: [an_entry()])

    host.alone.happen(OFFER)
    host.alone.happen(OrderAbsent("h1", "a test", PROPOSAL), msgspec.structs.replace(OFFER, attempt=1))

    assert [answer.attempt for answer in host.alone.said_of(OfferAnswered)] == [0, 1]
    assert [view.holdings["COINUSDT"].entry_in_flight for view in host.views] == [False, False]


def test_an_offer_that_was_skipped_while_the_host_was_down_needs_no_answer() -> None:
    host = Host(fails_at(1))

    host.alone.happen(OFFER, OfferSkipped("one", T0, 0, "down"))

    assert host.alone.crashes() == 1
    assert host.alone.said == []


def fails_at(*calls: int) -> Propose:
    """Return what fails at the given calls, counted from 1."""
    count = 0

    def propose(view: View) -> Sequence[Any]:
        nonlocal count
        count += 1
        if count in calls:
            raise ZeroDivisionError(f"call {count}")
        return ()

    return propose


# -- deaths and nonsense ---------------------------------------------------------------------------------------------


def test_a_host_that_dies_before_its_answer_is_released_answers_in_its_next_life() -> None:
    host = Host(lambda view: [an_entry()])

    host.alone.happen_amid_a_crash(OFFER)

    assert host.alone.said == [answered(an_entry())]


def test_a_host_that_dies_after_its_answer_does_not_answer_again() -> None:
    host = Host(lambda view: [an_entry()])
    host.alone.crash_after(1)

    host.alone.happen(OFFER)

    assert host.alone.crashes() == 1
    assert host.alone.said == [answered(an_entry())]


def test_a_strategy_that_raises_is_reported_and_asked_again_by_the_next_life() -> None:
    host = Host(fails_at(1, 2))

    host.alone.happen(OFFER)

    crashes = [report.reason for report in host.alone.reports if isinstance(report, CrashReport)]
    assert crashes == ["crash(ZeroDivisionError: call 1)", "crash(ZeroDivisionError: call 2)"]
    assert host.alone.said == [answered()]


@pytest.mark.parametrize(
    "nonsense",
    [
        None,
        "buy",
        [1],
        [None],
        [{"symbol": "COINUSDT"}],
        [an_entry(quantity="NaN")],
        [an_entry(quantity="Infinity")],
        [an_entry(price="cheap")],
        [an_entry(symbol=7)],
        [an_entry(), "and one more"],
        [msgspec.structs.replace(an_entry(), confidence=float("nan"))],
    ],
    ids=repr,
)
def test_nonsense_is_no_answer_and_nothing_of_it_is_recorded(nonsense: Any) -> None:
    outcomes = iter([nonsense, ()])
    host = Host(lambda view: next(outcomes))

    host.alone.happen(OFFER)

    assert host.alone.crashes() == 1
    assert host.alone.said == [answered()]


# -- what a strategy is given ----------------------------------------------------------------------------------------


def test_a_strategy_is_given_each_bar_of_its_own_frames_and_symbols_once() -> None:
    host = Host()

    host.alone.happen(
        HistoryLoaded("COINUSDT", "1m", (a_bar(T0, 98), a_bar(T0, 99))),
        FramesClosed(at=T0, bars=(a_bar(T0, 100), a_bar(T0, 101, timeframe="1h"), a_bar(T0, 102, symbol="GOLDUSDT"))),
        score(0.5),
    )

    assert host.noted == ["COINUSDT 1m 98", "COINUSDT 1m 99", "COINUSDT 1m 100", "score 0.5"]


@pytest.mark.parametrize("has_snapshot", [True, False])
def test_the_next_life_knows_what_the_last_one_was_given(has_snapshot: bool) -> None:
    host = Host()
    host.alone.happen(FramesClosed(at=T0, bars=(a_bar(T0, 100),)))
    if has_snapshot:
        host.alone.happen(StateMarked("a test"))
    host.alone.happen(score(0.5))

    host.alone.crash()

    assert len(host.alone.states) == has_snapshot
    assert host.noted == ["COINUSDT 1m 100", "score 0.5"]


def test_a_strategy_sees_what_it_holds_itself_and_what_the_account_is_worth() -> None:
    host = Host()

    worth = EquityMarked(T0, D(1_300), D(1_000), D(0), D(0), D(0))
    host.alone.happen(changed("3"), changed("5", strategy="two"), worth)
    host.alone.happen(OFFER)

    (view,) = host.views
    assert (view.at, view.equity, view.cash) == (T0, D(1_300), D(1_000))
    assert {symbol: holding.quantity for symbol, holding in view.holdings.items()} == {"COINUSDT": 3}
    assert set(view.instruments) == {"COINUSDT"}


ENDS: list[Event] = [
    OrderDenied(PROPOSAL, "one", "COINUSDT", "EXPOSURE_LIMIT", "a test"),
    OrderAbsent("h1", "a test", PROPOSAL),
    OrderRejected("h1", "NO", "no", "answer"),
    OrderCanceled("h1", "answer"),
    OrderExpired("h1", "report"),
    OrderFilled(a_fill("h1", 2), "one", "answer"),
]


@pytest.mark.parametrize("end", ENDS, ids=lambda end: type(end).__name__)
def test_an_entry_is_in_flight_from_its_proposal_to_the_proof_of_its_end(end: Event) -> None:
    host = Host(lambda view: [an_entry(2)] if view.at == T0 else [])
    host.alone.happen(OFFER)
    sent = [intended(some_terms("h1", 2), PROPOSAL)] if not isinstance(end, OrderDenied) else []

    host.alone.happen(*sent, msgspec.structs.replace(OFFER, at=T0 + 1))
    host.alone.happen(end, msgspec.structs.replace(OFFER, at=T0 + 2))

    assert [view.holdings["COINUSDT"].entry_in_flight for view in host.views] == [False, True, False]


def test_an_entry_that_has_filled_in_part_is_still_in_flight() -> None:
    host = Host(lambda view: [an_entry(2)] if view.at == T0 else [])
    host.alone.happen(OFFER)

    host.alone.happen(intended(some_terms("h1", 2), PROPOSAL), OrderFilled(a_fill("h1", 1), "one", "report"))
    host.alone.happen(msgspec.structs.replace(OFFER, at=T0 + 1))

    assert host.views[-1].holdings["COINUSDT"].entry_in_flight


def test_the_end_of_another_strategys_order_ends_nothing_here() -> None:
    host = Host(lambda view: [an_entry(2)] if view.at == T0 else [])
    host.alone.happen(OFFER)

    host.alone.happen(
        OrderDenied(approved(strategy="two").proposal_id, "two", "COINUSDT", "EXPIRED", "a test"),
        OrderCanceled("h9", "answer"),
        msgspec.structs.replace(OFFER, at=T0 + 1),
    )

    assert host.views[-1].holdings["COINUSDT"].entry_in_flight
