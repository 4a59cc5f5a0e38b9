"""What supervision costs: beside pykka's own actors in the same run, by the number of children, beside busy threads."""

import sys
import threading
import time
from collections.abc import Callable, Sequence
from statistics import median
from typing import Any

import pykka

from benchmarks.common import arguments, below, compared, figure, say, spread
from benchmarks.recovery import recovery
from supervision import Actor, ChildSpec, RecordedClock, Supervisor, SupervisorSpec, Switchboard, System, Threads
from tests.supervision.troupe import HandRecorder, encode

DONE = "done"
WAIT_S = 60.0
PORTION = 5_000
SOME = 10
SWITCH_S = 0.0005
"""What a node sets: a thread that computes gives way after so long."""


class Ours(Actor):
    """Answers with what it is asked; says when it has heard the last."""

    over = threading.Event()

    def receive(self, message: Any) -> Any:
        """Take a message."""
        if message is DONE:
            Ours.over.set()
        return message


class Theirs(pykka.ThreadingActor):  # type: ignore[misc,unused-ignore]
    """The same on pykka alone."""

    over = threading.Event()

    def on_receive(self, message: Any) -> Any:
        """Take a message."""
        if message is DONE:
            Theirs.over.set()
        return message


def main(argv: Sequence[str] | None = None) -> None:
    """Measure, and print what was found."""
    parser = arguments(__doc__ or "")
    parser.add_argument("--messages", type=int, default=100_000, help="messages told in one round")
    parser.add_argument("--asks", type=int, default=2_000, help="questions asked in one round")
    parser.add_argument("--children", type=int, default=2_000, help="dynamic children started and stopped")
    parser.add_argument("--events", type=int, default=10_000, help="events since the snapshot of who crashes")
    parser.add_argument("--rounds", type=int, default=5, help="rounds, ours and theirs by turns")
    given = parser.parse_args(argv)
    sys.setswitchinterval(SWITCH_S)
    system = standing_system()
    theirs = Theirs.start()
    figures = [
        *beside_pykka(system, theirs, messages=given.messages, asks=given.asks, rounds=given.rounds),
        beside_a_hog(system, asks=given.asks),
        *many_children(given.children, rounds=given.rounds),
        recovery(events=given.events, rounds=2 * given.rounds + 1, folder=given.dir),
    ]
    theirs.stop()
    say(figures, as_json=given.json)


def standing_system() -> System:
    """Return a system with one actor, a supervisor of a template, and one of children that come and go."""
    clock = RecordedClock()
    board = Switchboard(clock=clock, recorder=HandRecorder(), encode=encode, routes={})
    system = System(runtime=Threads(clock), switchboard=board)
    template = SupervisorSpec(strategy="simple_one_for_one", children=(ChildSpec(name="one", start=Ours),))
    children = (
        ChildSpec(name="ours", start=Ours),
        supervisor("many", template),
        supervisor("crowd", SupervisorSpec()),
    )
    system.start(supervisor("root", SupervisorSpec(children=children)))
    deadline = time.monotonic() + WAIT_S
    while not (board.is_up("ours") and board.is_up("crowd")) and time.monotonic() < deadline:
        time.sleep(0.001)
    return system


def supervisor(name: str, spec: SupervisorSpec) -> ChildSpec:
    """Return the spec of a supervisor."""
    return ChildSpec(
        name=name, start=lambda system, seat: Supervisor(system, seat, spec=spec), shutdown_s=None, supervises=spec
    )


