"""How an unmodified ccxt is pointed at an exchange on loopback, without a request to any other place.

```python
from gateways.exchange.pointing import ccxt_settings

bot = ccxt.binance(ccxt_settings(rest_url, ws_url, key, secret))
demand_loopback(bot.urls["api"])
bot.exceptions = bot.deep_extend(bot.exceptions, bot.exceptions["spot"])
```

The last line gives ccxt the whole table of error codes, which it otherwise uses for the exchange's own host only.
"""

from collections.abc import Mapping
from typing import Any
from urllib.parse import urlsplit

from gateways.exchange.settings import LOOPBACK

UNMAPPED = (
    *("sapiV2", "sapiV3", "sapiV4"),
    *("dapiPublic", "dapiPrivate", "dapiPrivateV2", "dapiData", "eapiPublic", "eapiPrivate"),
    *("fapiPublic", "fapiPublicV2", "fapiPublicV3", "fapiPrivate", "fapiPrivateV2", "fapiPrivateV3", "fapiData"),
    *("papi", "papiV2"),
)
"""Doors of other markets of the house, which are shut here."""
UNMAPPED_STREAMS = ("margin", "linear", "inverse", "stock", "option", "optionMarket", "optionPrivate", "papi")


def ccxt_settings(rest_url: str, ws_url: str, key: str, secret: str) -> dict[str, Any]:
    """Return what `ccxt.binance` (sync, async or pro) takes so that all it ever speaks to is this exchange.

    `rest_url` and `ws_url` are such as `http://127.0.0.1:8080` and `ws://127.0.0.1:8080`.

    Raises:
        ValueError: one of the addresses is not loopback.
    """
    shut = {name: f"{rest_url}/unmapped/{name}" for name in UNMAPPED}
    shut_streams = {name: f"{ws_url}/unmapped/{name}" for name in UNMAPPED_STREAMS}
    api = {
        **shut,
        "public": f"{rest_url}/api/v3",
        "private": f"{rest_url}/api/v3",
        "v1": f"{rest_url}/api/v1",
        "sapi": f"{rest_url}/sapi/v1",
        "ws": {
            **shut_streams,
            "spot": f"{ws_url}/stream/ws",
            "ws-api": dict.fromkeys(("spot", "linear", "inverse"), f"{ws_url}/ws-api/v3"),
        },
    }
    demand_loopback(api)
    return {
        "apiKey": key,
        "secret": secret,
        "timeout": 5_000,
        "urls": {"api": api},
        "options": {
            "defaultType": "spot",
            "fetchMarkets": {"types": ["spot"]},
            "fetchCurrencies": False,
            "fetchMargins": False,
        },
    }


def bybit_settings(rest_url: str, ws_url: str, key: str, secret: str) -> dict[str, Any]:
    """Return what `ccxt.bybit` (sync, async or pro) takes so that all it ever speaks to is this exchange.

    Raises:
        ValueError: one of the addresses is not loopback.
    """
    api = {
        **dict.fromkeys(("public", "private"), rest_url),
        **{name: f"{rest_url}/unmapped/{name}" for name in ("spot", "futures", "v2")},
        "ws": {
            "public": {
                "spot": f"{ws_url}/v5/public/spot",
                **{name: f"{ws_url}/unmapped/{name}" for name in ("inverse", "option", "linear")},
            },
            "private": {
                "spot": dict.fromkeys(("unified", "nonUnified"), f"{ws_url}/v5/private"),
                "contract": f"{ws_url}/v5/private",
                **{name: f"{ws_url}/unmapped/{name}" for name in ("usdc", "trade")},
            },
        },
    }
    demand_loopback(api)
    return {
        "apiKey": key,
        "secret": secret,
        "timeout": 5_000,
        "urls": {"api": api},
        "has": {"fetchCurrencies": False},
        "options": {"defaultType": "spot", "fetchMarkets": {"types": ["spot"]}},
    }


POINTED = {"binance": ccxt_settings, "bybit": bybit_settings}
"""By ccxt's name of the API."""


def demand_loopback(urls: Mapping[str, Any]) -> None:
    """Refuse addresses, at any depth, that lead off this machine.

    Raises:
        ValueError: the sentence names the first.
    """
    for name, url in urls.items():
        if isinstance(url, Mapping):
            demand_loopback(url)
        elif urlsplit(str(url)).hostname not in LOOPBACK:
            raise ValueError(f"the address {name} must be on loopback, was {url}")
