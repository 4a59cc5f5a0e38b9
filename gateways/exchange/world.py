"""What befalls the exchange, the account or a symbol without anybody having asked for it."""

import secrets
from typing import cast

from domain.market import Instant
from domain.order import Side
from gateways.exchange.clock import VenueClock
from gateways.exchange.engine import Engine
from gateways.exchange.errors import Refused
from gateways.exchange.faults import Struck
from gateways.exchange.gate import FOR_EVER, Gate
from gateways.exchange.ledger import Ledger
from gateways.exchange.lies import Lie
from gateways.exchange.market import Market
from gateways.exchange.orders import OrderRequest
from gateways.exchange.sockets import Connections


class World:
    """Does what a scenario has befall the exchange."""

    def __init__(
        self,
        engine: Engine,
        market: Market,
        ledger: Ledger,
        gate: Gate,
        clock: VenueClock,
        connections: Connections,
    ) -> None:
        self._connections = connections
        self._engine, self._market, self._ledger, self._gate, self._clock = engine, market, ledger, gate, clock
        self._halted_until: dict[str, Instant] = {}

    def befall(self, struck: Struck) -> str:
        """Let it happen; return what became of it, empty where it did happen."""
        lie, until = struck.lie, self._clock.now() + int(struck.seconds * 1_000)
        try:
            match lie.kind:
                case "deposit":
                    self._engine.account.move(lie.asset, lie.amount)
                case "withdraw":
                    self._engine.account.move(lie.asset, -lie.amount)
                case "manual_order":
                    self._engine.place(_request_of(lie), origin="manual")
                case "manual_cancel":
                    self._cancel_newest(lie.symbol)
                case "halt":
                    self._set_status(lie.symbol, "HALT")
                    self._halted_until[lie.symbol] = until
                case "delist":
                    self._delist(lie.symbol)
                case "revoke":
                    self._gate.revoked_until = until if lie.seconds is not None else FOR_EVER
                    self._connections.end_all("stream.user")
                case "maintenance":
                    self._gate.maintained_until = until
                    self._connections.end_all()
                case "forget":
                    self._gate.forgot_at = self._clock.next()
                case "skew":
                    self._clock.skew_ms = lie.milliseconds
        except (Refused, ValueError) as error:
            return str(error)
        return ""

    def heal(self) -> None:
        """Let halted symbols trade again whose time is over."""
        now = self._clock.now()
        for symbol in [symbol for symbol, until in self._halted_until.items() if now >= until]:
            del self._halted_until[symbol]
            if self._market.listings[symbol].status == "HALT":
                self._set_status(symbol, "TRADING")

    def _set_status(self, symbol: str, status: str) -> None:
        if symbol not in self._market.listings:
            raise ValueError(f"expected one of {', '.join(self._market.listings)}, found {symbol}")
        self._market.listings[symbol].status = status

    def _delist(self, symbol: str) -> None:
        self._set_status(symbol, "BREAK")
        with self._ledger.writing():
            self._ledger.note(f"status/{symbol}", "BREAK")
        self._engine.expire_all(symbol)

    def _cancel_newest(self, symbol: str) -> None:
        orders = self._engine.account.open_orders(symbol)
        if not orders:
            raise ValueError(f"expected an open order of {symbol}, found none")
        self._engine.cancel(symbol, order_id=orders[-1].order_id, client_id=None, by="web_manual")


def _request_of(lie: Lie) -> OrderRequest:
    return OrderRequest(
        client_id=lie.client_id or f"web_{secrets.token_hex(10)}",
        symbol=lie.symbol,
        side=cast(Side, lie.side),
        kind="limit" if lie.price else "market",
        quantity=lie.quantity,
        price=lie.price,
    )
