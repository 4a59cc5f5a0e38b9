"""Every order of a journal with the records that speak of it, and how a person names one of them."""

from collections.abc import Iterator
from difflib import get_close_matches

import msgspec

from actors.executor_memory import why_of
from holdfast.history import ORDER_EVENTS
from holdfast.recovery import recorded_of
from messages.node import OperatorCommanded
from messages.orders import OrderFilled, OrderIntended
from messages.risk import OrderApproved, OrderDenied
from persistence.reader import JournalReader
from supervision import Recorded

NEAR_MAX = 5
"""Orders that are named where there is none of the name that was given."""
SPEAKS = frozenset(
    {*ORDER_EVENTS, "OrderApproved", "OrderDenied", "ExitOrdered", "PositionImported", "OperatorCommanded"}
)


class NoSuchOrder(LookupError):
    """There is no such order, or more than one; the sentence names what is near."""


class Told(msgspec.Struct):
    """All that a journal tells of orders, by what it is about."""

    orders: dict[str, list[Recorded]] = msgspec.field(default_factory=dict)
    """By client id, the intent first."""
    verdicts: dict[str, list[Recorded]] = msgspec.field(default_factory=dict)
    """By proposal: an approval, or a denial, or one after the other."""
    exits: list[Recorded] = msgspec.field(default_factory=list)
    imported: list[Recorded] = msgspec.field(default_factory=list)
    commands: dict[str, list[Recorded]] = msgspec.field(default_factory=dict)
    """Commands of operators, by what is told as the cause of all that they lead to."""

    def command(self, effect: Recorded, symbol: str) -> Recorded | None:
        """Return the command that led to a record of a symbol; None where no operator did."""
        known = self.commands.get(effect.event.why, ())
        fitting = [each for each in known if each.seq <= effect.seen and each.event.target in ("", symbol)]
        return fitting[-1] if fitting else None

    def intent(self, client_id: str) -> Recorded:
        """Return the record that intends an order."""
        return self.orders[client_id][0]


def read_orders(reader: JournalReader) -> Told:
    """Read all that a journal tells of orders."""
    told = Told()
    for record in reader.read(kinds=SPEAKS):
        heard = recorded_of(record)
        if record.kind in ORDER_EVENTS:
            told.orders.setdefault(client_id_of(heard), []).append(heard)
        elif isinstance(heard.event, OrderApproved | OrderDenied):
            told.verdicts.setdefault(heard.event.proposal_id, []).append(heard)
        elif isinstance(heard.event, OperatorCommanded):
            told.commands.setdefault(why_of(heard.event), []).append(heard)
        else:
            (told.exits if record.kind == "ExitOrdered" else told.imported).append(heard)
    return told


def client_id_of(record: Recorded) -> str:
    """Return the client id of the order that a record speaks of."""
    match record.event:
        case OrderIntended(terms=terms):
            return terms.client_id
        case OrderFilled(fill=fill):
            return fill.client_id
        case event:
            client_id: str = event.client_id
            return client_id


def find(told: Told, name: str) -> tuple[str, str]:
    """Return the client id of the order a person means, or else the proposal that never became one; one is empty.

    `name` is a client id, the beginning of one that is unique, a proposal, or the sequence of a record that speaks of
    either.

    Raises:
        NoSuchOrder: there is no such order, or more than one; the sentence names what is near.
    """
    if name in told.orders:
        return name, ""
    if name in told.verdicts:
        return _of_proposal(told, name)
    if name.isdigit():
        return _of_sequence(told, int(name))
    begun = [client_id for client_id in told.orders if name and client_id.startswith(name)]
    if len(begun) == 1:
        return begun[0], ""
    if begun:
        expected = "a client order id, or the beginning of one order's"
        raise _no_order(expected, f"{name}, with which {len(begun)} begin", begun)
    raise _no_order("an order of this journal", name, _alike(told, name))


def _of_sequence(told: Told, seq: int) -> tuple[str, str]:
    for client_id, records in told.orders.items():
        if any(record.seq == seq for record in records):
            return client_id, ""
    for proposal, verdicts in told.verdicts.items():
        if any(record.seq == seq for record in verdicts):
            return _of_proposal(told, proposal)
    near = sorted(_speaking(told), key=lambda each: (abs(each[0] - seq), each[0]))[:NEAR_MAX]
    named = [f"{client_id} (at {at})" for at, client_id in sorted(near)]
    raise _no_order("the sequence of a record that speaks of an order", str(seq), named)


def _of_proposal(told: Told, proposal: str) -> tuple[str, str]:
    for client_id, (intent, *_) in told.orders.items():
        if isinstance(intent.event, OrderIntended) and intent.event.proposal_id == proposal:
            return client_id, ""
    return "", proposal


def _speaking(told: Told) -> Iterator[tuple[int, str]]:
    return ((record.seq, client_id) for client_id, records in told.orders.items() for record in records[:1])


def _alike(told: Told, name: str) -> list[str]:
    """Return the ids that look most like a name, else the newest."""
    names = list(told.orders)
    return get_close_matches(name.lower(), names, n=NEAR_MAX, cutoff=0.5) or names[-NEAR_MAX:]


def _no_order(expected: str, found: str, near: list[str]) -> NoSuchOrder:
    listed = ", ".join(near[:NEAR_MAX]) + (", ..." if len(near) > NEAR_MAX else "")
    return NoSuchOrder(f"expected {expected}, found {found}; {f'near: {listed}' if near else 'it has no orders'}")
