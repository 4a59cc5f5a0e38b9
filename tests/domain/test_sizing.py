"""What is bought fits the venue's rules, the equity, the cash and the risk."""

from decimal import Decimal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from domain.market import Instrument
from domain.sizing import Bracket, Budget, is_tradable, place_bracket, size_by_budget, size_by_risk

few = settings(max_examples=60)


def decimals(low: str, high: str, places: int = 4) -> st.SearchStrategy[Decimal]:
    return st.decimals(low, high, places=places, allow_nan=False, allow_infinity=False)


steps = st.sampled_from([Decimal(step) for step in ("0.00001", "0.01", "0.05", "1", "10")])
instruments = st.builds(
    Instrument,
    symbol=st.just("BTCUSDT"),
    base=st.just("BTC"),
    quote=st.just("USDT"),
    tick=steps,
    lot=steps,
    quantity_min=st.sampled_from([Decimal(0), Decimal("0.001"), Decimal(1)]),
    notional_min=st.sampled_from([Decimal(0), Decimal(10)]),
)
budgets = st.builds(
    Budget,
    equity=decimals("1", "100000"),
    cash=decimals("1", "100000"),
    position_fraction_max=decimals("0.01", "1"),
)
prices = decimals("0.01", "70000")


def an_instrument(*, lot: str = "0.001", quantity_min: str = "0", notional_min: str = "0") -> Instrument:
    return Instrument(
        symbol="BTCUSDT",
        base="BTC",
        quote="USDT",
        tick=Decimal("0.01"),
        lot=Decimal(lot),
        quantity_min=Decimal(quantity_min),
        notional_min=Decimal(notional_min),
    )


def a_budget(equity: str = "10000", cash: str = "10000", position_fraction_max: str = "0.5") -> Budget:
    return Budget(equity=Decimal(equity), cash=Decimal(cash), position_fraction_max=Decimal(position_fraction_max))


def risked(budget: Budget, *, confidence: str = "1", stop_price: str = "90") -> Decimal | None:
    """Size an entry at 100 that risks a hundredth of the equity."""
    return size_by_risk(
        budget,
        risk_fraction=Decimal("0.01"),
        confidence=Decimal(confidence),
        price=Decimal(100),
        stop_price=Decimal(stop_price),
        instrument=an_instrument(),
    )


@few
@given(budgets, prices, decimals("0", "1"), decimals("0.001", "0.999"), instruments)
def test_a_quantity_fits_the_lot_the_minimums_the_cash_the_largest_position_and_the_risk(
    budget: Budget, price: Decimal, confidence: Decimal, stop_share: Decimal, instrument: Instrument
) -> None:
    stop_price = price * stop_share
    quantity = size_by_risk(
        budget,
        risk_fraction=Decimal("0.02"),
        confidence=confidence,
        price=price,
        stop_price=stop_price,
        instrument=instrument,
    )

    if quantity is None:
        return
    assert quantity > 0
    assert quantity % instrument.lot == 0
    assert quantity >= instrument.quantity_min
    assert quantity * price >= instrument.notional_min
    assert quantity * price < budget.cash
    assert quantity * price <= budget.equity * budget.position_fraction_max
    assert quantity * (price - stop_price) <= budget.equity * Decimal("0.02") * confidence * (1 + Decimal("1e-20"))


@few
@given(budgets, prices, instruments)
def test_a_quantity_is_the_largest_that_fits_the_budget(budget: Budget, price: Decimal, instrument: Instrument) -> None:
    quantity = size_by_budget(budget, price=price, instrument=instrument)

    one_more = (quantity or Decimal(0)) + instrument.lot
    fits = one_more * price <= budget.cost_max()
    assert not (fits and is_tradable(one_more, price=price, instrument=instrument))
    assert quantity is None or quantity * price <= budget.cost_max()


def test_a_full_confidence_loses_the_risk_at_the_stop() -> None:
    quantity = risked(a_budget())

    assert quantity == Decimal("10.000")  # 1 % of 10000 is 100, the stop is 10 away


def test_half_the_confidence_buys_half() -> None:
    assert risked(a_budget(), confidence="0.5") == Decimal("5.000")


def test_twice_the_distance_to_the_stop_buys_half() -> None:
    assert risked(a_budget(), stop_price="80") == Decimal("5.000")


def test_no_confidence_buys_nothing() -> None:
    assert risked(a_budget(), confidence="0") is None


