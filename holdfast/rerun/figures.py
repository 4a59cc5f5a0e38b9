"""What a journal came to, in the figures that two runs are compared by."""

import json
from collections import Counter
from pathlib import Path

import msgspec

from domain.money import plain
from domain.order import Order
from holdfast.replay import rebuild
from holdfast.rerun.decisions import Reading


class Figures(msgspec.Struct, frozen=True):
    """Money as text, in quote currency where nothing else is said; fractions in percent where they say so."""

    orders: int
    """That reached the venue, or may have."""
    fills: int
    denied: dict[str, int]
    """Entries that the breaker refused, by reason."""
    round_trips: int
    realised: str
    equity: str
    fees: dict[str, str]
    drawdown_pct: float
    """The deepest fall from the highest worth before it."""
    quote: str

    def rows(self) -> dict[str, str]:
        """Return them as text, by what they are called."""
        return {
            "orders": str(self.orders),
            "fills": str(self.fills),
            "round trips": str(self.round_trips),
            "equity": f"{self.equity} {self.quote}",
            "realised": f"{self.realised} {self.quote}",
            **{f"fees in {asset}": amount for asset, amount in self.fees.items()},
            "drawdown": f"{self.drawdown_pct:.4f} %",
            **{f"denied {reason}": str(count) for reason, count in self.denied.items()},
        }


def figures_of(home: Path, reading: Reading) -> Figures:
    """Return what a home's journal came to, as far as it is read."""
    rebuilt, _ = rebuild(home, str(reading.until))
    state = rebuilt.positions.state
    summary = state.performance.summary()
    return Figures(
        orders=sum(map(_is_sent, rebuilt.history.orders.values())),
        fills=len(rebuilt.history.fills),
        denied=_denied(reading),
        round_trips=summary.trades,
        realised=plain(state.book.realised()),
        equity=plain(state.book.equity(state.marks)),
        fees={asset: plain(amount) for asset, amount in sorted(summary.fees.items())},
        drawdown_pct=round(summary.drawdown_max * 100, 4),
        quote=state.book.quote,
    )


def _is_sent(order: Order) -> bool:
    return order.state != "absent"


def _denied(reading: Reading) -> dict[str, int]:
    reasons = (json.loads(made.content)["reason"] for made in reading.decisions() if made.kind == "OrderDenied")
    return dict(sorted(Counter(reasons).items()))
