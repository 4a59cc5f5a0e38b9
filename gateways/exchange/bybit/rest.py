"""The REST door: which request is which, who may send it, how often, and how an answer is written."""

from collections.abc import Callable
from functools import partial
from typing import Any, NamedTuple

from aiohttp import web

from domain.market import Instant
from gateways.exchange.answers import serve_with
from gateways.exchange.bybit.errors import ApiError
from gateways.exchange.bybit.parameters import Parameters
from gateways.exchange.bybit.private import IDS, PrivateApi
from gateways.exchange.bybit.public import PublicApi
from gateways.exchange.bybit.signing import demand_key, demand_signed
from gateways.exchange.bybit.visits import Visits
from gateways.exchange.bybit.words import BybitWords, refuse, respond
from gateways.exchange.errors import Refused
from gateways.exchange.faults import Struck
from gateways.exchange.house import House


class Endpoint(NamedTuple):
    """One kind of request."""

    kind: str
    method: str
    path: str
    answer: Callable[[Parameters], Any]
    is_signed: bool = True
    kind_by_name: str = ""
    """What it is where it names one order."""

    def kind_of(self, asked: Parameters) -> str:
        """Return what a request is, as scenarios name it."""
        return self.kind_by_name if self.kind_by_name and asked.has_any(IDS) else self.kind


def endpoints_of(public: PublicApi, private: PrivateApi) -> list[Endpoint]:
    """Return all that can be asked."""
    return [
        Endpoint("time", "GET", "market/time", public.time, is_signed=False),
        Endpoint("exchange_info", "GET", "market/instruments-info", public.instruments, is_signed=False),
        Endpoint("ticker", "GET", "market/tickers", public.tickers, is_signed=False),
        Endpoint("klines", "GET", "market/kline", public.klines, is_signed=False),
        Endpoint("trades", "GET", "market/recent-trade", public.trades, is_signed=False),
        Endpoint("depth", "GET", "market/orderbook", public.depth, is_signed=False),
        Endpoint("account", "GET", "account/wallet-balance", private.wallet),
        Endpoint("key", "GET", "user/query-api", private.key),
        Endpoint("key", "GET", "account/info", private.account_info),
        Endpoint("order.create", "POST", "order/create", private.create_order),
        Endpoint("order.cancel", "POST", "order/cancel", private.cancel_order),
        Endpoint("order.cancel_all", "POST", "order/cancel-all", private.cancel_all),
        Endpoint("open_orders", "GET", "order/realtime", private.realtime, kind_by_name="order.query"),
        Endpoint("all_orders", "GET", "order/history", private.history, kind_by_name="order.query"),
        Endpoint("my_trades", "GET", "execution/list", private.executions),
    ]


class RestDoor:
    """Serves the endpoints below `/v5`."""

    def __init__(self, endpoints: list[Endpoint], house: House, *, visits: Callable[[str], Visits]) -> None:
        self._endpoints, self._visits = endpoints, visits
        self._keys, self._clock, self._ledger = house.keys, house.clock, house.ledger
        self._gate, self._veil, self._faults = house.gate, house.veil, house.faults
        self._words = BybitWords(self._ban, house.clock.shown)

    def add_routes(self, app: web.Application) -> None:
        """Take the paths."""
        for endpoint in self._endpoints:
            app.router.add_route(endpoint.method, f"/v5/{endpoint.path}", partial(self._serve, endpoint))

    async def _serve(self, endpoint: Endpoint, request: web.Request) -> web.StreamResponse:
        query, body = request.rel_url.raw_query_string, (await request.read()).decode("utf-8", "replace")
        try:
            asked = Parameters(query=query, body=body)
        except ApiError as error:
            return refuse(error, self._clock.shown())
        kind = endpoint.kind_of(asked)
        self._count(kind, asked)
        struck = self._faults.strike(kind)
        return await serve_with(
            struck, request, self._words, lambda: self._answer(endpoint, kind, request, asked, struck)
        )

    def _ban(self, address: str, seconds: float) -> Instant:
        visits = self._visits(address)
        visits.banned_until = self._clock.now() + int(seconds * 1_000)
        return visits.banned_until

    def _count(self, kind: str, asked: Parameters) -> None:
        if kind in ("order.create", "order.query", "order.cancel") and "orderLinkId" in asked:
            with self._ledger.writing():
                self._ledger.count_request(asked.text("orderLinkId")[:64], kind)

    def _answer(
        self, endpoint: Endpoint, kind: str, request: web.Request, asked: Parameters, struck: list[Struck]
    ) -> web.Response:
        """Return the honest answer to a request, as of now: however long it was on its way."""
        visits, now = self._visits(request.remote or ""), self._clock.now()
        self._veil.prepare(struck, now)
        try:
            if self._gate.is_maintained(now):
                raise ApiError(10016, "System is under maintenance.", status=503)
            visits.charge(kind, now)
            if endpoint.is_signed:
                given = request.headers.get("X-BAPI-API-KEY", "")
                demand_key(given, self._keys.api_key, is_revoked=self._gate.is_revoked(now))
                demand_signed(request.headers, asked, self._keys.secret, self._clock.shown())
            return respond(endpoint.answer(asked), self._clock.shown(), visits.headers(kind, now))
        except ApiError as error:
            if kind == "order.create" and not isinstance(error.__cause__, Refused):
                self._note_refusal(asked, error, now)
            return refuse(error, self._clock.shown(), visits.headers(kind, now))

    def _note_refusal(self, asked: Parameters, error: ApiError, now: Instant) -> None:
        """Write down an order that did not come as far as the engine, which writes down what it refuses itself."""
        client_id = asked.text("orderLinkId", "")[:64]
        with self._ledger.writing():
            self._ledger.add_refusal(client_id, "api", reason=str(error.code), detail=error.message, at=now)
