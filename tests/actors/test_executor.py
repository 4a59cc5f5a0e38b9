"""The laws of the executor: what it records and asks for whatever a venue says, and that it never sends twice."""

from collections.abc import Mapping
from typing import Any

import msgspec
import pytest

from actors.executor import NO_STRAYS, Executor
from actors.executor_memory import ExecutorMemory
from domain.execution import Execution
from domain.market import HOUR_MS, MINUTE_MS
from domain.order import DEADLINE_MAX_MS, Order
from domain.proposal import Exit
from domain.venue import Answer, OrderNotFound, Refused, Unproven, VenueProfile
from gateways.paper import PaperSettings, profile_of
from messages.base import Event
from messages.node import OrdersAsked
from messages.orders import (
    CancelIntended,
    CancelOrder,
    ForeignOrderSeen,
    LookUpOrder,
    OrderAbsent,
    OrderAccepted,
    OrderCanceled,
    OrderExpired,
    OrderFilled,
    OrderIntended,
    OrderRejected,
    OrderUnresolved,
    SubmitOrder,
    VenueAnswered,
    VenueReported,
)
from messages.parts import PartStarted
from messages.reconciliation import CertaintyAsked, OrdersCertain
from messages.risk import OrderDenied
from supervision import CrashReport
from tests.actors.alone import Alone
from tests.actors.values import (
    INSTRUMENTS,
    RESTORED,
    SALVAGED,
    T0,
    D,
    a_fill,
    an_entry,
    answered,
    approved,
    bars_closed,
    commanded,
    intended,
    seen,
    some_terms,
)

STRICT = VenueProfile(
    enforces_deadline=True,
    in_flight_outlives_us=True,
    visibility_lag_ms=2_000,
    skew_ms=1_000,
    negatives_needed=2,
    answer_within_s=10.0,
    look_again_s=1.0,
    market_lock=D("0.05"),
    fee_lock=D("0.001"),
)
"""A venue far away: silence proves nothing, and absence only after the deadline."""
PAPER = profile_of(PaperSettings(), "USDT")
PROPOSAL = approved().proposal_id
TOO_LATE = some_terms().valid_until + STRICT.skew_ms + STRICT.visibility_lag_ms + 1


def an_executor(
    *past: Event,
    profile: VenueProfile = STRICT,
    strays: Mapping[str, str] = NO_STRAYS,
    resting: tuple[str, ...] = (),
) -> Alone:
    """Return an executor that has come to life with this past."""
    alone = Alone(
        "executor",
        lambda system, seat: Executor(
            system,
            seat,
            memory=ExecutorMemory(),
            instruments=INSTRUMENTS,
            generation=1,
            profile=profile,
            deadline_ms=MINUTE_MS,
            strays=strays,
            resting=resting,
        ),
    )
    alone.happen(bars_closed(), *past, at=T0)
    return alone.live()


def known(alone: Alone) -> Execution:
    return msgspec.json.decode(alone.ask(OrdersAsked()), type=Execution)


def order_of(alone: Alone, client_id: str) -> Order:
    order = known(alone).order(client_id)
    assert order is not None
    return order


def sent(alone: Alone, **entry: Any) -> SubmitOrder:
    """Have an entry approved, and return what was sent for it."""
    alone.happen(approved(an_entry(**entry)))
    submit = alone.told_of(SubmitOrder)[-1]
    assert isinstance(submit, SubmitOrder)
    return submit


def answer(alone: Alone, request: SubmitOrder | CancelOrder | LookUpOrder, said: Answer) -> None:
    alone.tell(VenueAnswered(request.request_id, said))


# -- every answer to every request, in every state of an order -------------------------------------------------------

KINDS = ("submit", "cancel", "lookup", "report")
OPEN = ("intended", "unresolved", "accepted", "partial")
FINISHED = ("filled", "canceled", "expired", "rejected", "absent")

LETTERS: dict[type, str] = {
    OrderAccepted: "A",
    OrderFilled: "F",
    OrderCanceled: "C",
    OrderExpired: "X",
    OrderRejected: "R",
    OrderUnresolved: "U",
    OrderAbsent: "N",
    OrderIntended: "I",
    CancelIntended: "c",
}
SEEN = ("accepted", "partial", "filled", "canceled", "expired", "rejected")
"""How a venue may show an order: `partial` with one trade, `filled` with two, `canceled` and `expired` with one."""
PROVES = {
    "intended": ("A", "AF", "AFF", "AFC", "AFX", "R"),
    "unresolved": ("A", "AF", "AFF", "AFC", "AFX", "R"),
    "accepted": ("", "F", "FF", "FC", "FX", "R"),
    "partial": ("", "", "F", "C", "X", "R"),
    "filled": ("", "", "", "", "", ""),
    "canceled": ("", "F", "FF", "F", "F", ""),
    "expired": ("", "F", "FF", "F", "F", ""),
    "rejected": ("", "F", "FF", "F", "F", ""),
    "absent": ("", "F", "FF", "F", "F", ""),
}
"""For an order in some state, the events that each way of being seen leads to, as letters."""


