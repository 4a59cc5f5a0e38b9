"""Laws of the exchange's REST API, as an unmodified ccxt sees it."""

import asyncio
import socket
import time
import urllib.request
from decimal import Decimal
from pathlib import Path
from typing import Any
from urllib.error import HTTPError

import msgspec
import pytest
from ccxt.base.errors import BadRequest

from gateways.exchange.binance.signing import signature_of
from gateways.exchange.server import Exchange
from tests.gateways.exchange.support import (
    MINUTE_MS,
    NAME,
    SYMBOL,
    bars_file,
    bot_for,
    lived,
    outcome_of,
    status_of,
    until,
)

FREE = Decimal(10_000)


def raw(exchange: Exchange, method: str, path: str, payload: str = "", body: str = "") -> tuple[int, Any, Any]:
    """Send a request as it is; return status, JSON and headers."""
    url = f"{exchange.rest_url}/api/v3/{path}{'?' + payload if payload else ''}"
    request = urllib.request.Request(url, method=method, data=body.encode() if body else None)
    request.add_header("X-MBX-APIKEY", exchange.api_key)
    try:
        with urllib.request.urlopen(request, timeout=5) as response:
            return response.status, msgspec.json.decode(response.read()), response.headers
    except HTTPError as error:
        with error:
            return error.code, msgspec.json.decode(error.read()), error.headers


def signed(exchange: Exchange, payload: str) -> str:
    """Return a payload with its signature."""
    return f"{payload}&signature={signature_of(payload, exchange.secret)}"


# -- what an unmodified ccxt does ----------------------------------------------------------------------------------


def test_the_synchronous_ccxt_trades_as_it_is() -> None:
    def trade(exchange: Exchange) -> None:
        bot = bot_for(exchange, "sync")
        assert SYMBOL in bot.load_markets()
        assert len(bot.fetch_ohlcv(SYMBOL, "1m", limit=5)) == 5
        order = bot.create_order(SYMBOL, "market", "buy", "0.01", None, {"clientOrderId": "one"})
        assert (order["status"], order["filled"]) == ("closed", "0.01000000")
        assert bot.fetch_order(None, SYMBOL, {"clientOrderId": "one"})["id"] == order["id"]
        assert [trade["order"] for trade in bot.fetch_my_trades(SYMBOL)] == [order["id"]]

    async def law(exchange: Exchange, bot: Any) -> None:
        await asyncio.to_thread(trade, exchange)

    lived(law)


def has_ipv6() -> bool:
    """Say whether this machine has a loopback address of IPv6."""
    try:
        socket.create_server(("::1", 0), family=socket.AF_INET6).close()
    except OSError:
        return False
    return True


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", *(["::1"] if has_ipv6() else [])])
def test_it_can_be_asked_at_the_address_that_it_says(host: str) -> None:
    async def law(exchange: Exchange, bot: Any) -> None:
        bought = await bot.create_order(SYMBOL, "market", "buy", "0.001")

        assert bought["status"] == "closed"

    lived(law, host=host)


def test_markets_come_with_their_steps_and_minimums() -> None:
    async def law(exchange: Exchange, bot: Any) -> None:
        market = bot.market(SYMBOL)

        assert market["active"]
        assert Decimal(market["precision"]["price"]) == Decimal("0.01")
        assert Decimal(market["precision"]["amount"]) == Decimal("0.00001")
        assert Decimal(market["limits"]["cost"]["min"]) == 5

    lived(law)


def test_klines_follow_each_other_up_to_now_in_every_frame() -> None:
    async def law(exchange: Exchange, bot: Any) -> None:
        await asyncio.sleep(2.1)
        now = await bot.fetch_time()
        for frame, span, count in (("1s", 1_000, 2), ("1m", MINUTE_MS, 100), ("5m", 5 * MINUTE_MS, 20)):
            rows = await bot.fetch_ohlcv(SYMBOL, frame, limit=count)
            opened = [row[0] for row in rows]

            assert opened == list(range(opened[0], opened[0] + span * count, span))
            assert opened[-1] <= now < opened[-1] + span + 1_000
            assert all(Decimal(row[3]) <= Decimal(row[1]) <= Decimal(row[2]) for row in rows)

    lived(law, speed=60)


