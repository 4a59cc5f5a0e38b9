"""The stretches of time in which Bybit's lists are told: seven days at once, however long ago an order was placed."""

import msgspec

from domain.market import DAY_MS, HOUR_MS, Instant
from gateways.live.dialect import Shown
from gateways.live.wire import Call

SPAN_MS = 7 * DAY_MS
"""The longest stretch of time that a list is told of at once, and that of one asked for without any."""
KEPT_MS = 730 * DAY_MS
"""How long trades are kept."""


def stretch(begin: Instant) -> dict[str, str]:
    """Return what asks for as much time from an instant on as is told of at once."""
    return {"startTime": str(begin), "endTime": str(begin + SPAN_MS)}


def following(call: Call, now: Instant) -> Call | None:
    """Return what asks for the stretch after the one of a call; None where that has not begun."""
    until = int(call.params["endTime"])
    others = {name: value for name, value in call.params.items() if name != "cursor"}
    return msgspec.structs.replace(call, params={**others, **stretch(until)}) if until < now else None


def place_in_trades(shown: Shown) -> tuple[Instant, str]:
    """Return until when an order's trades are asked for, and the cursor of the page; 0 where no time is known."""
    until, _, cursor = shown.trades_from.partition("|")
    # By the venue's own account none comes later than the order's last change; its clocks may differ.
    return int(until) if until else (shown.at and shown.at + HOUR_MS), cursor


def older_trades(shown: Shown) -> str:
    """Return where an order's trades are that are older than a stretch; nothing where it was not there yet."""
    until, _ = place_in_trades(shown)
    oldest = max(shown.since - HOUR_MS, shown.at - KEPT_MS) if shown.since else until
    return f"{until - SPAN_MS}|" if until - SPAN_MS > oldest else ""