def becoming(state: str, client_id: str) -> list[Event]:
    """Return the events that bring an intended order into a state."""
    accepted = OrderAccepted(client_id, "v1", "report")
    first = OrderFilled(a_fill(client_id, "0.4", "t1"), "one", "report")
    rest = OrderFilled(a_fill(client_id, "0.6", "t2"), "one", "report")
    histories: dict[str, list[Event]] = {
        "intended": [],
        "unresolved": [OrderUnresolved(client_id, "a test")],
        "accepted": [accepted],
        "partial": [accepted, first],
        "filled": [accepted, first, rest],
        "canceled": [accepted, OrderCanceled(client_id, "report")],
        "expired": [accepted, OrderExpired(client_id, "report")],
        "rejected": [OrderRejected(client_id, "NO", "no", "report")],
        "absent": [OrderAbsent(client_id, "a test", PROPOSAL)],
    }
    return histories[state]


def shown(how: str, client_id: str) -> Answer:
    """Return a venue's view of an order."""
    fills = (a_fill(client_id, "0.4", "t1"), a_fill(client_id, "0.6", "t2"))
    trades = {"partial": 1, "filled": 2, "canceled": 1, "expired": 1}.get(how, 0)
    return seen(client_id, "accepted" if how == "partial" else how, *fills[:trades])


def awaiting(kind: str, state: str) -> tuple[Alone, int, str]:
    """Return an executor that awaits the answer to a request about an order in a state, and that request's number."""
    if kind == "lookup":
        terms = some_terms()
        before = becoming(state, terms.client_id) if state in OPEN else []
        alone = an_executor(approved(), intended(terms, PROPOSAL), *before)
        (asked,) = alone.told_of(LookUpOrder)
        if not before:
            alone.happen(*becoming(state, terms.client_id))
    else:
        alone = an_executor()
        asked = sent(alone)
        terms = asked.terms
        if kind == "cancel":
            answer(alone, asked, seen(terms.client_id))
            alone.happen(commanded("cancel-all"))
            (asked,) = alone.told_of(CancelOrder)
        alone.happen(*becoming(state, terms.client_id))
    alone.forget()
    return alone, asked.request_id if kind != "report" else 0, terms.client_id


def letters(alone: Alone) -> str:
    return "".join(LETTERS[type(event)] for event in alone.said)


def cases(*states: str) -> list[tuple[str, str]]:
    """Return each kind of request with each state; what is to be cancelled was accepted before."""
    return [(kind, state) for kind in KINDS for state in states if (kind, state) not in NEVER]


NEVER = {("cancel", "intended"), ("cancel", "unresolved"), ("cancel", "rejected"), ("cancel", "absent")}


@pytest.mark.parametrize("how", SEEN)
@pytest.mark.parametrize(("kind", "state"), cases(*OPEN, *FINISHED))
def test_what_a_venue_shows_of_an_order_is_recorded_as_far_as_it_is_new(kind: str, state: str, how: str) -> None:
    alone, request_id, client_id = awaiting(kind, state)

    alone.tell(VenueAnswered(request_id, shown(how, client_id)))

    assert letters(alone) == PROVES[state][SEEN.index(how)]
    assert not alone.told_of(SubmitOrder)


@pytest.mark.parametrize("said", ["not found", "refused", "unproven"])
@pytest.mark.parametrize(("kind", "state"), cases(*OPEN, *FINISHED))
def test_what_proves_nothing_leaves_an_order_unresolved_and_a_refused_submit_rejects_it(
    kind: str, state: str, said: str
) -> None:
    alone, request_id, client_id = awaiting(kind, state)

    alone.tell(VenueAnswered(request_id, saying(said, client_id)))

    if kind == "submit" and said == "refused" and state in ("intended", "unresolved"):
        assert letters(alone) == "R"
    else:
        assert letters(alone) == ("U" if state == "intended" else "")
    assert not alone.told_of(SubmitOrder)


def saying(what: str, client_id: str) -> Answer:
    answers: dict[str, Answer] = {
        "not found": OrderNotFound(client_id),
        "refused": Refused(client_id, "NO", "no"),
        "unproven": Unproven(client_id, "a reset"),
    }
    return answers[what]


@pytest.mark.parametrize("said", ["not found", "refused", "unproven"])
@pytest.mark.parametrize(("kind", "state"), [case for case in cases(*OPEN) if case[0] != "report"])
def test_an_open_order_of_which_nothing_was_proven_is_asked_about_after_a_while(
    kind: str, state: str, said: str
) -> None:
    alone, request_id, client_id = awaiting(kind, state)

    alone.tell(VenueAnswered(request_id, saying(said, client_id)))
    at_once = alone.told_of(LookUpOrder)
    alone.rest(STRICT.look_again_s)

    was_rejected = kind == "submit" and said == "refused" and state in ("intended", "unresolved")
    assert at_once == []
    assert [asked.client_id for asked in alone.told_of(LookUpOrder)] == ([] if was_rejected else [client_id])


@pytest.mark.parametrize("how", SEEN)
@pytest.mark.parametrize(("kind", "state"), cases(*OPEN, *FINISHED))
def test_an_order_that_was_seen_is_not_asked_about_again_unless_its_cancel_did_not_take(
    kind: str, state: str, how: str
) -> None:
    alone, request_id, client_id = awaiting(kind, state)

    alone.tell(VenueAnswered(request_id, shown(how, client_id)))
    alone.rest(5 * STRICT.look_again_s)

    is_still_there = kind == "cancel" and how in ("accepted", "partial") and state in OPEN
    assert [asked.client_id for asked in alone.told_of(LookUpOrder)] == ([client_id] if is_still_there else [])


