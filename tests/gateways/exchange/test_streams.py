"""Laws of the exchange's streams, as ccxt.pro and a plain WebSocket see them."""

import asyncio
import json
import logging
import socket
from decimal import Decimal
from itertools import pairwise
from typing import Any
from urllib.parse import urlsplit

import aiohttp
import pytest

from gateways.exchange.server import Exchange
from tests.gateways.exchange.support import NAME, SYMBOL, bot_for, lived, until

WAIT_S = 5.0
HANDSHAKE = (
    "GET {path} HTTP/1.1\r\nHost: here\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n"
)


async def soon(awaited: Any) -> Any:
    """Wait for something, but not for ever."""
    return await asyncio.wait_for(awaited, WAIT_S)


class Listener:
    """A plain WebSocket to the exchange, with everything that it heard."""

    def __init__(self, socket: aiohttp.ClientWebSocketResponse) -> None:
        self.socket = socket
        self.heard: list[Any] = []

    async def say(self, method: str, *params: str) -> None:
        """Send a request."""
        await self.socket.send_json({"method": method, "params": list(params), "id": 1})

    async def hear(self, count: int) -> list[Any]:
        """Return the next events; answers to requests are left out."""
        found: list[Any] = []
        while len(found) < count:
            said = json.loads((await soon(self.socket.receive())).data)
            self.heard.append(said)
            if "e" in said or "stream" in said:
                found.append(said)
        return found


def test_public_streams_tell_what_rest_tells() -> None:
    async def law(exchange: Exchange, bot: Any) -> None:
        trade = (await soon(bot.watch_trades(SYMBOL)))[-1]
        candle = (await soon(bot.watch_ohlcv(SYMBOL, "1s")))[-1]
        ticker = await soon(bot.watch_ticker(SYMBOL))
        trades = await bot.fetch_trades(SYMBOL)

        assert (trade["id"], trade["price"]) in {(each["id"], each["price"]) for each in trades}
        assert candle[0] % 1_000 == 0
        assert abs(Decimal(ticker["last"]) / Decimal(trade["price"]) - 1) < Decimal("0.05")

    lived(law, speed=60)


def test_a_kline_closes_once_with_the_numbers_that_rest_has() -> None:
    async def law(exchange: Exchange, bot: Any) -> None:
        async with aiohttp.ClientSession() as session, session.ws_connect(f"{exchange.ws_url}/stream/ws/0") as socket:
            listener = Listener(socket)
            await listener.say("SUBSCRIBE", f"{NAME.lower()}@kline_1s")
            closed: list[Any] = []
            while len(closed) < 3:
                (event,) = await listener.hear(1)
                closed += [event["k"]] if event["k"]["x"] else []
            rows = await bot.fetch_ohlcv(SYMBOL, "1s", limit=20)

        assert [kline["t"] for kline in closed] == [closed[0]["t"] + 1_000 * place for place in range(3)]
        for kline in closed:
            told = [kline["t"], *(kline[name] for name in "ohlcv")]
            assert told in rows

    lived(law, speed=60)


def test_depths_applied_one_after_another_are_the_book_that_rest_has_whoever_else_listens() -> None:
    async def law(exchange: Exchange, bot: Any) -> None:
        url = f"{exchange.ws_url}/stream/ws/0"
        async with (
            aiohttp.ClientSession() as session,
            session.ws_connect(url) as socket,
            session.ws_connect(url) as other,
        ):
            await Listener(other).say("SUBSCRIBE", f"{NAME.lower()}@depth")
            listener = Listener(socket)
            await listener.say("SUBSCRIBE", f"{NAME.lower()}@depth@100ms")
            events = await listener.hear(2)
            books: list[Any] = []
            # On a busy machine the market may stand still for a while.
            while len({book["lastUpdateId"] for book in books}) < 8:
                await asyncio.sleep(0.013)
                books.append(await bot.public_get_depth({"symbol": NAME, "limit": 100}))
            events += await listener.hear(5)
            exchange.faults.add(kind="halt", symbol=NAME, seconds=60)
            await until(lambda: exchange.status()["symbols"][NAME] == "HALT")
            newest = await bot.public_get_depth({"symbol": NAME, "limit": 100})
            while events[-1]["u"] < int(newest["lastUpdateId"]):
                events += await listener.hear(1)
        # One between two events, whose levels neither of these has.
        told = {event["u"] for event in events}
        book = next(each for each in books if int(each["lastUpdateId"]) not in told)
        number, bids, asks = int(book["lastUpdateId"]), dict(book["bids"]), dict(book["asks"])
        for event in events:
            if event["u"] > number:
                bids.update(event["b"])
                asks.update(event["a"])

        assert all(after["U"] == before["u"] + 1 for before, after in pairwise(events))
        assert {price: size for price, size in bids.items() if Decimal(size)} == dict(newest["bids"])
        assert {price: size for price, size in asks.items() if Decimal(size)} == dict(newest["asks"])

    lived(law, speed=2_000)


def test_combined_streams_say_which_one_speaks() -> None:
    async def law(exchange: Exchange, bot: Any) -> None:
        url = f"{exchange.ws_url}/stream?streams={NAME.lower()}@trade/ethusdt@aggTrade"
        async with aiohttp.ClientSession() as session, session.ws_connect(url) as socket:
            events = await Listener(socket).hear(20)

        assert {event["stream"] for event in events} == {f"{NAME.lower()}@trade", "ethusdt@aggTrade"}
        assert all(event["data"]["e"] in event["stream"] for event in events)

    lived(law, speed=120)


