"""Bybit v5 spot's doors: REST, market streams and the account's stream."""

from collections.abc import Callable, Coroutine
from typing import Any

from aiohttp import web

from gateways.exchange.bybit.private import PrivateApi
from gateways.exchange.bybit.public import PublicApi
from gateways.exchange.bybit.rest import RestDoor, endpoints_of
from gateways.exchange.bybit.streams import MarketStreams
from gateways.exchange.bybit.user_stream import UserStream
from gateways.exchange.bybit.visits import Visits
from gateways.exchange.house import House, by_address

ORDERS_SHARE = 5
"""`orders_max` is for ten seconds; in each of them a fifth of it is allowed, which lets them come in bursts."""


def open_bybit(house: House, app: web.Application) -> Callable[[], Coroutine[Any, Any, None]]:
    """Take the paths, and return what has to run beside them."""
    settings, clock = house.settings, house.clock
    public = PublicApi(house.market, clock)
    private = PrivateApi(
        house.engine,
        house.ledger,
        public,
        clock,
        house.veil,
        house.gate,
        key_may_withdraw=settings.key_may_withdraw,
    )
    RestDoor(
        endpoints_of(public, private),
        house,
        visits=by_address(lambda: Visits(orders_max=max(1, settings.orders_max // ORDERS_SHARE))),
    ).add_routes(app)
    streams = MarketStreams(house.market, clock, house.connections)
    streams.add_routes(app)
    UserStream(house).add_routes(app)
    return streams.run
