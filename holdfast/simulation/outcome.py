"""What a run came to, and whether all of it agrees: journal, replay, snapshots, tables and the venue's ledger."""

from decimal import Decimal
from pathlib import Path

import msgspec

from actors.breaker_memory import BreakerMemory
from domain.market import Instant
from holdfast.rebuild import Rebuilt
from holdfast.replay import rebuild, verify_everything
from holdfast.simulation.oracle import Oracle
from messages.orders import OrderFilled


class Outcome(msgspec.Struct, frozen=True):
    """What must not depend on faults, and the hash of the last record, which does."""

    head: str = ""
    market_at: Instant = 0
    fills: tuple[tuple[str, ...], ...] = ()
    held: tuple[tuple[str, str, Decimal], ...] = ()
    cash: tuple[tuple[str, Decimal], ...] = ()

    def differences(self, reference: "Outcome") -> list[str]:
        """Return in what this differs from the outcome of a life without faults."""
        found = [
            f"{name}: expected {getattr(reference, name)}, found {getattr(self, name)}"
            for name in ("market_at", "held", "cash")
            if getattr(self, name) != getattr(reference, name)
        ]
        if self.fills != reference.fills:
            missing = sorted(set(reference.fills) - set(self.fills))[:3]
            strange = sorted(set(self.fills) - set(reference.fills))[:3]
            found.append(f"fills: without faults {missing} more, with them {strange}")
        return found


def judge_end(oracle: Oracle, home: Path) -> Outcome:
    """Judge a run whose data has ended and whose faults have, and return what it came to."""
    for check in verify_everything(home):
        for problem in check.problems:
            oracle.say("the-journal-proves-it", f"{check.name}: {problem}")
    rebuilt, notes = rebuild(home)
    for note in notes:
        oracle.say("the-journal-proves-it", note)
    book = rebuilt.positions.state.book
    oracle.ledger.compare_all(oracle.orders.known, oracle.orders.fills, book.cash)
    _agree(oracle, rebuilt)
    oracle.flattens.judge_end()
    _opens_again(oracle, rebuilt)
    for client_id, order in oracle.orders.known.items():
        if order.state in ("intended", "unresolved"):
            oracle.say("heals", f"{client_id} is {order.state} in the end")
    return Outcome(
        head=rebuilt.hash.hex(),
        market_at=rebuilt.at,
        fills=tuple(sorted(_row(filled) for filled in oracle.orders.fills)),
        held=tuple(sorted((*key, quantity) for key, quantity in oracle.holdings.held.items())),
        cash=tuple(sorted(book.cash.items())),
    )


def _agree(oracle: Oracle, rebuilt: Rebuilt) -> None:
    """Book, plans and fills must say the same of every position."""
    book, plans = rebuilt.positions.state.book, rebuilt.executor.state.plans
    for (strategy, symbol), held in oracle.holdings.held.items():
        plan = plans.get(f"{strategy}|{symbol}")
        said = {"book": book.position(strategy, symbol).quantity, "plan": plan.held if plan else Decimal(0)}
        if any(quantity != held for quantity in said.values()):
            oracle.say("positions-are-fills", f"{strategy} {symbol}: fills give {held}, {said}")
    for each in rebuilt.positions.state.untold:
        oracle.say("heals", f"{each} was not told in the end")


def _opens_again(oracle: Oracle, rebuilt: Rebuilt) -> None:
    """What an operator has stopped and let go on again must be active for all who know of it."""
    breaker = rebuilt.memories["breaker"]
    assert isinstance(breaker, BreakerMemory)
    mode = breaker.state.ordered_mode
    if mode != oracle.stops.mode or rebuilt.executor.state.takes_entries != (mode == "active"):
        oracle.say("heals", f"the node is {mode} in the end, its commands give {oracle.stops.mode}")


def _row(filled: OrderFilled) -> tuple[str, ...]:
    fill = filled.fill
    fee = f"{fill.fee.amount.normalize():f} {fill.fee.asset}"
    numbers = f"{fill.quantity.normalize():f}", f"{fill.price.normalize():f}", fee
    return str(fill.at), filled.strategy, fill.symbol, fill.side, *numbers
