"""Laws of a venue's manners, whatever it says of them."""

from contextlib import closing

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
