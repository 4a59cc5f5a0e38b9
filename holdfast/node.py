"""The headless node: opens the journal, starts the tree, waits for its end, and leaves in order."""

import os
import sys
import threading
import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any, NoReturn

from actors.health import Machine
from domain.market import TIMEFRAMES_MS
from gateways.calendar import Calendar
from gateways.machine import MachineWatch
from holdfast.acts import Acts
from holdfast.admin.server import AdminServer
from holdfast.answers import Answers
from holdfast.audit.nightly import Nightly
from holdfast.config.settings import Settings
from holdfast.config.watch import ConfigWatcher, FileStamp, look_at
from holdfast.cues import cue_from_environment
from holdfast.exit_codes import ExitCode, end_by_journal
from holdfast.ground import build_system, demand_fitting, first_events, look_back, run_job
from holdfast.helpers import Helpers
from holdfast.home_folder import close_to_others
from holdfast.imports.saying import say_opening
from holdfast.journal_tools import check_chain
from holdfast.logs import NodeLog
from holdfast.mending.lineage import open_strays, say_mended
from holdfast.mending.schedule import Schedule
from holdfast.notify import ServiceManager
from holdfast.outside import Outside, open_live, open_paper
from holdfast.pace import Pace
from holdfast.parts import gather
from holdfast.recovery import JournalRecorder
from holdfast.refusals import refusals_in
from holdfast.reports import line_of
from holdfast.secrets import scrub
from holdfast.stop_signals import hear_stop_signals
from holdfast.streams import let_go_of_streams, say_to
from holdfast.summary import ProgressLine, print_summary, summarise
from holdfast.wiring import TRADING, Current, Ports, tree, urgency_of
from messages.base import Event
from messages.node import HoldingsAsked, NodeFailed, NodeStopped
from persistence.errors import JournalError
from persistence.journal import Journal, nothing
from persistence.opening import CHECKED_WHOLE_MAX
from supervision import Exit, Threads, Timeout
from supervision.system import Report

LOOK_S = 0.5
"""Between two looks of the main thread at configuration and progress."""
STARTING_LOOK_S = 0.02
STOP_S = 80.0


def run_node(
    settings: Settings,
    home: Path,
    *,
    progress: bool,
    config_path: Path | None,
    config_seen: FileStamp | None,
    overrides: Sequence[str] = (),
    as_json: bool = False,
) -> int:
    """Run a node in a home until it is stopped, its data has ended or it gives up; return the exit code.

    Raises:
        ConfigurationError, JournalError, SocketRefused, OSError: it could not start; nothing was sent anywhere.
    """
    os.umask(0o077)
    # A thread that computes keeps the others waiting for a tenth of the usual time; throughput does not suffer.
    sys.setswitchinterval(0.0005)
    with ExitStack() as stack:
        node = Node(settings, home, stack, config_path=config_path, overrides=overrides)
        return node.run(progress=progress, as_json=as_json, config_seen=config_seen)


