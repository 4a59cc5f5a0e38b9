"""The laws of the feed: one thing after another, each only when all that came of the last is settled, and each once."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest

from actors.feed import Feed
from actors.feed_memory import Audience, FeedMemory
from domain.market import MINUTE_MS, Bar
from domain.proposal import proposal_id
from domain.sources import SourceUnavailable
from gateways.recorded import RecordedMarket
from messages.market import (
    BarsClosed,
    HistoryLoaded,
    MarketEnded,
    Offered,
    OfferSkipped,
    RowRefused,
    Unsettled,
)
from messages.orders import OrderAbsent
from supervision import CrashReport
from tests.actors.alone import Alone
from tests.actors.values import T0, answered

BOTH = (Audience("one", {"COINUSDT": "1m"}), Audience("two", {"COINUSDT": "1m"}))
SETTLE_LIMIT_S = 5.0


def row(minute: float, price: str | int = 100) -> str:
    """Return a row of the minute that closes at `T0` plus so many."""
    return f"{T0 + int((minute - 1) * MINUTE_MS)},{price},{price},{price},{price},1"


PLAIN = tuple(row(minute) for minute in range(-1, 4))
"""Two bars of history, three to trade."""


def market(folder: Path, rows: Sequence[str] = PLAIN) -> RecordedMarket:
    file = folder / "COINUSDT_1m.csv"
    file.write_text("\n".join(["ts,open,high,low,close,volume", *rows, ""]))
    return RecordedMarket.open(folder, start=T0, frames=("1m",))


def a_feed(
    source: RecordedMarket,
    *,
    audiences: Sequence[Audience] = (),
    pause_s: float = 0.0,
    fetch: Callable[..., None] = lambda job, reply: reply(job()),
    ended: list[bool] | None = None,
) -> Alone:
    """Return a feed with nobody else to wait for."""
    at_end = [] if ended is None else ended
    return Alone(
        "feed",
        lambda system, seat: Feed(
            system,
            seat,
            memory=FeedMemory(("1m",)),
            source=source,
            audiences=audiences,
            frames=("1m",),
            fetch=fetch,
            pause_s=lambda at, following: pause_s,
            settle_limit_s=SETTLE_LIMIT_S,
            at_end=lambda: at_end.append(True),
        ),
    )


def kinds(alone: Alone) -> list[str]:
    return [type(event).__name__ for event in alone.said]


def closed(alone: Alone) -> list[int]:
    """Return the minutes that have closed, counted from the beginning of trading."""
    return [(event.at - T0) // MINUTE_MS for event in alone.said_of(BarsClosed)]


# -- one after another -----------------------------------------------------------------------------------------------


def test_a_market_is_opened_its_history_told_and_its_bars_closed_to_the_end(tmp_path: Path) -> None:
    ended: list[bool] = []

    alone = a_feed(market(tmp_path), ended=ended).live()

    assert kinds(alone) == ["SourceOpened", "HistoryLoaded", *["BarsClosed", "FramesClosed"] * 3, "MarketEnded"]
    assert [len(event.bars) for event in alone.said_of(HistoryLoaded)] == [2]
    assert closed(alone) == [1, 2, 3]
    assert alone.stage.clock.market_ms() == T0 + 3 * MINUTE_MS
    assert ended == [True]


def test_nothing_follows_before_what_came_of_the_last_is_settled(tmp_path: Path) -> None:
    alone = a_feed(market(tmp_path), audiences=BOTH)
    alone.hold_settling()
    alone.live()

    said = [kinds(alone)]
    for _ in range(3):
        alone.forget()
        alone.let_settle()
        said.append(kinds(alone))

    assert said == [["SourceOpened", "HistoryLoaded"], ["BarsClosed"], ["FramesClosed"], ["Offered"]]


def test_strategies_are_offered_a_bar_one_after_another_in_their_order(tmp_path: Path) -> None:
    alone = a_feed(market(tmp_path), audiences=BOTH)
    alone.hold_settling()
    alone.live()
    until_offered(alone)

    alone.happen(answered(strategy="one", at=T0 + MINUTE_MS))
    before = [offer.strategy for offer in alone.said_of(Offered)]
    alone.let_settle()

    assert before == ["one"]
    assert [(offer.strategy, offer.attempt) for offer in alone.said_of(Offered)] == [("one", 0), ("two", 0)]


def until_offered(alone: Alone) -> None:
    while not alone.said_of(Offered):
        alone.let_settle()


def test_a_strategy_that_is_down_for_good_is_passed_over_on_record(tmp_path: Path) -> None:
    alone = a_feed(market(tmp_path), audiences=BOTH[:1]).live()

    skipped = [(event.strategy, event.at, event.attempt) for event in alone.said_of(OfferSkipped)]
    assert skipped == [("one", T0 + minute * MINUTE_MS, 0) for minute in (1, 2, 3)]
    assert closed(alone) == [1, 2, 3]


def test_a_strategy_is_offered_only_the_time_frame_it_decides_on(tmp_path: Path) -> None:
    alone = a_feed(market(tmp_path), audiences=[Audience("one", {"COINUSDT": "1h"})]).live()

    assert alone.said_of(Offered) == []
    assert closed(alone) == [1, 2, 3]


def test_an_order_that_never_came_to_be_has_its_strategy_asked_anew_for_the_same_bar(tmp_path: Path) -> None:
    alone = a_feed(market(tmp_path), audiences=BOTH[:1])
    alone.hold_settling()
    alone.live()
    until_offered(alone)
    alone.happen(answered(strategy="one", at=T0 + MINUTE_MS))

    alone.happen(absent(at=T0 + MINUTE_MS))
    alone.let_settle()

    offers = [(offer.at - T0, offer.attempt) for offer in alone.said_of(Offered)]
    assert offers == [(MINUTE_MS, 0), (MINUTE_MS, 1)]
    assert closed(alone) == [1]


def absent(at: int) -> OrderAbsent:
    return OrderAbsent("h1", "a test", proposal_id(strategy="one", at=at, attempt=0, index=0))


def test_an_order_of_an_earlier_bar_that_never_came_to_be_asks_nobody(tmp_path: Path) -> None:
    alone = a_feed(market(tmp_path), audiences=BOTH[:1])
    alone.hold_settling()
    alone.live()
    until_offered(alone)
    alone.happen(answered(strategy="one", at=T0 + MINUTE_MS))
    alone.let_settle()

    alone.happen(absent(at=T0 + MINUTE_MS))
    alone.let_settle()

    assert [(offer.at - T0) // MINUTE_MS for offer in alone.said_of(Offered)] == [1]
    assert closed(alone) == [1, 2]


def test_an_order_that_never_came_to_be_asks_nobody_where_its_bar_is_too_old_by_now(tmp_path: Path) -> None:
    alone = a_feed(market(tmp_path), audiences=BOTH[:1])
    alone.hold_settling()
    alone.live()
    until_offered(alone)
    alone.happen(answered(strategy="one", at=T0 + MINUTE_MS))

    alone.happen(absent(at=T0 + MINUTE_MS), at=T0 + 2 * MINUTE_MS + 1)
    alone.let_settle()

    assert [(offer.at - T0, offer.attempt) for offer in alone.said_of(Offered)] == [(MINUTE_MS, 0)]
    assert [(skipped.at - T0, skipped.attempt) for skipped in alone.said_of(OfferSkipped)] == [(MINUTE_MS, 1)]
    alone.let_settle()
    assert closed(alone) == [1, 2]


# -- pauses, patience and the end ------------------------------------------------------------------------------------


def test_the_market_pauses_between_two_bars_as_long_as_its_pace_asks(tmp_path: Path) -> None:
    alone = a_feed(market(tmp_path), pause_s=2.0).live()

    minutes = [closed(alone)]
    for _ in range(3):
        alone.rest(2.0)
        minutes.append(closed(alone))

    assert minutes == [[], [1], [1, 2], [1, 2, 3]]


def test_who_keeps_the_market_waiting_is_named_after_a_while_and_again(tmp_path: Path) -> None:
    alone = a_feed(market(tmp_path))
    alone.hold_settling()
    alone.live()

    alone.rest(SETTLE_LIMIT_S - 0.1)
    in_time = list(alone.told)
    alone.rest(2 * SETTLE_LIMIT_S)

    assert in_time == []
    assert [name for name, _ in alone.told] == ["health"] * 2
    assert all(isinstance(message, Unsettled) and "somebody: waits" in message.parts[0] for _, message in alone.told)


def test_a_pause_is_nobodys_fault(tmp_path: Path) -> None:
    alone = a_feed(market(tmp_path), pause_s=10 * SETTLE_LIMIT_S).live()

    alone.rest(5 * SETTLE_LIMIT_S)

    assert alone.told == []


def test_the_end_is_recorded_once_and_told_in_every_life(tmp_path: Path) -> None:
    ended: list[bool] = []
    alone = a_feed(market(tmp_path), ended=ended).live()

    alone.crash()

    assert len(alone.said_of(MarketEnded)) == 1
    assert ended == [True, True]


# -- history ---------------------------------------------------------------------------------------------------------


def test_no_bar_is_traded_before_the_history_is_here(tmp_path: Path) -> None:
    replies: list[Callable[[Any], None]] = []
    source = market(tmp_path)
    alone = a_feed(source, fetch=lambda job, reply: replies.append(reply)).live()

    before = (kinds(alone), alone.switchboard.unsettled())
    replies[0](source.history("COINUSDT", "1m"))
    alone.rest()

    assert before == (["SourceOpened"], ("feed: waits for an answer",))
    assert kinds(alone)[1:3] == ["HistoryLoaded", "BarsClosed"]


def test_a_history_that_cannot_be_read_ends_the_life_and_is_tried_again_by_the_next(tmp_path: Path) -> None:
    gone = SourceUnavailable("OSError: gone")
    outcomes: list[Sequence[Bar] | SourceUnavailable] = [gone, gone, ()]
    alone = a_feed(market(tmp_path), fetch=lambda job, reply: reply(outcomes.pop(0))).live()

    crashes = [report.reason for report in alone.reports if isinstance(report, CrashReport)]
    assert len(crashes) == 2
    assert "history of COINUSDT 1m cannot be read: OSError: gone" in crashes[0]
    assert closed(alone) == [1, 2, 3]


# -- deaths ----------------------------------------------------------------------------------------------------------

BROKEN = (*map(row, (-1, 0, 1)), row(2, "nonsense"), row(2, 1_000_000), row(3), row(4, 0), row(7), row(8))
"""What is not believed: a price that is none, one that is absurd, one of nothing; and then a gap."""


def refused(alone: Alone) -> list[tuple[str, int]]:
    """Return what was refused, with the minute that it was to close at."""
    return [(event.fault, (event.opened_at - T0) // MINUTE_MS + 1) for event in alone.said_of(RowRefused)]


def test_a_row_that_is_not_believed_is_recorded_with_why_and_the_market_goes_on(tmp_path: Path) -> None:
    alone = a_feed(market(tmp_path, [*BROKEN, row(3), row(9)])).live()

    broken = [("unreadable", 2), ("absurd", 2), ("gap", 2), ("absurd", 4), ("gap", 4), ("out_of_order", 3)]
    assert refused(alone) == broken
    assert closed(alone) == [1, 3, 7, 8, 9]


def test_what_was_not_believed_of_a_history_is_recorded_with_it_once(tmp_path: Path) -> None:
    history = [*map(row, range(-9, -5)), "162333", row(-5), row(-5), row(-3, "nonsense"), row(-1), row(0), row(0)]

    alone = a_feed(market(tmp_path, [*history, *PLAIN[2:], "1623"])).live()

    of_history = [("unreadable", -6), ("duplicate", -5), ("unreadable", -3), ("gap", -4)]
    assert refused(alone) == [*of_history, ("out_of_order", 0), ("unreadable", 3)]
    assert kinds(alone)[:7] == ["SourceOpened", "HistoryLoaded", *["RowRefused"] * 5]


LATE = (*map(row, (-1, 0, -1, 1, 2)), "1623", row(1), row(3), "162333")
"""Rows that come late: after the last of the history, in the midst, and a line at the end that was cut."""


@pytest.mark.parametrize("rows", [PLAIN, BROKEN, LATE], ids=["plain", "broken", "late"])
def test_a_feed_that_dies_after_any_event_reads_on_and_says_each_thing_once(
    tmp_path: Path, rows: Sequence[str]
) -> None:
    """A row that was refused is read again by the next life, and not recorded again."""
    source = market(tmp_path, rows)
    spared = a_feed(source, audiences=BOTH[:1]).live()

    for events in range(1, len(spared.said)):
        alone = a_feed(source, audiences=BOTH[:1])
        alone.crash_after(events)
        alone.live()

        assert alone.said == spared.said, f"died after {events} events"
        assert alone.crashes() == 1
