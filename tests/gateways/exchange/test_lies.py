"""Laws of what the exchange lies about in its answers, as an unmodified ccxt sees it."""

import asyncio
import time
from decimal import Decimal
from typing import Any

import pytest

from gateways.exchange.lies import KINDS
from gateways.exchange.scenario import scenario_of
from gateways.exchange.server import Exchange
from tests.gateways.exchange.support import SYMBOL, lived, outcome_of, status_of, until

pytestmark = pytest.mark.slow

AS_CCXT_HAS_IT: dict[str, str] = {
    "hang": "ExchangeNotAvailable",
    "reset": "ExchangeNotAvailable",
    "close": "ExchangeNotAvailable",
    "cut": "ExchangeError",
    "garbled": "ok without id",
    "gzip": "ExchangeError",
    "html": "ok without id",
    "braces": "ok without id",
    "null": "ok without id",
    "nothing": "ok without id",
    "status": "ExchangeNotAvailable",
    "too_many": "DDoSProtection",
    "unknown_outcome": "RequestTimeout",
}
"""What ccxt makes of each false answer to a new order, whether or not the order was taken."""
MORE: dict[str, dict[str, Any]] = {"hang": {"seconds": 0.2}, "status": {"status": 502}}


async def buy(bot: Any, client_id: str = "one") -> str:
    """Buy a little, and return what came of it."""
    return await outcome_of(bot.create_order(SYMBOL, "market", "buy", "0.001", None, {"clientOrderId": client_id}))


def requests_of(exchange: Exchange, client_id: str = "one") -> int:
    """Return how often a new order of this client id came in."""
    found = exchange.ledger()["requests"]
    return sum(each["count"] for each in found if (each["client_id"], each["kind"]) == (client_id, "order.create"))


@pytest.mark.parametrize("kind", AS_CCXT_HAS_IT)
def test_a_false_answer_says_nothing_of_whether_the_order_was_taken(kind: str) -> None:
    async def law(exchange: Exchange, bot: Any) -> None:
        for strike, status in (("before", "OrderNotFound"), ("after", "closed")):
            exchange.faults.add(kind=kind, where="order.create", strike=strike, times=1, **MORE.get(kind, {}))

            assert await buy(bot, strike) == AS_CCXT_HAS_IT[kind]
            assert await status_of(bot, strike) == status
            assert requests_of(exchange, strike) == 1
        assert exchange.ledger()["faults"] == {kind: 2}

    lived(law)


def test_a_redirect_makes_one_order_many_requests_and_more_than_one_order() -> None:
    async def law(exchange: Exchange, bot: Any) -> None:
        exchange.faults.add(kind="redirect", where="order.create", times=2)

        assert await buy(bot) == "ok"
        assert requests_of(exchange) == 3
        assert len(exchange.ledger()["orders"]) == 3

    lived(law)


def test_an_answer_that_drips_is_read_to_its_end() -> None:
    async def law(exchange: Exchange, bot: Any) -> None:
        exchange.faults.add(kind="drip", where="time", seconds=0.5, times=1)
        begin = time.monotonic()

        assert abs(await bot.fetch_time() - int(time.time() * 1_000)) < 2_000
        assert time.monotonic() - begin > 0.4

    lived(law)


def test_an_order_that_was_taken_is_called_a_duplicate() -> None:
    async def law(exchange: Exchange, bot: Any) -> None:
        exchange.faults.add(kind="duplicate", times=1)

        assert await buy(bot) == "InvalidOrder"
        assert await status_of(bot, "one") == "closed"

    lived(law)


def test_a_request_that_is_out_of_its_time_is_not_taken() -> None:
    async def law(exchange: Exchange, bot: Any) -> None:
        exchange.faults.add(kind="clock", where="order.create", times=1)

        assert await buy(bot) == "InvalidNonce"
        assert await status_of(bot, "one") == "OrderNotFound"

    lived(law)


def test_a_late_answer_comes_after_the_fill() -> None:
    async def law(exchange: Exchange, bot: Any) -> None:
        exchange.faults.add(kind="late", where="order.create", seconds=0.5, times=1)
        asked = asyncio.create_task(buy(bot))
        await until(lambda: bool(exchange.ledger()["trades"]))

        assert not asked.done()
        assert await asked == "ok"

    lived(law)


