"""The laws of the position keeper: what is held is told when it has changed, what it is worth when a frame closed."""

from actors.positions import Positions, PositionsMemory
from domain.market import MINUTE_MS
from messages.base import Event
from messages.market import FramesClosed
from messages.node import PerformanceAsked, SummaryTold, SummaryWanted
from messages.orders import OrderFilled
from messages.positions import AccountOpened, EquityMarked, PositionChanged
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
