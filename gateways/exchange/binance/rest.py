"""The REST door: which request is which, who may send it, what it weighs, and how an answer is written."""

from collections.abc import Callable
from functools import partial
from typing import Any, Literal, NamedTuple

from aiohttp import web

from domain.market import Instant
from gateways.exchange.answers import serve_with
from gateways.exchange.binance.errors import ApiError
from gateways.exchange.binance.parameters import Parameters
from gateways.exchange.binance.private import PrivateApi
from gateways.exchange.binance.public import PublicApi
from gateways.exchange.binance.signing import demand_key, demand_signature, demand_time
from gateways.exchange.binance.weights import Weights
from gateways.exchange.binance.words import BinanceWords, refuse, respond
from gateways.exchange.errors import Refused
from gateways.exchange.faults import Struck
from gateways.exchange.house import House

Security = Literal["none", "key", "signed"]
_CLIENT_IDS = {
    "order.create": "newClientOrderId",
    "order.query": "origClientOrderId",
    "order.cancel": "origClientOrderId",
}
_OF_ALL = {"ticker": 80, "book_ticker": 4, "price": 4, "open_orders": 80}
"""Weight of a question about all symbols together."""


class Endpoint(NamedTuple):
    """One kind of request."""

    kind: str
    method: str
    path: str
    weight: int
    security: Security
    answer: Callable[[Parameters], Any]
    below: str = "/api/v3"


def endpoints_of(public: PublicApi, private: PrivateApi) -> list[Endpoint]:
    """Return all that can be asked."""
    return [
        Endpoint("ping", "GET", "ping", 1, "none", public.ping),
        Endpoint("time", "GET", "time", 1, "none", public.time),
        Endpoint("exchange_info", "GET", "exchangeInfo", 20, "none", public.exchange_info),
        Endpoint("ticker", "GET", "ticker/24hr", 2, "none", public.ticker),
        Endpoint("book_ticker", "GET", "ticker/bookTicker", 2, "none", public.book_ticker),
        Endpoint("price", "GET", "ticker/price", 2, "none", public.price),
        Endpoint("klines", "GET", "klines", 2, "none", public.klines),
        Endpoint("trades", "GET", "aggTrades", 4, "none", public.agg_trades),
        Endpoint("trades", "GET", "trades", 25, "none", public.trades),
        Endpoint("depth", "GET", "depth", 5, "none", public.depth),
        Endpoint("account", "GET", "account", 20, "signed", private.account),
        Endpoint("key", "GET", "account/apiRestrictions", 1, "signed", private.restrictions, below="/sapi/v1"),
        Endpoint("order.create", "POST", "order", 1, "signed", private.create_order),
        Endpoint("order.test", "POST", "order/test", 1, "signed", private.test_order),
        Endpoint("order.query", "GET", "order", 4, "signed", private.query_order),
        Endpoint("order.cancel", "DELETE", "order", 1, "signed", private.cancel_order),
        Endpoint("open_orders", "GET", "openOrders", 6, "signed", private.open_orders),
        Endpoint("order.cancel_all", "DELETE", "openOrders", 1, "signed", private.cancel_all),
        Endpoint("all_orders", "GET", "allOrders", 20, "signed", private.all_orders),
        Endpoint("my_trades", "GET", "myTrades", 20, "signed", private.my_trades),
    ]


class RestDoor:
    """Serves the endpoints, most of them below `/api/v3`."""

    def __init__(self, endpoints: list[Endpoint], house: House, *, weights: Callable[[str], Weights]) -> None:
        self._endpoints, self._weights = endpoints, weights
        self._keys, self._clock, self._ledger = house.keys, house.clock, house.ledger
        self._gate, self._veil, self._faults = house.gate, house.veil, house.faults
        self._words = BinanceWords(self._ban)

    def add_routes(self, app: web.Application) -> None:
        """Take the paths."""
        for endpoint in self._endpoints:
            app.router.add_route(endpoint.method, f"{endpoint.below}/{endpoint.path}", partial(self._serve, endpoint))

    async def _serve(self, endpoint: Endpoint, request: web.Request) -> web.StreamResponse:
        parameters = Parameters(
            query=request.rel_url.raw_query_string, body=(await request.read()).decode("utf-8", "replace")
        )
        self._count(endpoint, parameters)
        struck = self._faults.strike(endpoint.kind)
        return await serve_with(
            struck, request, self._words, lambda: self._answer(endpoint, request, parameters, struck)
        )

    def _ban(self, address: str, seconds: float) -> Instant:
        weights = self._weights(address)
        weights.banned_until = self._clock.now() + int(seconds * 1_000)
        return weights.banned_until

    def _count(self, endpoint: Endpoint, parameters: Parameters) -> None:
        name = _CLIENT_IDS.get(endpoint.kind)
        client_id = parameters.text_or(name, "") if name else ""
        if client_id:
            with self._ledger.writing():
                self._ledger.count_request(client_id[:64], endpoint.kind)

    def _answer(
        self, endpoint: Endpoint, request: web.Request, parameters: Parameters, struck: list[Struck]
    ) -> web.Response:
        """Return the honest answer to a request, as of now: however long it was on its way."""
        weights, now = self._weights(request.remote or ""), self._clock.now()
        self._veil.prepare(struck, now)
        try:
            if self._gate.is_maintained(now):
                raise ApiError(1, "System is under maintenance.", status=503)
            for_all = not {"symbol", "symbols"}.intersection(parameters) and endpoint.kind in _OF_ALL
            weights.charge(_OF_ALL[endpoint.kind] if for_all else endpoint.weight, now)
            if endpoint.security != "none":
                demand_key(
                    request.headers.get("X-MBX-APIKEY"), self._keys.api_key, is_revoked=self._gate.is_revoked(now)
                )
            if endpoint.security == "signed":
                demand_time(parameters, self._clock.shown())
                demand_signature(parameters, self._keys.secret)
            if endpoint.kind == "order.create":
                weights.charge_order(now)
            return respond(endpoint.answer(parameters), headers=weights.headers())
        except ApiError as error:
            if endpoint.kind == "order.create" and not isinstance(error.__cause__, Refused):
                self._note_refusal(parameters, error, now)
            return refuse(error, weights.headers())

    def _note_refusal(self, parameters: Parameters, error: ApiError, now: Instant) -> None:
        """Write down an order that did not come as far as the engine, which writes down what it refuses itself."""
        client_id = parameters.text_or("newClientOrderId", "")[:64]
        with self._ledger.writing():
            self._ledger.add_refusal(client_id, "api", reason=str(error.code), detail=error.message, at=now)
