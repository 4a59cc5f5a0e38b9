"""What a bar does to one order, rule by rule."""

from decimal import Decimal

from domain.market import MINUTE_MS, Bar, Instrument
from domain.money import ZERO
from domain.order import OrderType, Side, Terms
from gateways.paper.matching import Match, Working, match
from gateways.paper.settings import PaperSettings

D = Decimal
OPENED = 1_000 * MINUTE_MS
COIN = Instrument(symbol="COIN/USD", base="COIN", quote="USD", tick=D("0.1"), lot=D("0.01"))
FREE_OF_CHARGE = PaperSettings(fee_maker_bps=ZERO, fee_taker_bps=ZERO, slippage_bps=ZERO, latency_ms=0)


def a_bar(open_: str, high: str, low: str, close: str, volume: str = "1000", opened_at: int = OPENED) -> Bar:
    return Bar("COIN/USD", "1m", opened_at, opened_at + MINUTE_MS, D(open_), D(high), D(low), D(close), D(volume))


def an_order(
    side: Side = "buy",
    type_: OrderType = "market",
    quantity: str = "1",
    *,
    price: str | None = None,
    number: int = 1,
    arrives_at: int = OPENED,
    locked: str = "1000000",
    triggered: bool = False,
) -> Working:
    terms = Terms(
        client_id=f"c{number}",
        strategy="s",
        symbol="COIN/USD",
        side=side,
        type=type_,
        quantity=D(quantity),
        leg="entry",
        limit_price=D(price) if price and type_ == "limit" else None,
        stop_price=D(price) if price and type_ == "stop" else None,
    )
    asset = "USD" if side == "buy" else "COIN"
    return Working(number, terms, arrives_at, asset, D(locked), triggered=triggered)


def the_match(order: Working, bar: Bar, settings: PaperSettings = FREE_OF_CHARGE) -> Match:
    (made,) = match([order], bar, COIN, settings)
    return made


def test_a_market_order_trades_at_the_open_of_the_bar_it_arrives_with() -> None:
    made = the_match(an_order(), a_bar("100", "110", "90", "105"))

    assert (made.quantity, made.chance.price, made.chance.liquidity, made.chance.at) == (D(1), D(100), "taker", OPENED)


def test_a_market_order_that_arrives_within_a_bar_trades_worse_by_the_share_that_has_passed() -> None:
    bar = a_bar("100", "110", "80", "105")
    half = OPENED + MINUTE_MS // 2

    bought = the_match(an_order("buy", arrives_at=half), bar)
    sold = the_match(an_order("sell", arrives_at=half), bar)

    assert (bought.chance.price, sold.chance.price) == (D(105), D(90))
    assert bought.chance.at == half


def test_slippage_and_the_tick_round_against_us() -> None:
    settings = PaperSettings(slippage_bps=D(7))
    bar = a_bar("100", "110", "90", "105")

    bought, sold = the_match(an_order("buy"), bar, settings), the_match(an_order("sell"), bar, settings)

    assert (bought.chance.price, sold.chance.price) == (D("100.1"), D("99.9"))


def test_an_order_takes_no_part_in_a_bar_that_closed_when_it_arrived() -> None:
    bar = a_bar("100", "110", "90", "105")

    assert match([an_order(arrives_at=bar.closed_at)], bar, COIN, FREE_OF_CHARGE) == []


def test_a_limit_order_that_is_good_at_arrival_takes_and_is_never_slipped_beyond_its_limit() -> None:
    settings = PaperSettings(slippage_bps=D(100))
    bar = a_bar("100", "110", "90", "105")

    cheap = the_match(an_order("buy", "limit", price="103"), bar, settings)
    tight = the_match(an_order("buy", "limit", price="100.5"), bar, settings)

    assert (cheap.chance.price, cheap.chance.liquidity) == (D(101), "taker")
    assert (tight.chance.price, tight.chance.liquidity) == (D("100.5"), "taker")


