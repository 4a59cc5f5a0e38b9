"""The laws of the stream through ccxt.pro: its traps are closed."""

import asyncio
from decimal import Decimal
from typing import Any

import pytest

from gateways.live.streams import OrderStream
from gateways.live.watch import Told


class Exchange:
    """What ccxt.pro does where it is hung up: it cancels what is waited for."""

    orders: tuple[Any, ...] = ()

    def __init__(self) -> None:
        self.waits = asyncio.Event()
        self._told: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    async def watch_orders(self) -> None:
        self.waits.set()
        await self._told

    async def close_ws_clients(self) -> None:
        self._told.cancel()


class Client:
    is_closed = False

    def __init__(self) -> None:
        self.exchange = Exchange()


async def events_of(stream: OrderStream) -> None:
    async for _ in stream.events():
        pass


def test_a_stream_that_is_hung_up_breaks_and_does_not_end_who_listens() -> None:
    async def scene() -> None:
        client: Any = Client()
        stream = OrderStream(client)
        listening = asyncio.create_task(events_of(stream))
        await client.exchange.waits.wait()

        await stream.hang_up()
        await asyncio.wait([listening])

        assert not listening.cancelled()
        assert isinstance(listening.exception(), ConnectionError)

    asyncio.run(scene())


def test_who_listens_can_be_ended_all_the_same() -> None:
    async def scene() -> None:
        client: Any = Client()
        listening = asyncio.create_task(events_of(OrderStream(client)))
        await client.exchange.waits.wait()

        listening.cancel()
        with pytest.raises(asyncio.CancelledError):
            await listening

    asyncio.run(scene())


def test_it_tells_how_far_an_order_has_come_and_what_cannot_be_read_tells_nothing() -> None:
    async def scene() -> None:
        client: Any = Client()
        exchange = client.exchange
        exchange.market_id = lambda symbol: symbol.replace("/", "")
        order = {"symbol": "A/B", "lastUpdateTimestamp": 1}
        exchange.orders = [
            {"id": 1, "clientOrderId": "h1", "status": "closed", "filled": "0.5", **order},
            {"id": 2, "clientOrderId": "h2", "status": "open", "filled": None, **order},
            {"id": 3, "clientOrderId": "h3", "status": None, "filled": "nan", **order},
        ]
        exchange._told.set_result(None)
        told = OrderStream(client).events()

        assert [await anext(told) for _ in range(3)] == [
            Told("h1", "AB", Decimal("0.5"), is_over=True),
            Told("h2", "AB"),
            Told("h3", "AB"),
        ]

    asyncio.run(scene())
