"""An answer: given once, had as often as wanted, always within a time."""

import queue
import threading
import time

import pykka
import pytest

from supervision.answer import Answer


def test_an_answer_can_be_had_as_often_as_wanted() -> None:
    answer = Answer()
    answer.set(3)

    assert [answer.get(timeout=0), answer.get(timeout=1), answer.get()] == [3, 3, 3]


def test_who_waits_is_woken_by_the_answer() -> None:
    answer, found = Answer(), queue.SimpleQueue[int]()
    waiters = [threading.Thread(target=lambda: found.put(answer.get(timeout=5))) for _ in range(3)]
    for waiter in waiters:
        waiter.start()
    answer.set(3)

    assert [found.get(timeout=5) for _ in waiters] == [3, 3, 3]


def test_no_answer_in_time_is_a_timeout_and_it_may_still_come() -> None:
    answer = Answer()
    began = time.monotonic()
    with pytest.raises(pykka.Timeout):
        answer.get(timeout=0.05)
    assert 0.05 <= time.monotonic() - began < 2
    with pytest.raises(pykka.Timeout):
        answer.get(timeout=-1)

    answer.set(3)
    assert answer.get(timeout=0) == 3


@pytest.mark.parametrize("error", [ValueError("broken"), NotImplementedError("not made"), SystemExit(3)])
def test_an_error_for_an_answer_is_raised_whatever_it_is(error: BaseException) -> None:
    answer = Answer()
    try:
        raise error
    except BaseException:  # noqa: BLE001  any error may be an answer
        answer.set_exception()

    with pytest.raises(type(error)) as met:
        answer.get(timeout=0)
    assert met.value is error


def test_an_answer_is_given_once_and_the_first_one_holds() -> None:
    answer = Answer()
    answer.set(3)

    with pytest.raises(queue.Full):
        answer.set(4)
    with pytest.raises(queue.Full):
        answer.set_exception((ValueError, ValueError("late"), None))
    assert answer.get(timeout=0) == 3


def test_of_many_who_give_it_at_once_one_is_first() -> None:
    for _ in range(50):
        answer, given = Answer(), queue.SimpleQueue[int]()
        together = threading.Barrier(4)

        def give(value: int, answer: Answer = answer, given: "queue.SimpleQueue[int]" = given) -> None:
            together.wait()  # noqa: B023  of this round
            try:
                answer.set(value)
            except queue.Full:
                return
            given.put(value)

        threads = [threading.Thread(target=give, args=(value,)) for value in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()

        assert given.qsize() == 1
        assert answer.get(timeout=0) == given.get()


def test_an_answer_is_a_future_of_pykkas() -> None:
    answer = Answer()
    doubled = answer.map(lambda value: value * 2)
    answer.set(3)

    assert doubled.get(timeout=0) == 6