@pytest.mark.parametrize("said", ["not found", "refused", "unproven"])
@pytest.mark.parametrize(("kind", "state"), [case for case in cases(*FINISHED) if case[0] != "report"])
def test_an_order_that_is_finished_is_not_asked_about_whatever_a_late_answer_says(
    kind: str, state: str, said: str
) -> None:
    alone, request_id, client_id = awaiting(kind, state)

    alone.tell(VenueAnswered(request_id, saying(said, client_id)))
    alone.rest(5 * STRICT.look_again_s)

    assert alone.told == []
    assert order_of(alone, client_id).state == state


# -- intents and sends -----------------------------------------------------------------------------------------------


def test_nothing_is_sent_before_its_intent_is_on_disk() -> None:
    alone = an_executor()
    alone.stall_disk()

    alone.happen(approved())
    before = (alone.said_of(OrderIntended), alone.told_of(SubmitOrder))
    alone.stall_disk(is_stalled=False)

    (intent,), told = before
    assert told == []
    assert [submit.terms for submit in alone.told_of(SubmitOrder)] == [intent.terms]


def test_an_intent_whose_send_was_not_released_is_looked_up_by_the_next_life_and_never_sent() -> None:
    alone = an_executor()
    alone.stall_disk()
    alone.happen(approved())
    (intent,) = alone.said_of(OrderIntended)

    alone.crash()
    alone.stall_disk(is_stalled=False)

    assert alone.told_of(SubmitOrder) == []
    assert [asked.client_id for asked in alone.told_of(LookUpOrder)] == [intent.terms.client_id]


def test_a_life_that_ended_before_it_said_anything_is_lived_again_with_the_same_order_id() -> None:
    spared = sent(an_executor())
    alone = an_executor()

    alone.happen_amid_a_crash(approved())

    assert [submit.terms for submit in alone.told_of(SubmitOrder)] == [spared.terms]
    assert len(alone.said_of(OrderIntended)) == 1


def test_an_order_that_was_sent_is_looked_up_after_a_crash_and_not_sent_again() -> None:
    alone = an_executor()
    submit = sent(alone)
    alone.forget()

    alone.crash()
    (asked,) = alone.told_of(LookUpOrder)
    answer(alone, asked, seen(submit.terms.client_id, "filled", a_fill(submit.terms.client_id)))

    assert asked.client_id == submit.terms.client_id
    assert alone.told_of(SubmitOrder) == []
    assert letters(alone) == "AF"


def test_nothing_new_is_begun_before_the_venue_was_heard_of_every_unfinished_order() -> None:
    first, second = some_terms("h1"), some_terms("h2", symbol="GOLDUSDT")
    past = (approved(), intended(first, PROPOSAL), intended(second), approved(index=1))
    alone = an_executor(*past)

    asked = alone.told_of(LookUpOrder)
    answer(alone, asked[0], seen(asked[0].client_id))
    in_between = alone.told_of(SubmitOrder)
    answer(alone, asked[1], seen(asked[1].client_id))

    assert sorted(each.client_id for each in asked) == ["h1", "h2"]
    assert in_between == []
    assert len(alone.told_of(SubmitOrder)) == 1


@pytest.mark.parametrize("said", ["not found", "unproven"])
def test_an_unfinished_order_whose_fate_stays_unknown_keeps_everything_new_waiting(said: str) -> None:
    alone = an_executor(approved(), intended(some_terms(), PROPOSAL), approved(index=1))

    for _ in range(3):
        answer(alone, alone.told_of(LookUpOrder)[-1], saying(said, "h1"))
        alone.rest(STRICT.look_again_s)

    assert alone.told_of(SubmitOrder) == []
    assert len(alone.told_of(LookUpOrder)) == 4
    assert "executor: waits for an answer" in alone.switchboard.unsettled()


def test_an_order_that_the_venue_had_and_denies_keeps_nothing_of_others_waiting() -> None:
    """A venue that forgot one order must not leave all that is held without protection, nor a start without verdict."""
    alone = an_executor(
        approved(),
        intended(some_terms(), PROPOSAL),
        OrderAccepted("h1", "v1", "answer"),
        approved(an_entry(symbol="GOLDUSDT"), index=1),
    )
    alone.happen(bars_closed(TOO_LATE), at=TOO_LATE)
    alone.tell(CertaintyAsked())

    looked_up(alone, 2, OrderNotFound("h1"))
    early = alone.told_of(SubmitOrder, OrdersCertain)
    looked_up(alone, 1, OrderNotFound("h1"))

    assert early == []
    assert [submit.terms.symbol for submit in alone.told_of(SubmitOrder)] == ["GOLDUSDT"]
    assert len(alone.told_of(OrdersCertain)) == 1
    assert order_of(alone, "h1").state == "accepted"


def test_an_unfinished_order_that_a_report_ends_before_its_look_up_is_answered_blocks_nothing() -> None:
    alone = an_executor(approved(), intended(some_terms(), PROPOSAL), approved(index=1))

    alone.tell(VenueReported(seen("h1", "filled", a_fill("h1"))))

    assert len(alone.told_of(SubmitOrder)) == 1
    assert len(alone.told_of(LookUpOrder)) == 1


