"""`holdfast simulate`: many seeds, one after another or side by side."""

import multiprocessing
import os
import signal
import sys
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ProcessPoolExecutor, as_completed
from contextlib import contextmanager
from itertools import islice
from multiprocessing.synchronize import Event
from typing import TextIO

import msgspec

from holdfast.exit_codes import ExitCode
from holdfast.simulation.report import Report, lines_of
from holdfast.simulation.run import SEEDS_PER_WORLD, Result, simulate_seed

BLOCKS_AHEAD = 4
"""Blocks of seeds that wait for each process, so that none is idle."""


def simulate_command(*, first: int, seeds: int, hours: float, jobs: int, as_json: bool, trace: bool) -> int:
    """Live through seeds, print the report, and return the exit code; interrupted, what was done so far."""
    report = Report(first)
    try:
        for result in _results(first, seeds, hours, jobs=jobs, trace=trace):
            report.add(result, hours=hours)
            _show_progress(report, seeds)
    except KeyboardInterrupt:
        report.is_partial = True
    _show_progress(None, seeds)
    out = sys.stdout
    if as_json:
        out.write(msgspec.json.encode(report).decode() + "\n")
    else:
        out.write("\n".join(lines_of(report)) + "\n")
    if report.broken:
        return int(ExitCode.FAILED)
    return int(ExitCode.INTERRUPTED if report.is_partial else ExitCode.OK)


def _results(first: int, seeds: int, hours: float, *, jobs: int, trace: bool) -> Iterator[Result]:
    if trace or jobs == 1:
        for seed in range(first, first + seeds):
            yield simulate_seed(seed, hours=hours, trace=_line_to(sys.stdout) if trace else None)
        return
    blocks = blocks_of(first, seeds)
    is_over = multiprocessing.Event()
    pool = ProcessPoolExecutor(jobs, initializer=_begin_process, initargs=(is_over,))
    try:
        waiting = {pool.submit(simulate_block, block, hours) for block in islice(blocks, jobs * BLOCKS_AHEAD)}
        while waiting:
            done: Future[list[Result]] = next(as_completed(waiting))
            waiting.remove(done)
            waiting.update(pool.submit(simulate_block, block, hours) for block in islice(blocks, 1))
            yield from done.result()
    finally:
        with _deaf():  # A second interrupt in here would leave processes that nobody ends.
            is_over.set()
            pool.shutdown(cancel_futures=True)


@contextmanager
def _deaf() -> Iterator[None]:
    """Hear no interrupt inside, where this is the thread that hears them."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)


def blocks_of(first: int, seeds: int) -> Iterator[range]:
    """Yield seeds in blocks that share a world."""
    end = first + seeds
    while first < end:
        following = min(end, (first // SEEDS_PER_WORLD + 1) * SEEDS_PER_WORLD)
        yield range(first, following)
        first = following


def simulate_block(seeds: range, hours: float) -> list[Result]:
    """Live through a block of seeds, or as many of it as are still wanted."""
    return [simulate_seed(seed, hours=hours) for seed in seeds if not _process.is_over()]


def cores() -> int:
    """Return how many processes may run side by side."""
    return len(os.sched_getaffinity(0))


class _Process:
    """What a process of the pool knows of its parent."""

    def __init__(self) -> None:
        self.parent: Event | None = None

    def is_over(self) -> bool:
        """Say whether what this process does is wanted no more."""
        return self.parent is not None and self.parent.is_set()


_process = _Process()


def _begin_process(is_over: Event) -> None:
    """Leave interrupts to the parent, and stop between two seeds when it says so."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    _process.parent = is_over


def _line_to(out: TextIO) -> Callable[[str], None]:
    def write(line: str) -> None:
        out.write(line + "\n")

    return write


def _show_progress(report: Report | None, seeds: int) -> None:
    if not sys.stderr.isatty():
        return
    if report is None:
        sys.stderr.write("\r\033[K")
    else:
        found = f", {len(report.broken)} FAILED" if report.broken else ""
        sys.stderr.write(f"\r{report.seeds} of {seeds} seeds, {report.simulated_hours:g} hours{found}")
    sys.stderr.flush()
