"""The laws of memories that take over what another program held: each books it once, and all of them the same."""

from decimal import Decimal

import msgspec

from actors.breaker_memory import BreakerMemory
from actors.executor_memory import ExecutorMemory
from actors.positions import PositionsMemory
from domain.imported import Counters, HeldPosition, LastEntry
from domain.market import MINUTE_MS, Bar, Instrument
from domain.performance import Trip
from messages.base import Event
from messages.imported import PositionImported, StateImported
from messages.market import BarsClosed
from messages.positions import AccountOpened
from supervision import Recorded

D = Decimal
COIN = Instrument(symbol="COINUSDT", base="COIN", quote="USDT", tick=D("0.01"), lot=D("0.01"))
GOLD = Instrument(symbol="GOLDUSDT", base="GOLD", quote="USDT", tick=D("0.01"), lot=D("0.01"))
INSTRUMENTS = {each.symbol: each for each in (COIN, GOLD)}
HELD = HeldPosition("one", "COINUSDT", D("2.005"), D(90), 500, D(80), D(120))
IMPORTED = StateImported(
    files=(),
    symbols=("COINUSDT", "GOLDUSDT"),
    positions=1,
    trades=0,
    entries=(LastEntry("one", "COINUSDT", 700), LastEntry("two", "GOLDUSDT", 300)),
    counters=Counters(wins=1, losses=0, peak_equity=D(5000)),
)
OPENED = (AccountOpened({"USDT": D(1000), "COIN": D("2.005")}, "USDT"), IMPORTED, PositionImported(HELD))


def fold(memory: PositionsMemory | BreakerMemory | ExecutorMemory, *events: Event) -> None:
    for seq, event in enumerate(events, 1):
        memory.fold(Recorded(seq, 0, 0, type(event).__name__, 1, "test", 1, 0, seq, 0, b"", event))


def bars(at: int, **closes: str) -> BarsClosed:
    prices = {symbol: D(close) for symbol, close in closes.items()}
    made = (Bar(symbol, "1m", at - MINUTE_MS, at, close, close, close, close, D(1)) for symbol, close in prices.items())
    return BarsClosed(at, tuple(made))


def test_position_keeper_and_breaker_have_the_same_book() -> None:
    keeper, breaker = PositionsMemory(INSTRUMENTS, "USDT"), BreakerMemory(INSTRUMENTS, "USDT")
    fold(keeper, *OPENED)
    fold(breaker, *OPENED)

    ours, theirs = keeper.state.book, breaker.state.book
    lot = ours.position("one", "COINUSDT")

    assert (lot.quantity, lot.average_price, lot.entered_at) == (D("2.005"), D(90), 700)
    assert ours.cash == theirs.cash == {"USDT": D(1000), "COIN": D("2.005")}
    assert ours.quantities()["COINUSDT"] == theirs.quantities()["COINUSDT"]
    assert theirs.position("one", "COINUSDT").cost == lot.cost


def test_every_position_and_every_last_entry_is_told_once() -> None:
    memory = PositionsMemory(INSTRUMENTS, "USDT")
    fold(memory, *OPENED)

    assert [(each.strategy, each.symbol, each.changed_at) for each in memory.state.untold] == [
        ("one", "COINUSDT", 3),
        ("two", "GOLDUSDT", 2),
    ]


def test_only_what_can_be_sold_is_a_trip_that_is_under_way() -> None:
    memory, dust = PositionsMemory(INSTRUMENTS, "USDT"), PositionsMemory(INSTRUMENTS, "USDT")
    fold(memory, *OPENED)
    fold(dust, OPENED[0], PositionImported(msgspec.structs.replace(HELD, quantity=D("0.009"))))

    assert memory.state.performance.trips == {"one": {"COINUSDT": Trip()}}
    assert dust.state.performance.trips == {}


def test_what_was_paid_is_the_price_until_the_market_shows_one() -> None:
    memory = PositionsMemory(INSTRUMENTS, "USDT")
    fold(memory, *OPENED)
    before = memory.state.book.equity(memory.state.marks)
    fold(memory, bars(MINUTE_MS, COINUSDT="100"))

    assert before == D(1000) + D("2.005") * 90
    assert memory.state.book.equity(memory.state.marks) == D(1000) + D("2.005") * 100


def test_the_executor_holds_it_with_its_stop_and_its_target() -> None:
    memory = ExecutorMemory()
    fold(memory, *OPENED)

    (plan,) = memory.state.plans.values()
    assert (plan.strategy, plan.symbol, plan.held, plan.basis) == ("one", "COINUSDT", D("2.005"), 3)
    assert (plan.stop_price, plan.take_profit) == (D(80), D(120))


def test_the_breakers_day_begins_once_all_that_is_held_has_a_price() -> None:
    memory = BreakerMemory(INSTRUMENTS, "USDT")
    fold(memory, *OPENED)
    fold(memory, bars(MINUTE_MS, GOLDUSDT="7"))
    without = memory.state.watch.day_start_equity
    fold(memory, bars(2 * MINUTE_MS, COINUSDT="100"))

    assert without is None
    assert memory.state.watch.day_start_equity == D(1000) + D("2.005") * 100
    assert memory.state.watch.peak_equity == D(5000)


def test_a_state_that_was_saved_goes_on_as_one_that_was_not() -> None:
    for kind in (lambda: PositionsMemory(INSTRUMENTS, "USDT"), lambda: BreakerMemory(INSTRUMENTS, "USDT")):
        whole, first, second = kind(), kind(), kind()
        fold(whole, *OPENED, bars(MINUTE_MS, COINUSDT="100"))
        fold(first, *OPENED)
        second.load(first.save())
        fold(second, bars(MINUTE_MS, COINUSDT="100"))

        assert second.save() == whole.save()
