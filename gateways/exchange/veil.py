"""What the exchange does not show although it is so: orders and trades it keeps back for a while."""

from collections.abc import Iterable
from decimal import Decimal

import msgspec

from domain.market import Instant
from domain.money import ONE, ZERO
from gateways.exchange.faults import Struck
from gateways.exchange.orders import Order, Trade


class Veil:
    """Whatever the request in hand is to be told less of, or to get less of.  Nothing, where no fault struck."""

    def __init__(self) -> None:
        self._hidden: dict[int, Instant] = {}
        self._kept_back: dict[int, tuple[Instant, Instant, Decimal, Decimal]] = {}
        self.prepare([], 0)

    def prepare(self, struck: Iterable[Struck], now: Instant) -> None:
        """Take in what strikes the request in hand, and forget what struck the last."""
        self.share_at_once: Decimal = ONE
        """How much of a new order may trade at once."""
        self.share_at_cancel: Decimal = ZERO
        """How much of an order trades while it is being cancelled."""
        self.hidden_until: Instant = 0
        """Until when a new order is missing from every answer."""
        self.kept_back_ms: int = 0
        """For how long a cancelled order is shown without what traded last."""
        for lie, seconds in struck:
            match lie.kind:
                case "hidden":
                    self.hidden_until = now + int(seconds * 1_000)
                case "partial":
                    self.share_at_once = lie.share
                case "fill_at_cancel":
                    self.share_at_cancel, self.kept_back_ms = lie.share, int(seconds * 1_000)

    def hide(self, order: Order) -> None:
        """Leave an order out of answers until `hidden_until`."""
        if self.hidden_until:
            self._hidden[order.order_id] = self.hidden_until

    def hides(self, order_id: int, now: Instant) -> bool:
        """Say whether an order is left out of answers."""
        return now < self._hidden.get(order_id, 0)

    def keep_back(self, order: Order, executed: Decimal, worth: Decimal, *, now: Instant) -> Order:
        """Show an order for a while as if it had not traded beyond this; return it so."""
        self._kept_back[order.order_id] = (now + self.kept_back_ms, now - 1_000, executed, worth)
        return self.as_shown(order, now)

    def as_shown(self, order: Order, now: Instant) -> Order:
        """Return an order as answers have it now."""
        until, _, executed, worth = self._kept_back.get(order.order_id, (0, 0, ZERO, ZERO))
        if now >= until:
            return order
        return msgspec.structs.replace(order, executed=executed, executed_worth=worth)

    def hides_trade(self, trade: Trade, now: Instant) -> bool:
        """Say whether a trade is left out of answers."""
        until, since, _, _ = self._kept_back.get(trade.order_id, (0, 0, ZERO, ZERO))
        return now < until and trade.at >= since
