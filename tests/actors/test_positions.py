"""The laws of the position keeper."""

from decimal import Decimal

from actors.positions import PositionsMemory
from domain.market import Instrument
from domain.money import Money
from domain.order import Fill
from messages.orders import OrderFilled
from messages.positions import AccountOpened, PositionChanged
from supervision import Recorded

D = Decimal
COIN = Instrument(symbol="COINUSDT", base="COIN", quote="USDT", tick=D("0.01"), lot=D("0.01"))


def recorded(seq: int, event: object, *, seen: int = 0) -> Recorded:
    return Recorded(seq, 0, 0, type(event).__name__, 1, "test", 1, seen, seq, 0, b"", event)


def filled(trade_id: str, quantity: str) -> OrderFilled:
    fill = Fill(trade_id, "h1", "COINUSDT", "buy", D(quantity), D(10), Money(D(0), "USDT"), "taker", 0)
    return OrderFilled(fill=fill, strategy="one", evidence="report")


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
    memory.fold(recorded(2, filled("t1", "1")))
    early = told(memory)
    memory.fold(recorded(3, filled("t2", "2")))

    memory.fold(recorded(4, early, seen=2))
    after_early = list(memory.state.untold)
    memory.fold(recorded(5, told(memory), seen=4))

    assert [(each.strategy, each.symbol) for each in after_early] == [("one", "COINUSDT")]
    assert memory.state.untold == []
