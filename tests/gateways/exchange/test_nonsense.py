"""Laws of requests that make no sense: each is answered with a code, and the exchange goes on as before."""

import asyncio
import time
from typing import Any
from urllib.parse import quote

import aiohttp
from yarl import URL

from gateways.exchange.binance.signing import signature_of
from gateways.exchange.server import Exchange
from tests.gateways.exchange.support import NAME, lived

ODD = (
    "",
    "x",
    "-1",
    "0",
    "NaN",
    "1e5",
    "9" * 18,
    "9" * 19,
    "9" * 30,
    "9" * 4_000,
    "1." + "1" * 30,
    "٣",
    "\x00",
    "💥",
    "a b",
    "' or 1=1",
    "None",
)
SOUND = {
    "symbol": NAME,
    "side": "BUY",
    "type": "LIMIT",
    "timeInForce": "GTC",
    "quantity": "0.01",
    "price": "30000",
    "newClientOrderId": "one",
    "origClientOrderId": "one",
    "interval": "1m",
    "limit": "5",
}
PLACES = {
    ("POST", "order"): (
        *("symbol", "side", "type", "timeInForce", "quantity", "price", "newClientOrderId", "stopPrice"),
        *("newOrderRespType", "quoteOrderQty", "recvWindow", "timestamp"),
    ),
    ("GET", "order"): ("symbol", "orderId", "origClientOrderId"),
    ("DELETE", "order"): ("symbol", "orderId", "origClientOrderId", "newClientOrderId"),
    ("GET", "klines"): ("symbol", "interval", "limit", "startTime", "endTime"),
    ("GET", "aggTrades"): ("symbol", "fromId", "startTime", "endTime", "limit"),
    ("GET", "depth"): ("symbol", "limit"),
    ("GET", "allOrders"): ("symbol", "orderId", "startTime", "endTime", "limit"),
    ("GET", "myTrades"): ("symbol", "fromId", "orderId", "startTime", "endTime", "limit"),
    ("GET", "openOrders"): ("symbol",),
    ("GET", "ticker/24hr"): ("symbol", "symbols"),
}


async def _ask(
    session: aiohttp.ClientSession, exchange: Exchange, place: tuple[str, str], values: dict[str, str]
) -> int:
    method, path = place
    stamped = {"timestamp": str(int(time.time() * 1_000))} | values
    payload = "&".join(f"{name}={quote(value)}" for name, value in stamped.items())
    url = f"{exchange.rest_url}/api/v3/{path}?{payload}&signature={signature_of(payload, exchange.secret)}"
    headers = {"X-MBX-APIKEY": exchange.api_key}
    async with session.request(method, URL(url, encoded=True), headers=headers) as response:
        answer = await response.json()
        assert response.status == 200 or (response.status in (400, 401) and answer["code"] < 0), (values, answer)
        return response.status


def test_nonsense_in_any_parameter_is_answered_with_a_code() -> None:
    async def law(exchange: Exchange, bot: Any) -> None:
        async with aiohttp.ClientSession() as session:
            for place, names in PLACES.items():
                for name in names:
                    for value in ODD:
                        await _ask(session, exchange, place, SOUND | {name: value})
            assert await _ask(session, exchange, ("GET", "account"), {}) == 200

        assert exchange.ledger()["balances"] == {"USDT": "10000"}
        assert not exchange.failed.done()

    lived(law, weight_max=10**9, orders_max=10**6)


def test_bytes_that_are_no_text_and_json_without_an_end_are_refused_as_anything_else() -> None:
    async def law(exchange: Exchange, bot: Any) -> None:
        port = int(exchange.rest_url.rsplit(":", 1)[1])
        for request, status in (
            (b"GET /api/v3/account HTTP/1.1\r\nX-MBX-APIKEY: \xff\xfe", b"401"),
            (b"GET /api/v3/ticker/price?symbol=\xff HTTP/1.1\r\nA: b", b"400"),
            (b"GET /v5/account/wallet-balance HTTP/1.1\r\nX-BAPI-API-KEY: \xff", b"200"),
            (b"GET /holdfast/status HTTP/1.1\r\nAuthorization: Bearer \xff", b"401"),
        ):
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
            writer.write(request + b"\r\nHost: x\r\nConnection: close\r\n\r\n")
            assert (await asyncio.wait_for(reader.read(), 5)).split()[1] == status, request
            writer.close()
            await writer.wait_closed()
        async with aiohttp.ClientSession() as session:
            async with session.post(f"{exchange.rest_url}/v5/order/create", data="[" * 60_000) as response:
                assert (await response.json())["retCode"] == 10001
            for path in ("/ws", "/ws-api/v3", "/v5/public/spot", "/v5/private"):
                async with session.ws_connect(exchange.ws_url + path) as socket:
                    for _ in range(2):
                        await socket.send_str("[" * 60_000)
                        assert (await asyncio.wait_for(socket.receive(), 5)).type == aiohttp.WSMsgType.TEXT

    lived(law)


def test_what_is_no_request_of_the_api_harms_nobody() -> None:
    async def law(exchange: Exchange, bot: Any) -> None:
        port = int(exchange.rest_url.rsplit(":", 1)[1])
        for said in (
            b"\x16\x03\x01\x00",
            b"GET / HTTP/9.9\r\n\r\n",
            b"POST /api/v3/order HTTP/1.1\r\nContent-Length: -5\r\n\r\n",
        ):
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
            writer.write(said)
            writer.write_eof()
            await asyncio.wait_for(reader.read(), 5)
            writer.close()
            await writer.wait_closed()
        async with aiohttp.ClientSession() as session:
            for path in ("/", "/api/v3/nothing", "/unmapped/sapi/capital/config/getall", "/api/v3/../../keys.json"):
                async with session.get(exchange.rest_url + path) as response:
                    assert response.status == 404
            async with session.post(f"{exchange.rest_url}/api/v3/order", data=b"x" * 200_000) as response:
                assert response.status == 413

        assert await bot.fetch_time()

    lived(law)
