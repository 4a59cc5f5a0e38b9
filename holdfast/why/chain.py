"""The chain of an order: candle, scores, signal, verdict, intent, answers, fills; each with its record."""

from collections.abc import Iterable, Iterator
from typing import Any, Literal

import msgspec

from domain.proposal import Entry, Exit, Proposal, offer_of
from domain.steps import STOP_PASSED, TAKE_PROFIT
from holdfast.recovery import recorded_of
from holdfast.why.orders import Told, client_id_of, find, read_orders
from holdfast.why.passed import passed_candles
from messages.imported import PositionImported
from messages.market import BarsClosed, BarsPassed, FramesClosed, OfferAnswered
from messages.node import OperatorCommanded
from messages.orders import ExitOrdered, OrderIntended
from messages.positions import EquityMarked
from messages.sentiment import HeadlineScored
from persistence.reader import JournalReader
from supervision import Recorded

StepName = (
    Literal["candle", "score", "worth", "offer", "signal", "verdict"]
    | Literal["command", "import", "exit", "intent", "cancel", "answer", "fill", "end"]
)
MARKET = frozenset({"BarsClosed", "BarsPassed", "FramesClosed", "EquityMarked", "Offered", "OfferAnswered"})
SCORES_MAX = 5
"""Headlines that are told: the newest before the offer."""
DEPTH_MAX = 8
"""Orders that led to each other and are told: a stop, the entry it protects."""
ENDS = frozenset({"OrderRejected", "OrderCanceled", "OrderExpired", "OrderAbsent"})


class Link(msgspec.Struct, frozen=True):
    """One record of the chain, and which part of it is meant."""

    step: StepName
    record: Recorded
    about: Any
    """The part of the event that concerns the order: a bar, a proposal, or the event itself."""


class Why(msgspec.Struct, frozen=True):
    """All that led to an order, and what became of it, oldest first."""

    name: str
    """The order's client id, or the proposal's name where no order came of it."""
    symbol: str
    links: tuple[Link, ...]


def explain(reader: JournalReader, name: str) -> Why:
    """Tell why an order, or a proposal that never became one, is what it is.

    `name` is what `holdfast.why.orders.find` takes.

    Raises:
        NoSuchOrder: there is no such order, or more than one.
        JournalDamaged: the journal cannot be read.
    """
    told = read_orders(reader)
    client_id, proposal = find(told, name)
    if not client_id:
        verdict, links = told.verdicts[proposal][0].event, _of_proposal(reader, told, proposal)
        return Why(proposal, _symbol_of(verdict), tuple(_in_order(links)))
    intent = told.intent(client_id).event
    return Why(client_id, intent.terms.symbol, tuple(_in_order(_of_order(reader, told, client_id, DEPTH_MAX))))


def _symbol_of(verdict: Any) -> str:
    symbol: str = verdict.entry.symbol if hasattr(verdict, "entry") else verdict.symbol
    return symbol


def _in_order(links: Iterable[Link]) -> list[Link]:
    """Return links by sequence, each part of a record once."""
    unique = {(link.record.seq, repr(link.about)): link for link in links}
    return sorted(unique.values(), key=lambda link: link.record.seq)


def _of_order(reader: JournalReader, told: Told, client_id: str, depth: int) -> Iterator[Link]:
    intent, *rest = told.orders[client_id]
    event: OrderIntended = intent.event
    if event.proposal_id:
        yield from _of_proposal(reader, told, event.proposal_id)
    elif depth:
        yield from _of_cause(reader, told, event.ordered_by, event.terms.symbol, depth - 1)
    if event.terms.leg == "exit":
        yield from _of_exit(reader, told, intent, depth)
    yield Link("intent", intent, event)
    for record in rest:
        yield Link(_step_of(record), record, record.event)
        if record.kind == "CancelIntended" and (command := told.command(record, event.terms.symbol)) is not None:
            yield Link("command", command, command.event)


def _step_of(record: Recorded) -> StepName:
    if record.kind in ENDS:
        return "end"
    return {"OrderFilled": "fill", "CancelIntended": "cancel"}.get(record.kind, "answer")  # type: ignore[return-value]


def _of_exit(reader: JournalReader, told: Told, intent: Recorded, depth: int) -> Iterator[Link]:
    """Tell who or what wanted a position left, before the order that sells it."""
    terms = intent.event.terms
    wished = [
        record
        for record in told.exits
        if record.seq < intent.seq and (record.event.strategy, record.event.symbol) == (terms.strategy, terms.symbol)
    ]
    if wished:
        yield from _of_cause(reader, told, wished[-1].seq, terms.symbol, max(depth - 1, 0))