def test_what_waits_for_the_executor_is_told_as_open_work_until_the_last_answer() -> None:
    alone = an_executor()
    submit = sent(alone)

    in_between = alone.switchboard.unsettled()
    answer(alone, submit, seen(submit.terms.client_id))

    assert in_between == ("executor: waits for an answer",)
    assert alone.switchboard.unsettled() == ()


# -- silence and late answers ----------------------------------------------------------------------------------------


def test_a_request_without_an_answer_in_time_leaves_the_order_unresolved_and_looked_up() -> None:
    alone = an_executor()
    sent(alone)

    alone.rest(STRICT.answer_within_s - 0.1)
    in_time = (letters(alone), alone.told_of(LookUpOrder))
    alone.rest(0.2)
    overdue = (letters(alone), alone.told_of(LookUpOrder))
    alone.rest(STRICT.look_again_s)

    assert in_time == ("I", [])
    assert overdue == ("IU", [])
    assert len(alone.told_of(LookUpOrder)) == 1
    assert len(alone.told_of(SubmitOrder)) == 1


@pytest.mark.parametrize(("kind", "state"), [case for case in cases(*OPEN, *FINISHED) if case[0] != "report"])
def test_silence_to_any_request_proves_nothing_and_has_an_open_order_looked_up(kind: str, state: str) -> None:
    alone, _, client_id = awaiting(kind, state)

    alone.rest(STRICT.answer_within_s + STRICT.look_again_s + 0.1)

    assert letters(alone) == ("U" if state == "intended" else "")
    assert [asked.client_id for asked in alone.told_of(LookUpOrder)] == ([client_id] if state in OPEN else [])
    assert alone.told_of(SubmitOrder, CancelOrder) == []


def test_once_the_venues_desk_was_started_anew_all_that_is_open_is_asked_about() -> None:
    alone = an_executor()
    submit = sent(alone)
    answer(alone, submit, seen(submit.terms.client_id))
    alone.forget()

    alone.happen(PartStarted("guard", "breaker", 2_000_000))
    assert alone.told_of(LookUpOrder) == []
    alone.happen(PartStarted("guard", "venue", 2_000_001))

    assert [asked.client_id for asked in alone.told_of(LookUpOrder)] == [submit.terms.client_id]


@pytest.mark.parametrize("resting", [("GOLDUSDT",), ()])
def test_an_order_in_a_symbol_that_rests_is_asked_about_and_holds_up_no_other(resting: tuple[str, ...]) -> None:
    alone = an_executor(intended(some_terms("h7", symbol="GOLDUSDT", base="GOLD")), resting=resting)
    (asked,) = alone.told_of(LookUpOrder)
    assert isinstance(asked, LookUpOrder)

    answer(alone, asked, Unproven("h7", "code -1121: Invalid symbol."))
    alone.happen(approved())
    alone.tell(CertaintyAsked())

    assert [submit.terms.symbol for submit in alone.told_of(SubmitOrder)] == (["COINUSDT"] if resting else [])
    assert bool(alone.told_of(OrdersCertain)) == bool(resting)
    assert order_of(alone, "h7").state == "unresolved"


def test_who_is_asked_about_an_order_is_told_since_when_it_can_have_been_sent() -> None:
    alone = an_executor(intended())
    (asked,) = alone.told_of(LookUpOrder)
    assert isinstance(asked, LookUpOrder)

    assert asked.since == some_terms().valid_until - DEADLINE_MAX_MS


def test_silence_after_silence_asks_again_and_again_and_records_the_doubt_once() -> None:
    alone = an_executor()
    sent(alone)

    alone.rest(10 * (STRICT.answer_within_s + STRICT.look_again_s))

    assert letters(alone) == "IU"
    assert 8 <= len(alone.told_of(LookUpOrder)) <= 11


@pytest.mark.parametrize(("how", "recorded"), [("accepted", "A"), ("filled", "AFF"), ("rejected", "R")])
def test_an_answer_that_comes_after_it_was_given_up_still_proves_what_it_shows(how: str, recorded: str) -> None:
    alone = an_executor()
    submit = sent(alone)
    alone.rest(STRICT.answer_within_s + 0.1)
    alone.forget()

    answer(alone, submit, shown(how, submit.terms.client_id))

    assert letters(alone) == recorded


@pytest.mark.parametrize("said", ["not found", "refused", "unproven"])
def test_an_answer_that_comes_after_it_was_given_up_and_shows_nothing_proves_nothing(said: str) -> None:
    alone = an_executor()
    submit = sent(alone)
    alone.rest(STRICT.answer_within_s + 0.1)
    alone.forget()

    answer(alone, submit, saying(said, submit.terms.client_id))
    alone.rest(STRICT.look_again_s)

    assert letters(alone) == ""
    assert len(alone.told_of(LookUpOrder)) == 1
    assert order_of(alone, submit.terms.client_id).state == "unresolved"


def test_the_same_trade_told_by_report_answer_and_look_up_counts_once() -> None:
    alone = an_executor()
    submit = sent(alone)
    view = seen(submit.terms.client_id, "filled", a_fill(submit.terms.client_id))

    alone.tell(VenueReported(view))
    answer(alone, submit, view)
    alone.tell(VenueReported(view))

    assert letters(alone) == "IAF"
    assert order_of(alone, submit.terms.client_id).filled == 1