def test_a_stop_that_is_near_buys_no_more_than_the_largest_position() -> None:
    assert risked(a_budget(), stop_price="99.99") == Decimal("50.000")


def test_some_of_the_cash_is_kept_for_fees() -> None:
    assert risked(a_budget(cash="500"), stop_price="99.99") == Decimal("4.950")


@pytest.mark.parametrize(
    "budget", [a_budget(equity="0"), a_budget(equity="-5"), a_budget(cash="0"), a_budget(cash="-5")]
)
def test_an_account_without_equity_or_cash_buys_nothing(budget: Budget) -> None:
    assert risked(budget) is None
    assert size_by_budget(budget, price=Decimal(100), instrument=an_instrument()) is None


@pytest.mark.parametrize(
    "instrument",
    [an_instrument(lot="1"), an_instrument(quantity_min="0.6"), an_instrument(notional_min="50.01")],
    ids=["lot", "quantity", "notional"],
)
def test_what_the_venue_would_refuse_as_too_little_is_not_asked_for(instrument: Instrument) -> None:
    budget = a_budget(equity="100")
    enough = size_by_budget(budget, price=Decimal(100), instrument=an_instrument())

    quantity = size_by_budget(budget, price=Decimal(100), instrument=instrument)

    assert enough == Decimal("0.500")
    assert quantity is None


@pytest.mark.parametrize("stop_price", ["100", "101", "0", "-1"])
def test_a_stop_that_is_not_below_the_price_is_nonsense(stop_price: str) -> None:
    with pytest.raises(ValueError, match=f"a stop must be above 0 and below the price 100, was {stop_price}"):
        risked(a_budget(), stop_price=stop_price)


@pytest.mark.parametrize("confidence", ["1.01", "-0.01"])
def test_a_confidence_outside_its_range_is_nonsense(confidence: str) -> None:
    with pytest.raises(ValueError, match=rf"a confidence must be in 0\.\.1, was {confidence}"):
        risked(a_budget(), confidence=confidence)


@few
@given(prices, decimals("0", "100"), decimals("0", "100"), instruments)
def test_the_stop_is_below_the_price_and_the_target_above_on_ticks_and_not_nearer_than_asked(
    price: Decimal, stop_distance: Decimal, target_distance: Decimal, instrument: Instrument
) -> None:
    bracket = place_bracket(price, stop_distance=stop_distance, target_distance=target_distance, instrument=instrument)

    if bracket is None:
        assert price - stop_distance < 2 * instrument.tick
        return
    assert 0 < bracket.stop_price < price < bracket.take_profit
    assert bracket.stop_price % instrument.tick == 0
    assert bracket.take_profit % instrument.tick == 0
    assert bracket.stop_price <= price - stop_distance
    assert bracket.take_profit >= price + target_distance


def test_a_market_that_stands_still_has_its_bracket_one_tick_away() -> None:
    bracket = place_bracket(
        Decimal(100), stop_distance=Decimal(0), target_distance=Decimal(0), instrument=an_instrument()
    )

    assert bracket == Bracket(stop_price=Decimal("99.99"), take_profit=Decimal("100.01"))


def test_a_stop_further_away_than_the_price_cannot_be_placed() -> None:
    bracket = place_bracket(
        Decimal(100), stop_distance=Decimal(100), target_distance=Decimal(1), instrument=an_instrument()
    )

    assert bracket is None


@pytest.mark.parametrize(
    ("quantity", "expected"), [("0", False), ("0.0009", False), ("0.0999", False), ("0.1", True), ("0.1009", True)]
)
def test_a_quantity_is_tradable_when_its_whole_lots_are_worth_the_minimum(quantity: str, *, expected: bool) -> None:
    instrument = an_instrument(notional_min="10")

    assert is_tradable(Decimal(quantity), price=Decimal(100), instrument=instrument) is expected


def test_what_a_quantity_is_made_of_is_told_with_the_numbers_that_bound_it() -> None:
    budget = Budget(equity=Decimal(10_000), cash=Decimal(4_000), position_fraction_max=Decimal("0.25"))

    told = budget.explain_risk(Decimal("0.01"), confidence=Decimal("0.5"), price=Decimal(100), distance=Decimal(2))

    assert "asks for 25.00000000" in told
    assert "at most 25.00000000 for 2500.00000000" in told
    assert "0.25 of equity 10000" in told and "0.99 of cash 4000" in told
