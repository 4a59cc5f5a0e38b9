"""The law of the wire: what leaves for the venue is what the venue's documentation asks for, byte by byte.

ccxt puts and signs requests, and a release of it may put them in another way.  Whoever pins another release sees here
what changed.  Where the change is meant and sound, `python -m tests.gateways.live.test_wire` writes it down.
"""

import hashlib
import hmac
import itertools
import re
from collections.abc import Iterable
from contextlib import closing
from decimal import Decimal
from pathlib import Path

import msgspec
import pytest

from domain.order import Terms
from gateways.live.binance import Binance
from gateways.live.bybit import Bybit
from gateways.live.connection import Connection
from gateways.live.dialect import Dialect, Shown
from gateways.live.wire import Call, read_json
from tests.gateways.live.liar import Liar, answer, pointed_at

SIGNED_AT = 1_700_000_000_000
GOOD_FOR_MS = 10_000
NOW = SIGNED_AT + 60_000
HEADERS = ("content-type", "x-mbx-apikey")
"""Those that the venue reads, besides Bybit's own; others may change with any library."""
DIALECTS: dict[str, type[Dialect]] = {"binance": Binance, "bybit": Bybit}
NOW_ANSWERED = {
    "binance": {"serverTime": NOW},
    "bybit": {"retCode": 0, "retMsg": "OK", "result": {"timeNano": f"{NOW}000000"}, "time": NOW},
}

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
SHOWN = Shown("h01000000001e00", "7", "filled", "0.5", at=SIGNED_AT)
AFTER = {"binance": "42", "bybit": f"{SIGNED_AT}|42"}


def calls(venue: str) -> dict[str, Call]:
    """Return everything that a venue is asked."""
    dialect = DIALECTS[venue]()

    def place(**changes: object) -> Call:
        return dialect.place(msgspec.structs.replace(TERMS, **changes), good_for_ms=GOOD_FOR_MS)

    def several(name: str, asked: Iterable[Call]) -> dict[str, Call]:
        return {f"{name}_{place}" if place else name: call for place, call in enumerate(asked)}

    tiny = Decimal("0.00000001")
    return {
        "market": place(),
        "limit": place(type="limit", side="sell", limit_price=Decimal("100000.10"), quantity=Decimal("1E+3")),
        "stop": place(type="stop", leg="stop", side="sell", stop_price=tiny, quantity=tiny),
        **several("cancel", dialect.cancel("h01000000001e00", "BTCUSDT")),
        **several("find", dialect.find("h01000000001e00", "BTCUSDT")),
        **several("list", itertools.chain(*dialect.listings("BTCUSDT", 0, SIGNED_AT))),
        **several("list_since", itertools.chain(*dialect.listings("BTCUSDT", SIGNED_AT, SIGNED_AT))),
        "trades_of": dialect.trades_of(SHOWN, "BTCUSDT"),
        "trades_after": dialect.trades_of(msgspec.structs.replace(SHOWN, trades_from=AFTER[venue]), "BTCUSDT"),
        "balances": dialect.balances(),
        "open_orders": dialect.open_orders(),
        "permissions": dialect.permissions(),
        "time": dialect.time(),
        "rules": dialect.rules(),
        "bars": dialect.bars("BTCUSDT", "1m", since=SIGNED_AT, limit=1_000),
        "newest_bars": dialect.newest_bars("BTCUSDT", "1m", limit=2),
    }


def sent(venue: str, name: str) -> list[tuple[str, str]]:
    """Return head and body of whatever leaves when one thing is asked."""
    with closing(Liar()) as liar:
        liar.behave = lambda request: answer(NOW_ANSWERED[venue] if request.path.endswith("/time") else {})
        settings = pointed_at(liar.url, venue)
        if venue == "binance":
            settings["urls"]["api"]["sapi"] = f"{liar.url}/sapi/v1"
        with closing(Connection(DIALECTS[venue](), settings)) as connection:
            connection.know_the_time()
            liar.raw.clear()
            connection.thread.wait(connection.requests.send(calls(venue)[name]), 60)
            # The venue's time is measured besides, whenever that is.
            return liar.raw[-1:] if name == "time" else [each for each in liar.raw if "/time " not in each[0]]