def test_a_stuck_request_is_taken_long_after_who_sent_it_gave_up() -> None:
    async def law(exchange: Exchange, bot: Any) -> None:
        exchange.faults.add(kind="stuck", where="order.create", seconds=1.0, times=1)
        bot.timeout = 300

        assert await buy(bot) == "RequestTimeout"
        assert await status_of(bot, "one") == "OrderNotFound"
        await until(lambda: bool(exchange.ledger()["orders"]))
        assert await status_of(bot, "one") == "closed"

    lived(law)


def test_a_stuck_request_is_refused_once_its_window_has_passed() -> None:
    async def law(exchange: Exchange, bot: Any) -> None:
        exchange.faults.add(kind="stuck", where="order.create", seconds=1.0, times=1)
        bot.options["recvWindow"] = 600

        assert await buy(bot) == "InvalidNonce"
        assert await status_of(bot, "one") == "OrderNotFound"
        assert not exchange.ledger()["orders"]
        assert [(each["client_id"], each["reason"]) for each in exchange.ledger()["refused"]] == [("one", "-1021")]

    lived(law)


def test_a_hidden_order_is_missing_from_every_answer_for_a_while() -> None:
    async def law(exchange: Exchange, bot: Any) -> None:
        exchange.faults.add(kind="hidden", seconds=0.8, times=1)
        params = {"clientOrderId": "one"}
        assert await outcome_of(bot.create_order(SYMBOL, "limit", "buy", "0.01", "30000", params)) == "ok"

        assert await status_of(bot, "one") == "OrderNotFound"
        assert not await bot.fetch_open_orders(SYMBOL) and not await bot.fetch_orders(SYMBOL)
        assert (await bot.fetch_balance())["USDT"]["used"] != "0.00000000"
        await asyncio.sleep(0.9)
        assert await status_of(bot, "one") == "open"
        assert len(await bot.fetch_open_orders(SYMBOL)) == 1

    lived(law)


def test_a_hidden_orders_trades_are_hidden_with_it() -> None:
    async def law(exchange: Exchange, bot: Any) -> None:
        exchange.faults.add(kind="hidden", seconds=0.8, times=1)
        await buy(bot)

        assert not await bot.fetch_my_trades(SYMBOL)
        await asyncio.sleep(0.9)
        assert len(await bot.fetch_my_trades(SYMBOL)) == 1

    lived(law)


def test_only_a_share_of_an_order_may_trade_at_once() -> None:
    async def law(exchange: Exchange, bot: Any) -> None:
        exchange.faults.add(kind="partial", share="0.25", times=2)
        ask = (await bot.fetch_order_book(SYMBOL))["asks"][5][0]
        market = await bot.create_order(SYMBOL, "market", "buy", "0.01")
        limit = await bot.create_order(SYMBOL, "limit", "buy", "0.01", str(ask))

        assert (limit["status"], limit["filled"]) == ("open", "0.00250000")
        assert (market["status"], market["filled"]) == ("expired", "0.00250000")

    lived(law)


def test_a_cancelled_order_has_traded_more_than_its_answer_says() -> None:
    async def law(exchange: Exchange, bot: Any) -> None:
        exchange.faults.add(kind="fill_at_cancel", share="0.5", seconds=0.8, times=1)
        params = {"clientOrderId": "one"}
        await bot.create_order(SYMBOL, "limit", "buy", "0.01", "30000", params)
        cancelled = await bot.cancel_order(None, SYMBOL, params)

        assert (cancelled["status"], Decimal(cancelled["filled"])) == ("canceled", Decimal(0))
        assert not await bot.fetch_my_trades(SYMBOL)
        await asyncio.sleep(0.9)
        (trade,) = await bot.fetch_my_trades(SYMBOL)
        assert (trade["amount"], trade["price"]) == ("0.00500000", "30000.00000000")
        assert (await bot.fetch_order(None, SYMBOL, params))["filled"] == "0.00500000"

    lived(law)


def test_an_order_that_trades_whole_while_it_is_cancelled_is_filled() -> None:
    async def law(exchange: Exchange, bot: Any) -> None:
        exchange.faults.add(kind="fill_at_cancel", share="1", times=1)
        params = {"clientOrderId": "one"}
        await bot.create_order(SYMBOL, "limit", "buy", "0.01", "30000", params)

        assert await outcome_of(bot.cancel_order(None, SYMBOL, params)) == "OrderNotFound"
        assert await status_of(bot, "one") == "closed"

    lived(law)


