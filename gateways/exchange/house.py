"""What every API of the exchange opens its doors on: one account, one market, one clock."""

from collections.abc import Callable
from typing import NamedTuple, TypeVar

from gateways.exchange.clock import VenueClock
from gateways.exchange.engine import Engine
from gateways.exchange.faults import Faults
from gateways.exchange.gate import Gate
from gateways.exchange.home import Keys
from gateways.exchange.ledger import Ledger
from gateways.exchange.market import Market
from gateways.exchange.settings import ExchangeSettings
from gateways.exchange.sockets import Connections
from gateways.exchange.veil import Veil

ADDRESSES_MAX = 1_000
Counter = TypeVar("Counter")


class House(NamedTuple):
    """The exchange behind its doors."""

    settings: ExchangeSettings
    keys: Keys
    clock: VenueClock
    market: Market
    engine: Engine
    ledger: Ledger
    gate: Gate
    veil: Veil
    faults: Faults
    connections: Connections


def by_address(make: Callable[[], Counter]) -> Callable[[str], Counter]:
    """Return what gives each address a counter of its own; of very many, the oldest is forgotten."""
    counters: dict[str, Counter] = {}

    def counter_of(address: str) -> Counter:
        if address not in counters:
            while len(counters) >= ADDRESSES_MAX:
                del counters[next(iter(counters))]
            counters[address] = make()
        return counters[address]

    return counter_of