def test_nobody_hears_of_a_stream_that_was_left() -> None:
    async def law(exchange: Exchange, bot: Any) -> None:
        async with aiohttp.ClientSession() as session, session.ws_connect(f"{exchange.ws_url}/stream/ws/0") as socket:
            listener = Listener(socket)
            await listener.say("SUBSCRIBE", f"{NAME.lower()}@trade")
            await listener.hear(1)
            await listener.say("UNSUBSCRIBE", f"{NAME.lower()}@trade")
            await listener.say("LIST_SUBSCRIPTIONS")
            answers = 0
            while answers < 2:
                said = json.loads((await soon(socket.receive())).data)
                answers += "result" in said
            await asyncio.sleep(0.3)

        assert said == {"result": [], "id": 1}

    lived(law, speed=60)


def test_a_connection_may_have_so_many_streams_in_however_many_requests() -> None:
    async def law(exchange: Exchange, bot: Any) -> None:
        async with aiohttp.ClientSession() as session, session.ws_connect(f"{exchange.ws_url}/ws") as socket:
            answers = []
            for part in range(4):
                names = [f"{NAME.lower()}@x{part}-{place}" for place in range(500)]
                await socket.send_json({"method": "SUBSCRIBE", "params": names, "id": part})
                answers.append("error" in json.loads((await soon(socket.receive())).data))
            await socket.send_json({"method": "LIST_SUBSCRIPTIONS", "id": 9})
            told = json.loads((await soon(socket.receive())).data)["result"]

        assert (answers, len(told)) == ([False, False, True, True], 1_000)

    lived(law)


def test_what_makes_no_sense_is_answered_and_the_stream_goes_on() -> None:
    async def law(exchange: Exchange, bot: Any) -> None:
        async with aiohttp.ClientSession() as session, session.ws_connect(f"{exchange.ws_url}/stream/ws/0") as socket:
            for text in ("{", "[]", '"x"', '{"method":"FLY"}', '{"method":5,"params":7}'):
                await socket.send_str(text)
                assert "error" in json.loads((await soon(socket.receive())).data)
            await socket.send_json({"method": "SUBSCRIBE", "params": [f"{NAME.lower()}@trade"], "id": 9})
            assert json.loads((await soon(socket.receive())).data) == {"result": None, "id": 9}

    lived(law)


def test_orders_trades_and_balances_are_told_as_they_happen() -> None:
    async def law(exchange: Exchange, bot: Any) -> None:
        seen: list[Any] = []

        async def follow() -> None:
            while True:
                seen.extend(dict(order) for order in await bot.watch_orders())

        follower = asyncio.create_task(follow())
        trades = asyncio.create_task(bot.watch_my_trades())
        balance = asyncio.create_task(bot.watch_balance())
        await until(lambda: "/ws-api" in "".join(bot.clients))
        await asyncio.sleep(0.2)
        market = await bot.create_order(SYMBOL, "market", "buy", "0.01", None, {"clientOrderId": "one"})
        limit = await bot.create_order(SYMBOL, "limit", "buy", "0.01", "30000", {"clientOrderId": "two"})
        await bot.cancel_order(limit["id"], SYMBOL)
        await until(lambda: any(order["status"] == "canceled" for order in seen))
        (trade,), held = await soon(trades), await soon(balance)
        follower.cancel()

        assert ("one", "closed") in {(order["clientOrderId"], order["status"]) for order in seen}
        assert ("two", "canceled") in {(order["clientOrderId"], order["status"]) for order in seen}
        assert trade["order"] == market["id"] and trade["amount"] == "0.01000000"
        assert Decimal(trade["fee"]["cost"]) == Decimal("0.00001")
        assert Decimal(held["BTC"]["free"]) == Decimal("0.00999")

    lived(law)


def test_the_account_is_told_to_who_signs_with_its_secret_only() -> None:
    async def law(exchange: Exchange, bot: Any) -> None:
        stranger = bot_for(exchange, secret="x" * 64)
        try:
            await stranger.load_markets()
            refused = await asyncio.gather(asyncio.wait_for(stranger.watch_orders(), 2), return_exceptions=True)
        finally:
            await stranger.close()

        # What ccxt raises here is an accident of its own.
        assert isinstance(refused[0], Exception) and not isinstance(refused[0], TimeoutError)

    lived(law)


def test_a_stream_hears_every_step_of_an_order_in_order() -> None:
    async def law(exchange: Exchange, bot: Any) -> None:
        async with aiohttp.ClientSession() as session, session.ws_connect(f"{exchange.ws_url}/ws-api/v3") as socket:
            params = bot.sign_params({})
            await socket.send_json({"id": "1", "method": "userDataStream.subscribe.signature", "params": params})
            assert json.loads((await soon(socket.receive())).data)["result"] == {"subscriptionId": 0}
            await bot.create_order(SYMBOL, "market", "buy", "0.01", None, {"clientOrderId": "one"})
            events = [json.loads((await soon(socket.receive())).data)["event"] for _ in range(3)]

        new, trade, position = events
        assert (new["x"], new["X"], new["c"]) == ("NEW", "NEW", "one")
        assert (trade["x"], trade["X"], trade["z"], trade["t"]) == ("TRADE", "FILLED", "0.01000000", 1)
        assert position["e"] == "outboundAccountPosition" and {each["a"] for each in position["B"]} == {"BTC", "USDT"}

    lived(law)


def test_who_leaves_during_the_handshake_is_nobodys_fault(caplog: pytest.LogCaptureFixture) -> None:
    async def law(exchange: Exchange, bot: Any) -> None:
        place = urlsplit(exchange.ws_url)
        for path in ("/stream/ws", "/v5/public/spot") * 20:
            with socket.create_connection((place.hostname, place.port)) as gone:
                gone.sendall(HANDSHAKE.format(path=path).encode())
            await asyncio.sleep(0.005)

        assert [record.getMessage() for record in caplog.records if record.levelno >= logging.ERROR] == []

    lived(law)