def test_a_coarse_kline_is_what_its_minutes_are_together() -> None:
    async def law(exchange: Exchange, bot: Any) -> None:
        coarse = (await bot.fetch_ohlcv(SYMBOL, "15m", limit=3))[1]
        minutes = await bot.fetch_ohlcv(SYMBOL, "1m", since=coarse[0], limit=15)

        assert coarse[1] == minutes[0][1] and coarse[4] == minutes[-1][4]
        assert Decimal(coarse[2]) == max(Decimal(row[2]) for row in minutes)
        assert Decimal(coarse[3]) == min(Decimal(row[3]) for row in minutes)
        assert Decimal(coarse[5]) == sum(Decimal(row[5]) for row in minutes)

    lived(law)


def test_a_market_order_trades_at_once_and_moves_the_balance_by_price_and_fee() -> None:
    async def law(exchange: Exchange, bot: Any) -> None:
        order = await bot.create_order(SYMBOL, "market", "buy", "0.01", None, {"clientOrderId": "one"})
        balance = await bot.fetch_balance()

        assert (order["status"], order["filled"], order["clientOrderId"]) == ("closed", "0.01000000", "one")
        assert Decimal(order["fee"]["cost"]) == Decimal("0.00001") and order["fee"]["currency"] == "BTC"
        assert Decimal(balance["USDT"]["free"]) == FREE - Decimal(order["cost"])
        assert Decimal(balance["BTC"]["free"]) == Decimal("0.01") - Decimal("0.00001")
        ledger = exchange.ledger()
        assert {asset: Decimal(total) for asset, total in ledger["balances"].items()} == {
            "USDT": Decimal(balance["USDT"]["total"]),
            "BTC": Decimal(balance["BTC"]["total"]),
        }

    lived(law)


def test_a_limit_order_locks_what_it_needs_until_it_is_cancelled() -> None:
    async def law(exchange: Exchange, bot: Any) -> None:
        order = await bot.create_order(SYMBOL, "limit", "buy", "0.01", "30000", {"clientOrderId": "one"})
        locked = (await bot.fetch_balance())["USDT"]
        found = await bot.fetch_open_orders(SYMBOL)
        cancelled = await bot.cancel_order(None, SYMBOL, {"clientOrderId": "one"})

        assert order["status"] == "open" and [each["id"] for each in found] == [order["id"]]
        assert Decimal(locked["used"]) == 300 and Decimal(locked["free"]) == FREE - 300
        assert cancelled["status"] == "canceled"
        assert Decimal((await bot.fetch_balance())["USDT"]["free"]) == FREE
        assert await status_of(bot, "one") == "canceled"

    lived(law)


def test_a_client_id_is_refused_while_it_is_open_and_free_afterwards() -> None:
    async def law(exchange: Exchange, bot: Any) -> None:
        terms = (SYMBOL, "limit", "buy", "0.01", "30000", {"clientOrderId": "one"})
        first = await bot.create_order(*terms)
        assert await outcome_of(bot.create_order(*terms)) == "InvalidOrder"
        await bot.cancel_order(first["id"], SYMBOL)
        second = await bot.create_order(*terms)

        ledger = exchange.ledger()
        assert second["id"] != first["id"]
        assert [order["client_id"] for order in ledger["orders"]] == ["one", "one"]
        assert [refused["reason"] for refused in ledger["refused"]] == ["duplicate_client_id"]
        assert {"client_id": "one", "kind": "order.create", "count": 3} in ledger["requests"]

    lived(law)


def test_what_does_not_trade_at_once_of_a_large_order_rests_or_expires() -> None:
    async def law(exchange: Exchange, bot: Any) -> None:
        ask = (await bot.fetch_order_book(SYMBOL))["asks"]
        price, more = str(ask[1][0]), str(round(ask[0][1] + ask[1][1] + 5, 5))
        rests = await bot.create_order(SYMBOL, "limit", "buy", more, price)
        await bot.cancel_order(rests["id"], SYMBOL)
        gone = await bot.create_order(SYMBOL, "limit", "buy", "200", price, {"timeInForce": "IOC"})
        none = await bot.create_order(SYMBOL, "limit", "buy", "200", price, {"timeInForce": "FOK"})

        assert rests["status"] == "open" and 0 < Decimal(rests["filled"]) < Decimal(more)
        assert gone["status"] == "expired"
        assert none["status"] == "expired" and Decimal(none["filled"]) == 0

    lived(law, balances={"USDT": Decimal(10**9)})