def told(venue: str, name: str) -> str:
    """Return a request as the golden file has it: what differs from one moment to the next is left out."""
    ((head, body),) = sent(venue, name)
    line, *headers = head.split("\r\n")
    names = {each: each.partition(":")[0].lower() for each in headers}
    read = sorted(each for each in headers if names[each] in HEADERS or names[each].startswith("x-bapi-"))
    whole = "\n".join([line, *read, "", body]).rstrip()
    # Bybit's is reckoned by ccxt from the clock, some moments after it was set to what it is to say.
    whole = re.sub(rf"(TIMESTAMP: ){SIGNED_AT // 1_000}\d{{3}}", rf"\g<1>{SIGNED_AT}", whole, flags=re.IGNORECASE)
    whole = re.sub(rf"(timestamp=|TIMESTAMP: )(?!{SIGNED_AT})\d{{13}}", r"\1<now>", whole, flags=re.IGNORECASE)
    return re.sub(r"(signature=|SIGN: )[0-9a-f]{64}", r"\1<hmac>", whole, flags=re.IGNORECASE)


def golden_file(venue: str) -> Path:
    """Return where it is written down how a venue is asked."""
    return Path(__file__).with_name(f"wire_{venue}.txt")


def golden(venue: str) -> dict[str, str]:
    """Return what is expected, by name."""
    parts = re.split(r"^== (\w+)\n", golden_file(venue).read_text(), flags=re.MULTILINE)[1:]
    return {name: text.strip() for name, text in zip(parts[::2], parts[1::2], strict=True)}


@pytest.mark.parametrize(("venue", "name"), [(venue, name) for venue in DIALECTS for name in calls(venue)])
def test_what_is_asked_leaves_once_and_as_it_always_did(venue: str, name: str) -> None:
    assert told(venue, name) == golden(venue)[name]


def test_numbers_of_an_answer_are_exact_and_finite() -> None:
    assert read_json('{"a": 0.10, "b": 12345678901234567890123, "c": "0.10"}') == {
        "a": Decimal("0.10"),
        "b": 12345678901234567890123,
        "c": "0.10",
    }
    assert isinstance(read_json("0.1"), Decimal)
    for text in ("NaN", "Infinity", "-Infinity", '{"a": 1', "", "{} {}"):
        with pytest.raises(msgspec.DecodeError):
            read_json(text)


@pytest.mark.parametrize("name", ["market", "cancel", "find", "permissions"])
def test_binances_signature_is_that_of_all_that_stands_before_it(name: str) -> None:
    ((head, body),) = sent("binance", name)
    text = body or head.split(" ")[1].partition("?")[2]
    signed, _, signature = text.rpartition("&signature=")

    assert signature == signed_by_secret(signed)


@pytest.mark.parametrize("name", ["market", "stop", "cancel", "find", "permissions"])
def test_bybits_signature_is_that_of_its_headers_and_of_what_is_asked(name: str) -> None:
    ((head, body),) = sent("bybit", name)
    line, *rest = head.split("\r\n")
    headers = {key.lower(): value for key, _, value in (each.partition(": ") for each in rest)}
    asked = body or line.split(" ")[1].partition("?")[2]
    said = "".join(headers[f"x-bapi-{each}"] for each in ("timestamp", "api-key", "recv-window")) + asked

    assert headers["x-bapi-sign"] == signed_by_secret(said)


def signed_by_secret(text: str) -> str:
    """Return the signature that both venues ask for."""
    return hmac.new(b"a-secret", text.encode(), hashlib.sha256).hexdigest()


if __name__ == "__main__":
    for each in DIALECTS:
        golden_file(each).write_text("\n".join(f"== {name}\n{told(each, name)}\n" for name in calls(each)))
