"""What is compared, one by one: proposals, verdicts, orders, exits, their ends, trips, and fills."""

import json
from collections.abc import Iterator
from typing import Any, Literal

import msgspec

from domain.market import Instant
from holdfast.audit.days import Day
from holdfast.rerun.decisions import Decision, Reading

Group = Literal["proposal", "verdict", "order", "exit", "end", "trip", "fill"]

GROUPS: dict[str, Group] = {
    "OfferAnswered": "proposal",
    "OrderApproved": "verdict",
    "OrderDenied": "verdict",
    "OrderIntended": "order",
    "ExitOrdered": "exit",
    "ExitEnded": "exit",
    "OrderRejected": "end",
    "OrderCanceled": "end",
    "OrderExpired": "end",
    "BreakerTripped": "trip",
    "BreakerReset": "trip",
    "OrderFilled": "fill",
}
"""By the kind of event.  What else is decided (positions, worth) follows from the fills and is not counted again."""

Key = tuple[Group, str, str, Instant, str]


class Item(msgspec.Struct, frozen=True):
    """One thing that was decided, or came of it.  `content` is JSON, the same for the same decision."""

    group: Group
    kind: str
    seq: int
    at: Instant
    strategy: str
    symbol: str
    side: str
    content: str

    @property
    def key(self) -> Key:
        """Return the place it is compared at: two sides may say different things there."""
        return self.group, self.strategy, self.symbol, self.at, self.side

    @property
    def said(self) -> tuple[Key, str, str]:
        """Return all that must be the same."""
        return self.key, self.kind, self.content

    def values(self) -> dict[str, Any]:
        """Return the content as JSON values."""
        values: dict[str, Any] = json.loads(self.content)
        return values

    def view(self) -> dict[str, Any]:
        """Return it as JSON values."""
        return {"seq": self.seq, "at": self.at, "kind": self.kind, **self.values()}


def items_of(reading: Reading, day: Day) -> Iterator[Item]:
    """Return what was decided on a day, in sequence."""
    for decision in reading.decisions():
        if decision.kind in GROUPS and day.begins_at <= decision.at <= day.ends_at:
            yield from _items(decision)


def _items(decision: Decision) -> Iterator[Item]:
    values = json.loads(decision.content)
    about = values.get("fill") or values.get("terms") or values.get("entry") or values.get("order") or values
    strategy = values.get("strategy") or about.get("strategy", "")
    if decision.kind == "OfferAnswered":
        for proposal in values["proposals"]:
            side = proposal.get("side", "sell")
            yield _item(decision, strategy, proposal["symbol"], side, proposal)
        return
    side = about.get("side") or ("buy" if decision.kind == "OrderDenied" else "sell")
    yield _item(decision, strategy, about.get("symbol", ""), side, values)


def _item(decision: Decision, strategy: str, symbol: str, side: str, values: dict[str, Any]) -> Item:
    return Item(
        group=GROUPS[decision.kind],
        kind=decision.kind,
        seq=decision.seq,
        at=decision.at,
        strategy=strategy,
        symbol=symbol,
        side=side,
        content=json.dumps(values, ensure_ascii=False, sort_keys=True),
    )
