"""Laws of exposure: what was approved is counted until it is a position, and never twice, never not at all."""

from decimal import Decimal

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from domain.exposure import Exposure

D = Decimal


def test_a_reservation_counts_for_its_symbol_and_overall() -> None:
    exposure = Exposure()
    exposure.hold("BTC/USDT", D("100"))

    exposure.reserve("p1", "BTC/USDT", D("40"))
    exposure.reserve("p2", "ETH/USDT", D("5"))

    assert exposure.of("BTC/USDT") == 140
    assert exposure.of("ETH/USDT") == 5
    assert exposure.reserved == 45
    assert exposure.total == 145


def test_a_fill_moves_from_the_reservation_to_the_position_and_the_total_stays() -> None:
    exposure = Exposure()
    exposure.reserve("p1", "BTC/USDT", D("40"))

    exposure.settle("p1", D("30"))

    assert exposure.reserved == 10
    assert exposure.held == {"BTC/USDT": D("30")}
    assert exposure.total == 40


def test_a_fill_beyond_the_reservation_leaves_none_and_counts_as_position() -> None:
    exposure = Exposure()
    exposure.reserve("p1", "BTC/USDT", D("40"))

    exposure.settle("p1", D("41"))

    assert exposure.reserved == 0
    assert exposure.total == 41


def test_what_is_not_filled_is_free_again_once_released() -> None:
    exposure = Exposure()
    exposure.reserve("p1", "BTC/USDT", D("40"))
    exposure.settle("p1", D("30"))

    exposure.release("p1")
    exposure.release("p1")

    assert exposure.reservations == {}
    assert exposure.total == 30


def test_a_fill_after_the_release_changes_nothing() -> None:
    exposure = Exposure()

    exposure.settle("p1", D("30"))

    assert exposure == Exposure()


def test_a_position_below_zero_does_not_make_room() -> None:
    exposure = Exposure()
    exposure.hold("BTC/USDT", D("100"))
    exposure.hold("ETH/USDT", D("-30"))

    assert exposure.total == 130


def test_a_position_of_nothing_is_forgotten() -> None:
    exposure = Exposure()
    exposure.hold("BTC/USDT", D("100"))

    exposure.hold("BTC/USDT", D("0.00"))

    assert exposure == Exposure()


@pytest.mark.parametrize("amount", [D("0"), D("-1"), D("NaN"), D("Infinity")])
def test_amounts_that_cannot_be_are_refused(amount: D) -> None:
    exposure = Exposure()

    with pytest.raises(ValueError, match="must be above 0, was"):
        exposure.reserve("p1", "BTC/USDT", amount)
    with pytest.raises(ValueError, match="must be above 0, was"):
        exposure.settle("p1", amount)
    assert exposure == Exposure()


def test_a_worth_that_is_no_number_is_refused() -> None:
    with pytest.raises(ValueError, match="must be finite, was NaN"):
        Exposure().hold("BTC/USDT", D("NaN"))


def test_a_proposal_is_reserved_once() -> None:
    exposure = Exposure()
    exposure.reserve("p1", "BTC/USDT", D("40"))

    with pytest.raises(ValueError, match="p1 must be reserved once"):
        exposure.reserve("p1", "BTC/USDT", D("40"))


AMOUNTS = st.decimals("0.01", "1000", places=2)
SYMBOLS = st.sampled_from(["BTC/USDT", "ETH/USDT", "SOL/USDT"])


@settings(max_examples=60, deadline=None)
@given(st.lists(st.tuples(SYMBOLS, AMOUNTS, st.lists(AMOUNTS, max_size=3), st.booleans()), max_size=8), st.data())
def test_exposure_never_falls_below_what_was_filled_and_the_symbols_add_up(
    orders: list[tuple[str, D, list[D], bool]], data: st.DataObject
) -> None:
    exposure = Exposure()
    for number, (symbol, amount, filled, is_finished) in enumerate(orders):
        exposure.reserve(f"p{number}", symbol, amount)
        for notional in filled:
            before = exposure.total
            exposure.settle(f"p{number}", notional)
            assert exposure.total >= before
        if is_finished:
            exposure.release(f"p{number}")
        if data.draw(st.booleans()):
            exposure = msgspec.json.decode(msgspec.json.encode(exposure), type=Exposure)

    filled_by_symbol = {symbol: D(0) for symbol, *_ in orders}
    for symbol, _, filled, _ in orders:
        filled_by_symbol[symbol] += sum(filled, D(0))
    for symbol, notional in filled_by_symbol.items():
        assert exposure.of(symbol) >= notional
    assert sum((exposure.of(symbol) for symbol in filled_by_symbol), D(0)) == exposure.total
