"""The laws of the lanes: the most urgent first, at the venue's pace, and never more than may wait."""

import asyncio
from collections.abc import Coroutine
from typing import Any

import pytest

from gateways.live.lanes import Lanes, TooManyWait
from gateways.live.wire import Lane


def run(work: Coroutine[Any, Any, Any]) -> Any:
    """Run on a loop whose time goes on only when nobody has anything else to do."""
    loop = asyncio.new_event_loop()
    now = 0.0

    def select(timeout: float | None = None) -> list[Any]:
        nonlocal now
        now += timeout or 0.0
        return []

    loop.time = lambda: now  # type: ignore[method-assign]
    loop._selector.select = select  # type: ignore[attr-defined]
    try:
        return loop.run_until_complete(work)
    finally:
        loop.close()


def test_a_cancel_overtakes_what_waits_for_data() -> None:
    async def scene() -> list[str]:
        lanes = Lanes(weight_per_s=1.0, burst=2.0)
        went: list[str] = []

        async def ask(name: str, lane: Lane) -> None:
            await lanes.turn(lane, 1.0)
            went.append(name)

        candles = [asyncio.create_task(ask(f"candle {number}", Lane.DATA)) for number in range(5)]
        await asyncio.sleep(0)
        others = [asyncio.create_task(ask("query", Lane.QUERY)), asyncio.create_task(ask("cancel", Lane.CANCEL))]
        await asyncio.gather(*candles, *others)
        return went

    went = run(scene())

    assert went.index("cancel") < went.index("query") < went.index("candle 4")
    assert [name for name in went if name.startswith("candle")] == [f"candle {number}" for number in range(5)]


def test_no_more_weight_goes_out_than_the_venue_allows() -> None:
    async def scene() -> list[float]:
        lanes = Lanes(weight_per_s=2.0, burst=10.0)
        times = []
        for _ in range(25):
            await lanes.turn(Lane.ORDER, 2.0)
            times.append(asyncio.get_running_loop().time())
        return times

    times = run(scene())

    for place, at in enumerate(times):
        assert 2.0 * (place + 1) <= 10.0 + 2.0 * at + 1e-6


def test_data_leaves_half_of_the_burst_to_what_is_urgent() -> None:
    async def scene() -> tuple[float, float]:
        lanes = Lanes(weight_per_s=1.0, burst=10.0)
        loop = asyncio.get_running_loop()
        for _ in range(6):
            await lanes.turn(Lane.DATA, 1.0)
        data_at = loop.time()
        for _ in range(4):
            await lanes.turn(Lane.CANCEL, 1.0)
        return data_at, loop.time()

    data_at, cancels_at = run(scene())

    assert data_at > 0
    assert cancels_at == data_at


def test_a_request_that_weighs_more_than_there_ever_is_goes_all_the_same() -> None:
    async def scene() -> float:
        lanes = Lanes(weight_per_s=1.0, burst=10.0)
        await lanes.turn(Lane.DATA, 80.0)
        await lanes.turn(Lane.ORDER, 1.0)
        return asyncio.get_running_loop().time()

    assert run(scene()) == pytest.approx(72.0, abs=0.1)


def test_nothing_goes_out_while_the_venue_wants_to_be_left_alone_and_a_shorter_wish_ends_no_longer_one() -> None:
    async def scene() -> float:
        lanes = Lanes(weight_per_s=100.0, burst=100.0)
        lanes.hold(30.0)
        lanes.hold(5.0)
        await lanes.turn(Lane.CANCEL, 1.0)
        return asyncio.get_running_loop().time()

    assert run(scene()) >= 30.0


def test_who_gives_up_waiting_has_cost_nothing() -> None:
    async def scene() -> float:
        lanes = Lanes(weight_per_s=1.0, burst=1.0)
        await lanes.turn(Lane.CANCEL, 1.0)
        leaving = [asyncio.create_task(lanes.turn(Lane.CANCEL, 1.0)) for _ in range(50)]
        staying = asyncio.create_task(lanes.turn(Lane.CANCEL, 1.0))
        await asyncio.sleep(0)
        for task in leaving:
            task.cancel()
        await staying
        return asyncio.get_running_loop().time()

    assert run(scene()) == pytest.approx(1.0, abs=0.1)


def test_more_than_may_wait_are_told_so_at_once() -> None:
    async def scene() -> None:
        lanes = Lanes(weight_per_s=1.0, burst=1.0, waiting_max=3)
        await lanes.turn(Lane.DATA, 1.0)
        waiting = [asyncio.create_task(lanes.turn(Lane.DATA, 1.0)) for _ in range(3)]
        await asyncio.sleep(0)
        with pytest.raises(TooManyWait, match="at most 3"):
            await lanes.turn(Lane.DATA, 1.0)
        for task in waiting:
            task.cancel()

    run(scene())


def test_questions_that_fill_the_queue_keep_no_cancel_out_of_it() -> None:
    async def scene() -> tuple[list[bool], bool]:
        lanes = Lanes(weight_per_s=1.0, burst=1.0, waiting_max=3)
        lanes.hold(5.0)
        waiting = [asyncio.create_task(lanes.turn(lane, 1.0)) for lane in (Lane.DATA, Lane.QUERY, Lane.DATA)]
        await asyncio.sleep(0)

        cancel = asyncio.create_task(lanes.turn(Lane.CANCEL, 1.0))
        await cancel

        return [isinstance(task.exception(), TooManyWait) if task.done() else False for task in waiting], cancel.done()

    assert run(scene()) == ([False, False, True], True)


def test_a_count_that_cannot_be_keeps_nobody_waiting_longer_than_a_minute() -> None:
    async def scene() -> float:
        lanes = Lanes(weight_per_s=1.0, burst=10.0)
        lanes.learn(used=1e18, limit=100.0)
        await lanes.turn(Lane.CANCEL, 5.0)
        return asyncio.get_running_loop().time()

    assert run(scene()) == pytest.approx(65.0, abs=0.1)


def test_weight_that_others_have_used_is_taken_into_account() -> None:
    async def scene() -> float:
        lanes = Lanes(weight_per_s=1.0, burst=10.0)
        lanes.learn(used=100.0, limit=100.0)
        await lanes.turn(Lane.CANCEL, 5.0)
        return asyncio.get_running_loop().time()

    assert run(scene()) == pytest.approx(5.0, abs=0.1)
