"""Laws of Binance's answers, to whoever signs requests without ccxt."""

import time
from decimal import Decimal
from typing import Any

import aiohttp
from yarl import URL

from gateways.exchange.binance.signing import signature_of
from gateways.exchange.server import Exchange
from tests.gateways.exchange.support import NAME, lived

LIMIT = {"side": "BUY", "type": "LIMIT", "timeInForce": "GTC", "quantity": "0.01", "price": "30000"}
MARKET = {"side": "BUY", "type": "MARKET", "quantity": "0.01"}
STOP = {"side": "BUY", "type": "STOP_LOSS", "quantity": "0.01", "stopPrice": "90000"}
MAKER = {"side": "BUY", "type": "LIMIT_MAKER", "quantity": "0.01", "price": "30000"}


async def asked(exchange: Exchange, method: str, path: str, **params: str) -> Any:
    """Return what a signed request is answered with."""
    stamped = {"symbol": NAME, "timestamp": str(int(time.time() * 1_000))} | params
    payload = "&".join(f"{name}={value}" for name, value in stamped.items())
    url = f"{exchange.rest_url}/api/v3/{path}?{payload}&signature={signature_of(payload, exchange.secret)}"
    headers = {"X-MBX-APIKEY": exchange.api_key}
    async with aiohttp.request(method, URL(url, encoded=True), headers=headers) as response:
        return await response.json()


def test_a_parameter_that_a_kind_of_order_does_not_take_is_refused() -> None:
    too_many = [
        (MARKET, "timeInForce", "GTC"),
        (MARKET, "price", "30000"),
        (MARKET, "stopPrice", "90000"),
        (STOP, "timeInForce", "GTC"),
        (STOP, "price", "30000"),
        (MAKER, "timeInForce", "GTC"),
        (LIMIT, "stopPrice", "90000"),
        (LIMIT, "quoteOrderQty", "100"),
    ]

    async def law(exchange: Exchange, bot: Any) -> None:
        for order, name, value in too_many:
            answer = await asked(exchange, "POST", "order", **order | {name: value})
            assert answer == {"code": -1106, "msg": f"Parameter '{name}' sent when not required."}

        assert not exchange.ledger()["orders"]

    lived(law)


def test_an_order_that_is_named_twice_is_told_only_where_both_names_are_its_own() -> None:
    async def law(exchange: Exchange, bot: Any) -> None:
        taken = await asked(exchange, "POST", "order", **LIMIT, newClientOrderId="one")
        number = str(taken["orderId"])

        for name, code in (("one", None), ("two", -2013)):
            told = await asked(exchange, "GET", "order", orderId=number, origClientOrderId=name)
            assert told.get("code") == code

    lived(law)


def test_the_account_tells_what_it_has_nothing_of_unless_that_is_to_be_left_out() -> None:
    async def law(exchange: Exchange, bot: Any) -> None:
        everything = await asked(exchange, "GET", "account")
        some = await asked(exchange, "GET", "account", omitZeroBalances="true")

        assert {row["asset"]: row["free"] for row in everything["balances"]} == {
            "BTC": "0.00000000",
            "ETH": "0.00000000",
            "SOL": "0.00000000",
            "USDT": "10000.00000000",
        }
        assert [row["asset"] for row in some["balances"]] == ["USDT"]
        assert (await bot.fetch_balance())["BTC"]["free"] == "0.00000000"

    lived(law)


def test_an_order_that_is_only_tried_is_held_against_the_symbols_rules() -> None:
    async def law(exchange: Exchange, bot: Any) -> None:
        odd: tuple[dict[str, str], ...] = (
            {"quantity": "0.01000001"},
            {"quantity": "0.00001"},
            {"price": "30000.001"},
            {},
        )
        answers = [await asked(exchange, "POST", "order/test", **LIMIT | each) for each in odd]

        assert [answer.get("msg", "").removeprefix("Filter failure: ") for answer in answers] == [
            *("LOT_SIZE", "NOTIONAL", "PRICE_FILTER", "")
        ]
        assert not exchange.ledger()["orders"] and not exchange.ledger()["refused"]

    lived(law)


def test_a_priced_order_is_worth_no_more_than_its_symbol_says() -> None:
    async def law(exchange: Exchange, bot: Any) -> None:
        filters = (await bot.public_get_exchangeinfo())["symbols"][0]["filters"]
        (most,) = (each["maxNotional"] for each in filters if each["filterType"] == "NOTIONAL")
        assert most == "9000000.00000000"

        taken = await asked(exchange, "POST", "order", **LIMIT | {"quantity": "300"})
        assert taken["status"] == "NEW"
        refused = await asked(exchange, "POST", "order", **LIMIT | {"quantity": "300.001"})
        assert refused == {"code": -1013, "msg": "Filter failure: NOTIONAL"}

    lived(law, balances={"USDT": Decimal(10**9)})


def test_only_market_and_limit_orders_are_answered_in_full_where_nothing_else_is_asked_for() -> None:
    async def law(exchange: Exchange, bot: Any) -> None:
        for order in (MARKET, LIMIT):
            assert "fills" in await asked(exchange, "POST", "order", **order)
        for order in (STOP, MAKER):
            assert "status" not in await asked(exchange, "POST", "order", **order)
        assert (await asked(exchange, "POST", "order", **MAKER, newOrderRespType="RESULT"))["status"] == "NEW"

    lived(law)


def test_orders_and_trades_of_more_than_a_day_are_not_told_at_once() -> None:
    async def law(exchange: Exchange, bot: Any) -> None:
        now, day = int(time.time() * 1_000), 24 * 60 * 60_000
        for path in ("allOrders", "myTrades"):
            assert await asked(exchange, "GET", path, startTime=str(now - day), endTime=str(now)) == []
            told = await asked(exchange, "GET", path, startTime=str(now - day - 1), endTime=str(now))
            assert told["code"] == -1127

    lived(law)


def test_some_symbols_are_told_where_some_are_named() -> None:
    async def law(exchange: Exchange, bot: Any) -> None:
        url = f"{exchange.rest_url}/api/v3/"
        for path in ("exchangeInfo", "ticker/24hr", "ticker/bookTicker", "ticker/price"):
            for names, code in (('["SOLUSDT","BTCUSDT"]', None), ('["NONE"]', -1121), ("SOLUSDT", -1100)):
                async with aiohttp.request("GET", url + path, params={"symbols": names}) as response:
                    told = await response.json()
                if code is not None:
                    assert told["code"] == code
                    continue
                rows = told["symbols"] if path == "exchangeInfo" else told
                assert [row["symbol"] for row in rows] == ["SOLUSDT", "BTCUSDT"]

    lived(law)
