"""Laws of exposure: what was approved is counted until it is a position, never twice, never not at all."""

from decimal import Decimal

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from domain.exposure import Reservations, worths

D = Decimal


def test_a_reservation_counts_for_its_symbol_and_overall() -> None:
    reservations = Reservations()

    reservations.reserve("p1", "BTC/USDT", D("40"))
    reservations.reserve("p2", "ETH/USDT", D("5"))

    assert reservations.of("BTC/USDT") == 40
    assert reservations.of("ETH/USDT") == 5
    assert reservations.of("SOL/USDT") == 0
    assert reservations.total == 45


def test_a_fill_shrinks_its_reservation_and_never_below_nothing() -> None:
    reservations = Reservations()
    reservations.reserve("p1", "BTC/USDT", D("40"))

    reservations.settle("p1", D("30"))
    left = reservations.total
    reservations.settle("p1", D("11"))

    assert (left, reservations.total) == (D(10), D(0))


def test_what_is_not_filled_is_free_again_once_released() -> None:
    reservations = Reservations()
    reservations.reserve("p1", "BTC/USDT", D("40"))
    reservations.settle("p1", D("30"))

    reservations.release("p1")
    reservations.release("p1")
    reservations.settle("p1", D("5"))

    assert reservations == Reservations()


def test_positions_are_worth_their_size_at_the_mark_also_below_zero() -> None:
    quantities = {"BTC/USDT": D("2"), "ETH/USDT": D("-3"), "SOL/USDT": D("1")}

    found = worths(quantities, {"BTC/USDT": D("50"), "ETH/USDT": D("10")})

    assert found == {"BTC/USDT": D(100), "ETH/USDT": D(30), "SOL/USDT": D(0)}


@pytest.mark.parametrize("amount", [D("0"), D("-1"), D("NaN"), D("Infinity")])
def test_amounts_that_cannot_be_are_refused(amount: D) -> None:
    reservations = Reservations()

    with pytest.raises(ValueError, match="must be above 0, was"):
        reservations.reserve("p1", "BTC/USDT", amount)
    with pytest.raises(ValueError, match="must be above 0, was"):
        reservations.settle("p1", amount)
    assert reservations == Reservations()


def test_a_proposal_is_reserved_once() -> None:
    reservations = Reservations()
    reservations.reserve("p1", "BTC/USDT", D("40"))

    with pytest.raises(ValueError, match="p1 must be reserved once"):
        reservations.reserve("p1", "BTC/USDT", D("40"))


AMOUNTS = st.decimals("0.01", "1000", places=2)
SYMBOLS = st.sampled_from(["BTC/USDT", "ETH/USDT", "SOL/USDT"])


@settings(max_examples=60, deadline=None)
@given(st.lists(st.tuples(SYMBOLS, AMOUNTS, st.lists(AMOUNTS, max_size=3), st.booleans()), max_size=8))
def test_what_is_reserved_and_what_was_filled_never_fall_below_what_was_approved(
    orders: list[tuple[str, D, list[D], bool]],
) -> None:
    reservations, filled_in_all = Reservations(), D(0)
    for number, (symbol, amount, filled, is_finished) in enumerate(orders):
        before = reservations.total + filled_in_all
        reservations.reserve(f"p{number}", symbol, amount)
        for notional in filled:
            reservations.settle(f"p{number}", notional)
            filled_in_all += notional
        assert reservations.total + filled_in_all >= before + amount
        if is_finished:
            reservations.release(f"p{number}")
        reservations = msgspec.json.decode(msgspec.json.encode(reservations), type=Reservations)

    symbols = {symbol for symbol, *_ in orders}
    assert sum((reservations.of(symbol) for symbol in symbols), D(0)) == reservations.total
