"""The laws of the venue's desk: it speaks with the venue in order, and shows a simulated one each bar once."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from decimal import Decimal
from pathlib import Path

import pytest

from actors.venue import VenueDesk, VenueMemory
from domain.market import HOUR_MS, MINUTE_MS, Bar, Instant
from domain.order import Terms
from domain.venue import AccountReply, Answer, OrderNotFound, OrderSeen, Reply, Unproven, Venue
from gateways.paper import PaperSettings, PaperVenue
from messages.market import SourceOpened
from messages.orders import CancelOrder, LookUpOrder, SubmitOrder, VenueAnswered, VenueReported
from tests.actors.alone import Alone
from tests.actors.values import INSTRUMENTS, T0, D, bars_closed, seen, some_terms

SETTINGS = PaperSettings(latency_ms=0, slippage_bps=D(0), fee_maker_bps=D(0), fee_taker_bps=D(0))
HALF_OF_A_BAR = 100
"""A bar of these laws trades 1000, of which a tenth may be ours: 100 at most."""
LATER = SourceOpened(description="the next day", symbols=("COINUSDT",), starts_at=T0 + HOUR_MS)


def a_desk(venue: Venue) -> Alone:
    return Alone("venue", lambda system, seat: VenueDesk(system, seat, memory=VenueMemory(), venue=venue))


@pytest.fixture
def paper(tmp_path: Path) -> Iterator[PaperVenue]:
    deposit = {"USDT": D(1_000_000)}
    path = tmp_path / "venue.db"
    with closing(PaperVenue.open(path, instruments=INSTRUMENTS, deposit=deposit, settings=SETTINGS)) as venue:
        yield venue


def filled(alone: Alone, client_id: str = "h1") -> Decimal:
    """Return how much of an order has been traded, as the venue tells when it is asked."""
    alone.tell(LookUpOrder(99, client_id, "COINUSDT"))
    (answer,) = [each.answer for each in alone.told_of(VenueAnswered) if each.request_id == 99]
    alone.forget()
    assert isinstance(answer, OrderSeen)
    return sum((fill.quantity for fill in answer.fills), D(0))


class Deferred:
    """A venue that answers when the test says so, and notes what it is asked and shown."""

    def __init__(self) -> None:
        self.asked: list[str] = []
        self.shown: list[tuple[Instant, int]] = []
        self.replies: list[Reply] = []
        self.report: Callable[[OrderSeen], None] = lambda seen: None

    def watch(self, report: Callable[[OrderSeen], None]) -> None:
        self.report = report

    def submit(self, terms: Terms, reply: Reply) -> None:
        self._take(f"submit {terms.client_id}", reply)

    def cancel(self, client_id: str, symbol: str, reply: Reply) -> None:
        self._take(f"cancel {client_id} {symbol}", reply)

    def look_up(self, client_id: str, symbol: str, reply: Reply, *, since: Instant = 0) -> None:
        self._take(f"look up {client_id} {symbol}", reply)

    def tell_account(self, reply: AccountReply) -> None:
        self._take("tell account", reply)  # type: ignore[arg-type]

    def show(self, at: Instant, bars: Sequence[Bar]) -> None:
        self.shown.append((at, len(bars)))

    def close(self) -> None:
        pass

    def _take(self, what: str, reply: Reply) -> None:
        self.asked.append(what)
        self.replies.append(reply)


# -- requests and answers --------------------------------------------------------------------------------------------


def test_requests_go_to_the_venue_in_their_order_and_answers_come_back_with_their_numbers() -> None:
    venue = Deferred()
    desk = a_desk(venue).live()

    desk.tell(SubmitOrder(1, some_terms("h1")))
    desk.tell(LookUpOrder(2, "h0", "COINUSDT"))
    desk.tell(CancelOrder(3, "h0", "COINUSDT"))
    answers: list[Answer] = [seen("h1"), OrderNotFound("h0"), Unproven("h0", "a reset")]
    for reply, said in zip(reversed(venue.replies), reversed(answers), strict=True):
        reply(said)
    desk.rest()

    assert venue.asked == ["submit h1", "look up h0 COINUSDT", "cancel h0 COINUSDT"]
    assert desk.told == [("executor", VenueAnswered(number, answers[number - 1])) for number in (3, 2, 1)]


def test_what_the_venue_tells_unasked_is_passed_on_as_a_report() -> None:
    venue = Deferred()
    desk = a_desk(venue).live()

    venue.report(seen("h1", "expired"))
    desk.rest()

    assert desk.told == [("executor", VenueReported(seen("h1", "expired")))]


def test_an_answer_that_never_comes_holds_nobody_up_here_for_whoever_asked_knows_how_long_to_wait() -> None:
    venue = Deferred()
    desk = a_desk(venue).live()

    desk.tell(SubmitOrder(1, some_terms()))
    desk.rest()

    assert len(venue.replies) == 1
    assert desk.switchboard.unsettled() == ()


def test_an_answer_to_a_desk_that_is_gone_is_told_to_nobody() -> None:
    venue = Deferred()
    desk = a_desk(venue).live()
    desk.tell(SubmitOrder(1, some_terms()))
    old_reply, old_report = venue.replies[0], venue.report

    desk.crash()
    old_reply(seen())
    old_report(seen())
    desk.rest()

    assert desk.told == []
    assert desk.switchboard.unsettled() == ()


# -- showing bars ----------------------------------------------------------------------------------------------------


def test_each_bar_is_shown_once() -> None:
    venue = Deferred()
    desk = a_desk(venue).live()

    desk.happen(bars_closed(T0), at=T0)
    desk.tell(LookUpOrder(1, "h0", "COINUSDT"))
    desk.happen(bars_closed(T0 + MINUTE_MS), at=T0 + MINUTE_MS)

    assert venue.shown == [(T0, 1), (T0 + MINUTE_MS, 1)]


def test_a_desk_that_comes_to_life_shows_the_newest_bars_before_it_asks_anything() -> None:
    venue = Deferred()
    desk = a_desk(venue)
    desk.happen(bars_closed(T0), bars_closed(T0 + MINUTE_MS), at=T0 + MINUTE_MS)

    desk.live()

    assert venue.shown == [(T0 + MINUTE_MS, 1)]


def test_old_bars_do_nothing_at_the_time_of_a_source_that_was_opened_later(paper: PaperVenue) -> None:
    desk = a_desk(paper).live()
    desk.happen(bars_closed(T0), at=T0)
    desk.tell(SubmitOrder(1, some_terms("h1", 2 * HALF_OF_A_BAR)))
    desk.happen(bars_closed(T0 + MINUTE_MS), at=T0 + MINUTE_MS)
    once = filled(desk)

    desk.happen(LATER)
    opened = filled(desk)
    desk.crash()
    restarted = filled(desk)

    assert [once, opened, restarted] == [HALF_OF_A_BAR] * 3
    assert desk.told == []


def test_the_bars_of_a_source_that_was_opened_later_go_on_where_the_old_ones_ended(paper: PaperVenue) -> None:
    desk = a_desk(paper).live()
    desk.happen(bars_closed(T0), at=T0)
    desk.tell(SubmitOrder(1, some_terms("h1", 2 * HALF_OF_A_BAR)))
    desk.happen(bars_closed(T0 + MINUTE_MS), LATER, at=T0 + MINUTE_MS)
    desk.crash()

    desk.happen(bars_closed(T0 + HOUR_MS + MINUTE_MS), at=T0 + HOUR_MS + MINUTE_MS)

    assert filled(desk) == 2 * HALF_OF_A_BAR


def test_bars_that_are_shown_again_by_a_desk_that_came_back_fill_nothing_twice_and_wait_for_a_question(
    paper: PaperVenue,
) -> None:
    desk = a_desk(paper).live()
    desk.happen(bars_closed(T0), at=T0)
    desk.tell(SubmitOrder(1, some_terms("h1", 2 * HALF_OF_A_BAR)))
    desk.happen(bars_closed(T0 + MINUTE_MS), at=T0 + MINUTE_MS)
    (first,) = desk.told_of(VenueReported)
    desk.forget()

    desk.crash()
    unasked = desk.told_of(VenueReported)
    desk.tell(LookUpOrder(2, "h1", "COINUSDT"))

    assert unasked == []
    assert desk.told_of(VenueAnswered) == [VenueAnswered(2, first.seen)]
    assert filled(desk) == HALF_OF_A_BAR