def beside_pykka(system: System, theirs: Any, *, messages: int, asks: int, rounds: int) -> list[dict[str, Any]]:
    """Compare telling and asking with pykka's own, a little of each by turns, so that noise befalls both alike."""
    tells: tuple[list[float], list[float]] = ([], [])
    asked: tuple[list[float], list[float]] = ([], [])
    for _ in range(max(1, rounds * messages // PORTION)):
        tells[0].append(telling(lambda message: system.tell("ours", message), Ours.over))
        tells[1].append(telling(theirs.tell, Theirs.over))
    for _ in range(max(1, rounds * asks // SOME)):
        asked[0].extend(asking(lambda: system.ask("ours", 1, WAIT_S), SOME))
        asked[1].extend(asking(lambda: theirs.ask(1, timeout=WAIT_S), SOME))
    pykka_s = "pykka's own actor"
    return [
        compared("tell", ours=median(tells[0]), floor=median(tells[1]), unit="us", floor_is=pykka_s, ratio_max=1.1),
        compared("ask_p50", ours=median(asked[0]), floor=median(asked[1]), unit="us", floor_is=pykka_s, ratio_max=1.0),
    ]


def telling(tell: Callable[[Any], object], over: threading.Event) -> float:
    """Return the microseconds a message takes until it is handled, of a portion that any mailbox takes."""
    over.clear()
    began = time.perf_counter()
    for _ in range(PORTION - 1):
        tell(1)
    tell(DONE)
    over.wait(WAIT_S)
    return (time.perf_counter() - began) / PORTION * 1e6


def asking(ask: Callable[[], object], count: int) -> list[float]:
    """Return the microseconds that each of many questions took."""
    times = []
    for _ in range(count):
        began = time.perf_counter()
        ask()
        times.append((time.perf_counter() - began) * 1e6)
    return times


def beside_a_hog(system: System, *, asks: int) -> dict[str, Any]:
    """Measure an idle actor's answers while another thread computes without a pause."""
    is_over = threading.Event()

    def compute() -> None:
        while not is_over.is_set():
            sum(range(100))

    hog = threading.Thread(target=compute, daemon=True)
    hog.start()
    times = asking(lambda: system.ask("ours", 1, WAIT_S), max(asks // 4, 100))
    is_over.set()
    hog.join()
    return below(figure("ask_p99_beside_a_hog", ours=spread(times)[1] / 1000, unit="ms"), 10)


def many_children(count: int, *, rounds: int) -> list[dict[str, Any]]:
    """Compare what a child costs among many with what one costs among a tenth as many, by turns."""
    return [
        one_of_many("child_of_a_template", start_and_stop_of_template, count, rounds),
        one_of_many("child_by_its_spec", start_and_stop_by_spec, count, rounds),
    ]


def one_of_many(name: str, start_and_stop: Callable[[System, int], float], count: int, rounds: int) -> dict[str, Any]:
    """Compare the microseconds of CPU that a child takes among many and among a tenth as many."""
    few_count = max(count // 10, 10)
    few: list[float] = []
    many: list[float] = []
    bare: tuple[list[float], list[float]] = ([], [])
    for _ in range(rounds):
        few.append(median(in_a_new_system(start_and_stop, few_count) for _ in range(3)))
        many.append(in_a_new_system(start_and_stop, count))
        bare[0].append(median(bare_threads(few_count) for _ in range(3)))
        bare[1].append(bare_threads(count))
    return compared(
        name,
        ours=median(many),
        floor=median(few),
        unit="us of CPU",
        floor_is=f"of {few_count} and not {count}",
        ratio_max=1.3,
        parts={"a bare thread, of the same numbers": f"{median(bare[1]):.0f} and {median(bare[0]):.0f} us of CPU"},
    )


def bare_threads(count: int) -> float:
    """Return the microseconds of CPU that it takes to start and end a thread that waits, of so many at once."""
    began = time.process_time()
    gate = threading.Event()
    threads = [threading.Thread(target=gate.wait, daemon=True) for _ in range(count)]
    for thread in threads:
        thread.start()
    gate.set()
    for thread in threads:
        thread.join()
    return (time.process_time() - began) / count * 1e6


def in_a_new_system(start_and_stop: Callable[[System, int], float], count: int) -> float:
    """Measure where no timers of earlier children run out."""
    system = standing_system()
    try:
        return start_and_stop(system, count)
    finally:
        system.stop()
        assert isinstance(system.runtime, Threads)
        system.runtime.close()


def start_and_stop_of_template(system: System, count: int) -> float:
    """Return the microseconds of CPU that starting and stopping a child takes, of so many that live at once."""
    ref = system.supervisor("many")
    began = time.process_time()
    names = [ref.start_one_more(timeout_s=WAIT_S).name for _ in range(count)]  # type: ignore[union-attr]
    for name in names:
        ref.terminate_child(name, timeout_s=WAIT_S)
    return (time.process_time() - began) / count * 1e6


def start_and_stop_by_spec(system: System, count: int) -> float:
    """Return the same of children that are each specified, deleted too."""
    ref = system.supervisor("crowd")
    began = time.process_time()
    names = [f"crowd.{number}" for number in range(count)]
    for name in names:
        ref.start_child(ChildSpec(name=name, start=Ours), timeout_s=WAIT_S)
    for name in names:
        ref.terminate_child(name, timeout_s=WAIT_S)
        ref.delete_child(name, timeout_s=WAIT_S)
    return (time.process_time() - began) / count * 1e6


if __name__ == "__main__":
    main()