class Node:
    """One process's life of a node."""

    def __init__(
        self, settings: Settings, home: Path, stack: ExitStack, *, config_path: Path | None, overrides: Sequence[str]
    ) -> None:
        self._began = time.monotonic()
        self._home = home
        self._stack = stack
        self._config_path = config_path
        self._reason, self._exit_code, self._is_stuck = "", ExitCode.OK, False
        self._over, self._root_ended, self._ending = threading.Event(), threading.Event(), threading.Lock()
        self._folder = Path() if config_path is None else config_path.parent
        parts = gather(settings, folder=self._folder) if settings.venue.kind == "paper" else None
        cue = cue_from_environment()
        had_mode = close_to_others(home) if settings.admin.enabled else None
        # The journal's lock comes first: a second node must not touch the venue.
        self._journal = Journal.open(home, cue=cue or nothing)
        stack.callback(self._journal.close)
        self._past = look_back(home, self._journal.last_seq)
        if parts is not None:
            parts, opening = demand_fitting(self._past, parts, home)
        self._log = NodeLog(settings.log, home)
        stack.callback(self._log.close)
        if had_mode is not None:
            self._log("warning", "home.closed", home=str(home), had_mode=had_mode, mode="0700")
        if parts is None:
            outside = open_live(settings, home, self._past, folder=self._folder, log=self._log)
        else:
            outside = open_paper(parts, home, self._past, opening, cue=cue)
        self._opening, parts, self._platform = outside.opening, outside.parts, outside.platform
        stack.callback(outside.venue.close)
        linger_s = settings.journal.linger_ms / 1000
        self._recorder = JournalRecorder(self._journal, linger_s=linger_s, on_failure=self._journal_failed)
        stack.callback(self._recorder.close)
        runtime = Threads(outside.clock, spares=("persistence", "gateways", "holdfast"))
        stack.callback(runtime.close)
        self._current = Current(parts)
        self._system = build_system(
            parts=parts,
            past=self._past,
            home=home,
            boot=self._journal.boot,
            runtime=runtime,
            recorder=self._recorder,
            on_report=self._hear_report,
            on_root_end=self._hear_root_end,
            on_stuck=lambda why: self._end(why, ExitCode.GAVE_UP, is_stuck=True),
            seed=self._journal.boot,
            cue=cue,
        )
        self._recorder.on_durable = self._system.switchboard.on_durable
        commit = self._recorder.commit_here
        self._recorder.ask_for_turn = runtime.errand(commit, dispatcher=TRADING, urgency=urgency_of("journal"))
        self._acts = self._acts_by(overrides)
        self._tree = tree(self._current, self._ports(outside))

    # -- building ------------------------------------------------------------------------------------------------

    def _acts_by(self, overrides: Sequence[str]) -> Acts:
        return Acts(
            system=self._system,
            current=self._current,
            log=self._log,
            pace=Pace(self._current.parts.settings.feed.speed),
            config_path=self._config_path,
            overrides=overrides,
            record=self._record,
            end=self._end,
        )

    def _ports(self, outside: Outside) -> Ports:
        helpers = Helpers("fetch", count=4)
        self._stack.callback(helpers.close)

        def fetch(job: Callable[[], Any], reply: Callable[[Any], None]) -> None:
            helpers.submit(lambda: run_job(job, reply))

        machine = MachineWatch(self._home)
        audits = Nightly(self._home, lambda: self._current.parts.settings)
        self._stack.callback(audits.close)
        backups = Schedule(self._home, lambda: self._current.parts.settings)
        self._stack.callback(backups.close)
        return Ports(
            venue=outside.venue,
            generation=self._journal.generation,
            fetch=fetch,
            fetch_headlines=lambda reply: fetch(outside.parts.headlines.load, reply),
            keep_states=self._recorder.keep_states,
            durable_seq=lambda: self._recorder.durable_seq,
            machine=lambda: Machine(*machine()),
            log=self._log,
            act=self._acts,
            pause_s=outside.pause_s(self._acts.pace),
            at_end=lambda: self._end("end of data"),
            summary_after=lambda at: Calendar(self._current.parts.settings.health.daily_summary).after(at),
            strays=open_strays(self._past.strays),
            audits=audits,
            backups=backups,
        )

    # -- a life --------------------------------------------------------------------------------------------------

    def run(self, *, progress: bool, as_json: bool, config_seen: FileStamp | None) -> int:
        """Live: start, wait, stop, say what came of it."""
        hear_stop_signals(self._end)
        # The socket first: one that cannot be opened must refuse the start before anything is sent.
        admin = self._open_admin()
        self._record_start()
        self._system.start(self._tree)
        threading.Thread(target=self._check_whole_journal, name="journal-check", daemon=True).start()
        manager = ServiceManager()
        try:
            self._watch(manager, progress=progress, config_seen=config_seen)
        except Exception as error:  # noqa: BLE001  whatever it is, the tree is stopped in order and the end recorded
            self._log("error", "node.failed", error=f"{type(error).__name__}: {error}")
            self._end(f"{type(error).__name__}: {error}", ExitCode.GAVE_UP)
        manager.stopping()
        if self._is_stuck:
            self._leave()
        summary = self._summarise()
        if admin is not None:
            admin.close()
        self._stop()
        if summary is not None:
            print_summary(summary, as_json=as_json)
        let_go_of_streams()
        return int(self._exit_code)

    def _record_start(self) -> None:
        events = first_events(
            self._current.parts,
            self._past,
            self._journal,
            opening=self._opening,
            folder=str(self._folder.resolve()),
            platform=self._platform,
            wall_ms=self._system.clock.wall_ms(),
        )
        self._record(*events)
        self._log("info", "node.started", home=str(self._home), boot=self._journal.boot, **self._said_of_source())
        say_opening(self._log, self._opening, self._past.imported, self._current.parts.settings, self._home)
        say_mended(self._log, self._past.mended, self._past.strays)
        self._opening = None  # It is in the journal, and may be large.

    def _said_of_source(self) -> dict[str, Any]:
        source = self._current.parts.source
        return {"source": source.describe(), "strategies": [part.name for part in self._current.parts.shape.strategies]}

    def _open_admin(self) -> AdminServer | None:
        if not self._current.parts.settings.admin.enabled:
            return None
        answers = Answers(
            self._system,
            self._home,
            symbols=tuple(self._current.parts.shape.instruments),
            is_paper=self._current.parts.settings.venue.kind == "paper",
            durable_seq=lambda: self._recorder.durable_seq,
            strays=self._past.strays,
        )
        self._stack.callback(answers.close)
        server = AdminServer(
            self._home / "admin.sock",
            answers.handle,
            report=lambda error: self._log("error", "admin.failed", error=f"{type(error).__name__}: {error}"),
        )
        server.start()
        return server

    def _watch(self, manager: ServiceManager, *, progress: bool, config_seen: FileStamp | None) -> None:
        """Look after configuration, progress and the service manager until the end has come."""
        watcher = ConfigWatcher(config_seen) if self._config_path is not None else None
        source = self._current.parts.source
        step_ms = min(TIMEFRAMES_MS[source.base_timeframe(symbol)] for symbol in source.symbols())
        line = ProgressLine(source.starts_at(), source.steps_total(), step_ms) if progress else None
        is_ready = False
        vitals = self._system.switchboard.vitals
        while not self._over.wait(LOOK_S if is_ready else STARTING_LOOK_S):
            if not is_ready and (is_ready := all(each.up or each.is_poisoned for each in vitals())):
                manager.ready()
                self._log("info", "node.ready", seconds=round(time.monotonic() - self._began, 3))
            if self._makes_progress():
                manager.alive()
            if line is not None:
                line.show(self._system.clock.market_ms(), self._system.switchboard.last_seq, None)
            if watcher is not None and self._config_path is not None and watcher.observe(look_at(self._config_path)):
                ok, detail = self._acts.reload()
                self._log("info" if ok else "error", "configuration.reloaded", ok=ok, detail=detail)
        if line is not None:
            line.clear()

    def _check_whole_journal(self) -> None:
        """Check what opening a long journal has left to a snapshot; leave where it is not what was written."""
        if self._past.last_seq <= CHECKED_WHOLE_MAX:
            return
        try:
            check_chain(self._home, until=self._past.last_seq, is_over=self._over.is_set)
        except (JournalError, OSError, MemoryError) as error:
            why, code = end_by_journal(error, wanted="read")
            self._log("error", "journal.unproven", error=why)
            self._end(why, code)

    def _makes_progress(self) -> bool:
        """Say whether no actor has been busy with one message for longer than it may."""
        limit = self._current.parts.settings.health.message_age_max_s
        return all(each.busy_s < limit for each in self._system.switchboard.vitals())

    def _summarise(self) -> Any:
        try:
            holdings, seq = self._system.ask("positions", HoldingsAsked(), 5.0), self._system.switchboard.last_seq
            self._recorder.wait(seq, 5.0)
            return summarise(
                holdings,
                refusals_in(self._home),
                source=self._current.parts.source.describe(),
                reason=self._reason,
                market_time=self._system.clock.market_ms(),
                restarts=sum(each.restarts for each in self._system.switchboard.vitals()),
                seconds=time.monotonic() - self._began,
                seq=seq,
            )
        except (Timeout, Exception) as error:  # noqa: BLE001  a summary is worth no failure
            self._log("warning", "summary.failed", error=str(error))
            return None

    def _stop(self) -> None:
        self._system.stop()
        if not self._root_ended.wait(STOP_S):
            self._log("error", "node.stop_overdue", waits_for=list(self._system.switchboard.unsettled()))
        self._write_end()

    def _leave(self) -> NoReturn:
        """Leave at once: whoever hangs, and cannot be replaced, would hold up an end in order."""
        self._write_end()
        let_go_of_streams()
        os._exit(int(self._exit_code))

    def _write_end(self) -> None:
        if self._exit_code is ExitCode.OK:
            self._record(NodeStopped(reason=self._reason))
        else:
            self._record(NodeFailed(reason=self._reason, exit_code=int(self._exit_code)))
        if not self._recorder.close():
            self._journal_failed(TimeoutError("what was remembered could not be written in time"))
        self._log("info", "node.stopped", reason=self._reason, exit_code=int(self._exit_code))

    # -- what is heard -------------------------------------------------------------------------------------------

    def _end(self, reason: str, exit_code: ExitCode = ExitCode.OK, *, is_stuck: bool = False) -> None:
        end = scrub(reason), exit_code, is_stuck
        if self._ending.acquire(blocking=False):  # Who comes first keeps it: there is one end.
            self._reason, self._exit_code, self._is_stuck = end
            self._over.set()

    def _record(self, *events: Event) -> None:
        self._system.switchboard.record("node", events)

    def _hear_report(self, report: Report) -> None:
        level, name, values = line_of(report)
        self._log(level, name, **values)

    def _hear_root_end(self, reason: Exit) -> None:
        self._root_ended.set()
        self._end(f"the root gave up: {reason}", ExitCode.GAVE_UP)

    def _journal_failed(self, error: BaseException) -> None:
        """Leave at once: nothing may be done that cannot be remembered."""
        why, code = end_by_journal(error, wanted="written")
        say_to(sys.stderr, scrub(f"holdfast: {why}\n"))
        os._exit(int(code))