def _of_cause(reader: JournalReader, told: Told, seq: int, symbol: str, depth: int) -> Iterator[Link]:
    """Tell what ordered a stop or an exit: a fill, a wish of the strategy, a price, an operator, an import."""
    record = _record_at(reader, seq)
    if record is None:
        return
    match record.event:
        case ExitOrdered():
            yield Link("exit", record, record.event)
            yield from _of_wish(reader, told, record, depth)
        case OfferAnswered(strategy=strategy, at=at, attempt=attempt):
            yield from _of_offer(reader, (strategy, at, attempt), symbol, until=seq)
        case OperatorCommanded():
            yield Link("command", record, record.event)
        case PositionImported():
            yield Link("import", record, record.event)
        case BarsClosed(bars=bars):
            yield from (Link("candle", record, bar) for bar in bars if bar.symbol == symbol)
        case BarsPassed():
            yield from _passed(reader, record, symbol, with_frames=False)
        case _ if record.kind.startswith("Order"):
            parent = client_id_of(record)
            if depth and parent in told.orders:
                yield from _of_order(reader, told, parent, depth)


def _of_wish(reader: JournalReader, told: Told, ordered: Recorded, depth: int) -> Iterator[Link]:
    """Tell who wanted a position left, or which price was reached.

    What caused the record need not be that: who waits for an answer, or comes back, takes a wish up later.
    """
    event: ExitOrdered = ordered.event
    if (command := told.command(ordered, event.symbol)) is not None:
        yield Link("command", command, command.event)
        return
    for record in reader.read_newest(["OfferAnswered", "BarsClosed", "BarsPassed"], until=ordered.seq):
        # Bars that passed were heard before there was a record of them.
        if record.seq > ordered.seen and record.kind != "BarsPassed":
            continue
        heard = recorded_of(record)
        if _is_behind(heard.event, event):
            yield from _of_cause(reader, told, heard.seq, event.symbol, depth)
            return


def _is_behind(seen: Any, ordered: ExitOrdered) -> bool:
    """Say whether the newest bar reached the price at which to leave, or an answer wants the position left."""
    if isinstance(seen, BarsClosed | BarsPassed):
        is_target = ordered.why.startswith((TAKE_PROFIT, STOP_PASSED))
        return is_target and (isinstance(seen, BarsPassed) or any(bar.symbol == ordered.symbol for bar in seen.bars))
    wishes = (each for each in seen.proposals if isinstance(each, Exit) and each.symbol == ordered.symbol)
    return seen.strategy == ordered.strategy and any((wish.why or "exit") == ordered.why for wish in wishes)


def _of_proposal(reader: JournalReader, told: Told, proposal: str) -> Iterator[Link]:
    verdicts = told.verdicts.get(proposal, [])
    symbol = _symbol_of(verdicts[0].event) if verdicts else ""
    until = verdicts[0].seq if verdicts else None
    yield from _of_offer(reader, offer_of(proposal), symbol, until=until, index=int(proposal.rpartition(".")[2]))
    yield from (Link("verdict", verdict, verdict.event) for verdict in verdicts)


def _of_offer(
    reader: JournalReader, offer: tuple[str, int, int], symbol: str, *, until: int | None, index: int | None = None
) -> Iterator[Link]:
    """Tell what a strategy saw at an instant, and what it answered about a symbol."""
    strategy, at, attempt = offer
    scores: list[Link] = []
    for record in reader.read(until=until, kinds=MARKET | {"HeadlineScored"}):
        if record.kind in MARKET and record.at != at:
            continue
        heard = recorded_of(record)
        match heard.event:
            case HeadlineScored(score=score) if not score.symbols or symbol in score.symbols:
                scores = [*scores, Link("score", heard, score)][-SCORES_MAX:]
            case BarsPassed():
                yield from _passed(reader, heard, symbol, with_frames=True)
            case FramesClosed(bars=bars) | BarsClosed(bars=bars):
                yield from (Link("candle", heard, bar) for bar in bars if bar.symbol == symbol)
            case EquityMarked():
                yield Link("worth", heard, heard.event)
            case OfferAnswered(strategy=answering, attempt=of_attempt) if (answering, of_attempt) == (
                strategy,
                attempt,
            ):
                meant = _meant(heard.event.proposals, symbol, index)
                yield from (Link("signal", heard, proposal) for proposal in meant)
            case event if record.kind == "Offered" and (event.strategy, event.attempt) == (strategy, attempt):
                yield Link("offer", heard, event)
    yield from scores


def _passed(reader: JournalReader, record: Recorded, symbol: str, *, with_frames: bool) -> Iterator[Link]:
    candles = passed_candles(reader, record.at, symbol, with_frames=with_frames, until=record.seq)
    return (Link("candle", record, each) for each in candles)


def _meant(proposals: tuple[Proposal, ...], symbol: str, index: int | None) -> list[Entry | Exit]:
    if index is not None and index < len(proposals):
        return [proposals[index]]
    return [proposal for proposal in proposals if proposal.symbol == symbol]


def _record_at(reader: JournalReader, seq: int) -> Recorded | None:
    found = next(iter(reader.read(after=seq - 1, until=seq)), None) if seq > 0 else None
    return None if found is None else recorded_of(found)