def test_trades_that_add_up_to_more_than_the_order_are_not_recorded_and_end_the_life() -> None:
    alone = an_executor()
    submit = sent(alone)
    alone.forget()

    answer(alone, submit, seen(submit.terms.client_id, "accepted", a_fill(submit.terms.client_id, "1.01")))

    assert letters(alone) == ""
    assert [report for report in alone.reports if isinstance(report, CrashReport)]
    assert len(alone.told_of(LookUpOrder)) == 1


def test_an_order_that_is_not_ours_is_told_to_the_health_watcher_and_nothing_else() -> None:
    alone = an_executor()

    alone.tell(VenueReported(seen("somebody", "filled", a_fill("somebody"))))
    alone.tell(VenueAnswered(77, OrderNotFound("nobody")))

    filled = ForeignOrderSeen("somebody", "filled, 1 of it filled")
    foreign = [("health", filled), ("health", ForeignOrderSeen("nobody", "not seen"))]
    assert alone.told == foreign
    assert alone.said == []


def test_what_the_venue_has_and_the_journal_does_not_is_cancelled_before_anything_new_is_begun() -> None:
    alone = an_executor(approved(), strays={"h2": "COINUSDT", "h3": "GOLDUSDT"})

    first, second = alone.told_of(CancelOrder)
    assert [(each.client_id, each.symbol) for each in (first, second)] == [("h2", "COINUSDT"), ("h3", "GOLDUSDT")]
    answer(alone, first, seen("h2", "canceled", a_fill("h2", "0.25")))
    assert alone.said == []
    answer(alone, second, OrderNotFound("h3"))

    assert [type(event) for event in alone.said] == [OrderIntended]
    assert [said for to, said in alone.told if to == "health"] == [
        ForeignOrderSeen("h2", "canceled, 0.25 of it filled"),
        ForeignOrderSeen("h3", "not seen"),
    ]


@pytest.mark.parametrize("said", [Unproven("h2", "a time-out"), seen("h2", "accepted")])
def test_a_cancel_of_what_the_journal_does_not_know_is_repeated_until_it_is_proven(said: Answer) -> None:
    alone = an_executor(approved(), strays={"h2": "COINUSDT"})
    for _ in range(3):
        answer(alone, alone.told_of(CancelOrder)[-1], said)
        asked = len(alone.told_of(CancelOrder))
        alone.rest(STRICT.look_again_s + 0.1)
        assert len(alone.told_of(CancelOrder)) == asked + 1
    assert alone.said == []

    answer(alone, alone.told_of(CancelOrder)[-1], seen("h2", "filled", a_fill("h2")))

    assert [type(event) for event in alone.said] == [OrderIntended]


@pytest.mark.parametrize("mend", [RESTORED, SALVAGED])
def test_an_entry_that_was_approved_before_a_journal_was_mended_is_never_sent_anew(mend: Event) -> None:
    alone = an_executor(approved(), mend)

    assert alone.told_of(SubmitOrder) == []
    assert [type(event) for event in alone.said] == [OrderDenied]


def test_an_order_that_was_taken_for_absent_and_turns_up_is_told_to_the_health_watcher() -> None:
    alone = an_executor(approved(), intended(some_terms(), PROPOSAL), OrderAbsent("h1", "a test", PROPOSAL))

    alone.tell(VenueReported(seen("h1", "accepted")))

    assert alone.told == [("health", ForeignOrderSeen("h1", "accepted, and was taken for absent"))]
    assert alone.said == []


# -- absence ---------------------------------------------------------------------------------------------------------


def looked_up(alone: Alone, times: int, said: Answer) -> None:
    """Have an order looked up so many times, each with the same answer."""
    for _ in range(times):
        answer(alone, alone.told_of(LookUpOrder)[-1], said)
        alone.rest(STRICT.look_again_s)


def test_absence_takes_two_negatives_after_the_deadline_and_is_told_with_its_proposal() -> None:
    alone = an_executor(approved(), intended(some_terms(), PROPOSAL))

    looked_up(alone, 3, OrderNotFound("h1"))
    before_the_deadline = letters(alone)
    alone.happen(bars_closed(TOO_LATE), at=TOO_LATE)
    # The first of them was asked before it was too late, and answered after.
    looked_up(alone, 2, OrderNotFound("h1"))
    not_yet = letters(alone)
    looked_up(alone, 1, OrderNotFound("h1"))

    assert before_the_deadline == not_yet == "U"
    assert [event.proposal_id for event in alone.said_of(OrderAbsent)] == [PROPOSAL]
    assert order_of(alone, "h1").state == "absent"


def test_one_negative_after_the_deadline_does_not_prove_absence() -> None:
    alone = an_executor(approved(), intended(some_terms(), PROPOSAL))
    alone.happen(bars_closed(TOO_LATE), at=TOO_LATE)

    looked_up(alone, 2, OrderNotFound("h1"))

    assert letters(alone) == "U"


@pytest.mark.parametrize("said", ["refused", "unproven"])
def test_a_question_that_was_refused_or_failed_is_no_empty_answer(said: str) -> None:
    alone = an_executor(approved(), intended(some_terms(), PROPOSAL), profile=PAPER)
    alone.happen(bars_closed(TOO_LATE), at=TOO_LATE)

    looked_up(alone, 5, saying(said, "h1"))

    assert letters(alone) == "U"
    assert len(alone.told_of(LookUpOrder)) == 6


