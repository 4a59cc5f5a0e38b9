"""Laws of what the exchange lies about in its streams."""

import asyncio
import json
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import aiohttp
import pytest

from gateways.exchange.server import Exchange
from tests.gateways.exchange.support import NAME, SYMBOL, lived, outcome_of

pytestmark = pytest.mark.slow

WAIT_S = 3.0
TRADES = f"{NAME.lower()}@trade"


@asynccontextmanager
async def trades_of(exchange: Exchange) -> AsyncIterator[aiohttp.ClientWebSocketResponse]:
    """Listen to public trades."""
    url = f"{exchange.ws_url}/ws/{TRADES}"
    async with aiohttp.ClientSession() as session, session.ws_connect(url, autoping=False) as socket:
        yield socket


@asynccontextmanager
async def account_of(exchange: Exchange, bot: Any) -> AsyncIterator[aiohttp.ClientWebSocketResponse]:
    """Listen to the account."""
    url = f"{exchange.ws_url}/ws-api/v3"
    async with aiohttp.ClientSession() as session, session.ws_connect(url) as socket:
        method = "userDataStream.subscribe.signature"
        await socket.send_json({"id": "1", "method": method, "params": bot.sign_params({})})
        await asyncio.wait_for(socket.receive(), WAIT_S)
        yield socket


async def heard(socket: aiohttp.ClientWebSocketResponse, seconds: float) -> list[Any]:
    """Return every message of a stretch of time; None for one that is no JSON, and for the end."""
    found: list[Any] = []
    end = time.monotonic() + seconds
    while (left := end - time.monotonic()) > 0:
        try:
            message = await asyncio.wait_for(socket.receive(), left)
        except TimeoutError:
            break
        if message.type == aiohttp.WSMsgType.PONG:
            found.append("pong")
        elif message.type == aiohttp.WSMsgType.TEXT:
            found.append(_json(message.data))
        else:
            found.append(message.type)
            break
    return found


def _json(text: str) -> Any:
    try:
        return json.loads(text)
    except ValueError:
        return None


def reports(found: list[Any]) -> list[str]:
    """Return the kinds of execution reports."""
    return [said["event"]["x"] for said in found if said["event"]["e"] == "executionReport"]


@pytest.mark.parametrize(("kind", "answers"), [("silent", True), ("frozen", False)])
def test_a_stream_may_say_nothing_with_pongs_or_without(kind: str, answers: bool) -> None:
    async def law(exchange: Exchange, bot: Any) -> None:
        async with trades_of(exchange) as socket:
            assert await heard(socket, 0.5)
            exchange.faults.add(kind=kind, where="stream.market", seconds=1.0, times=1)
            await asyncio.sleep(0.3)
            await heard(socket, 0.05)
            await socket.ping()
            found = await heard(socket, 0.4)
            await asyncio.sleep(0.6)

            assert found == (["pong"] if answers else [])
            assert await heard(socket, 0.5)

    lived(law, speed=600)


@pytest.mark.parametrize("kind", ["disconnect", "reset_stream"])
def test_a_stream_may_end_at_any_frame(kind: str) -> None:
    async def law(exchange: Exchange, bot: Any) -> None:
        async with trades_of(exchange) as socket:
            exchange.faults.add(kind=kind, where="stream.market.trade", nth=5)
            found = await heard(socket, WAIT_S)

        assert found[-1] in (aiohttp.WSMsgType.CLOSED, aiohttp.WSMsgType.CLOSE, aiohttp.WSMsgType.ERROR)

    lived(law, speed=600)


def test_a_quiet_stream_may_end_by_the_clock_again_and_again() -> None:
    async def law(exchange: Exchange, bot: Any) -> None:
        exchange.faults.add(kind="disconnect", where="stream.user.beat")
        for _ in range(2):
            async with account_of(exchange, bot) as socket:
                assert (await heard(socket, WAIT_S))[-1] == aiohttp.WSMsgType.CLOSED
        assert exchange.faults.counts["disconnect"] == 2

    lived(law)


def test_ccxt_comes_back_after_a_disconnect_and_has_missed_what_happened_meanwhile() -> None:
    async def law(exchange: Exchange, bot: Any) -> None:
        watching = asyncio.create_task(outcome_of(bot.watch_orders()))
        await asyncio.sleep(0.3)
        exchange.faults.add(kind="disconnect", where="stream.user.new", times=1)
        await bot.create_order(SYMBOL, "market", "buy", "0.001")

        assert await asyncio.wait_for(watching, WAIT_S) in ("NetworkError", "ExchangeClosedByUser")
        again = asyncio.create_task(bot.watch_orders())
        await asyncio.sleep(0.6)
        order = await bot.create_order(SYMBOL, "market", "buy", "0.001")
        assert (await asyncio.wait_for(again, WAIT_S))[-1]["id"] == order["id"]

    lived(law)


