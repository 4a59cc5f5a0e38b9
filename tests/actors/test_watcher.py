"""The laws that the watcher holds the node's records to: each broken once, and once kept only just."""

from collections.abc import Callable
from typing import Any

import msgspec
import pytest

from actors.watcher import Watcher
from actors.watcher_memory import BARE_MS_MAX, UNPROVEN_MS_MAX, WatcherMemory
from domain.imported import HeldPosition
from domain.invariants.finding import ADVICE, LAWS, NOTICES
from domain.invariants.orders import FINISHED_KEPT
from domain.market import HOUR_MS, MINUTE_MS
from domain.money import Money
from domain.order import Terms
from messages.base import Event
from messages.imported import PositionImported
from messages.market import BarsClosed, SourceOpened
from messages.node import PartGaveUp
from messages.orders import (
    ExitEnded,
    ExitOrdered,
    OrderAbsent,
    OrderAccepted,
    OrderCanceled,
    OrderExpired,
    OrderFilled,
    OrderIntended,
    OrderRejected,
    OrderUnresolved,
)
from messages.positions import AccountOpened, PositionChanged
from messages.reconciliation import AccountAdopted
from messages.risk import BreakerReset, BreakerTripped
from messages.watch import InvariantViolated
from supervision import Recorded
from tests.actors.alone import Alone
from tests.actors.values import (
    INSTRUMENTS,
    RESTORED,
    T0,
    D,
    a_fill,
    an_entry,
    approved,
    bars_closed,
    commanded,
    some_terms,
)

STOP = D(90)
OFFER = f"one@{T0}#0.0"


class Told:
    """The watcher's memory, with a journal told to it by hand."""

    def __init__(self, *, demands_stops: bool = True) -> None:
        self.memory = WatcherMemory(INSTRUMENTS, demands_stops=demands_stops)
        self.seq = 0
        self.at = T0
        self.say(AccountOpened(cash={"USDT": D(1_000)}, quote="USDT"), bars_closed())

    def say(self, *events: Event, by: str = "executor", seen: int | None = None, epoch: int = 1) -> "Told":
        for event in events:
            self.seq += 1
            was_seen = self.seq - 1 if seen is None else seen
            kind = type(event).__name__
            self.memory.fold(Recorded(self.seq, self.at, 0, kind, 1, by, epoch, was_seen, self.seq, 0, b"", event))
        return self

    def approve(self, proposal: str = OFFER, *, quantity: str = "1", stop: Any = None, **how: Any) -> "Told":
        entry = an_entry(quantity, stop_price=stop)
        return self.say(msgspec.structs.replace(approved(entry), proposal_id=proposal), **({"by": "breaker"} | how))

    def order(self, client_id: str = "h1", proposal: str = OFFER, **changes: Any) -> "Told":
        """Have an entry approved and intended."""
        quantity = str(changes.get("quantity", 1))
        return self.approve(proposal, quantity=quantity).say(
            OrderIntended(some_terms(client_id, **changes), 1, 0, proposal)
        )

    def sell(self, client_id: str, quantity: str = "1", *, leg: str = "stop", ordered_by: int = 7) -> "Told":
        """Have a stop or an exit intended."""
        terms = some_terms(client_id, quantity, leg=leg, side="sell", type="stop" if leg == "stop" else "market")
        return self.say(OrderIntended(terms, ordered_by, 0))

    def buy(self, quantity: str = "1", *, stop: Any = STOP) -> "Told":
        """Have an entry bought, and told."""
        self.approve(quantity=quantity, stop=stop).say(
            OrderIntended(some_terms("h1", quantity), 1, 0, OFFER), filled(quantity=quantity)
        )
        return self.say(changed(quantity, cash=1_000 - 100 * D(quantity)), by="positions")

    def pass_time(self, minutes: float) -> "Told":
        for _ in range(int(minutes)):
            self.at += MINUTE_MS
            self.say(bars_closed(self.at), by="feed")
        return self

    def found(self) -> list[str]:
        return [finding.code for finding in self.memory.state.pending]


def filled(client_id: str = "h1", quantity: str = "1", trade: str = "t1", **changes: Any) -> OrderFilled:
    return OrderFilled(a_fill(client_id, quantity, trade, **changes), "one", "report")


