"""Laws of money, orders and proposals: rounding keeps its side, states go up, a fill counts once, ids are unique."""

import itertools
import re
from decimal import Decimal
from random import Random
from typing import get_args

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from domain.money import Money, ceil_to, exact, floor_to
from domain.order import (
    DIGITS,
    FINAL,
    NAMESPACE_LENGTH,
    RANK,
    Fill,
    Leg,
    Order,
    OrderState,
    Terms,
    client_order_id,
    generation_of,
    namespace_of,
)
from domain.proposal import Entry, Exit, Proposal, proposal_id

D = Decimal
STATES: tuple[OrderState, ...] = get_args(OrderState)
LEGS: tuple[Leg, ...] = get_args(Leg)


def an_order(quantity: str = "1") -> Order:
    return Order(
        Terms(
            client_id="h1",
            strategy="trend",
            symbol="BTC/USDT",
            side="buy",
            type="market",
            quantity=D(quantity),
            leg="entry",
        )
    )


def a_fill(trade_id: str = "t1", quantity: str = "1") -> Fill:
    return Fill(
        trade_id=trade_id,
        client_id="h1",
        symbol="BTC/USDT",
        side="buy",
        quantity=D(quantity),
        price=D("100"),
        fee=Money(D("0.1"), "USDT"),
        liquidity="taker",
        at=1,
    )


VALUES = st.decimals("-1000000", "1000000", places=8)
STEPS = st.sampled_from([D("1"), D("0.01"), D("0.00000001"), D("0.05"), D("0.3"), D("100")])


@settings(max_examples=100, deadline=None)
@given(VALUES, STEPS)
def test_a_floor_is_the_last_step_not_above_and_a_ceiling_the_first_not_below(value: D, step: D) -> None:
    low, high = floor_to(value, step), ceil_to(value, step)

    assert low <= value < low + step
    assert high - step < value <= high
    assert low % step == high % step == 0


@settings(max_examples=100, deadline=None)
@given(st.floats(allow_nan=False, allow_infinity=False))
def test_a_float_becomes_the_decimal_that_reads_back_as_the_same_float(value: float) -> None:
    assert float(exact(value)) == value


def test_an_exact_amount_is_what_its_text_says() -> None:
    assert str(exact(0.1)) == "0.1"
    assert str(exact("0.10")) == "0.10"
    assert exact(D("7")) == 7


@pytest.mark.parametrize("value", [float("nan"), float("inf"), D("-Infinity"), D("NaN"), "nan"])
def test_an_amount_that_is_not_finite_is_refused(value: float | D | str) -> None:
    with pytest.raises(ValueError, match="an amount must be finite, was"):
        exact(value)


@pytest.mark.parametrize(("before", "after"), list(itertools.product(STATES, STATES)))
def test_an_order_moves_up_the_lattice_or_not_at_all(before: OrderState, after: OrderState) -> None:
    order = an_order()
    order.state = before

    has_moved = order.move_to(after)

    assert has_moved == (RANK[after] > RANK[before])
    assert order.state == (after if has_moved else before)
    assert RANK[order.state] == max(RANK[before], RANK[after])


def test_every_state_has_a_rank_and_only_a_fill_outranks_the_final_ones() -> None:
    assert set(RANK) == set(STATES)
    assert set(STATES) > FINAL
    assert {state for state in STATES if RANK[state] >= RANK["canceled"]} == FINAL
    assert max(STATES, key=lambda state: RANK[state]) == "filled"


@pytest.mark.parametrize("state", STATES)
def test_an_order_is_open_until_its_state_is_final(state: OrderState) -> None:
    order = an_order()
    order.state = state

    assert order.is_open == (state in ("intended", "unresolved", "accepted"))


def test_a_fill_seen_twice_counts_once() -> None:
    order = an_order("2")

    first, again = order.take(a_fill("t1", "0.5")), order.take(a_fill("t1", "0.5"))

    assert (first, again) == (True, False)
    assert (order.filled, order.remaining, order.trades) == (D("0.5"), D("1.5"), ["t1"])
    assert order.state == "accepted"


def test_an_order_filled_in_parts_is_filled_with_the_last_one() -> None:
    order = an_order("1")
    order.take(a_fill("t1", "0.4"))
    assert order.is_open

    order.take(a_fill("t2", "0.6"))

    assert order.state == "filled"
    assert order.remaining == 0


def test_fills_beyond_the_quantity_are_refused_and_change_nothing() -> None:
    order = an_order("1")
    order.take(a_fill("t1", "0.6"))

    with pytest.raises(ValueError, match=re.escape("must add up to at most 1, were 1.1")):
        order.take(a_fill("t2", "0.5"))

    assert (order.filled, order.trades, order.state) == (D("0.6"), ["t1"], "accepted")


def test_a_fill_that_comes_after_the_cancel_counts_and_the_order_stays_canceled() -> None:
    order = an_order("1")
    order.move_to("canceled")

    order.take(a_fill("t1", "0.4"))

    assert (order.state, order.filled) == ("canceled", D("0.4"))


def test_an_order_that_filled_whole_is_filled_whatever_was_said_before() -> None:
    order = an_order("1")
    order.move_to("canceled")

    order.take(a_fill("t1", "1"))

    assert order.state == "filled"


