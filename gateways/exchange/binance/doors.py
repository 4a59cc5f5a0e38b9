"""Binance spot's doors: REST, market streams and the account's stream."""

from collections.abc import Callable, Coroutine
from typing import Any

from aiohttp import web

from domain.money import BASIS_POINT
from gateways.exchange.binance.private import PrivateApi
from gateways.exchange.binance.public import PublicApi
from gateways.exchange.binance.rest import RestDoor, endpoints_of
from gateways.exchange.binance.streams import MarketStreams
from gateways.exchange.binance.user_stream import UserStream
from gateways.exchange.binance.weights import Weights
from gateways.exchange.house import House, by_address


def open_binance(house: House, app: web.Application) -> Callable[[], Coroutine[Any, Any, None]]:
    """Take the paths, and return what has to run beside them."""
    settings, clock = house.settings, house.clock
    public = PublicApi(house.market, clock, settings)
    private = PrivateApi(
        house.engine,
        house.ledger,
        public,
        clock,
        house.veil,
        (settings.fee_maker_bps * BASIS_POINT, settings.fee_taker_bps * BASIS_POINT),
        key_may_withdraw=settings.key_may_withdraw,
    )
    RestDoor(
        endpoints_of(public, private),
        house,
        weights=by_address(lambda: Weights(weight_max=settings.weight_max, orders_max=settings.orders_max)),
    ).add_routes(app)
    streams = MarketStreams(house.market, clock, house.connections)
    streams.add_routes(app)
    UserStream(house).add_routes(app)
    return streams.run