def accepted(client_id: str = "h1", venue_id: str = "v1") -> OrderAccepted:
    return OrderAccepted(client_id, venue_id, "answer")


def changed(quantity: Any, *, cash: Any, coins: Any = None, **more: Any) -> PositionChanged:
    account = {"USDT": D(cash), "COIN": D(quantity) if coins is None else D(coins)} | more
    return PositionChanged("one", "COINUSDT", D(quantity), D(100), D(0), account, T0)


SOLD = {"side": "sell"}
UNRESOLVED = OrderUnresolved("h1", "no answer")
CANCELED, EXPIRED = OrderCanceled("h1", "report"), OrderExpired("h1", "report")
ABSENT, REJECTED = OrderAbsent("h1", "not found", OFFER), OrderRejected("h1", "X", "no", "answer")
TRIPPED = BreakerTripped("daily_loss", D(1), D(1))
VIOLATED = InvariantViolated("P1", "a law", "one|COINUSDT", "1", "2", (1,), "look")
AGAIN = f"one@{T0}#1.0"

Case = Callable[[Told], Any]
BROKEN: dict[str, tuple[str, Case]] = {
    "an epoch that was replaced": (
        "J1",
        lambda told: told.say(changed(0, cash=1_000), epoch=2).say(changed(0, cash=1_000), epoch=1),
    ),
    "a record that had seen itself": ("J1", lambda told: told.say(changed(0, cash=1_000), seen=3)),
    "a state of an order that nobody intended": ("O1", lambda told: told.say(accepted("h9"))),
    "a fill of an order that nobody intended": ("O1", lambda told: told.say(filled("h9"))),
    "an id that is used twice": ("O2", lambda told: told.order().say(CANCELED).order("h1", f"one@{T0 + 1}#0.0")),
    "two orders at the venue": ("O2", lambda told: told.order().say(accepted(), accepted(venue_id="v2"))),
    "an order that ends twice": ("O3", lambda told: told.order().say(CANCELED, EXPIRED)),
    "an order that goes down": ("O3", lambda told: told.order().say(accepted(), UNRESOLVED)),
    "a canceled order after it filled": ("O3", lambda told: told.order().say(filled(), CANCELED)),
    "a trade of an order that was absent": ("O3", lambda told: told.order().say(ABSENT, filled())),
    "a trade of an order that was rejected": ("O3", lambda told: told.order().say(REJECTED, filled())),
    "an offer that is ordered anew too early": ("O4", lambda told: told.order().say(accepted()).order("h2", AGAIN)),
    "a second stop by the same order": ("O4", lambda told: told.buy("2").sell("h2").sell("h3")),
    "a trade that counts twice": ("O5", lambda told: told.order(quantity=2).say(filled(), filled())),
    "fills of more than was ordered": (
        "O5",
        lambda told: told.order().say(filled(), filled(trade="t2")),
    ),
    "an entry beside an order of unknown fate": (
        "O6",
        lambda told: told.order().say(UNRESOLVED).order("h2", f"two@{T0}#0.0", strategy="two"),
    ),
    "a late trade": ("O7", lambda told: told.order(quantity=2).say(filled(), CANCELED, filled(trade="t2"))),
    "a position that is not its fills": (
        "P1",
        lambda told: told.order().say(filled(), changed(2, cash=900, coins=1)),
    ),
    "a fee in coins that is left out": (
        "P1",
        lambda told: told.order().say(filled(fee=Money(D("0.1"), "COIN")), changed(1, cash=900, coins="0.9")),
    ),
    "a position that is never told": ("P1", lambda told: told.order().say(filled()).pass_time(31)),
    "an account that lacks a fee": (
        "P2",
        lambda told: told.order().say(filled(fee=Money(D("0.1"), "USDT")), changed(1, cash=900)),
    ),
    "a fee in a third asset that is left out": (
        "P2",
        lambda told: told.order().say(filled(fee=Money(D("0.1"), "BNB")), changed(1, cash=900)),
    ),
    "an entry that nobody approved": ("P4", lambda told: told.say(OrderIntended(some_terms(), 1, 0, OFFER))),
    "an entry that is larger than approved": (
        "P4",
        lambda told: told.approve().say(OrderIntended(some_terms(quantity="1.01"), 1, 0, OFFER)),
    ),
    "an approval by somebody else": ("P4", lambda told: told.approve(by="executor")),
    "an approval that is used twice": (
        "P4",
        lambda told: told.order().say(CANCELED, OrderIntended(some_terms("h2"), 1, 0, OFFER)),
    ),
    "an approval while tripped": ("P5", lambda told: told.say(TRIPPED).approve()),
    "an approval while halted": ("P5", lambda told: told.say(commanded("halt")).approve()),
    "an approval while paused": ("P5", lambda told: told.say(commanded("pause")).approve()),
    "an approval after a part gave up": ("P5", lambda told: told.say(PartGaveUp("market", "x")).approve()),
    "an approval after a restore": ("P5", lambda told: told.say(RESTORED).approve()),
    "an approval after a violation": ("P5", lambda told: told.say(VIOLATED, by="watcher").approve()),
    "an entry while halted": (
        "P5",
        lambda told: told.approve().say(commanded("halt"), OrderIntended(some_terms(), 1, 0, OFFER)),
    ),
    "an exit of more than is held": ("P6", lambda told: told.buy().sell("h2", "1.01", leg="exit")),
    "an exit beside its stop": ("P6", lambda told: told.buy().sell("h2").sell("h3", leg="exit")),
    "an exit that buys": (
        "P6",
        lambda told: told.buy().say(OrderIntended(some_terms("h2", "0.01", leg="exit"), 7, 0)),
    ),
    "a position without its stop": ("P7", lambda told: told.buy().pass_time(6)),
    "a position whose stop covers half": ("P7", lambda told: told.buy("2").sell("h2").pass_time(6)),
    "a position whose stop was canceled": (
        "P7",
        lambda told: told.buy().sell("h2").say(OrderCanceled("h2", "report")).pass_time(6),
    ),
    "a position that is never left": (
        "P7",
        lambda told: told.buy().say(ExitOrdered("one", "COINUSDT", "x")).pass_time(6),
    ),
    "an imported position without its stop": (
        "P7",
        lambda told: told.say(
            PositionImported(HeldPosition("one", "COINUSDT", D(1), D(100), stop_price=STOP)), by="node"
        ).pass_time(6),
    ),
    "an order that is never proven": ("S2", lambda told: told.order().say(UNRESOLVED).pass_time(31)),
}
KEPT: dict[str, Case] = {
    "a newer epoch": lambda told: told.say(changed(0, cash=1_000)).say(changed(0, cash=1_000), epoch=2),
    "a deposit that was taken into the books": lambda told: told.say(
        AccountAdopted("USDT", D(50), "", "", "adopt"), by="reconciler"
    ).say(changed(0, cash=1_050)),
    "a holding that was taken into the books": lambda told: told.say(
        AccountAdopted("COIN", D(2), "COINUSDT", "one", "adopt"), by="reconciler"
    ).say(changed(2, cash=1_000)),
    "an order of which all is heard": lambda told: told.order().say(
        UNRESOLVED, accepted(), filled(), changed(1, cash=900)
    ),
    "the same venue order, told again with its name left out": lambda told: told.order().say(accepted(venue_id="")),
    "an offer that is ordered anew when the first attempt is absent": lambda told: (
        told.order().say(UNRESOLVED, ABSENT).order("h2", AGAIN)
    ),
    "a second stop after the first was refused": lambda told: (
        told.buy().sell("h2").say(OrderRejected("h2", "X", "no", "answer")).sell("h3")
    ),
    "two trades that fill an order": lambda told: told.order().say(
        filled(quantity="0.4"), filled(quantity="0.6", trade="t2"), changed(1, cash=900)
    ),
    "one trade id in two symbols": lambda told: (
        told.order()
        .say(filled())
        .order("h2", f"one@{T0 + 1}#0.0", symbol="GOLDUSDT", base="GOLD")
        .say(filled("h2", symbol="GOLDUSDT"))
    ),
    "an entry in another symbol than the order of unknown fate": lambda told: (
        told.order().say(UNRESOLVED).order("h2", f"one@{T0}#0.1", symbol="GOLDUSDT", base="GOLD")
    ),
    "a trade before the cancel": lambda told: told.order(quantity=2).say(filled(), CANCELED),
    "a position told by who had not seen the newest fill": lambda told: (
        told.order(quantity=2).say(filled(), filled(trade="t2")).say(changed(1, cash=900), seen=told.seq - 1)
    ),
    "a fee in coins": lambda told: told.order().say(filled(fee=Money(D("0.1"), "COIN")), changed("0.9", cash=900)),
    "a fee in a third asset": lambda told: told.order().say(
        filled(fee=Money(D("0.1"), "BNB")), changed(1, cash=900, BNB=D("-0.1"))
    ),
    "an entry that is smaller than approved": lambda told: told.approve().say(
        OrderIntended(some_terms(quantity="0.5"), 1, 0, OFFER)
    ),
    "an approval by who did not know of the trip": lambda told: told.say(TRIPPED).approve(seen=told.seq - 1),
    "an approval after the reset": lambda told: told.say(TRIPPED, BreakerReset("daily_loss", "a day")).approve(),
    "an approval after the resume": lambda told: told.say(commanded("halt"), VIOLATED, commanded("resume")).approve(),
    "an entry that was approved before the trip": lambda told: told.approve().say(
        TRIPPED, OrderIntended(some_terms(), 1, 0, OFFER)
    ),
    "an exit of all that is held": lambda told: told.buy().sell("h2", leg="exit"),
    "an exit after the stop is gone": lambda told: (
        told.buy().sell("h2").say(OrderCanceled("h2", "report")).sell("h3", leg="exit", ordered_by=8)
    ),
    "a position without a stop price": lambda told: told.buy(stop=None).pass_time(60),
    "a position that has its stop after four minutes": lambda told: (
        told.buy().pass_time(4).sell("h2").say(accepted("h2", "v2")).pass_time(60)
    ),
    "a position too small for any order": lambda told: told.buy("0.04").pass_time(60),
    "a position that was sold": lambda told: (
        told.buy().sell("h2", leg="exit").say(filled("h2", trade="t2", **SOLD), changed(0, cash=1_000)).pass_time(60)
    ),
    "a position bought without a stop after one that was left": lambda told: (
        told.buy()
        .say(ExitOrdered("one", "COINUSDT", "x"))
        .sell("h2", "0.99", leg="exit")
        .say(filled("h2", "0.99", "t2", **SOLD), ExitEnded("one", "COINUSDT", D("0.01")))
        .order("h3", f"one@{T0 + 1}#0.0")
        .say(filled("h3", trade="t3"), changed("1.01", cash=899))
        .pass_time(60)
    ),
    "a position whose stop is of unknown fate": lambda told: (
        told.buy().sell("h2").say(OrderUnresolved("h2", "x")).pass_time(20)
    ),
    "an order that is proven after half an hour": lambda told: (
        told.order().say(UNRESOLVED).pass_time(30).say(accepted()).pass_time(60)
    ),
}


