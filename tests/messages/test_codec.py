"""The laws of events as bytes: they come back as they were, and nothing that would not is ever written."""

import importlib
import pkgutil
from decimal import Decimal
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import messages
from domain.market import Bar
from domain.proposal import Entry, Exit
from domain.strategies.base import Score
from messages.base import Event
from messages.catalogue import KINDS
from messages.codec import (
    CODEC,
    PAYLOAD_BYTES_MAX,
    Codec,
    EventUnwritable,
    PayloadUnreadable,
    UnknownKind,
    UnknownVersion,
    decode,
    encode,
)
from messages.market import BarsClosed, OfferAnswered, Offered
from messages.node import NodeStarted
from messages.positions import AccountOpened
from messages.sentiment import HeadlineScored

GOLDEN = Path(__file__).parent / "golden"
AT = 1_756_684_800_000

json_values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**63 - 1)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=12,
)
amounts = st.decimals(allow_nan=False, allow_infinity=False)


class Renamed(Event, frozen=True):
    """An event that was `{name}` in version 1, and had no unit in version 2."""

    title: str
    unit: str


def renamed(values: dict[str, Any]) -> dict[str, Any]:
    return {"title": values["name"]}


def with_unit(values: dict[str, Any]) -> dict[str, Any]:
    return {**values, "unit": "ms"}


CHANGED = Codec({"Renamed": Renamed}, {"Renamed": (renamed, with_unit)})


def test_every_event_class_is_in_the_catalogue() -> None:
    modules = [importlib.import_module(f"messages.{info.name}") for info in pkgutil.iter_modules(messages.__path__)]
    found = {
        name
        for module in modules
        for name, value in vars(module).items()
        if isinstance(value, type) and issubclass(value, Event) and value is not Event
    }

    assert found == set(KINDS)


@pytest.mark.parametrize("kind", sorted(KINDS))
def test_every_kind_has_a_golden_file_of_each_version_and_it_can_be_read(kind: str) -> None:
    event = KINDS[kind]
    current = CODEC.version_of(kind)

    for version in range(1, current + 1):
        golden = (GOLDEN / f"v{version}" / f"{kind}.json").read_bytes()
        assert type(decode(kind, version, golden)) is event


@pytest.mark.parametrize("path", sorted(GOLDEN.glob("v*/*.json")), ids=lambda path: f"{path.parent.name}-{path.stem}")
def test_what_was_read_from_a_golden_file_is_written_with_all_that_is_in_it(path: Path) -> None:
    kind, version = path.stem, int(path.parent.name[1:])

    written = encode(decode(kind, version, path.read_bytes()))

    if written[1] == version:
        assert holds(msgspec.json.decode(written[2]), msgspec.json.decode(path.read_bytes()))


def holds(whole: Any, part: Any) -> bool:
    """Say whether values are the same but for fields that were added since."""
    if isinstance(part, dict):
        return isinstance(whole, dict) and all(key in whole and holds(whole[key], part[key]) for key in part)
    if isinstance(part, list):
        return isinstance(whole, list) and len(whole) >= len(part) and all(map(holds, whole, part))
    return repr(whole) == repr(part)


@given(amounts, amounts)
@settings(max_examples=60)
def test_an_amount_comes_back_with_every_digit(cash: Decimal, price: Decimal) -> None:
    bar = Bar("BTCUSDT", "1m", AT, AT + 60_000, price, price, price, price, cash)
    for event in (AccountOpened({"USDT": cash}, "USDT"), BarsClosed(AT, (bar,))):
        again = decode(*encode(event))

        assert repr(again) == repr(event)


@given(st.dictionaries(st.text(), json_values, max_size=4))
@settings(max_examples=100)
def test_a_configuration_of_plain_json_values_comes_back_as_it_was(configuration: dict[str, Any]) -> None:
    event = NodeStarted(1, "0.1.0", configuration, "linux")

    assert decode(*encode(event)) == event


@pytest.mark.parametrize(
    "odd", [(1, 2), Decimal("0.1"), {1: "one"}, float("nan"), float("inf"), {1, 2}, b"x", "\ud800"]
)
def test_a_configuration_that_would_come_back_changed_is_refused(odd: Any) -> None:
    with pytest.raises(EventUnwritable):
        encode(NodeStarted(1, "0.1.0", {"table": {"key": [odd]}}, "linux"))


@pytest.mark.parametrize("number", ["NaN", "-NaN", "sNaN", "NaN123", "Infinity", "-Infinity"])
def test_an_amount_that_is_not_finite_is_refused_when_written(number: str) -> None:
    bar = Bar("BTCUSDT", "1m", AT, AT + 60_000, Decimal(1), Decimal(1), Decimal(1), Decimal(1), Decimal(number))

    with pytest.raises(EventUnwritable, match="must be finite"):
        encode(BarsClosed(AT, (bar,)))


