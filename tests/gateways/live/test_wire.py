"""The law of the wire: what leaves for the venue is what the venue's documentation asks for, byte by byte.

ccxt puts and signs requests, and a release of it may put them in another way.  Whoever pins another release sees here
what changed.  Where the change is meant and sound, `python -m tests.gateways.live.test_wire` writes it down.
"""

import hashlib
import hmac
import re
from contextlib import closing
from decimal import Decimal
from pathlib import Path

import msgspec
import pytest

from domain.order import Terms
from gateways.live.binance import Binance
from gateways.live.connection import Connection
from gateways.live.dialect import Shown
from gateways.live.wire import Call
from tests.gateways.live.liar import Liar, answer, pointed_at

GOLDEN = Path(__file__).with_name("wire_binance.txt")
SIGNED_AT = 1_700_000_000_000
GOOD_FOR_MS = 10_000
NOW = SIGNED_AT + 60_000
HEADERS = ("content-type", "x-mbx-apikey")
"""Those that the venue reads; others may change with any library."""

TERMS = Terms(
    client_id="h01000000001e00",
    strategy="one",
    symbol="BTCUSDT",
    side="buy",
    type="market",
    quantity=Decimal("0.00001"),
    leg="entry",
    valid_until=SIGNED_AT + GOOD_FOR_MS,
    base="BTC",
)
SHOWN = Shown("h01000000001e00", "7", "filled", "0.5")


def calls() -> dict[str, Call]:
    """Return everything that a venue is asked."""
    dialect = Binance()

    def place(**changes: object) -> Call:
        return dialect.place(msgspec.structs.replace(TERMS, **changes), good_for_ms=GOOD_FOR_MS)

    tiny = Decimal("0.00000001")
    return {
        "market": place(),
        "limit": place(type="limit", side="sell", limit_price=Decimal("100000.10"), quantity=Decimal("1E+3")),
        "stop": place(type="stop", leg="stop", side="sell", stop_price=tiny, quantity=tiny),
        "cancel": dialect.cancel("h01000000001e00", "BTCUSDT")[0],
        "find": dialect.find("h01000000001e00", "BTCUSDT")[0],
        "list_recent": dialect.list_recent("BTCUSDT"),
        "list_since": dialect.list_since("BTCUSDT", SIGNED_AT),
        "trades_of": dialect.trades_of(SHOWN, "BTCUSDT"),
        "trades_after": dialect.trades_of(msgspec.structs.replace(SHOWN, trades_from="42"), "BTCUSDT"),
        "balances": dialect.balances(),
        "permissions": dialect.permissions(),
        "time": dialect.time(),
        "rules": dialect.rules(),
        "bars": dialect.bars("BTCUSDT", "1m", since=SIGNED_AT, limit=1_000),
        "newest_bars": dialect.newest_bars("BTCUSDT", "1m", limit=2),
    }


def sent(name: str) -> list[tuple[str, str]]:
    """Return head and body of whatever leaves when one thing is asked."""
    with closing(Liar()) as liar:
        liar.behave = lambda request: answer({"serverTime": NOW}) if request.path.endswith("/time") else answer({})
        settings = pointed_at(liar.url)
        settings["urls"]["api"]["sapi"] = f"{liar.url}/sapi/v1"
        with closing(Connection(Binance(), settings)) as connection:
            connection.know_the_time()
            liar.raw.clear()
            connection.thread.wait(connection.requests.send(calls()[name]), 10)
            # The venue's time is measured besides, whenever that is.
            return liar.raw[-1:] if name == "time" else [each for each in liar.raw if "/time " not in each[0]]


def told(name: str) -> str:
    """Return a request as the golden file has it: what differs from one moment to the next is left out."""
    ((head, body),) = sent(name)
    line, *headers = head.split("\r\n")
    read = sorted(each for each in headers if each.partition(":")[0].lower() in HEADERS)
    whole = "\n".join([line, *read, "", body]).rstrip()
    whole = re.sub(rf"timestamp=(?!{SIGNED_AT})\d{{13}}", "timestamp=<now>", whole)
    return re.sub(r"signature=[0-9a-f]{64}", "signature=<hmac>", whole)


def golden() -> dict[str, str]:
    """Return what is expected, by name."""
    parts = re.split(r"^== (\w+)\n", GOLDEN.read_text(), flags=re.MULTILINE)[1:]
    return {name: text.strip() for name, text in zip(parts[::2], parts[1::2], strict=True)}


@pytest.mark.parametrize("name", calls())
def test_what_is_asked_leaves_once_and_as_it_always_did(name: str) -> None:
    assert told(name) == golden()[name]


@pytest.mark.parametrize("name", ["market", "cancel", "find", "permissions"])
def test_a_signature_is_that_of_all_that_stands_before_it(name: str) -> None:
    ((head, body),) = sent(name)
    text = body or head.split(" ")[1].partition("?")[2]
    signed, _, signature = text.rpartition("&signature=")

    assert signature == hmac.new(b"a-secret", signed.encode(), hashlib.sha256).hexdigest()


if __name__ == "__main__":
    GOLDEN.write_text("\n".join(f"== {name}\n{told(name)}\n" for name in calls()))