@pytest.mark.parametrize(("symbols", "found"), [(("GOLDUSDT",), []), (("COINUSDT", "GOLDUSDT"), ["P7"])])
def test_no_stop_is_demanded_of_a_symbol_that_the_market_has_no_more(
    symbols: tuple[str, ...], found: list[str]
) -> None:
    told = Told().buy().say(SourceOpened("a market", symbols, T0), by="feed")

    for _ in range(6):
        told.at += MINUTE_MS
        told.say(BarsClosed(told.at, ()), by="feed")

    assert told.found() == found


@pytest.mark.parametrize("case", BROKEN)
def test_what_breaks_a_law_is_found_and_nothing_else(case: str) -> None:
    code, happen = BROKEN[case]
    told = Told()

    happen(told)

    assert told.found() == [code]


@pytest.mark.parametrize("case", KEPT)
def test_what_keeps_the_laws_only_just_is_no_finding(case: str) -> None:
    told = Told()

    KEPT[case](told)

    assert told.found() == []


def test_every_law_is_broken_here_and_has_a_sentence_and_advice() -> None:
    assert {code for code, _ in BROKEN.values()} == set(LAWS) == set(ADVICE)


@pytest.mark.parametrize("case", [*BROKEN, *KEPT])
def test_a_memory_that_was_saved_and_loaded_anywhere_finds_the_same(case: str, monkeypatch: pytest.MonkeyPatch) -> None:
    fold = WatcherMemory.fold

    def folded_by_a_successor(self: WatcherMemory, record: Recorded) -> None:
        again = WatcherMemory(INSTRUMENTS)
        again.load(self.save())
        fold(again, record)
        self.load(again.save())

    apart, through = Told(), Told()
    happen = KEPT[case] if case in KEPT else BROKEN[case][1]
    happen(through)
    monkeypatch.setattr(WatcherMemory, "fold", folded_by_a_successor)
    happen(apart)

    assert apart.memory.save() == through.memory.save()


