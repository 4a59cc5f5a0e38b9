"""An exchange on loopback, over real sockets, with a book and a ledger of its own: one that can lie."""

from gateways.exchange.server import Exchange
from gateways.exchange.settings import ExchangeSettings

__all__ = ["Exchange", "ExchangeSettings"]