def test_a_resting_limit_order_makes_at_its_limit_only_where_the_market_went_through_it() -> None:
    bar = a_bar("100", "110", "90", "105")

    through = the_match(an_order("buy", "limit", price="90.1", arrives_at=OPENED - 1), bar)
    sold = the_match(an_order("sell", "limit", price="109.9", arrives_at=OPENED - 1), bar)
    low = an_order("buy", "limit", price="90", arrives_at=OPENED - 1)
    high = an_order("sell", "limit", price="110", arrives_at=OPENED - 1)
    touched = match([low, high], bar, COIN, FREE_OF_CHARGE)

    assert (through.chance.price, through.chance.liquidity, through.chance.at) == (D("90.1"), "maker", bar.closed_at)
    assert (sold.chance.price, sold.chance.liquidity) == (D("109.9"), "maker")
    assert touched == []


def test_a_resting_limit_order_that_a_gap_jumped_over_trades_at_the_worst_price_of_the_bar() -> None:
    bar = a_bar("90", "95", "85", "91")

    made = the_match(an_order("buy", "limit", price="100", arrives_at=OPENED - 1), bar)

    assert (made.chance.price, made.chance.liquidity) == (D(95), "maker")


def test_a_low_from_before_its_arrival_does_not_fill_a_limit_order() -> None:
    bar = a_bar("100", "110", "80", "105")
    late = OPENED + MINUTE_MS - 1

    assert match([an_order("buy", "limit", price="90", arrives_at=late)], bar, COIN, FREE_OF_CHARGE) == []
    assert match([an_order("buy", "limit", price="90", arrives_at=OPENED)], bar, COIN, FREE_OF_CHARGE) != []


def test_a_stop_trades_at_the_worse_of_stop_and_open() -> None:
    within = a_bar("100", "101", "90", "95")
    beyond = a_bar("92", "95", "90", "94")
    stop = an_order("sell", "stop", price="96")

    at_stop, at_open = the_match(stop, within), the_match(stop, beyond)

    assert (at_stop.chance.price, at_stop.chance.at, at_stop.triggered) == (D(96), within.closed_at, True)
    assert (at_open.chance.price, at_open.chance.at) == (D(92), OPENED)


def test_a_buy_stop_mirrors_a_sell_stop() -> None:
    bar = a_bar("100", "110", "95", "105")

    made = the_match(an_order("buy", "stop", price="104"), bar, PaperSettings(slippage_bps=D(100)))

    assert made.chance.price == D("105.1")


def test_a_touch_sets_a_stop_off_and_a_price_short_of_it_does_not() -> None:
    bar = a_bar("100", "101", "90", "95")

    assert the_match(an_order("sell", "stop", price="90"), bar).triggered
    assert match([an_order("sell", "stop", price="89.9")], bar, COIN, FREE_OF_CHARGE) == []


def test_a_stop_set_off_in_a_bar_without_volume_is_said_to_be_set_off() -> None:
    made = the_match(an_order("sell", "stop", price="96"), a_bar("100", "101", "90", "95", volume="0"))

    assert (made.triggered, made.quantity) == (True, ZERO)


def test_what_is_left_of_a_stop_goes_on_as_a_market_order() -> None:
    bar = a_bar("99", "120", "98", "110")

    made = the_match(an_order("sell", "stop", price="96", arrives_at=OPENED - 1, triggered=True), bar)

    assert (made.chance.price, made.triggered) == (D(99), False)


def test_all_orders_together_trade_a_share_of_the_volume_in_order_of_arrival() -> None:
    first, second, third = (an_order(quantity="3", number=number) for number in (1, 2, 3))

    made = match([first, second, third], a_bar("100", "110", "90", "105", volume="40.19"), COIN, FREE_OF_CHARGE)

    assert [(one.order.number, one.quantity) for one in made] == [(1, D(3)), (2, D("1.01"))]


def test_a_buy_trades_what_its_lock_pays_for_and_gives_the_rest_up() -> None:
    settings = PaperSettings(fee_taker_bps=D(100), slippage_bps=ZERO)
    bar = a_bar("100", "110", "90", "105")

    made = the_match(an_order("buy", quantity="2", locked="151.5"), bar, settings)
    broke = the_match(an_order("buy", quantity="2", locked="0.5"), bar, settings)

    assert (made.quantity, made.out_of_funds) == (D("1.5"), True)
    assert (broke.quantity, broke.out_of_funds) == (ZERO, True)


def test_matching_changes_no_order() -> None:
    order, same = an_order("sell", "stop", price="96"), an_order("sell", "stop", price="96")

    match([order], a_bar("100", "101", "90", "95"), COIN, FREE_OF_CHARGE)

    assert order == same
