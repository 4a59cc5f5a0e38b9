"""Where a real venue is: on this machine, or, for who asks for it, in the house's own place or its testnet."""

from typing import Any, Literal

import ccxt.pro
import pytest

from gateways.live.client import demand_safe
from holdfast.config.settings import Credentials, Venue
from holdfast.live import ccxt_settings_of
from holdfast.secrets import Secret


def urls_of(kind: Literal["binance", "bybit"], *, url: str = "", testnet: bool = False) -> Any:
    """Return what the real client would speak to."""
    credentials = Credentials(api_key=Secret("key-of-a-test"), api_secret=Secret("secret-of-a-test"))
    venue = Venue(kind=kind, url=url, testnet=testnet, credentials=credentials)
    client = getattr(ccxt.pro, kind)(ccxt_settings_of(venue))
    assert (client.apiKey, client.secret) == ("key-of-a-test", "secret-of-a-test")
    return client.urls["api"]


@pytest.mark.parametrize(("kind", "host"), [("binance", "api.binance.com"), ("bybit", "api.{hostname}")])
def test_without_a_url_it_is_the_houses_own_place_and_encrypted(kind: Literal["binance", "bybit"], host: str) -> None:
    urls = urls_of(kind)

    demand_safe(urls)
    assert host in urls["private"]
    assert "testnet" not in str(urls["private"])


@pytest.mark.parametrize("kind", ["binance", "bybit"])
def test_a_testnet_is_the_houses_and_never_its_own_place(kind: Literal["binance", "bybit"]) -> None:
    urls = urls_of(kind, testnet=True)

    demand_safe(urls)
    assert "testnet" in urls["private"]
    assert "testnet" in urls["public"]


@pytest.mark.parametrize("kind", ["binance", "bybit"])
def test_with_a_url_of_this_machine_nothing_leaves_it(kind: Literal["binance", "bybit"]) -> None:
    urls = urls_of(kind, url="http://127.0.0.1:8080")

    assert urls["private"].startswith("http://127.0.0.1:8080")
    assert "binance.com" not in str(urls)
    assert "hostname" not in str(urls)
