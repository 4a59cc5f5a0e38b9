"""A torture from its beginning to its verdict: rounds, some at a time."""

import shlex
import shutil
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import FIRST_EXCEPTION, Future, ThreadPoolExecutor, wait
from contextlib import ExitStack, contextmanager
from pathlib import Path

from holdfast.torture.disk import can_mount
from holdfast.torture.moments import has_strace
from holdfast.torture.report import Report, Tally, report_of
from holdfast.torture.round import Round, Tools
from holdfast.torture.wanted import Plan, Wanted, command_for, plans_for
from holdfast.torture.warm import Warm, WarmFailed

FAR_S = 1e12


class Torture:
    """One torture in a folder of its own."""

    def __init__(self, wanted: Wanted, folder: Path, *, show: Callable[[int, int], None]) -> None:
        """`show` hears of kills and violations after each life."""
        self._wanted = wanted
        self._folder = folder
        self._show = show
        self._began = time.monotonic()
        self._until = self._began + (60 * wanted.minutes if wanted.minutes is not None else FAR_S)
        self._is_interrupted = threading.Event()
        self._rounds: list[Round] = []
        self._lock = threading.Lock()
        self._left_out: list[str] = []
        self._total = Tally()
        self._is_kept = wanted.keep is not None

    def run(self) -> Report:
        """Let nodes live and die, settle, and be judged.

        Raises:
            ExchangeFailed, OSError: an exchange did not start, or does not answer, before anything has died.
        """
        total, broke = self._total, ""
        with ExitStack() as stack:
            tools = self._tools(stack)
            plans = plans_for(self._wanted)
            try:
                with ThreadPoolExecutor(self._wanted.jobs, thread_name_prefix="round") as pool:
                    rounds = [pool.submit(self._round, plan, tools) for plan in plans]
                    self._wait_for(rounds)
            except OSError as error:
                # What hours of dying have come to is told, whatever it was that ended them.
                if not total.kills:
                    raise
                broke = f"{type(error).__name__}: {error}"
        return report_of(
            total,
            seed=self._wanted.seed,
            seconds=time.monotonic() - self._began,
            is_partial=total.kills < self._wanted.kills,
            broke=broke,
            left_out=self._left_out,
            kept=str(self._folder) if self._is_kept or total.violations or broke else "",
        )

    def _tools(self, stack: ExitStack) -> Tools:
        """Find out what can be done on this machine; small disks first, while there is one thread."""
        mounts = can_mount(self._folder)
        strace = has_strace()
        warm = None
        try:
            warm = stack.enter_context(Warm(self._wanted.warm))
        except WarmFailed as error:
            self._left_out.append(f"forked lives, and clocks that are set: {error}")
        if not mounts:
            self._left_out.append("full and read-only disks: they take a small disk, which root can mount")
        if not strace:
            self._left_out.append("system calls that fail, lie or kill: they take strace")
        return Tools(warm=warm, has_strace=strace, can_mount=mounts)

    def _wait_for(self, rounds: list[Future[None]]) -> None:
        """Wait for all of them; after an interrupt the ones that run settle and are judged."""
        while True:
            try:
                done, _waiting = wait(rounds, return_when=FIRST_EXCEPTION)
                break
            except KeyboardInterrupt:
                self._is_interrupted.set()
        self._is_interrupted.set()
        for each in done:
            each.result()

    def _is_over(self) -> bool:
        return self._is_interrupted.is_set() or time.monotonic() > self._until

    def _round(self, plan: Plan, tools: Tools) -> None:
        if self._is_over():
            return
        folder = self._folder / f"round-{plan.number:04d}"
        each = Round(self._wanted, plan, folder, tools, is_over=self._is_over, show=self._tell)
        with self._lock:
            self._rounds.append(each)
        try:
            each.run()
        finally:
            self._finish(each, plan)

    def _finish(self, each: Round, plan: Plan) -> None:
        """Take in what a round came to, and keep its folder only where somebody wants it."""
        tally = each.tally
        if tally.violations:
            tally.violations = [f"round {plan.number}, {violation}" for violation in tally.violations]
            tally.reproduce = [command_for(plan, self._wanted, shlex.quote)]
            (each.folder / "violations.txt").write_text("\n".join([*tally.violations, *tally.reproduce]) + "\n")
        if self._is_kept or tally.violations:
            each.disk.keep()
        else:
            each.disk.give_up()
        with self._lock:
            self._rounds.remove(each)
            self._total.take(tally)

    def _tell(self) -> None:
        with self._lock:
            tallies = [self._total, *(each.tally for each in self._rounds)]
            self._show(sum(each.kills for each in tallies), sum(len(each.violations) for each in tallies))


def run_torture(wanted: Wanted, *, show: Callable[[int, int], None]) -> Report:
    """Run a torture; its folder is kept where somebody wants it, or where something was violated.

    Raises:
        ExchangeFailed: an exchange did not start, or does not answer; the folder is kept.
    """
    with _folder(wanted.keep) as (folder, keep):
        # Where it comes to no end, the folder is what is left to find out why.
        is_kept = True
        try:
            report = Torture(wanted, folder, show=show).run()
            is_kept = bool(report.kept)
        finally:
            if is_kept:
                keep()
    return report


@contextmanager
def _folder(wanted: Path | None) -> Iterator[tuple[Path, Callable[[], None]]]:
    folder = Path(tempfile.mkdtemp(prefix="holdfast-torture-")) if wanted is None else wanted.expanduser().absolute()
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    is_kept = wanted is not None

    def keep() -> None:
        nonlocal is_kept
        is_kept = True

    try:
        yield folder, keep
    finally:
        if not is_kept:
            shutil.rmtree(folder, ignore_errors=True)