def test_an_address_that_is_banned_hears_nothing_else_until_the_ban_is_over() -> None:
    async def law(exchange: Exchange, bot: Any) -> None:
        exchange.faults.add(kind="banned", where="time", seconds=0.6, retry_after=1, times=1)

        assert await outcome_of(bot.fetch_time()) == "DDoSProtection"
        assert bot.last_response_headers["Retry-After"] == "1"
        assert await buy(bot) == "DDoSProtection"
        await asyncio.sleep(0.7)
        assert await buy(bot) == "ok"

    lived(law)


def test_a_429_comes_with_a_time_to_come_back_or_without() -> None:
    async def law(exchange: Exchange, bot: Any) -> None:
        exchange.faults.add(kind="too_many", where="time", retry_after=7, times=1)
        exchange.faults.add(kind="too_many", where="time", nth=2, times=1)
        await outcome_of(bot.fetch_time())
        first = bot.last_response_headers.get("Retry-After")
        await outcome_of(bot.fetch_time())

        assert (first, bot.last_response_headers.get("Retry-After")) == ("7", None)

    lived(law)


@pytest.mark.parametrize("status", [500, 502, 503, 504, 520, 524])
def test_a_server_fails_with_any_status(status: int) -> None:
    async def law(exchange: Exchange, bot: Any) -> None:
        exchange.faults.add(kind="status", where="order.create", strike="after", status=status, times=1)
        outcome = await buy(bot)

        # For some of them ccxt says nothing at all.
        assert outcome in ("ExchangeNotAvailable", "ok without id", "ExchangeError", "RequestTimeout", "DDoSProtection")
        assert await status_of(bot, "one") == "closed"

    lived(law)


# -- when a lie strikes --------------------------------------------------------------------------------------------


async def _struck(exchange: Exchange, bot: Any, count: int) -> list[bool]:
    return [await outcome_of(bot.public_get_ping()) == "DDoSProtection" for _ in range(count)]


def test_a_lie_strikes_when_its_scenario_says() -> None:
    async def law(exchange: Exchange, bot: Any) -> None:
        for table, expected in (
            ({"nth": 2}, [False, True, False, False]),
            ({"every": 2}, [False, True, False, True]),
            ({"every": 2, "times": 1}, [False, True, False, False]),
            ({"times": 3}, [True, True, True, False]),
            ({"begin_s": 100}, [False] * 4),
            ({"end_s": 0}, [False] * 4),
            ({"probability": 0}, [False] * 4),
            ({"probability": 1}, [True] * 4),
        ):
            exchange.faults.add(kind="too_many", where="ping", **table)
            assert await _struck(exchange, bot, 4) == expected, table
            exchange.faults.clear()

    lived(law)


def test_the_same_seed_lies_at_the_same_occasions() -> None:
    found: list[list[bool]] = []

    async def law(exchange: Exchange, bot: Any) -> None:
        found.append(await _struck(exchange, bot, 40))

    for seed in (1, 1, 2):
        table = {"kind": "too_many", "where": "ping", "probability": 0.5}
        lived(law, scenario=scenario_of({"seed": seed, "fault": [table]}))

    assert found[0] == found[1] != found[2]
    assert 8 < sum(found[0]) < 32


def test_a_lie_can_be_taken_back() -> None:
    async def law(exchange: Exchange, bot: Any) -> None:
        number = exchange.faults.add(kind="too_many", where="ping")
        assert await _struck(exchange, bot, 1) == [True]
        assert exchange.faults.remove(number) and not exchange.faults.remove(number)
        assert await _struck(exchange, bot, 1) == [False]

    lived(law)


# -- what befalls the world ----------------------------------------------------------------------------------------


def test_somebody_else_may_trade_deposit_and_withdraw_on_the_account() -> None:
    async def law(exchange: Exchange, bot: Any) -> None:
        exchange.faults.add(kind="deposit", asset="ETH", amount="2")
        exchange.faults.add(kind="withdraw", asset="USDT", amount="1000")
        exchange.faults.add(kind="manual_order", symbol="BTCUSDT", side="buy", quantity="0.01", client_id="web_1")
        exchange.faults.add(
            kind="manual_order", symbol="BTCUSDT", side="buy", quantity="0.01", price="30000", client_id="web_2"
        )
        await until(lambda: len(exchange.ledger()["orders"]) == 2)
        balance = await bot.fetch_balance()

        assert Decimal(balance["ETH"]["free"]) == 2
        assert Decimal(balance["USDT"]["used"]) == 300
        assert [trade["amount"] for trade in await bot.fetch_my_trades(SYMBOL)] == ["0.01000000"]
        assert {order["clientOrderId"] for order in await bot.fetch_orders(SYMBOL)} == {"web_1", "web_2"}
        assert {order["origin"] for order in exchange.ledger()["orders"]} == {"manual"}
        moved = [row for row in exchange.ledger()["movements"] if not row["book_trade"]]
        assert [(row["asset"], row["amount"]) for row in moved] == [("USDT", "10000"), ("ETH", "2"), ("USDT", "-1000")]
        exchange.faults.add(kind="manual_cancel", symbol="BTCUSDT")
        await until(lambda: not exchange.status()["open_orders"])
        assert await status_of(bot, "web_2") == "canceled"

    lived(law)


