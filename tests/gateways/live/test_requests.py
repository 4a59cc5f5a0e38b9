"""Laws of a venue's manners, whatever it says of them."""

from contextlib import closing
from typing import Any

import pytest

from gateways.live.binance import Binance
from gateways.live.connection import Connection
from gateways.live.requests import OUT_OF_TIME, PAUSE_S_MAX
from gateways.live.wire import Lost
from tests.gateways.live.liar import Liar, answer, pointed_at


@pytest.mark.parametrize("given", ["99999999999", "9" * 400])
def test_a_pause_that_no_venue_can_mean_is_bounded(given: str) -> None:
    paused: list[float] = []
    with closing(Liar()) as liar:
        liar.behave = lambda request: answer({"code": -1003, "msg": "Too many requests."}, 429, f"Retry-After: {given}")
        with closing(Connection(Binance(), pointed_at(liar.url), on_pause=paused.append)) as connection:
            connection.thread.wait(connection.requests.measure(), 10)

    assert paused
    assert set(paused) == {PAUSE_S_MAX}


def test_a_refusal_because_there_were_too_many_is_told_to_a_person_though_no_pause_is_asked_for() -> None:
    told: dict[str, Any] = {}
    with closing(Liar()) as liar:
        liar.behave = lambda request: answer({"code": -1015, "msg": "Too many new orders."}, 400)
        tell = lambda event, **values: told.update({event: values})  # noqa: E731
        with closing(Connection(Binance(), pointed_at(liar.url), tell=tell)) as connection:
            connection.thread.wait(connection.requests.send(Binance().cancel("h01000000001e00", "BTCUSDT")[0]), 10)

    assert told["venue.too_many"] == {"code": "-1015", "status": 400, "asks_for_s": 0.0}
    assert "venue.asks_for_a_pause" not in told


def test_no_question_waits_for_its_turn_for_longer_than_anybody_waits_for_its_answer(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A ban lasts for days: what was asked all along must not go out at its end, all at once and to nobody."""
    monkeypatch.setattr("gateways.live.requests.TURN_WITHIN_S", 0.2)
    question = Binance().find("h01000000001e00", "BTCUSDT")[0]
    with closing(Liar()) as liar:
        liar.behave = lambda request: answer({"code": -1003, "msg": "Banned."}, 418)
        with closing(Connection(Binance(), pointed_at(liar.url))) as connection:
            connection.thread.wait(connection.requests.measure(), 10)
            before = len(liar.requests)
            outcome = connection.thread.wait(connection.requests.send(question), 5)

    assert outcome == Lost(OUT_OF_TIME, was_sent=False)
    assert len(liar.requests) == before


def test_the_rules_of_a_venue_with_thousands_of_symbols_are_read() -> None:
    """A large venue tells some thousands of bytes of each of thousands of symbols: without them no node can start."""
    rows = [{"symbol": f"COIN{number}USDT", "permissionSets": [["TRD_GRP_004"] * 300]} for number in range(3_000)]
    with closing(Liar()) as liar:
        liar.behave = lambda request: answer({"symbols": rows})
        with closing(Connection(Binance(), pointed_at(liar.url))) as connection:
            received = connection.ask(Binance().rules())

    assert isinstance(received.body, dict)
    assert len(received.body["symbols"]) == 3_000
    assert [each.params for each in liar.requests if each.path.endswith("exchangeInfo")] == [
        {"showPermissionSets": "false"}
    ]
