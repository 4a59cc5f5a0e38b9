"""A thread that was left behind and burns a core is made to let go; nobody else is ever hit."""

import json
import threading
import time
from collections.abc import Callable
from typing import Any

import pytest

from supervision import ChildSpec, CrashReport, Exit, interrupt, watchdog
from supervision.errors import Interrupted
from tests.supervision.troupe import House, Poke, Puppet

LIMIT_S = 0.1

on_threads = pytest.mark.parametrize("runtime", ["threads", "shared"])


@pytest.fixture(autouse=True)
def look_often(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(watchdog, "LOOK_S", 0.02)
    monkeypatch.setattr(interrupt, "LOOK_S", 0.02)


class Hang:
    """Does something that hangs when it is told to, on a thread that is remembered, and what it was ended by."""

    def __init__(self, do: Callable[[], object]) -> None:
        self.do = do
        self.threads: list[threading.Thread] = []
        self.met: list[BaseException] = []

    def __call__(self, puppet: Puppet, message: Any) -> None:
        if message != Poke("hang"):
            return
        self.threads.append(threading.current_thread())
        try:
            self.do()
        except BaseException as error:
            self.met.append(error)
            raise


def spin() -> None:
    while True:
        pass


@on_threads
def test_an_actor_that_computes_for_ever_lets_go_of_its_thread_soon_after_it_was_given_up(runtime: str) -> None:
    hang = Hang(spin)
    with House(runtime) as house:
        house.start(house.puppet("a", on_message=hang, hang_after_s=LIMIT_S), house.puppet("b"))
        house.system.tell("a", Poke("hang"))
        house.until(lambda: house.count("started", "a") == 2)
        house.until(lambda: not hang.threads[0].is_alive())

        assert [type(error) for error in hang.met] == [Interrupted]
        assert house.threads is not None
        assert house.threads.interrupted >= 1
        # It was reported as hung, and no second time.
        assert [report.reason.partition("(")[0] for report in house.reported(CrashReport)] == ["hung"]
        house.system.tell("a", Poke("after"))
        house.system.tell("b", Poke("after"))
        house.until(lambda: house.count("took", "b") == 1 and house.count("took", "a") == 2)
        assert [each._left for each in house.threads._dispatchers.values()] in ([], [{}])


def test_of_many_that_compute_for_ever_each_lets_go() -> None:
    hangs = {name: Hang(spin) for name in "abcd"}
    with House("threads") as house:
        house.start(
            *(house.puppet(name, on_message=hang, hang_after_s=LIMIT_S) for name, hang in hangs.items()), intensity=9
        )
        for name in hangs:
            house.system.tell(name, Poke("hang"))
        house.until(lambda: all(house.count("started", name) == 2 for name in hangs))
        house.until(lambda: not any(hang.threads[0].is_alive() for hang in hangs.values()))


@on_threads
def test_a_start_that_computes_for_ever_lets_go_too(runtime: str) -> None:
    threads: list[threading.Thread] = []

    def begin(puppet: Puppet) -> None:
        threads.append(threading.current_thread())
        if len(threads) == 2:
            spin()

    with House(runtime) as house:
        house.start(house.puppet("a", on_start=begin, start_timeout_s=0.2))
        house.crash("a")
        house.until(lambda: house.count("started", "a") == 2)
        house.until(lambda: not threads[1].is_alive())


@on_threads
def test_an_actor_that_waits_for_a_lock_is_let_be_and_counted(runtime: str) -> None:
    lock = threading.Lock()
    lock.acquire()
    hang = Hang(lock.acquire)
    with House(runtime) as house:
        house.start(house.puppet("a", on_message=hang, hang_after_s=LIMIT_S))
        house.system.tell("a", Poke("hang"))
        house.until(lambda: house.count("started", "a") == 2)
        time.sleep(0.5)

        assert hang.threads[0].is_alive()
        assert house.system.abandoned == 1
        lock.release()
        house.until(lambda: not hang.threads[0].is_alive())
        assert hang.met == []


@pytest.mark.parametrize("spared", [("tests",), ("json",)])
def test_an_actor_is_not_interrupted_within_what_is_spared(
    spared: tuple[str, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    is_over = threading.Event()

    def compute(_found: object = None) -> None:
        while not is_over.is_set():
            sum(range(100))

    # Spared is the package of this test, or one that calls what computes.
    monkeypatch.setattr(interrupt, "_STANDARD", spared)
    let_be_until(is_over, Hang(lambda: json.loads("{}", object_hook=compute)))


@pytest.mark.parametrize("calls", ["computes()", "sum(range(100))"])
def test_an_actor_is_not_interrupted_within_supervision(calls: str) -> None:
    is_over = threading.Event()
    within: dict[str, Any] = {
        "__name__": "supervision.made_up",
        "is_over": is_over,
        "computes": lambda: [sum(range(100)) for _ in range(100)],
    }
    exec(f"def spin():\n    while not is_over._flag:\n        {calls}", within)

    let_be_until(is_over, Hang(within["spin"]))


def let_be_until(is_over: threading.Event, hang: Hang) -> None:
    with House("threads") as house:
        house.start(house.puppet("a", on_message=hang, hang_after_s=LIMIT_S))
        house.system.tell("a", Poke("hang"))
        house.until(lambda: house.count("started", "a") == 2)
        time.sleep(0.5)

        assert hang.threads[0].is_alive()
        assert house.threads is not None
        assert house.threads.interrupted == 0
        is_over.set()
        house.until(lambda: not hang.threads[0].is_alive())


def test_an_actor_that_has_nothing_of_its_own_in_hand_is_not_interrupted() -> None:
    is_over = threading.Event()
    threads: list[threading.Thread] = []
    within: dict[str, Any] = {"__name__": "supervision.made_up", "is_over": is_over, "threads": threads}
    within["thread"] = threading.current_thread
    exec(
        "def receive(self, message):\n    threads.append(thread())\n    while not is_over._flag:\n        pass", within
    )

    class Within(Puppet):
        receive = within["receive"]

    with House("threads") as house:
        house.start(
            ChildSpec(name="a", start=lambda system, seat: Within(system, seat, log=house.log), hang_after_s=LIMIT_S)
        )
        house.system.tell("a", Poke("hang"))
        house.until(lambda: house.count("started", "a") == 2)
        time.sleep(0.5)

        assert house.threads is not None
        assert house.threads.interrupted == 0
        is_over.set()
        house.until(lambda: not threads[0].is_alive())


@on_threads
def test_only_who_was_given_up_is_ever_hit(runtime: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Given up while they compute, they end by themselves at all times before and after somebody looks."""
    monkeypatch.setattr(interrupt, "LOOK_S", 0.005)
    hit: list[tuple[int, int]] = []
    given_up: set[int] = set()

    def compute(puppet: Puppet, message: Any) -> None:
        until = time.monotonic() + message.value
        try:
            while time.monotonic() < until:
                sum(range(50))
        except Interrupted:
            hit.append((puppet.epoch, len(given_up)))
            raise

    with House(runtime, abandoned_max=1_000) as house:
        house.start(
            house.puppet("a", on_message=compute, restart="transient"),
            house.puppet("b", on_message=compute),
            intensity=1_000,
        )
        for round_ in range(40):
            epoch = house.epoch("a")
            took = house.count("took", "a")
            house.system.tell("a", Poke(0.01 * (1 + round_ % 10)))
            house.until(lambda took=took: house.count("took", "a") > took)  # type: ignore[misc]
            given_up.add(epoch)
            house.system.give_up_on("a", epoch, Exit("hung", "test"))
            house.until(lambda epoch=epoch: house.epoch("a") > epoch + 1 and house.is_up("a"))  # type: ignore[misc]
            house.system.tell("a", Poke(0.003))
            house.system.tell("b", Poke(0.003))
        house.until_idle()
        house.rest(0.3)

        assert {epoch for epoch, _known in hit} <= given_up
        assert len(hit) > 0
        assert house.ends == []
        assert [report.reason for report in house.reported(CrashReport) if "crash" in report.reason] == []
