"""Helpers: what may take long is done beside, and nobody waits for it at the end."""

import os
import signal
import threading
import time
from pathlib import Path

import pytest

from holdfast.exit_codes import ExitCode
from holdfast.helpers import Helpers
from tests.holdfast.test_processes import running

PATIENCE_S = 5.0
SOON_S = 10.0


def test_as_much_is_done_at_once_as_there_may_be_threads_and_the_rest_in_order() -> None:
    helpers, gate, done = Helpers("test", count=2), threading.Event(), list[int]()
    begun = threading.Semaphore(0)

    def job(number: int) -> None:
        begun.release()
        gate.wait(PATIENCE_S)
        done.append(number)

    for number in range(5):
        helpers.submit(lambda number=number: job(number))  # type: ignore[misc]
    assert all(begun.acquire(timeout=PATIENCE_S) for _ in range(2))
    assert not begun.acquire(timeout=0.05)
    gate.set()
    deadline = time.monotonic() + PATIENCE_S
    while len(done) < 5 and time.monotonic() < deadline:
        time.sleep(0.001)

    assert sorted(done) == [0, 1, 2, 3, 4]
    assert sum(thread.name.startswith("test-") for thread in threading.enumerate()) == 2
    assert all(thread.daemon for thread in threading.enumerate() if thread.name.startswith("test-"))
    helpers.close()


def test_one_thread_is_enough_for_one_job_after_another() -> None:
    helpers, idents = Helpers("alone", count=8), list[int]()
    for _ in range(20):
        over = threading.Event()

        def job(over: threading.Event = over) -> None:
            idents.append(threading.get_ident())
            over.set()

        helpers.submit(job)
        assert over.wait(PATIENCE_S)
        time.sleep(0.01)

    assert len(set(idents)) == 1
    helpers.close()


def test_a_job_that_fails_is_told_and_takes_no_thread_along(capfd: pytest.CaptureFixture[str]) -> None:
    helpers, over = Helpers("test", count=1), threading.Event()

    def fail() -> None:
        raise ValueError("it cannot be done")

    helpers.submit(fail)
    helpers.submit(over.set)

    assert over.wait(PATIENCE_S)
    assert "ValueError: it cannot be done" in capfd.readouterr().err
    helpers.close()


def test_what_has_not_begun_is_left_undone_once_it_is_closed() -> None:
    helpers, gate, begun, done = Helpers("test", count=1), threading.Event(), threading.Event(), list[str]()

    def job() -> None:
        begun.set()
        gate.wait(PATIENCE_S)
        done.append("begun")

    helpers.submit(job)
    helpers.submit(lambda: done.append("waiting"))
    assert begun.wait(PATIENCE_S)

    helpers.close()
    helpers.submit(lambda: done.append("late"))
    gate.set()
    time.sleep(0.1)

    assert done == ["begun"]


@pytest.mark.slow
@pytest.mark.parametrize("end", [signal.SIGTERM, signal.SIGINT], ids=lambda end: end.name)
def test_a_source_that_hangs_holds_up_no_end(tmp_path: Path, end: signal.Signals) -> None:
    source, pipe = tmp_path / "headlines.csv", tmp_path / "pipe"
    source.write_text("this is no file of headlines\n")
    os.mkfifo(pipe)  # To read it waits for somebody who writes.
    settings = {"sentiment.source": "files", "sentiment.path": source, "sentiment.retry_s": 1}
    with running(
        tmp_path / "home", *(word for each in settings.items() for word in ("--set", "=".join(map(str, each))))
    ) as node:
        pipe.rename(source)
        writer = node.wait_until(lambda: writer_of(source), "a thread that reads what nobody writes")
        began = time.monotonic()

        assert node.end(end) == ExitCode.OK
        assert time.monotonic() - began < SOON_S
        os.close(writer)


def writer_of(pipe: Path) -> int | None:
    """Open a pipe to write, as soon as somebody reads it."""
    try:
        return os.open(pipe, os.O_WRONLY | os.O_NONBLOCK)
    except OSError:
        return None
