"""Laws of a venue's manners, whatever it says of them."""

from contextlib import closing
from typing import Any

import pytest

from gateways.live.binance import Binance
from gateways.live.connection import Connection
from gateways.live.requests import PAUSE_S_MAX
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
