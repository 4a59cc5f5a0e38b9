"""Where the market went on amid what a command had begun: the feed had been told just before that all was settled.

One step of the feed comes amid that at most, for after it the feed asks again.  That it came so shows in the journal: a
request was open, or something followed later from what was there before, or nobody had done anything yet.  Whether the
venue had a request before it saw the bars of that step is in no record, and shows in what became of the order.
"""

from collections.abc import Iterable, Iterator, Sequence
from itertools import groupby
from typing import NamedTuple

from holdfast.routes import REMEMBERING, role_of
from messages.base import Event
from messages.codec import decode
from messages.orders import (
    CancelIntended,
    OrderAbsent,
    OrderAccepted,
    OrderCanceled,
    OrderExpired,
    OrderFilled,
    OrderIntended,
    OrderRejected,
)
from persistence.reader import JournalReader
from persistence.records import Record

PARTAKERS = frozenset({*REMEMBERING, "strategy"} - {"operator", "watcher"})
STEPS = ("BarsClosed", "BarsPassed", "FramesClosed", "Offered", "OfferSkipped", "MarketEnded")
"""What the feed records once it has been told that all is settled."""
Told = OrderAccepted | OrderRejected | OrderCanceled | OrderExpired | OrderAbsent | OrderFilled


class Overtaken(NamedTuple):
    """A step of the market came amid what a command had begun."""

    taken_until: int
    """The newest request that the venue had before it saw the bars of that step; 0 where it had none of them."""


class _Request(NamedTuple):
    seq: int
    is_cancel: bool
    is_market: bool


def takes_part(actor: str) -> bool:
    """Say whether what an actor records is part of how the market is answered."""
    return role_of(actor) in PARTAKERS


def find_overtaken(reader: JournalReader, commands: Sequence[int], until: int) -> dict[int, Overtaken]:
    """Return which of some commands, by their sequences, had begun what a step of the market came amid."""
    found: dict[int, Overtaken] = {}
    for step, group in groupby(commands, key=lambda seq: next(reader.read(after=seq, until=until, kinds=STEPS), None)):
        if step is not None:
            found |= _overtaken_by(reader, step, tuple(group), until)
    return found


def _overtaken_by(reader: JournalReader, step: Record, commands: Sequence[int], until: int) -> dict[int, Overtaken]:
    before = next(reader.read_newest(STEPS, 1, until=commands[0]), None)
    following = next(reader.read(after=step.seq, until=until, kinds=STEPS), None)
    records = list(
        reader.read(
            after=before.seq if before is not None else 0, until=until if following is None else following.seq - 1
        )
    )
    was_next = not any(commands[-1] < each.seq < step.seq and takes_part(each.actor) for each in records)
    if not was_next and _is_settled_at(records, step.seq):
        return {}
    # The feed had been told before the last of them at which nothing was left to do.
    since = next((seq for seq in reversed(commands) if _is_settled_at(records, seq)), None)
    if since is None:
        return {}
    earlier, later = _parted(records, step.seq)
    taken_until = _taken_until(_open_requests(earlier), later) if step.kind == "BarsClosed" else 0
    return {seq: Overtaken(taken_until) for seq in commands if seq >= since}


def _is_settled_at(records: Sequence[Record], seq: int) -> bool:
    """Say whether nothing was left to do: no request was open, and nothing came later of what was before."""
    earlier, later = _parted(records, seq)
    return not _open_requests(earlier) and not any(
        0 < each.causation < seq for each in later if takes_part(each.actor) and each.actor != "feed"
    )


def _parted(records: Sequence[Record], seq: int) -> tuple[list[Record], list[Record]]:
    return [each for each in records if each.seq < seq], [each for each in records if each.seq > seq]


def _open_requests(records: Iterable[Record]) -> dict[str, _Request]:
    """Return what was asked of the venue and not answered, by the orders' names; of an order, the newest request."""
    asked: dict[str, _Request] = {}
    for record, event in _events(records):
        match event:
            case OrderIntended(terms=terms):
                asked[terms.client_id] = _Request(record.seq, is_cancel=False, is_market=terms.type == "market")
            case CancelIntended(client_id=client_id):
                asked[client_id] = _Request(record.seq, is_cancel=True, is_market=False)
            case OrderAccepted() | OrderRejected() | OrderCanceled() | OrderExpired() | OrderAbsent() | OrderFilled():
                asked.pop(_client_id(event), None)
    return asked


def _taken_until(asked: dict[str, _Request], later: Sequence[Record]) -> int:
    """Return the newest request that the bars of a step found at the venue.

    A new order that they filled was there; a cancelled one that they filled was not cancelled yet, and a market order
    that they did not fill had not come.  Of the rest, cancels are taken to have come: then no bar can fill the order.
    """
    filled = {event.fill.client_id for _, event in _events(later) if isinstance(event, OrderFilled)}
    found = {request.seq for client_id, request in asked.items() if request.is_cancel != (client_id in filled)}
    missed = (
        request.seq
        for client_id, request in asked.items()
        if (request.is_cancel and client_id in filled) or (request.is_market and client_id not in filled)
    )
    first_missed = min(missed, default=0)
    return max((seq for seq in found if not first_missed or seq < first_missed), default=0)


def _events(records: Iterable[Record]) -> Iterator[tuple[Record, Event]]:
    for record in records:
        if record.kind in _ORDERS:
            yield record, decode(record.kind, record.version, record.payload)


def _client_id(event: Told) -> str:
    return event.fill.client_id if isinstance(event, OrderFilled) else event.client_id


_ORDERS = frozenset(kind.__name__ for kind in (OrderIntended, CancelIntended, *Told.__args__))
