"""The stretches of time in which Bybit's lists are told: seven days at once, however long ago an order was placed."""

from collections.abc import Iterator

from domain.market import DAY_MS, HOUR_MS, Instant
from gateways.live.dialect import Shown

SPAN_MS = 7 * DAY_MS
"""The longest stretch of time that a list is told of at once, and that of one asked for without any."""
KEPT_MS = 730 * DAY_MS
"""How long orders and trades are kept."""


def stretch(begin: Instant) -> dict[str, str]:
    """Return what asks for as much time from an instant on as is told of at once."""
    return {"startTime": str(begin), "endTime": str(begin + SPAN_MS)}


def stretches(since: Instant, now: Instant) -> Iterator[dict[str, str]]:
    """Yield what asks for all time from an instant on, the newest stretch first; for the newest where none is known.

    A stop that goes on as another order is shown by an earlier stretch than that one is, if its price was reached late.
    """
    if not since:
        yield {}
        return
    begin = now + HOUR_MS - SPAN_MS  # The venue's clocks may differ.
    yield stretch(begin)
    while begin > max(since, now - KEPT_MS):
        begin -= SPAN_MS
        yield stretch(begin)


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