def test_an_order_that_must_make_is_refused_where_it_would_take() -> None:
    async def law(exchange: Exchange, bot: Any) -> None:
        ask = (await bot.fetch_order_book(SYMBOL))["asks"][-1][0]
        taken = await outcome_of(bot.create_order(SYMBOL, "limit", "buy", "0.01", str(ask), {"postOnly": True}))
        rests = await outcome_of(bot.create_order(SYMBOL, "limit", "buy", "0.01", "30000", {"postOnly": True}))

        assert (taken, rests) == ("OrderImmediatelyFillable", "ok")

    lived(law)


@pytest.mark.parametrize(
    ("kind", "price", "status"), [("STOP_LOSS", None, "closed"), ("STOP_LOSS_LIMIT", "900", "closed")]
)
def test_a_stop_order_waits_until_the_market_is_there(
    tmp_path: Path, kind: str, price: str | None, status: str
) -> None:
    data = bars_file(tmp_path, [1_000.0] * 12 + [1_000.0 - 2 * place for place in range(60)])

    async def law(exchange: Exchange, bot: Any) -> None:
        order = await bot.create_order(SYMBOL, kind, "sell", "0.5", price, {"stopPrice": "990", "clientOrderId": "s"})
        used = (await bot.fetch_balance())["BTC"]["used"]
        await until(lambda: not exchange.status()["open_orders"])
        trades = await bot.fetch_my_trades(SYMBOL)

        assert order["status"] == "open" and Decimal(used) == Decimal("0.5")
        assert await status_of(bot, "s") == "closed"
        assert all(Decimal(trade["price"]) < 990 for trade in trades)
        assert sum(Decimal(trade["amount"]) for trade in trades) == Decimal("0.5")

    lived(law, data=data, speed=900, history_bars=10, balances={"BTC": Decimal(1)})


def test_the_last_lot_of_an_order_trades_whatever_share_resting_orders_get() -> None:
    async def law(exchange: Exchange, bot: Any) -> None:
        bought = await bot.create_order(SYMBOL, "market", "buy", "0.001")

        assert (bought["status"], Decimal(bought["filled"])) == ("closed", Decimal("0.001"))

    lived(law, participation=Decimal("0.3"))


def test_a_resting_order_trades_at_its_price_as_maker_once_the_market_goes_through_it(tmp_path: Path) -> None:
    data = bars_file(tmp_path, [1_000.0] * 12 + [1_000.0 - 2 * place for place in range(60)], volume=2.0)

    async def law(exchange: Exchange, bot: Any) -> None:
        await bot.create_order(SYMBOL, "limit", "buy", "0.5", "985", {"clientOrderId": "one"})
        await until(lambda: not exchange.status()["open_orders"])
        trades = await bot.fetch_my_trades(SYMBOL)

        assert {(trade["price"], trade["takerOrMaker"]) for trade in trades} == {("985.00000000", "maker")}
        assert sum(Decimal(trade["amount"]) for trade in trades) == Decimal("0.5")
        assert len(trades) > 1

    lived(law, data=data, speed=900, history_bars=10)


def test_nobody_trades_with_oneself() -> None:
    async def law(exchange: Exchange, bot: Any) -> None:
        asks = (await bot.fetch_order_book(SYMBOL))["asks"]
        near, far = str(asks[0][0]), str(asks[15][0])
        for name, price in (("near", near), ("far", far)):
            await bot.create_order(SYMBOL, "limit", "sell", "0.5", price, {"clientOrderId": name})
        amount = str(round(asks[0][1] + asks[1][1], 5))
        bought = await bot.create_order(SYMBOL, "limit", "buy", amount, str(asks[3][0]), {"timeInForce": "IOC"})

        assert (await status_of(bot, "near"), await status_of(bot, "far")) == ("expired", "open")
        assert {trade["side"] for trade in await bot.fetch_my_trades(SYMBOL)} == {"buy"}
        assert Decimal(bought["filled"]) == Decimal(amount)

    lived(law, balances={"USDT": Decimal(10**9), "BTC": Decimal(5)})