def test_one_negative_is_enough_where_nothing_in_flight_outlives_the_process() -> None:
    alone = an_executor(approved(), intended(some_terms(), PROPOSAL), profile=PAPER)

    looked_up(alone, 1, OrderNotFound("h1"))

    assert letters(alone) == "N"


def test_an_order_that_was_accepted_is_never_absent() -> None:
    alone = an_executor(approved(), intended(some_terms(), PROPOSAL), OrderAccepted("h1", "v1", "answer"))
    alone.happen(bars_closed(TOO_LATE), at=TOO_LATE)

    looked_up(alone, 5, OrderNotFound("h1"))

    assert letters(alone) == ""
    assert order_of(alone, "h1").state == "accepted"


def test_an_order_that_the_venue_had_and_denies_ends_by_an_operators_word_and_two_negatives_after_it() -> None:
    alone = an_executor(approved(), intended(some_terms(), PROPOSAL), OrderAccepted("h1", "v1", "answer"))
    alone.happen(bars_closed(TOO_LATE), at=TOO_LATE)
    looked_up(alone, 1, seen("h1"))
    alone.forget()

    alone.happen(commanded("settle", target="h1"))
    looked_up(alone, 1, OrderNotFound("h1"))
    after_one = letters(alone)
    looked_up(alone, 1, OrderNotFound("h1"))

    assert (after_one, letters(alone)) == ("", "C")
    assert order_of(alone, "h1").state == "canceled"
    assert known(alone).vouched == {}


def test_what_the_venue_shows_goes_before_an_operators_word() -> None:
    alone = an_executor(approved(), intended(some_terms(), PROPOSAL), OrderAccepted("h1", "v1", "answer"))
    alone.happen(bars_closed(TOO_LATE), at=TOO_LATE)
    looked_up(alone, 1, seen("h1"))
    alone.forget()

    alone.happen(commanded("settle", target="h1"))
    looked_up(alone, 1, seen("h1"))

    assert (letters(alone), len(alone.told_of(LookUpOrder))) == ("", 1)
    assert order_of(alone, "h1").state == "accepted"
    alone.happen(commanded("settle", target="h1"), at=TOO_LATE + 1)
    assert len(alone.told_of(LookUpOrder)) == 2


def test_where_no_deadline_is_enforced_absence_takes_an_operators_word_and_one_that_is_not_too_old() -> None:
    careless = msgspec.structs.replace(STRICT, enforces_deadline=False)
    alone = an_executor(approved(), intended(some_terms(), PROPOSAL), profile=careless)
    alone.happen(bars_closed(TOO_LATE), at=TOO_LATE)
    looked_up(alone, 3, OrderNotFound("h1"))
    without = letters(alone)

    alone.happen(commanded("settle", target="h1"))
    alone.happen(bars_closed(TOO_LATE + 2 * HOUR_MS), at=TOO_LATE + 2 * HOUR_MS)
    looked_up(alone, 3, OrderNotFound("h1"))
    too_old = letters(alone)
    alone.happen(commanded("settle", target="h1"))
    looked_up(alone, 3, OrderNotFound("h1"))

    assert (without, too_old, letters(alone)) == ("U", "U", "UN")
    (absent,) = alone.said_of(OrderAbsent)
    assert absent.detail == "not found 2 times, and op: a test"


# -- cancels, stops and exits ----------------------------------------------------------------------------------------


def test_a_cancel_that_did_not_take_is_asked_for_again_until_the_order_has_ended() -> None:
    alone = an_executor()
    submit = sent(alone)
    client_id = submit.terms.client_id
    answer(alone, submit, seen(client_id))
    alone.happen(commanded("cancel-all"))

    answer(alone, alone.told_of(CancelOrder)[0], Unproven(client_id, "a reset"))
    alone.rest(STRICT.look_again_s)
    answer(alone, alone.told_of(LookUpOrder)[0], seen(client_id))
    answer(alone, alone.told_of(CancelOrder)[1], seen(client_id, "canceled"))
    alone.rest(60)

    assert letters(alone) == "IAcC"
    assert len(alone.told_of(CancelOrder)) == 2


def test_a_restart_asks_for_an_intended_cancel_again_once_the_order_was_seen() -> None:
    alone = an_executor()
    submit = sent(alone)
    client_id = submit.terms.client_id
    answer(alone, submit, seen(client_id))
    alone.happen(commanded("cancel-all"))
    alone.forget()

    alone.crash()
    before = alone.told_of(CancelOrder)
    answer(alone, alone.told_of(LookUpOrder)[0], seen(client_id))

    assert before == []
    assert [cancel.client_id for cancel in alone.told_of(CancelOrder)] == [client_id]


def test_what_was_bought_is_protected_by_a_stop_of_the_same_size() -> None:
    alone = an_executor()
    submit = sent(alone, stop_price=D(90))
    client_id = submit.terms.client_id

    answer(alone, submit, seen(client_id, "filled", a_fill(client_id)))

    stop = alone.told_of(SubmitOrder)[-1].terms
    assert (stop.side, stop.type, stop.leg, stop.stop_price, stop.quantity) == ("sell", "stop", "stop", 90, 1)


