"""The breaker: judges every entry against the limits, and fails closed."""

from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any

from actors.base import RememberingActor
from actors.breaker_memory import BreakerMemory, Pending
from domain.exposure import worths
from domain.limits import Account, Denied, Limits, judge
from domain.losses import MARGIN, Trip
from domain.market import Closing, Instrument, day_of
from domain.money import ZERO
from messages.node import BreakerAsked
from messages.risk import BreakerReset, BreakerTripped, OrderApproved, OrderDenied
from supervision import Seat, System


class Breaker(RememberingActor):
    """Gives each entry its verdict, and trips when a loss reaches its limit."""

    def __init__(
        self,
        system: System,
        seat: Seat,
        *,
        memory: BreakerMemory,
        instruments: Mapping[str, Instrument],
        limits: Limits,
    ) -> None:
        super().__init__(system, seat, memory=memory)
        self._known = memory
        self._instruments = instruments
        self._limits = limits
        self._measured: tuple[object, ...] = ()
        self._is_single = len(instruments) == 1

    def receive(self, message: Any) -> Any:
        """Answer the edge of the house."""
        if isinstance(message, BreakerAsked):
            return self._known.save()
        return super().receive(message)

    def count_idle(self, run: Sequence[Closing]) -> int:
        """Return how many of these closings lose too little to trip, on the day that is known."""
        state, limits = self._known.state, self._limits
        day, held = state.watch.day, state.book.held()
        if state.cleared or not state.book.cash:
            return 0
        if not held and day_of(run[-1][0]) == day:
            return len(run)
        watch, fallen = state.watch, 1 - float(limits.drawdown_max)
        floor = watch.floor(daily_loss_max=limits.daily_loss_max, drawdown_max=limits.drawdown_max)
        peak = float(watch.peak_equity or ZERO)
        cash = float(state.book.cash.get(state.book.quote, ZERO))
        if len(held) == 1 and self._is_single:
            # Where even the lowest is above what the highest would ask for, no closing has to be looked at by itself.
            amount = float(held[0][1])
            closes = [bar.close for _at, (bar,) in run]
            lowest, highest = sorted(cash + amount * float(close) for close in (min(closes), max(closes)))
            if lowest > max(floor, max(peak, highest) * fallen * MARGIN) and day_of(run[-1][0]) == day:
                return len(run)
        amounts = {symbol: float(amount) for symbol, amount in held}
        worths = {symbol: amount * float(state.marks.get(symbol, ZERO)) for symbol, amount in amounts.items()}
        for place, (at, bars) in enumerate(run):
            for bar in bars:
                if bar.symbol in worths:
                    worths[bar.symbol] = amounts[bar.symbol] * float(bar.close)
            worth = cash + sum(worths.values())
            if worth <= floor or day_of(at) != day:
                return place
            if worth > peak:
                peak = worth
                floor = max(floor, peak * fallen * MARGIN)
        return len(run)

    def take_run(self, run: Sequence[Closing]) -> None:
        """Take closings in."""
        if self._is_single and len(run) > 1:
            # The highest worth and the last are all that is remembered of these.
            highest = max(run, key=_close) if self._known.state.book.held() else run[-1]
            run = (highest, run[-1])
        self._known.take_run(run)

    def react(self) -> None:
        """Trip first; then judge one entry, for each verdict changes what the next is measured against."""
        state = self._known.state
        for trip in self._crossed():
            self.record(BreakerTripped(limit=trip.limit, value=trip.value, allowed=trip.allowed))
        for limit in state.cleared:
            self.record(BreakerReset(limit=limit, reason="a new day began"))
        if state.pending and not self.has_recorded():
            self._judge(state.pending[0])

    def _crossed(self) -> list[Trip]:
        """Return the losses at their limits, where what they are measured by has changed since the last look."""
        watch, limits = self._known.state.watch, self._limits
        measured = (watch.equity, watch.day_start_equity, watch.peak_equity, tuple(watch.tripped))
        if measured == self._measured:
            return []
        self._measured = measured
        return watch.crossed(daily_loss_max=limits.daily_loss_max, drawdown_max=limits.drawdown_max)

    def _judge(self, pending: Pending) -> None:
        if self._known.state.awaits_verdict and self.market_ms() <= pending.entry.good_until:
            return
        verdict = judge(pending.entry, account=self._account(pending), limits=self._limits)
        if isinstance(verdict, Denied):
            self.record(
                OrderDenied(
                    proposal_id=pending.proposal_id,
                    strategy=pending.strategy,
                    symbol=pending.entry.symbol,
                    reason=verdict.reason,
                    detail=verdict.detail,
                )
            )
            return
        self.record(
            OrderApproved(
                proposal_id=pending.proposal_id,
                strategy=pending.strategy,
                entry=pending.entry,
                quantity=verdict.quantity,
                reserved=verdict.reserved,
                offer_at=pending.offer_at,
                reduced_by=verdict.reduced_by,
            )
        )

    def _account(self, pending: Pending) -> Account:
        state, symbol = self._known.state, pending.entry.symbol
        book = state.book
        at_risk = worths(book.quantities(), state.marks)
        is_priced = bool(book.cash) and not self._known.has_unpriced()
        return Account(
            now=self.market_ms(),
            mode=state.ordered_mode,
            unreconciled=self._unreconciled(symbol),
            instrument=self._instruments.get(symbol),
            mark=state.marks.get(symbol),
            mark_at=state.marked_at.get(symbol),
            equity=book.equity(state.marks) if is_priced else None,
            day_start_equity=state.watch.day_start_equity,
            peak_equity=state.watch.peak_equity,
            cash_free=book.cash.get(book.quote, ZERO) - state.reservations.total if book.cash else None,
            exposure=sum(at_risk.values(), state.reservations.total),
            symbol_exposure=at_risk.get(symbol, ZERO) + state.reservations.of(symbol),
            tripped=tuple(state.watch.tripped),
            has_unresolved_order=symbol in state.unresolved.values(),
            has_entry_in_flight=any(
                entry.symbol == symbol and entry.strategy == pending.strategy for entry in state.in_flight.values()
            ),
        )

    def _unreconciled(self, symbol: str) -> str:
        """Say why the books of a symbol are not to be relied on; nothing where they are."""
        state = self._known.state
        if state.awaits_verdict:
            return "no verdict yet since the node started"
        return state.unreconciled.get("", "") or state.unreconciled.get(symbol, "")


def _close(closing: Closing) -> Decimal:
    return closing[1][0].close