@settings(max_examples=60, deadline=None)
@given(st.lists(st.integers(0, 5), max_size=20), st.lists(st.sampled_from(STATES), max_size=5), st.randoms())
def test_reports_in_any_order_and_number_come_to_the_same_fills(
    seen: list[int], states: list[OrderState], random: Random
) -> None:
    quantities = ["0.1", "0.2", "0.3", "0.15", "0.05", "0.2"]
    reports: list[int | OrderState] = [*seen, *states]
    orders = []
    for _ in range(2):
        order = an_order("1")
        for report in reports:
            if isinstance(report, int):
                order.take(a_fill(f"t{report}", quantities[report]))
            else:
                order.move_to(report)
        orders.append(order)
        random.shuffle(reports)

    first, second = orders
    assert first.filled == second.filled == sum((D(quantities[each]) for each in set(seen)), D(0))
    assert sorted(first.trades) == sorted(second.trades)
    assert RANK[first.state] == RANK[second.state]


def test_an_order_saved_and_loaded_is_the_same() -> None:
    order = an_order("1.50")
    order.take(a_fill("t1", "0.40"))

    loaded = msgspec.json.decode(msgspec.json.encode(order), type=Order)

    assert loaded == order
    assert msgspec.json.encode(loaded) == msgspec.json.encode(order)


PARTS = st.tuples(
    st.integers(0, 1) | st.integers(0, 36**2 - 1),
    st.integers(0, 37) | st.integers(0, 36**8 - 1),
    st.sampled_from(LEGS),
    st.integers(0, 1) | st.integers(0, 35),
    st.integers(0, 1) | st.integers(0, 35),
)
NAMESPACES = st.text(DIGITS, min_size=NAMESPACE_LENGTH, max_size=NAMESPACE_LENGTH)


def the_id(parts: tuple[int, int, Leg, int, int], namespace: str = "") -> str:
    generation, sequence, leg, index, attempt = parts
    return client_order_id(
        generation=generation, namespace=namespace, sequence=sequence, leg=leg, index=index, attempt=attempt
    )


@settings(max_examples=100, deadline=None)
@given(PARTS, PARTS)
def test_two_intents_share_an_id_only_if_they_are_one(
    one: tuple[int, int, Leg, int, int], other: tuple[int, int, Leg, int, int]
) -> None:
    assert (the_id(one) == the_id(other)) == (one == other)
    assert re.fullmatch("[a-su-z0-9][a-z0-9]{13}", the_id(one))


@settings(max_examples=100, deadline=None)
@given(PARTS, NAMESPACES, NAMESPACES)
def test_two_homes_on_one_account_never_share_an_id(
    parts: tuple[int, int, Leg, int, int], one: str, other: str
) -> None:
    ours, theirs = the_id(parts, one), the_id(parts, other)
    assert (ours == theirs) == (one == other)
    assert ours not in {the_id(parts), the_id((35, 35, "stop", 0, 35))}
    assert re.fullmatch("[a-su-z0-9][a-z0-9]{17}", ours)
    assert (namespace_of(ours), generation_of(ours)) == (one, parts[0])


@pytest.mark.parametrize(
    "client_id", ["", "web_1f3a", "x-TKT5PX2F1234", "h0100000010E23", "h01000000010e23", "H0100000010e23"]
)
def test_an_id_of_somebody_else_has_no_namespace(client_id: str) -> None:
    assert namespace_of(client_id) is None
    assert generation_of(client_id) is None


def test_an_id_can_be_read_back_by_its_parts() -> None:
    assert the_id((1, 36, "entry", 2, 3)) == "h0100000010e23"
    assert the_id((35, 35, "stop", 0, 35)) == "h0z0000000zs0z"


@pytest.mark.parametrize(
    "parts",
    [
        (36**2, 0, "exit", 0, 0),
        (0, 36**8, "exit", 0, 0),
        (0, 0, "exit", 36, 0),
        (0, 0, "exit", 0, 36),
        (0, -1, "exit", 0, 0),
    ],
)
def test_a_part_that_does_not_fit_is_refused(parts: tuple[int, int, Leg, int, int]) -> None:
    with pytest.raises(ValueError, match="a part of a client order id must be below"):
        the_id(parts)


PLACES = st.tuples(st.text("a@#.1", max_size=8), st.integers(0, 12), st.integers(0, 12), st.integers(0, 12))


@settings(max_examples=100, deadline=None)
@given(PLACES, PLACES)
def test_two_proposals_share_a_name_only_if_they_have_one_place(
    one: tuple[str, int, int, int], other: tuple[str, int, int, int]
) -> None:
    names = [
        proposal_id(strategy=strategy, at=at, attempt=attempt, index=index)
        for strategy, at, attempt, index in (one, other)
    ]

    assert (names[0] == names[1]) == (one == other)


@pytest.mark.parametrize(
    "proposal",
    [
        Entry("BTC/USDT", D("1.50"), D("100"), 7, stop_price=D("90.0"), confidence=0.1, why="trend"),
        Exit("BTC/USDT", 7),
        Exit("BTC/USDT", 7, quantity=D("0.10")),
    ],
)
def test_a_proposal_saved_and_loaded_is_the_same_kind_with_the_same_digits(proposal: Proposal) -> None:
    saved = msgspec.json.encode(proposal)

    loaded: Proposal = msgspec.json.decode(saved, type=Proposal)

    assert loaded == proposal
    assert msgspec.json.encode(loaded) == saved