def test_what_is_more_than_the_journal_takes_is_refused_to_who_says_it() -> None:
    def saying(chars: int) -> OfferAnswered:
        return OfferAnswered("confidence", AT, 1, (Exit("BTCUSDT", AT, why="x" * chars),))

    fixed = len(encode(saying(0))[2])

    assert len(encode(saying(PAYLOAD_BYTES_MAX - fixed))[2]) == PAYLOAD_BYTES_MAX
    with pytest.raises(EventUnwritable, match=f"OfferAnswered to have {PAYLOAD_BYTES_MAX} bytes or less"):
        encode(saying(PAYLOAD_BYTES_MAX - fixed + 1))


@pytest.mark.parametrize("number", [float("nan"), float("inf"), float("-inf")])
def test_a_float_that_is_not_finite_is_refused_when_written(number: float) -> None:
    entry = Entry("BTCUSDT", Decimal(1), Decimal(1), AT, stop_price=Decimal(1), confidence=number)

    with pytest.raises(EventUnwritable):
        encode(OfferAnswered("confidence", AT, 1, (entry,)))
    with pytest.raises(EventUnwritable):
        encode(HeadlineScored(Score("wire", "hash", "lexicon", number, 1, AT, AT)))


@pytest.mark.parametrize(
    "number",
    [
        "NaN",
        "nan",
        "-nan",
        "sNaN",
        "snan7",
        "Infinity",
        "infinity",
        "inf",
        "-INF",
        "\\u004eaN",
        "\\u0049nf",
        "n\\u0061n",
    ],
)
def test_an_amount_that_is_not_finite_is_refused_when_read_however_it_is_spelled(number: str) -> None:
    payload = f'{{"cash":{{"USDT":"{number}"}},"quote":"USDT"}}'.encode()

    with pytest.raises(PayloadUnreadable, match="must be finite"):
        decode("AccountOpened", 1, payload)


@pytest.mark.parametrize("word", ["NaN", "Infinity", "inf", "\\u004eaN", "nanny", "null"])
def test_a_text_that_looks_like_such_a_number_is_a_text(word: str) -> None:
    payload = f'{{"cash":{{"{word}":"1.5"}},"quote":"{word}"}}'.encode()

    event = decode("AccountOpened", 1, payload)

    assert decode(*encode(event)) == event


def test_an_older_version_is_brought_up_step_by_step() -> None:
    wanted = Renamed("pause", "ms")

    assert CHANGED.decode("Renamed", 1, b'{"name":"pause"}') == wanted
    assert CHANGED.decode("Renamed", 2, b'{"title":"pause"}') == wanted
    assert CHANGED.decode("Renamed", 3, b'{"title":"pause","unit":"ms"}') == wanted
    assert CHANGED.encode(wanted)[:2] == ("Renamed", 3)


@pytest.mark.parametrize("version", [-1, 0, 4])
def test_a_version_that_was_never_written_is_refused_with_what_was_expected(version: int) -> None:
    with pytest.raises(UnknownVersion, match=f"expected Renamed of version 1 to 3, found version {version}"):
        CHANGED.decode("Renamed", version, b'{"name":"pause"}')


@pytest.mark.parametrize("payload", [b"[]", b"null", b'{"unit":"s"}', b"{", b'{"name":1}', b'{"name":{}}'])
def test_an_older_version_that_cannot_be_brought_up_is_refused(payload: bytes) -> None:
    with pytest.raises(PayloadUnreadable, match="Renamed"):
        CHANGED.decode("Renamed", 1, payload)


def test_an_unknown_kind_is_refused_with_its_name() -> None:
    class Stray(Event, frozen=True):
        at: int

    with pytest.raises(UnknownKind, match="Stray"):
        encode(Stray(1))
    with pytest.raises(UnknownKind, match="OrderLost"):
        decode("OrderLost", 1, b"{}")


@pytest.mark.parametrize(
    "payload",
    [
        b"",
        b"{}",
        b'{"strategy":"s","at":1.5,"attempt":1}',
        b'{"strategy":"s","at":null,"attempt":1}',
        b'{"strategy":"\xff","at":1,"attempt":1}',
        b'{"strategy":"\\ud800","at":1,"attempt":1}',
        b'{"strategy":"s","at":1,"attempt":1}{}',
        b'{"strategy":"s","at":1' + b"[" * 100_000,
    ],
)
def test_bytes_that_are_no_event_are_refused(payload: bytes) -> None:
    with pytest.raises(PayloadUnreadable, match="expected the bytes of Offered 1"):
        decode("Offered", 1, payload)


def test_a_field_that_is_not_known_is_passed_over() -> None:
    assert decode("Offered", 1, b'{"strategy":"s","at":1,"attempt":2,"later":3}') == Offered("s", 1, 2)
