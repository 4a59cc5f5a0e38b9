"""The breaker's limits, measured again by somebody else."""

from collections.abc import Mapping
from decimal import Decimal

from domain.limits import Limits
from domain.market import Instrument
from domain.money import ZERO
from holdfast.simulation.laws import Known, Orders, Say
from messages.market import BarsClosed
from messages.orders import OrderFilled, OrderIntended
from messages.positions import AccountOpened
from messages.risk import OrderApproved, OrderDenied
from supervision import Recorded

ROUNDING = Decimal("1e-9")


class Exposure:
    """No approval takes what is held and what is set aside beyond the limits, nor beyond the cash."""

    def __init__(self, say: Say, orders: Orders, *, instruments: Mapping[str, Instrument], limits: Limits) -> None:
        self._say = say
        self._orders = orders
        self._instruments = instruments
        self._limits = limits
        self._assets: dict[str, Decimal] = {}
        self._marks: dict[str, Decimal] = {}
        self._set_aside: dict[str, tuple[str, Decimal]] = {}
        """Symbol and amount, by proposal."""
        self._intents: dict[str, str] = {}
        """Client id by proposal."""

    def take(self, record: Recorded) -> None:
        """Take in the next record, after the orders have."""
        match record.event:
            case AccountOpened(cash=cash):
                self._assets = dict(cash)
            case BarsClosed(bars=bars):
                self._marks |= {bar.symbol: bar.close for bar in bars}
            case OrderFilled() as filled:
                self._fill(filled)
            case OrderIntended(terms=terms, proposal_id=proposal) if proposal:
                self._intents[proposal] = terms.client_id
            case OrderDenied(proposal_id=proposal):
                self._set_aside.pop(proposal, None)
            case OrderApproved(proposal_id=proposal, entry=entry, reserved=reserved):
                self._set_aside = {name: each for name, each in self._set_aside.items() if self._is_open(name)}
                self._set_aside[proposal] = entry.symbol, reserved
                self._measure(entry.symbol, record)

    def _fill(self, filled: OrderFilled) -> None:
        fill = filled.fill
        instrument = self._instruments[fill.symbol]
        bought = fill.quantity if fill.side == "buy" else -fill.quantity
        moves = (
            (instrument.base, bought),
            (instrument.quote, -bought * fill.price),
            (fill.fee.asset, -fill.fee.amount),
        )
        for asset, amount in moves:
            self._assets[asset] = self._assets.get(asset, ZERO) + amount
        order = self._orders.known.get(fill.client_id)
        if order is not None and order.proposal_id in self._set_aside:
            symbol, amount = self._set_aside[order.proposal_id]
            self._set_aside[order.proposal_id] = symbol, max(ZERO, amount - fill.quantity * fill.price)

    def _is_open(self, proposal: str) -> bool:
        order: Known | None = self._orders.known.get(self._intents.get(proposal, ""))
        return order is None or order.is_open

    def _measure(self, symbol: str, record: Recorded) -> None:
        worths = {
            name: abs(self._assets.get(instrument.base, ZERO)) * self._marks.get(name, ZERO)
            for name, instrument in self._instruments.items()
        }
        quote = self._instruments[symbol].quote
        cash = self._assets.get(quote, ZERO)
        equity = cash + sum(worths.values())
        aside = sum(amount for _, amount in self._set_aside.values())
        aside_here = sum(amount for name, amount in self._set_aside.values() if name == symbol)
        limits = self._limits
        for name, used, allowed in (
            ("exposure_max", sum(worths.values()) + aside, limits.exposure_max * equity),
            ("symbol_exposure_max", worths[symbol] + aside_here, limits.symbol_exposure_max * equity),
            ("cash", aside, cash),
        ):
            if used > allowed + ROUNDING:
                self._say("within-limits", f"approval {record.seq} takes {name} to {used:.2f} of {allowed:.2f}")