def test_trades_can_be_read_on_from_a_number() -> None:
    async def law(exchange: Exchange, bot: Any) -> None:
        for _ in range(3):
            await bot.create_order(SYMBOL, "market", "buy", "0.001")
        first, *rest = await bot.fetch_my_trades(SYMBOL)

        assert await bot.fetch_my_trades(SYMBOL, params={"fromId": int(first["id"]) + 1}) == rest
        assert await bot.fetch_my_trades(SYMBOL, since=rest[0]["timestamp"]) == rest
        assert len(await bot.fetch_my_trades(SYMBOL, limit=2)) == 2

    lived(law)


# -- what is refused -----------------------------------------------------------------------------------------------

REFUSED = {
    "InvalidOrder price": ("limit", "buy", "0.01", "30000.001"),
    "InvalidOrder lot": ("limit", "buy", "0.01000001", "30000"),
    "BadRequest precision": ("limit", "buy", "0.010000001", "30000"),
    "InvalidOrder worth": ("limit", "buy", "0.0001", "30000"),
    "InsufficientFunds": ("limit", "buy", "5", "30000"),
    "InsufficientFunds base": ("market", "sell", "5", None),
}


@pytest.mark.parametrize("name", REFUSED)
def test_an_order_that_breaks_a_rule_is_refused_as_the_exchange_would(name: str) -> None:
    kind, side, quantity, price = REFUSED[name]

    async def law(exchange: Exchange, bot: Any) -> None:
        params = {"symbol": NAME, "side": side.upper(), "type": kind.upper(), "quantity": quantity}
        params |= {"price": price, "timeInForce": "GTC"} if price else {}
        outcome = await outcome_of(bot.private_post_order(params | {"newClientOrderId": "one"}))

        # A worth below the least has no class of its own in ccxt.
        assert outcome == ("BadRequest" if "worth" in name else name.split(maxsplit=1)[0])
        assert len(exchange.ledger()["refused"]) == 1
        assert await status_of(bot, "one") == "OrderNotFound"

    lived(law)


@pytest.mark.parametrize("more", [{"trailingDelta": "100"}, {"icebergQty": "0.001"}, {"timeinforce": "IOC"}])
@pytest.mark.parametrize("door", ["private_post_order", "private_post_order_test"])
def test_an_order_that_says_more_than_is_read_is_refused(door: str, more: dict[str, str]) -> None:
    async def law(exchange: Exchange, bot: Any) -> None:
        order = {"symbol": NAME, "side": "BUY", "type": "LIMIT", "quantity": "0.01", "price": "20000"}
        order |= {"timeInForce": "GTC", "newOrderRespType": "ACK"}
        await getattr(bot, door)(order)
        with pytest.raises(BadRequest, match=r"-1104.*Not all sent parameters were read"):
            await getattr(bot, door)(order | more)

        assert len(exchange.ledger()["orders"]) == (door == "private_post_order")

    lived(law)


def test_a_worth_and_a_quantity_are_not_one_order() -> None:
    async def law(exchange: Exchange, bot: Any) -> None:
        order = {"symbol": NAME, "side": "BUY", "type": "MARKET", "quantity": "0.01", "quoteOrderQty": "50"}

        assert await outcome_of(bot.private_post_order(order)) == "BadRequest"
        assert exchange.ledger()["orders"] == []

    lived(law)


def test_a_cancel_that_says_more_than_is_read_cancels_nothing() -> None:
    async def law(exchange: Exchange, bot: Any) -> None:
        made = await bot.create_order(SYMBOL, "limit", "buy", 0.01, 20_000)
        cancel = {"symbol": NAME, "orderId": made["id"], "cancelRestrictions": "ONLY_PARTIALLY_FILLED"}

        assert await outcome_of(bot.private_delete_order(cancel)) == "BadRequest"
        assert (await bot.fetch_order(made["id"], SYMBOL))["status"] == "open"

    lived(law)


def test_unknown_orders_and_symbols_are_said_to_be_unknown() -> None:
    async def law(exchange: Exchange, bot: Any) -> None:
        assert await outcome_of(bot.cancel_order(None, SYMBOL, {"clientOrderId": "none"})) == "OrderNotFound"
        assert await outcome_of(bot.public_get_klines({"symbol": "XXXUSDT", "interval": "1m"})) == "BadSymbol"

    lived(law)