def test_a_halted_symbol_takes_no_orders_until_it_trades_again() -> None:
    async def law(exchange: Exchange, bot: Any) -> None:
        exchange.faults.add(kind="halt", symbol="BTCUSDT", seconds=0.7)
        await until(lambda: exchange.status()["symbols"]["BTCUSDT"] == "HALT")

        assert await buy(bot) == "MarketClosed"
        assert not (await bot.load_markets(True))[SYMBOL]["active"]
        await until(lambda: exchange.status()["symbols"]["BTCUSDT"] == "TRADING")
        assert await buy(bot) == "ok"

    lived(law)


def test_a_delisted_symbol_is_gone_and_its_orders_have_expired() -> None:
    async def law(exchange: Exchange, bot: Any) -> None:
        await bot.create_order(SYMBOL, "limit", "buy", "0.01", "30000", {"clientOrderId": "one"})
        exchange.faults.add(kind="delist", symbol="BTCUSDT")
        await until(lambda: exchange.status()["symbols"]["BTCUSDT"] == "BREAK")

        assert await buy(bot, "two") == "BadSymbol"
        assert [order["status"] for order in exchange.ledger()["orders"]] == ["expired"]
        assert Decimal((await bot.fetch_balance())["USDT"]["used"]) == 0
        assert SYMBOL not in await bot.load_markets(True)

    lived(law)


def test_a_revoked_key_is_good_for_nothing_until_it_is_good_again() -> None:
    async def law(exchange: Exchange, bot: Any) -> None:
        exchange.faults.add(kind="revoke", seconds=0.7)
        await until(lambda: bool(exchange.faults.counts["revoke"]))

        # After a success ccxt takes a revoked key for a ban.
        assert await outcome_of(bot.fetch_balance()) in ("AuthenticationError", "DDoSProtection")
        assert await outcome_of(bot.public_get_ping()) == "ok without id"
        await asyncio.sleep(0.8)
        assert await buy(bot) == "ok"

    lived(law)


def test_an_exchange_under_maintenance_serves_nobody() -> None:
    async def law(exchange: Exchange, bot: Any) -> None:
        exchange.faults.add(kind="maintenance", seconds=0.7)
        await until(lambda: bool(exchange.faults.counts["maintenance"]))

        assert await outcome_of(bot.fetch_time()) == await buy(bot) == "OnMaintenance"
        await asyncio.sleep(0.8)
        assert await buy(bot) == "ok"

    lived(law)


def test_a_clock_that_is_ahead_refuses_what_is_on_time() -> None:
    async def law(exchange: Exchange, bot: Any) -> None:
        exchange.faults.add(kind="skew", milliseconds=60_000)
        await until(lambda: bool(exchange.faults.counts["skew"]))

        assert await buy(bot) == "InvalidNonce"
        await bot.load_time_difference()
        bot.options["adjustForTimeDifference"] = True
        assert await buy(bot) == "ok"

    lived(law)


def test_what_cannot_befall_the_world_does_not() -> None:
    async def law(exchange: Exchange, bot: Any) -> None:
        before = exchange.ledger()["balances"]
        exchange.faults.add(kind="withdraw", asset="USDT", amount="1000000")
        exchange.faults.add(kind="halt", symbol="NOSUCH", seconds=1)
        exchange.faults.add(kind="manual_cancel", symbol="BTCUSDT")
        await until(lambda: exchange.faults.counts.total() == 3)

        assert exchange.ledger()["balances"] == before

    lived(law)


def test_every_kind_of_lie_has_a_law() -> None:
    from pathlib import Path

    here = Path(__file__).parent
    text = "".join((here / name).read_text() for name in ("test_lies.py", "test_stream_lies.py", "test_bybit.py"))

    assert not [kind for kind in KINDS if f'"{kind}"' not in text]