@pytest.mark.parametrize("kind", ["revoke", "maintenance"])
def test_the_accounts_stream_ends_with_what_keeps_it_from_coming_back(kind: str) -> None:
    async def law(exchange: Exchange, bot: Any) -> None:
        async with account_of(exchange, bot) as account, trades_of(exchange) as market:
            exchange.faults.add(kind=kind, seconds=60)
            assert (await heard(account, WAIT_S))[-1] == aiohttp.WSMsgType.CLOSED
            goes_on = (await heard(market, 0.4))[-1:] != [aiohttp.WSMsgType.CLOSED]
        assert goes_on == (kind == "revoke")
        if kind == "maintenance":
            with pytest.raises(aiohttp.WSServerHandshakeError):
                async with trades_of(exchange):
                    pass

    lived(law, speed=600)


def test_a_stream_may_be_refused() -> None:
    async def law(exchange: Exchange, bot: Any) -> None:
        exchange.faults.add(kind="refuse", where="stream.market", times=1)
        with pytest.raises(aiohttp.WSServerHandshakeError):
            async with trades_of(exchange):
                pass
        async with trades_of(exchange) as socket:
            assert await heard(socket, 0.5)

    lived(law, speed=600)


def test_frames_may_be_left_out_doubled_or_broken() -> None:
    async def law(exchange: Exchange, bot: Any) -> None:
        async with trades_of(exchange) as socket:
            exchange.faults.add(kind="drop", where="stream.market.trade", nth=2)
            exchange.faults.add(kind="twice", where="stream.market.trade", nth=3)
            exchange.faults.add(kind="garble", where="stream.market.trade", nth=5)
            found = [said and said["t"] for said in (await heard(socket, 0.7))[:6]]

        # Frames that came before the faults did are counted by none of them.
        while found[1] == found[0] + 1:
            del found[0]
        first = found[0]
        assert found[:4] == [first, first + 2, first + 2, first + 3]

    lived(law, speed=600)


def test_a_fill_may_be_told_twice_and_before_what_came_first() -> None:
    async def law(exchange: Exchange, bot: Any) -> None:
        async with account_of(exchange, bot) as socket:
            exchange.faults.add(kind="twice", where="stream.user.trade", times=1)
            exchange.faults.add(kind="delay", where="stream.user.new", seconds=0.3, times=1)
            await bot.create_order(SYMBOL, "market", "buy", "0.001")
            found = await heard(socket, 0.8)

        trades = [said for said in found if said["event"].get("x") == "TRADE"]
        assert reports(found) == ["TRADE", "TRADE", "NEW"]
        assert trades[0] == trades[1]

    lived(law)


def test_a_fill_may_be_told_after_the_cancel() -> None:
    async def law(exchange: Exchange, bot: Any) -> None:
        async with account_of(exchange, bot) as socket:
            exchange.faults.add(kind="fill_at_cancel", share="0.5", seconds=0.3, times=1)
            exchange.faults.add(kind="delay", where="stream.user.trade", seconds=0.3, times=1)
            order = await bot.create_order(SYMBOL, "limit", "buy", "0.01", "30000")
            await bot.cancel_order(order["id"], SYMBOL)
            found = await heard(socket, 0.8)

        assert reports(found) == ["NEW", "CANCELED", "TRADE"]

    lived(law)


def test_a_listener_that_does_not_read_is_cut_off() -> None:
    from gateways.exchange import sockets

    async def law(exchange: Exchange, bot: Any) -> None:
        waiting_max, sockets.WAITING_MAX = sockets.WAITING_MAX, 5
        try:
            async with trades_of(exchange) as socket:
                exchange.faults.add(kind="twice", where="stream.market.trade")
                exchange.faults.add(kind="twice", where="stream.market.trade")
                exchange.faults.add(kind="twice", where="stream.market.trade")
                found = await heard(socket, WAIT_S)
        finally:
            sockets.WAITING_MAX = waiting_max

        assert found[-1] in (aiohttp.WSMsgType.CLOSED, aiohttp.WSMsgType.CLOSE)

    lived(law, speed=600)
