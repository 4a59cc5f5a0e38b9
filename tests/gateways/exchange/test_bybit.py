"""The laws of the exchange's second API: an unmodified ccxt for Bybit, and raw requests, over the same account."""

import asyncio
import hashlib
import hmac
import json
import time
from collections.abc import Awaitable, Callable
from decimal import Decimal
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from domain.market import DAY_MS
from gateways.exchange.server import Exchange
from tests.gateways.exchange.support import SYMBOL, bot_for, bybit_for, outcome_of, trading, until

pytestmark = pytest.mark.slow

D = Decimal
Law = Callable[[Exchange, Any], Awaitable[None]]


def lived(law: Law, **settings: Any) -> None:
    """Let a law be looked at on an exchange of its own, by ccxt's `bybit`."""

    async def live() -> None:
        async with trading(api="bybit", **settings) as (exchange, bot):
            await law(exchange, bot)

    asyncio.run(live())


async def ask(exchange: Exchange, method: str, path: str, values: dict[str, Any], **changes: str) -> tuple[Any, Any]:
    """Send a request that is signed here and not by ccxt; return its body and its headers."""
    query = "&".join(f"{name}={value}" for name, value in values.items()) if method == "GET" else ""
    body = json.dumps(values) if method == "POST" else ""
    key, now = exchange.api_key, str(time.time_ns() // 1_000_000)
    given = {"X-BAPI-API-KEY": key, "X-BAPI-TIMESTAMP": now, "X-BAPI-RECV-WINDOW": "5000"} | changes
    signed = given["X-BAPI-TIMESTAMP"] + key + given["X-BAPI-RECV-WINDOW"] + (query or body)
    given.setdefault("X-BAPI-SIGN", hmac.new(exchange.secret.encode(), signed.encode(), hashlib.sha256).hexdigest())
    url = f"{exchange.rest_url}/v5/{path}" + (f"?{query}" if query else "")
    async with (
        aiohttp.ClientSession() as session,
        session.request(method, url, data=body or None, headers=given) as answer,
    ):
        return await answer.json(), answer.headers


async def code_of(exchange: Exchange, **changes: str) -> int:
    body, _ = await ask(exchange, "GET", "account/wallet-balance", {"accountType": "UNIFIED"}, **changes)
    return int(body["retCode"])


async def price_of(bot: Any) -> float:
    return float((await bot.fetch_ticker(SYMBOL))["last"])


@pytest.mark.parametrize("kind", ["async", "pro"])
def test_an_order_is_acknowledged_by_ids_alone_and_then_told_with_its_trades(kind: str) -> None:
    async def law(exchange: Exchange, bot: Any) -> None:
        made = await bot.create_order(SYMBOL, "market", "buy", 0.01, None, {"clientOrderId": "mine"})
        order = await bot.fetch_closed_order(made["id"], SYMBOL)
        trades = await bot.fetch_my_trades(SYMBOL)
        balance = await bot.fetch_balance()

        assert set(made["info"]) == {"orderId", "orderLinkId"}
        assert (order["status"], order["filled"], order["clientOrderId"]) == ("closed", "0.01", "mine")
        assert sum(D(trade["amount"]) for trade in trades) == D("0.01")
        assert D(balance["BTC"]["total"]) == D(exchange.ledger()["balances"]["BTC"])

    lived(law, kind=kind)


def test_the_blocking_ccxt_trades_too() -> None:
    async def law(exchange: Exchange, _: Any) -> None:
        bot = bybit_for(exchange, "sync")

        def trade() -> Any:
            made = bot.create_order(SYMBOL, "market", "buy", 0.01)
            return bot.fetch_order(made["id"], SYMBOL, {"acknowledged": True})

        assert (await asyncio.to_thread(trade))["status"] == "closed"

    lived(law)


def test_both_apis_are_doors_to_the_same_account() -> None:
    async def law(exchange: Exchange, bot: Any) -> None:
        low = await price_of(bot) * 0.9
        made = await bot.create_order(SYMBOL, "limit", "buy", 0.01, low, {"clientOrderId": "mine"})
        other = bot_for(exchange)
        try:
            await other.load_markets()
            seen = await other.fetch_order(None, SYMBOL, {"clientOrderId": "mine"})
            await other.cancel_order(made["id"], SYMBOL)
        finally:
            await other.close()

        assert seen["id"] == made["id"] and seen["status"] == "open"
        (gone,) = await bot.fetch_canceled_orders(SYMBOL)
        assert (gone["id"], gone["status"]) == (made["id"], "canceled")

    lived(law)


def test_the_account_hears_of_orders_trades_and_balances() -> None:
    async def law(exchange: Exchange, bot: Any) -> None:
        waits = [asyncio.ensure_future(each()) for each in (bot.watch_orders, bot.watch_my_trades, bot.watch_balance)]
        await asyncio.sleep(0.5)

        await bot.create_order(SYMBOL, "market", "buy", 0.01, None, {"clientOrderId": "mine"})
        orders, trades, balance = await asyncio.wait_for(asyncio.gather(*waits), 10)

        assert orders[-1]["clientOrderId"] == "mine"
        assert trades[-1]["order"] == orders[-1]["id"]
        assert D(balance["BTC"]["total"]) > 0

    lived(law)


def test_the_market_is_streamed() -> None:
    async def law(exchange: Exchange, bot: Any) -> None:
        watched = (bot.watch_ticker, bot.watch_trades, bot.watch_ohlcv, bot.watch_order_book)
        found = [await asyncio.wait_for(each(SYMBOL), 10) for each in watched]
        for _ in range(5):
            book = await asyncio.wait_for(bot.watch_order_book(SYMBOL), 10)
            assert book["bids"][0][0] < book["asks"][0][0]

        assert all(found)

    lived(law, speed=60)


def test_klines_come_newest_first_and_ccxt_puts_them_in_order() -> None:
    async def law(exchange: Exchange, bot: Any) -> None:
        values = {"category": "spot", "symbol": "BTCUSDT", "interval": "1", "limit": 5}
        body, _ = await ask(exchange, "GET", "market/kline", values)
        rows = [int(row[0]) for row in body["result"]["list"]]
        bars = await bot.fetch_ohlcv(SYMBOL, "1m", since=rows[-1], limit=3)

        assert rows == sorted(rows, reverse=True)
        assert [bar[0] for bar in bars] == rows[::-1][:3]

    lived(law)


def test_a_request_is_refused_for_its_key_its_time_or_its_signature_with_status_200() -> None:
    async def law(exchange: Exchange, bot: Any) -> None:
        now = time.time_ns() // 1_000_000

        assert await code_of(exchange) == 0
        assert await code_of(exchange, **{"X-BAPI-API-KEY": "nobody"}) == 10003
        assert await code_of(exchange, **{"X-BAPI-SIGN": "0" * 64}) == 10004
        assert await code_of(exchange, **{"X-BAPI-TIMESTAMP": str(now - 6_000)}) == 10002
        assert await code_of(exchange, **{"X-BAPI-TIMESTAMP": str(now + 5_000)}) == 10002
        assert await code_of(exchange, **{"X-BAPI-TIMESTAMP": "soon"}) == 10001

    lived(law)


def test_what_is_refused_has_the_venues_code() -> None:
    async def law(exchange: Exchange, bot: Any) -> None:
        low = f"{await price_of(bot) * 0.9:.2f}"
        order = {"category": "spot", "symbol": "BTCUSDT", "side": "Buy", "orderType": "Limit", "qty": "0.01"}
        order |= {"price": low, "orderLinkId": "mine"}

        async def place(**changes: str) -> int:
            body, _ = await ask(exchange, "POST", "order/create", order | changes)
            return int(body["retCode"])

        assert await place() == 0
        assert await place() == 170141
        assert await place(orderLinkId="rich", qty="100") == 170131
        assert await place(orderLinkId="huge", qty="10000") == 170124
        assert await place(orderLinkId="odd", price="1.001") == 170134
        assert await place(orderLinkId="tiny", qty="0.00001") == 170140
        assert await place(orderLinkId="none", symbol="NOPE") == 10001
        assert await place(orderLinkId="where", category="") == 10001
        gone, _ = await ask(exchange, "POST", "order/cancel", order | {"orderLinkId": "nobody"})
        assert gone["retCode"] == 170213

    lived(law)


@pytest.mark.parametrize(
    "more",
    [
        {"takeProfit": "200000"},
        {"stopLoss": "10", "tpslMode": "Full"},
        {"isLeverage": 1},
        {"slippageTolerance": "10", "slippageToleranceType": "TickSize"},
        {"bboSideType": "Queue", "bboLevel": "1"},
        {"smpType": "CancelTaker"},
        {"triggerPrice": "10"},
        {"orderFilter": "StopOrder", "triggerPrice": "10", "triggerBy": "MarkPrice"},
    ],
    ids=lambda more: next(iter(more)),
)
def test_what_would_be_another_order_than_can_be_made_of_it_is_refused(more: dict[str, Any]) -> None:
    async def law(exchange: Exchange, bot: Any) -> None:
        order = {"category": "spot", "symbol": "BTCUSDT", "side": "Buy", "orderType": "Market", "qty": "100"}
        body, _ = await ask(exchange, "POST", "order/create", order | more)

        assert (body["retCode"], body["retMsg"].split(" is ")[1]) == (10001, "not supported here")
        assert [row["reason"] for row in exchange.ledger()["refused"]] == ["10001"]
        assert exchange.ledger()["orders"] == []

    lived(law)


def test_what_says_no_more_than_its_absence_is_taken() -> None:
    async def law(exchange: Exchange, bot: Any) -> None:
        order = {"category": "spot", "symbol": "BTCUSDT", "side": "Buy", "orderType": "Market", "qty": "100"}
        more = {"isLeverage": 0, "smpType": "None", "takeProfit": "0", "positionIdx": 0, "reduceOnly": False}
        body, _ = await ask(exchange, "POST", "order/create", order | more)

        assert body["retCode"] == 0

    lived(law)


def test_an_order_with_a_stop_that_there_is_not_raises_in_ccxt() -> None:
    async def law(exchange: Exchange, bot: Any) -> None:
        made = bot.create_order(SYMBOL, "limit", "buy", 0.01, 20_000, {"stopLoss": {"triggerPrice": 10_000}})

        assert await outcome_of(made) == "BadRequest"
        assert exchange.ledger()["orders"] == []

    lived(law)


def test_the_coins_that_are_named_are_told_also_where_there_is_nothing_of_them() -> None:
    async def law(exchange: Exchange, bot: Any) -> None:
        async def coins(**params: str) -> dict[str, str]:
            told, _ = await ask(exchange, "GET", "account/wallet-balance", {"accountType": "UNIFIED"} | params)
            return {row["coin"]: row["walletBalance"] for row in told["result"]["list"][0]["coin"]}

        assert await coins() == {"USDT": "10000"}
        assert await coins(coin="BTC") == {"BTC": "0"}
        assert await coins(coin="BTC,USDT") == {"BTC": "0", "USDT": "10000"}
        told, _ = await ask(exchange, "GET", "account/wallet-balance", {"accountType": "UNIFIED", "coin": "NONE"})
        assert told["retCode"] == 10001

    lived(law)


def test_a_client_id_is_never_free_again() -> None:
    async def law(exchange: Exchange, bot: Any) -> None:
        low = await price_of(bot) * 0.9
        made = await bot.create_order(SYMBOL, "limit", "buy", 0.01, low, {"clientOrderId": "mine"})
        await bot.cancel_order(made["id"], SYMBOL)

        assert await outcome_of(bot.create_order(SYMBOL, "limit", "buy", 0.01, low, {"clientOrderId": "mine"})) == (
            "InvalidOrder"
        )

    lived(law)


def test_a_stop_waits_untriggered_and_trades_once_its_price_is_reached() -> None:
    async def law(exchange: Exchange, bot: Any) -> None:
        price = await price_of(bot)
        made = await bot.create_order(SYMBOL, "market", "sell", 0.01, None, {"stopLossPrice": price * 0.998})
        (waiting,) = await bot.fetch_open_orders(SYMBOL, None, None, {"trigger": True})

        assert waiting["info"]["orderStatus"] == "Untriggered"
        # A cancel that does not say which kind of order it means is about those that do not wait.
        assert await outcome_of(bot.cancel_order(made["id"], SYMBOL)) == "OrderNotFound"
        await until(lambda: bool(exchange.ledger()["trades"]), 30)
        assert (await bot.fetch_closed_order(made["id"], SYMBOL))["filled"] == "0.01"

    lived(law, speed=600, balances={"BTC": D(1)})


def test_an_order_that_ended_partly_filled_has_a_status_of_its_own() -> None:
    async def law(exchange: Exchange, bot: Any) -> None:
        exchange.faults.add(kind="partial", share="0.5")
        made = await bot.create_order(SYMBOL, "market", "buy", 0.01)
        (order,) = await bot.fetch_canceled_and_closed_orders(SYMBOL)

        assert order["id"] == made["id"]
        assert order["info"]["orderStatus"] == "PartiallyFilledCanceled"
        assert order["filled"] == "0.005"

    lived(law)


def test_the_real_time_list_forgets_finished_orders_at_a_restart_and_the_history_does_not(tmp_path: Path) -> None:
    made: dict[str, Any] = {}

    async def first(exchange: Exchange, bot: Any) -> None:
        made.update(await bot.create_order(SYMBOL, "market", "buy", 0.01))
        assert (await bot.fetch_order(made["id"], SYMBOL, {"acknowledged": True}))["status"] == "closed"
        other = await bot.create_order(SYMBOL, "market", "buy", 0.01)
        exchange.faults.add(kind="forget")
        await until(lambda: exchange.faults.counts["forget"] == 1)
        assert await outcome_of(bot.fetch_order(other["id"], SYMBOL, {"acknowledged": True})) == "OrderNotFound"

    async def second(exchange: Exchange, bot: Any) -> None:
        assert await outcome_of(bot.fetch_order(made["id"], SYMBOL, {"acknowledged": True})) == "OrderNotFound"
        assert (await bot.fetch_closed_order(made["id"], SYMBOL))["status"] == "closed"

    lived(first, home=tmp_path / "venue")
    lived(second, home=tmp_path / "venue")


def test_the_history_is_of_the_status_that_is_asked_for() -> None:
    async def law(exchange: Exchange, bot: Any) -> None:
        low, traded, gone = await price_of(bot) * 0.9, [], []
        for _ in range(3):
            traded.append((await bot.create_order(SYMBOL, "market", "buy", 0.001))["id"])
            gone.append((await bot.create_order(SYMBOL, "limit", "buy", 0.01, low))["id"])
            await bot.cancel_order(gone[-1], SYMBOL)

        async def told(**params: Any) -> tuple[list[str], str]:
            body, _ = await ask(exchange, "GET", "order/history", {"category": "spot"} | params)
            return [row["orderId"] for row in body["result"]["list"]], body["result"]["nextPageCursor"]

        assert [each["id"] for each in await bot.fetch_closed_orders(SYMBOL)] == traded
        assert [each["id"] for each in await bot.fetch_canceled_orders(SYMBOL)] == gone
        assert len(await bot.fetch_canceled_and_closed_orders(SYMBOL)) == 6
        newest, cursor = await told(orderStatus="Cancelled", limit=2)
        assert newest == gone[:0:-1]
        assert await told(orderStatus="Cancelled", limit=2, cursor=cursor) == ([gone[0]], "")
        body, _ = await ask(exchange, "GET", "order/history", {"category": "spot", "orderStatus": "Nonsense"})
        assert body["retCode"] == 10001

    lived(law)


def test_only_the_orders_of_the_kind_that_is_named_are_all_cancelled() -> None:
    async def law(exchange: Exchange, bot: Any) -> None:
        price = await price_of(bot)
        rests = await bot.create_order(SYMBOL, "limit", "buy", 0.01, price * 0.5)
        await bot.create_order(SYMBOL, "market", "sell", 0.01, None, {"stopLossPrice": price * 0.5})

        await bot.cancel_all_orders(SYMBOL, {"trigger": True})
        assert [each["id"] for each in await bot.fetch_open_orders(SYMBOL)] == [rests["id"]]

    lived(law, balances={"BTC": D(1), "USDT": D(10_000)})


def test_executions_come_page_by_page_each_once() -> None:
    async def law(exchange: Exchange, bot: Any) -> None:
        for _ in range(5):
            await bot.create_order(SYMBOL, "market", "buy", 0.001)
        found, cursor = [], ""
        for _ in range(10):
            values = {"category": "spot", "symbol": "BTCUSDT", "limit": 2} | ({"cursor": cursor} if cursor else {})
            body, _ = await ask(exchange, "GET", "execution/list", values)
            found += [row["execId"] for row in body["result"]["list"]]
            cursor = body["result"]["nextPageCursor"]
            if not cursor:
                break

        assert found == [str(trade["trade_id"]) for trade in reversed(exchange.ledger()["trades"])]

    lived(law)


def test_a_list_tells_of_seven_days_at_most() -> None:
    async def law(exchange: Exchange, bot: Any) -> None:
        await bot.create_order(SYMBOL, "market", "buy", 0.001)
        now, span = exchange.ledger()["trades"][0]["at"], 7 * DAY_MS
        stretches = {
            "none": {},
            "from then on": {"startTime": now},
            "up to then": {"endTime": now},
            "from too long ago": {"startTime": now - span - 1},
            "up to before": {"endTime": now - 1},
            "both": {"startTime": now - span, "endTime": now},
            "too long": {"startTime": now - span, "endTime": now + 1},
        }

        async def told(path: str, stretch: dict[str, int]) -> Any:
            body, _ = await ask(exchange, "GET", path, {"category": "spot", **stretch})
            return body["retCode"] or len(body["result"]["list"])

        trades = {name: await told("execution/list", stretch) for name, stretch in stretches.items()}
        one = {"none": 1, "from then on": 1, "up to then": 1, "both": 1}
        assert trades == one | {"from too long ago": 0, "up to before": 0, "too long": 10001}
        assert await told("order/history", {"startTime": now - span - 10_000}) == 0

    lived(law)


def test_too_many_visits_of_a_kind_are_refused_and_the_headers_say_until_when() -> None:
    async def law(exchange: Exchange, bot: Any) -> None:
        order = {"category": "spot", "symbol": "BTCUSDT", "orderLinkId": "nobody"}
        for _ in range(40):
            body, headers = await ask(exchange, "POST", "order/cancel", order)
            if body["retCode"] == 10006:
                break

        assert body["retCode"] == 10006
        assert headers["X-Bapi-Limit-Status"] == "0"
        assert 0 < int(headers["X-Bapi-Limit-Reset-Timestamp"]) - body["time"] <= 1_000

    lived(law, orders_max=10)


LIES = {
    "reset": "NetworkError",
    "html": "ok without id",
    "braces": "ExchangeError",
    "null": "ok without id",
    "nothing": "ok without id",
    "unknown_outcome": "ExchangeError",
    "duplicate": "InvalidOrder",
    "too_many": "RateLimitExceeded",
}


@pytest.mark.parametrize("kind", LIES)
def test_an_order_is_taken_whatever_lie_its_answer_is(kind: str) -> None:
    async def law(exchange: Exchange, bot: Any) -> None:
        await bot.is_unified_enabled()
        exchange.faults.add(kind=kind, where="order.create", strike="after", nth=1)
        said = await outcome_of(bot.create_order(SYMBOL, "market", "buy", 0.01, None, {"clientOrderId": "mine"}))

        assert said in (LIES[kind], "ExchangeNotAvailable")
        assert [order["client_id"] for order in exchange.ledger()["orders"]] == ["mine"]
        seen, _ = await ask(
            exchange, "GET", "order/realtime", {"category": "spot", "symbol": "BTCUSDT", "orderLinkId": "mine"}
        )
        assert seen["result"]["list"][0]["orderStatus"] == "Filled"

    lived(law)


def test_a_request_that_was_stuck_beyond_its_window_is_not_done() -> None:
    async def law(exchange: Exchange, bot: Any) -> None:
        bot.options["recvWindow"] = 300
        await bot.is_unified_enabled()
        exchange.faults.add(kind="stuck", where="order.create", strike="before", nth=1, seconds=0.8)

        assert await outcome_of(bot.create_order(SYMBOL, "market", "buy", 0.01)) == "InvalidNonce"
        assert exchange.ledger()["orders"] == []

    lived(law)


def test_an_order_may_be_hidden_and_a_fill_kept_back_while_it_is_cancelled() -> None:
    async def law(exchange: Exchange, bot: Any) -> None:
        low = await price_of(bot) * 0.9
        exchange.faults.add(kind="hidden", where="order.create", seconds=0.5, nth=1)
        exchange.faults.add(kind="fill_at_cancel", where="order.cancel", seconds=0.5, nth=1)
        made = await bot.create_order(SYMBOL, "limit", "buy", 0.01, low)
        assert await bot.fetch_open_orders(SYMBOL) == []
        await asyncio.sleep(0.6)
        assert [each["id"] for each in await bot.fetch_open_orders(SYMBOL)] == [made["id"]]

        await bot.cancel_order(made["id"], SYMBOL)
        (at_once,) = await bot.fetch_canceled_orders(SYMBOL)
        await asyncio.sleep(0.6)
        (later,) = await bot.fetch_canceled_and_closed_orders(SYMBOL)

        assert (at_once["filled"], later["filled"]) == ("0", "0.005")

    lived(law)