def test_bars_in_a_run_and_one_by_one_come_to_the_same() -> None:
    apart, together = Told().buy(), Told().buy()

    apart.pass_time(20)
    bars = [bars_closed(T0 + n * MINUTE_MS) for n in range(1, 21)]
    together.memory.take_run([(closed.at, closed.bars) for closed in bars])

    assert apart.memory.save() == together.memory.save()
    assert apart.found() == ["P7"]


def test_an_hour_in_which_nobody_lived_is_no_hour_that_was_waited() -> None:
    told = Told().buy()
    told.at += 10 * HOUR_MS

    told.pass_time(3)
    assert told.found() == []

    told.pass_time(2)
    assert told.found() == ["P7"]
    assert BARE_MS_MAX < UNPROVEN_MS_MAX


def test_a_configuration_that_waives_protection_demands_no_stop() -> None:
    told = Told(demands_stops=False)

    told.buy().pass_time(60)

    assert told.found() == []
    assert told.memory.version != Told().memory.version


def test_orders_that_are_long_over_are_forgotten() -> None:
    told = Told()

    for n in range(FINISHED_KEPT + 50):
        told.order(f"h{n}", f"one@{T0 + n}#0.0").say(filled(f"h{n}", trade=f"t{n}"))

    known = told.memory.state.orders
    assert len(known.finished) == len(known.trades) == FINISHED_KEPT
    assert not told.found()