def test_a_take_profit_is_judged_by_what_closed_after_its_entry_was_filled() -> None:
    alone = an_executor()
    entry = sent(alone, limit_price=D(80), take_profit=D(90))
    fill = msgspec.structs.replace(a_fill(entry.terms.client_id), at=T0 + 1_000)
    answer(alone, entry, seen(entry.terms.client_id, "filled", fill))
    told = [alone.told_of(SubmitOrder)]

    alone.happen(bars_closed(T0 + MINUTE_MS, 89), at=T0 + MINUTE_MS)
    told.append(alone.told_of(SubmitOrder))
    alone.happen(bars_closed(T0 + 2 * MINUTE_MS, 90), at=T0 + 2 * MINUTE_MS)

    assert told == [[entry], [entry]]
    left = alone.told_of(SubmitOrder)[-1]
    assert isinstance(left, SubmitOrder)
    assert left.terms.leg == "exit"


def test_a_stop_whose_price_is_reached_before_it_rests_is_left_at_the_market_at_once() -> None:
    alone = an_executor()
    entry = sent(alone, stop_price=D(90))
    answer(alone, entry, seen(entry.terms.client_id, "filled", a_fill(entry.terms.client_id)))
    stop = alone.told_of(SubmitOrder)[-1]
    assert isinstance(stop, SubmitOrder)

    answer(alone, stop, Refused(stop.terms.client_id, "-2010", "Stop price would trigger.", is_reached=True))

    left = alone.told_of(SubmitOrder)[-1]
    assert isinstance(left, SubmitOrder)
    assert (left.terms.leg, left.terms.type, left.terms.quantity) == ("exit", "market", stop.terms.quantity)
    assert order_of(alone, stop.terms.client_id).state == "rejected"


def test_a_stop_that_is_refused_for_another_reason_is_tried_again_later_and_nothing_is_left() -> None:
    alone = an_executor()
    entry = sent(alone, stop_price=D(90))
    answer(alone, entry, seen(entry.terms.client_id, "filled", a_fill(entry.terms.client_id)))
    stop = alone.told_of(SubmitOrder)[-1]
    assert isinstance(stop, SubmitOrder)

    answer(alone, stop, Refused(stop.terms.client_id, "-1013", "A filter."))

    assert alone.told_of(SubmitOrder)[-1] == stop
    (plan,) = known(alone).plans.values()
    assert (plan.exit_why, plan.not_before) == ("", T0 + MINUTE_MS)


def test_a_stop_that_is_refused_for_a_reason_that_passes_is_tried_again_soon_and_then_less_and_less_often() -> None:
    alone = an_executor()
    entry = sent(alone, stop_price=D(90))
    answer(alone, entry, seen(entry.terms.client_id, "filled", a_fill(entry.terms.client_id)))

    pauses = []
    for _ in range(7):
        stop = alone.told_of(SubmitOrder)[-1]
        assert isinstance(stop, SubmitOrder)
        answer(alone, stop, Refused(stop.terms.client_id, "-1015", "Too many orders.", passes=True))
        (plan,) = known(alone).plans.values()
        pauses.append(plan.not_before - alone.stage.clock.market_ms())
        alone.happen(bars_closed(plan.not_before), at=plan.not_before)

    last = alone.told_of(SubmitOrder)[-1]
    answer(alone, last, seen(last.terms.client_id))
    assert pauses == [2_000, 4_000, 8_000, 16_000, 32_000, 60_000, 60_000]
    assert len({submit.terms.client_id for submit in alone.told_of(SubmitOrder)}) == 9
    assert [plan.refusals for plan in known(alone).plans.values()] == [0]


def test_a_market_that_does_not_move_keeps_no_position_waiting_for_its_protection() -> None:
    alone = an_executor()
    entry = sent(alone, stop_price=D(90))
    answer(alone, entry, seen(entry.terms.client_id, "filled", a_fill(entry.terms.client_id)))
    stop = alone.told_of(SubmitOrder)[-1]

    for pause_s in (2, 4, 8, 16, 32, 60):
        answer(alone, stop, Refused(stop.terms.client_id, "NOT_SENT", "no connection", passes=True))
        tried = len(alone.told_of(SubmitOrder))
        the_clock_goes_on(alone, pause_s - 1)
        assert len(alone.told_of(SubmitOrder)) == tried
        the_clock_goes_on(alone, 1)
        stop = alone.told_of(SubmitOrder)[-1]
        assert len(alone.told_of(SubmitOrder)) == tried + 1


def test_who_is_due_soon_does_not_wait_for_who_is_due_later() -> None:
    alone = an_executor()
    stops = []
    for index, symbol in enumerate(("COINUSDT", "GOLDUSDT")):
        alone.happen(approved(an_entry(stop_price=D(90), symbol=symbol), index=index), bars_closed(symbol=symbol))
        name = alone.told_of(SubmitOrder)[-1].terms.client_id
        fill = a_fill(name, trade=symbol, symbol=symbol)
        answer(alone, alone.told_of(SubmitOrder)[-1], seen(name, "filled", fill))
        stops.append(alone.told_of(SubmitOrder)[-1])
    answer(alone, stops[0], Refused(stops[0].terms.client_id, "-1013", "a filter"))
    answer(alone, stops[1], Refused(stops[1].terms.client_id, "NOT_SENT", "no connection", passes=True))

    the_clock_goes_on(alone, 2)
    soon = [submit.terms.symbol for submit in alone.told_of(SubmitOrder)[4:]]
    the_clock_goes_on(alone, 58)

    assert soon == ["GOLDUSDT"]
    assert [submit.terms.symbol for submit in alone.told_of(SubmitOrder)[4:]] == ["GOLDUSDT", "COINUSDT"]


