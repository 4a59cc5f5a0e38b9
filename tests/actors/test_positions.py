"""The laws of the position keeper: what is held is told when it has changed, what it is worth when a frame closed."""

import msgspec
import pytest

from actors.positions import Positions, PositionsMemory, PositionsState
from domain.market import HOUR_MS, MINUTE_MS
from messages.base import Event
from messages.market import FramesClosed
from messages.node import HoldingsAsked, PerformanceAsked, SummaryTold, SummaryWanted
from messages.orders import OrderFilled
from messages.positions import AccountOpened, EquityMarked, PositionChanged
from messages.reconciliation import AccountAdopted
from supervision import Recorded
from tests.actors.alone import Alone
from tests.actors.values import COIN, INSTRUMENTS, T0, D, a_fill, bars_closed

OPENED = AccountOpened(cash={"USDT": D(1_000)}, quote="USDT")


def a_keeper(*past: Event) -> Alone:
    """Return a position keeper that has come to life with this past."""
    alone = Alone(
        "positions",
        lambda system, seat: Positions(system, seat, memory=PositionsMemory(INSTRUMENTS, "USDT")),
    )
    alone.happen(OPENED, *past, at=T0)
    return alone.live()


def bought(quantity: str, trade: str = "t1") -> OrderFilled:
    return OrderFilled(a_fill("h1", quantity, trade), "one", "answer")


def frames(minute: int = 0) -> FramesClosed:
    return FramesClosed(at=T0 + minute * MINUTE_MS, bars=())


def told_quantities(alone: Alone) -> list[str]:
    return [f"{change.strategy} {change.symbol} {change.quantity}" for change in alone.said_of(PositionChanged)]


def test_each_change_of_a_position_is_told_once() -> None:
    alone = a_keeper()

    alone.happen(bought("1"))
    alone.happen(bought("0.5", "t2"))
    alone.crash()

    assert told_quantities(alone) == ["one COINUSDT 1", "one COINUSDT 1.5"]


def test_a_change_that_was_not_told_before_a_death_is_told_by_the_next_life() -> None:
    alone = a_keeper()

    alone.happen_amid_a_crash(bought("1"))

    assert told_quantities(alone) == ["one COINUSDT 1"]


def test_the_account_is_marked_once_for_each_frame_at_the_newest_prices() -> None:
    alone = a_keeper(bought("5"))

    alone.happen(bars_closed(close=110), frames())
    alone.crash()
    alone.happen(bars_closed(T0 + MINUTE_MS, 90), frames(1), at=T0 + MINUTE_MS)

    marks = alone.said_of(EquityMarked)
    assert [(mark.equity, mark.cash, mark.unrealised) for mark in marks] == [
        (D(1_050), D(500), D(50)),
        (D(950), D(500), D(-50)),
    ]


def test_what_is_found_of_a_symbol_that_has_no_price_yet_is_no_profit_once_it_has_one() -> None:
    alone = a_keeper(AccountAdopted("COIN", D(5), "COINUSDT", "external", "adopt"))
    alone.happen(frames())

    alone.happen(bars_closed(close=100), bars_closed(T0 + MINUTE_MS, 110), frames(1), at=T0 + MINUTE_MS)
    (mark,) = [mark for mark in alone.said_of(EquityMarked) if mark.at > T0]
    assert (mark.equity, mark.unrealised, mark.realised) == (D(1_550), D(50), D(0))
    alone.happen(OrderFilled(a_fill("h1", "5", side="sell", price=D(110)), "external", "answer"))

    sold = alone.said_of(PositionChanged)[-1]
    state = msgspec.json.decode(alone.ask(HoldingsAsked()), type=PositionsState)
    assert (sold.quantity, sold.realised) == (D(0), D(50))
    assert state.opened == {"USDT": D(1_500)}
    assert state.performance.equity_first == D(1_500)
    assert state.unvalued == {}


def test_what_is_found_and_sold_before_its_first_bar_has_cost_what_it_fetched() -> None:
    alone = a_keeper(AccountAdopted("COIN", D(5), "COINUSDT", "external", "flatten"))

    alone.happen(OrderFilled(a_fill("h1", "5", side="sell", price=D(110)), "external", "answer"))
    alone.happen(bars_closed(T0 + MINUTE_MS, 90), at=T0 + MINUTE_MS)

    sold = alone.said_of(PositionChanged)[-1]
    assert (sold.quantity, sold.realised, sold.cash["USDT"]) == (D(0), D(0), D(1_550))


def test_a_lot_that_is_gone_from_the_account_has_ended_its_round_trip_at_the_price_it_is_taken_out_for() -> None:
    alone = a_keeper(bars_closed(close=100), bought("5"), frames())
    hour = T0 + HOUR_MS
    alone.happen(bars_closed(hour, 110), FramesClosed(at=hour, bars=()), at=hour)

    alone.happen(AccountAdopted("COIN", D(-5), "COINUSDT", "one", "adopt"), at=hour)
    alone.happen(FramesClosed(at=T0 + 2 * HOUR_MS, bars=()), at=T0 + 2 * HOUR_MS)

    told = alone.ask(PerformanceAsked())
    state = msgspec.json.decode(alone.ask(HoldingsAsked()), type=PositionsState)
    assert (told.trades, told.wins, told.realised) == (1, 1, D(50))
    assert told.realised == state.book.realised()
    assert told.exposure_time == 0.5


@pytest.mark.parametrize("parts", [("5",), ("2", "3")])
def test_what_is_found_and_sold_is_one_round_trip_in_however_many_parts(parts: tuple[str, ...]) -> None:
    alone = a_keeper(bars_closed(close=100), AccountAdopted("COIN", D(5), "COINUSDT", "external", "flatten"))

    for part in parts:
        sold = a_fill("h1", part, f"t{part}", side="sell", price=D(110))
        alone.happen(OrderFilled(sold, "external", "answer"))

    told = alone.ask(PerformanceAsked())
    assert (told.trades, told.wins, told.best) == (1, 1, D(50))


def test_who_wants_a_summary_is_told_one() -> None:
    alone = a_keeper(bought("5"))
    alone.forget()

    alone.tell(SummaryWanted("health"))

    assert alone.told == [("health", SummaryTold(alone.ask(PerformanceAsked())))]
    assert alone.said == []


def recorded(seq: int, event: object, *, seen: int = 0) -> Recorded:
    return Recorded(seq, 0, 0, type(event).__name__, 1, "test", 1, seen, seq, 0, b"", event)


def told(memory: PositionsMemory) -> PositionChanged:
    position = memory.state.book.position("one", "COINUSDT")
    return PositionChanged(
        strategy="one",
        symbol="COINUSDT",
        quantity=position.quantity,
        average_price=position.average_price,
        realised=position.realised,
        cash={},
        entered_at=None,
    )


def test_what_was_told_before_a_later_fill_was_known_is_told_again() -> None:
    memory = PositionsMemory({"COINUSDT": COIN}, "USDT")
    memory.fold(recorded(1, AccountOpened(cash={"USDT": D(1000)}, quote="USDT")))
    memory.fold(recorded(2, bought("1")))
    early = told(memory)
    memory.fold(recorded(3, bought("2", "t2")))

    memory.fold(recorded(4, early, seen=2))
    after_early = list(memory.state.untold)
    memory.fold(recorded(5, told(memory), seen=4))

    assert [(each.strategy, each.symbol) for each in after_early] == [("one", "COINUSDT")]
    assert memory.state.untold == []