def test_one_fault_that_breaks_a_law_for_every_order_is_told_of_the_first_twenty() -> None:
    told = Told()

    for n in range(50):
        told.say(accepted(f"g{n}"))

    assert told.found() == ["O1"] * 20


class Desk:
    """A watcher alone."""

    def __init__(self) -> None:
        self.alone = Alone("watcher", lambda system, seat: Watcher(system, seat, memory=WatcherMemory(INSTRUMENTS)))
        self.alone.live()

    def told(self) -> list[tuple[str, str]]:
        return [(each.code, each.subject) for each in self.alone.said_of(InvariantViolated)]


def test_a_violation_is_recorded_once_with_what_to_do() -> None:
    desk = Desk()

    desk.alone.happen(accepted("h9"), filled("h9"), at=T0)

    (violated,) = desk.alone.said_of(InvariantViolated)
    assert (violated.code, violated.subject, violated.reduces) == ("O1", "h9", True)
    assert violated.advice == ADVICE["O1"]
    assert violated.sequences == (1,)


def test_a_violation_is_recorded_once_through_deaths() -> None:
    desk = Desk()

    desk.alone.happen_amid_a_crash(accepted("h9"), at=T0)
    desk.alone.happen(filled("h9"), at=T0)
    desk.alone.crash()

    assert desk.told() == [("O1", "h9")]


def test_after_a_resume_the_same_is_told_again() -> None:
    desk = Desk()
    desk.alone.happen(accepted("h9"), at=T0)

    desk.alone.happen(commanded("resume"), accepted("h9"), at=T0)

    assert desk.told() == [("O1", "h9")] * 2


def test_a_late_trade_is_told_and_reduces_nothing() -> None:
    desk = Desk()
    terms: Terms = some_terms(quantity=2, leg="entry")

    desk.alone.happen(OrderIntended(terms, 1, 0, OFFER), CANCELED, filled(), at=T0)

    by_code = {each.code: each.reduces for each in desk.alone.said_of(InvariantViolated)}
    assert by_code["O7"] is False
    assert {code for code, reduces in by_code.items() if not reduces} == set(NOTICES)