def test_who_signs_with_another_secret_or_key_gets_nothing() -> None:
    async def law(exchange: Exchange, bot: Any) -> None:
        bot.secret = "x" * 64
        assert await outcome_of(bot.fetch_balance()) == "AuthenticationError"
        bot.secret, bot.apiKey = exchange.secret, "y" * 64
        assert await outcome_of(bot.fetch_balance()) == "AuthenticationError"

    lived(law)


def test_the_signature_covers_every_byte_of_query_and_body() -> None:
    async def law(exchange: Exchange, bot: Any) -> None:
        now = int(time.time() * 1_000)
        good = signed(exchange, f"timestamp={now}&recvWindow=5000")
        changed = good.replace("recvWindow=5000", "recvWindow=5001")
        order = f"symbol={NAME}&side=BUY&type=MARKET&quantity=0.001&timestamp={now}"
        split = signed(exchange, order).split("&quantity", 1)

        assert (await asyncio.to_thread(raw, exchange, "GET", "account", good))[0] == 200
        assert (await asyncio.to_thread(raw, exchange, "GET", "account", changed))[1]["code"] == -1022
        assert (await asyncio.to_thread(raw, exchange, "GET", "account", f"timestamp={now}"))[1]["code"] == -1102
        found = await asyncio.to_thread(raw, exchange, "POST", "order", split[0], "&quantity" + split[1])
        assert (found[0], found[1]["status"]) == (200, "FILLED")

    lived(law)


@pytest.mark.parametrize(
    ("age_ms", "window", "code"), [(6_000, None, -1021), (900, 800, -1021), (-2_000, None, -1021), (0, 70_000, -1131)]
)
def test_a_request_is_good_for_its_window_only(age_ms: int, window: int | None, code: int) -> None:
    async def law(exchange: Exchange, bot: Any) -> None:
        payload = f"timestamp={int(time.time() * 1_000) - age_ms}" + (f"&recvWindow={window}" if window else "")
        status, answer, _ = await asyncio.to_thread(raw, exchange, "GET", "account", signed(exchange, payload))

        assert (status, answer["code"]) == (400, code)

    lived(law)


def test_who_asks_too_much_is_told_when_to_come_back_and_then_banned() -> None:
    async def law(exchange: Exchange, bot: Any) -> None:
        seen = [await asyncio.to_thread(raw, exchange, "GET", "time") for _ in range(40)]
        statuses = [status for status, _, _ in seen]

        assert statuses[:10] == [200] * 10 and statuses[-1] == 418
        assert 429 in statuses and statuses.index(429) < statuses.index(418)
        assert int(seen[statuses.index(429)][2]["Retry-After"]) in range(1, 62)
        assert int(seen[-1][2]["Retry-After"]) in range(100, 122)
        assert await outcome_of(bot.fetch_time()) == "DDoSProtection"

    lived(law, weight_max=45)


def test_answers_say_what_they_weighed() -> None:
    async def law(exchange: Exchange, bot: Any) -> None:
        await bot.fetch_balance()
        before = int(bot.last_response_headers["X-MBX-USED-WEIGHT-1M"])
        await bot.fetch_balance()

        assert int(bot.last_response_headers["X-MBX-USED-WEIGHT-1M"]) in (before + 20, 20)

    lived(law)


def test_too_many_orders_in_ten_seconds_are_turned_away() -> None:
    async def law(exchange: Exchange, bot: Any) -> None:
        outcomes = [await outcome_of(bot.create_order(SYMBOL, "market", "buy", "0.001")) for _ in range(8)]

        assert "ok" in outcomes and "DDoSProtection" in outcomes
        assert len(exchange.ledger()["orders"]) == outcomes.count("ok")

    lived(law, orders_max=4)


def test_two_bots_see_one_account() -> None:
    async def law(exchange: Exchange, bot: Any) -> None:
        await bot.create_order(SYMBOL, "market", "buy", "0.001")
        other = bot_for(exchange)
        try:
            assert len(await other.fetch_my_trades(SYMBOL)) == 1
        finally:
            await other.close()

    lived(law)