def test_a_stop_that_is_refused_for_good_is_tried_again_after_its_minute_by_a_life_that_comes_later_too() -> None:
    alone = an_executor()
    entry = sent(alone, stop_price=D(90))
    answer(alone, entry, seen(entry.terms.client_id, "filled", a_fill(entry.terms.client_id)))
    stop = alone.told_of(SubmitOrder)[-1]
    answer(alone, stop, Refused(stop.terms.client_id, "-1013", "a filter"))

    alone.crash()
    the_clock_goes_on(alone, 60)

    assert len(alone.told_of(SubmitOrder)) == 3


def the_clock_goes_on(alone: Alone, seconds: int) -> None:
    """Let time go by in which no bar closes."""
    for _ in range(seconds):
        alone.stage.clock.advance_market(alone.stage.clock.market_ms() + 1_000)
        alone.rest(1.0)


def test_a_stop_that_may_wait_for_its_price_to_come_back_is_watched_from_here() -> None:
    for refuses, legs in ((True, ["entry", "stop"]), (False, ["entry", "stop", "exit"])):
        alone = an_executor(profile=msgspec.structs.replace(STRICT, refuses_late_stops=refuses))
        entry = sent(alone, stop_price=D(90))
        answer(alone, entry, seen(entry.terms.client_id, "filled", a_fill(entry.terms.client_id)))
        stop = alone.told_of(SubmitOrder)[-1]
        answer(alone, stop, seen(stop.terms.client_id))

        alone.happen(bars_closed(T0 + MINUTE_MS, 80), at=T0 + MINUTE_MS)
        for cancel in alone.told_of(CancelOrder):
            answer(alone, cancel, seen(stop.terms.client_id, "canceled"))

        assert [submit.terms.leg for submit in alone.told_of(SubmitOrder)] == legs


def test_a_trade_that_one_answer_tells_twice_is_recorded_once() -> None:
    alone = an_executor()
    entry = sent(alone)
    fill = a_fill(entry.terms.client_id, "0.4")

    answer(alone, entry, seen(entry.terms.client_id, "accepted", fill, fill))

    assert len(alone.said_of(OrderFilled)) == 1
    assert order_of(alone, entry.terms.client_id).filled == D("0.4")


def test_a_trade_that_comes_after_its_entry_was_cancelled_is_protected_too() -> None:
    alone = an_executor()
    submit = sent(alone, stop_price=D(90))
    client_id = submit.terms.client_id
    answer(alone, submit, seen(client_id, "canceled"))

    alone.tell(VenueReported(seen(client_id, "canceled", a_fill(client_id, "0.5"))))

    stop = alone.told_of(SubmitOrder)[-1].terms
    assert (stop.leg, stop.stop_price, stop.quantity) == ("stop", 90, D("0.5"))


def test_an_order_that_the_venue_calls_filled_with_less_than_it_was_for_has_ended() -> None:
    """Nobody would ask about it again: its plan would wait for the rest for ever."""
    alone = an_executor()
    entry = sent(alone, stop_price=D(90))

    answer(alone, entry, seen(entry.terms.client_id, "filled", a_fill(entry.terms.client_id, "0.4")))

    assert letters(alone) == "IAFCI"
    assert order_of(alone, entry.terms.client_id).state == "canceled"


def test_an_exit_waits_for_the_proof_that_its_stop_is_gone() -> None:
    alone = an_executor()
    submit = sent(alone, stop_price=D(90))
    answer(alone, submit, seen(submit.terms.client_id, "filled", a_fill(submit.terms.client_id)))
    stop = alone.told_of(SubmitOrder)[-1]
    answer(alone, stop, seen(stop.terms.client_id))

    alone.happen(answered(Exit("COINUSDT", T0 + MINUTE_MS)))
    in_between = alone.told_of(SubmitOrder)[-1]
    answer(alone, alone.told_of(CancelOrder)[-1], seen(stop.terms.client_id, "canceled"))

    leaving = alone.told_of(SubmitOrder)[-1].terms
    assert in_between == stop
    assert (leaving.side, leaving.type, leaving.leg, leaving.quantity) == ("sell", "market", "exit", 1)


def test_an_entry_approved_before_a_pause_was_heard_is_denied_on_record() -> None:
    alone = an_executor(commanded("pause"))

    alone.happen(approved())

    assert alone.told == []
    assert [event.reason for event in alone.said_of(OrderDenied)] == ["BREAKER_NOT_ACTIVE"]


def test_a_symbol_with_an_order_of_unknown_fate_takes_no_entry() -> None:
    alone = an_executor()
    submit = sent(alone)
    answer(alone, submit, Unproven(submit.terms.client_id, "a reset"))

    alone.happen(approved(index=1))

    assert [event.reason for event in alone.said_of(OrderDenied)] == ["UNRESOLVED_ORDER"]
    assert len(alone.told_of(SubmitOrder)) == 1
