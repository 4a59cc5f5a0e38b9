"""A whole node on the stage: the same actors, supervisors, switchboard, journal and paper venue, on one thread.

Time is virtual, the order of delivery is drawn from a seed, and deaths come on cue; the same seed gives the same
journal, hash for hash, on every machine and Python.
"""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack, closing
from pathlib import Path

from actors.auditor import Audits
from actors.base import Log
from actors.health import Machine
from actors.operator import Act
from domain.market import DAY_MS, Instant
from domain.venue import Venue
from gateways.paper import PaperVenue
from holdfast.ground import build_system, look_back, open_venue, opening_of, remembering, run_job
from holdfast.imports.opening import Opening
from holdfast.mending.lineage import open_strays
from holdfast.part_acts import PartActs
from holdfast.parts import Parts
from holdfast.recovery import draft_of
from holdfast.reports import events_of
from holdfast.routes import WATCHER
from holdfast.stage_life import WALL_MS, StageLife
from holdfast.wiring import Ports, tree
from messages.base import Event
from persistence.errors import JournalError
from persistence.journal import Journal
from supervision import CrashReport, Recorded, Stage, StageRecorder, SupervisorReport, System
from supervision.stage import STEPS_MAX
from supervision.system import Report


def _without_stack(report: Report) -> list[Event]:
    """Leave the stack out: it names files and lines, and these are not the same everywhere."""
    return events_of(report._replace(stack="") if isinstance(report, CrashReport) else report)


def _plain(venue: PaperVenue, stage: Stage) -> Venue:
    return venue


class StagedNode(StageLife):
    """One life of a whole node."""

    platform = "stage"

    def __init__(
        self,
        parts: Parts,
        home: Path,
        *,
        seed: int,
        cue: Callable[[str], None] | None = None,
        log: Log = lambda level, event, **values: None,
        act: Act | None = None,
        folder: str = ".",
        pause_s: Callable[[Instant, Instant], float] = lambda at, following: 0.0,
        hear: Callable[[Sequence[Recorded]], None] = lambda records: None,
        on_commit: Callable[[Sequence[Recorded]], None] = lambda records: None,
        around_venue: Callable[[PaperVenue, Stage], Venue] = _plain,
        opening: Opening | None = None,
        audits: Audits | None = None,
    ) -> None:
        """Open the home.

        `act` does what commands order; given none, those that act on parts of the tree are done, and no others.
        `folder` is where the configuration's relative paths start; `hear` is told what is recorded, as it is, and
        `on_commit` once it is durable.  `around_venue` may put something between the desk and the venue; `opening`
        opens a new account with something else than the configuration says; `audits` audits days on schedule.
        """
        super().__init__(parts, folder=folder)
        self.reports: list[Report] = []
        self.poisoned = ""
        """Which part cannot fold which event, so that the market stands still."""
        self.gave_up = ""
        """Why the process could no longer help itself, and left."""
        self.journal_failure: JournalError | None = None
        """Why the journal could not be written, with which the process left."""
        self.home = home
        self._log = log
        self._pause_s = pause_s
        self._hear = hear
        self._on_commit = on_commit
        self._audits = audits
        with ExitStack() as opened:
            self._journal = journal = opened.enter_context(closing(Journal.open(home, cue=cue or _nothing)))
            self._past = look_back(home, journal.last_seq)
            self.current.parts = parts = remembering(self._past, parts)
            is_given = opening is not None and not self._past.has_account
            self._opening = opening if is_given else opening_of(self._past, parts, home)
            venue = open_venue(home, parts, self._opening, cue=cue)
            opened.callback(venue.close)
            self._files = opened.pop_all()
        self._counts: Counter[str] = Counter()
        recorder = StageRecorder(self._append, journal.last_seq, on_enqueue=self._count)
        self._recorder = recorder
        self.stage = Stage(seed=seed, recorder=recorder, wall_ms=WALL_MS, market_ms=self._past.market_at)
        self.system = self._build_system(seed, cue)
        self._act = act or PartActs(self.system)
        recorder.on_durable = self.switchboard.on_durable
        self._tree = tree(self.current, self._ports(around_venue(venue, self.stage)))

    @property
    def durable_seq(self) -> int:
        """Return the highest sequence on disk."""
        return self._recorder.durable_seq

    def run(self, until: Callable[[], bool] = lambda: False, *, steps_max: int = STEPS_MAX) -> None:
        """Let the node live until its data has ended, a condition holds, or it is dead."""
        self.stage.run_until(lambda: self.ended or self.root_exit is not None or until(), steps_max=steps_max)

    def counted(self, kind: str) -> int:
        """Return how many events of a kind this life has recorded."""
        return self._counts[kind]

    def commit(self) -> None:
        """Write down what has been remembered so far."""
        self._recorder.commit()

    def stall_disk(self, *, is_stalled: bool) -> None:
        """Let the disk take its time, or let it go on."""
        self._recorder.is_stalled = is_stalled

    def kill(self) -> None:
        """Die at once: what is not committed is lost."""
        self.stage.kill()

    def retry_quarantined(self) -> int:
        """Have all that is quarantined delivered, as an operator would who knows what ended the actors; count it."""
        quarantine = self.switchboard.quarantine
        return sum(quarantine.retry(case.actor, case.fingerprint) is not None for case in quarantine.cases())

    # -- helpers -------------------------------------------------------------------------------------------------

    def _build_system(self, seed: int, cue: Callable[[str], None] | None) -> System:
        return build_system(
            parts=self.current.parts,
            past=self._past,
            home=self.home,
            boot=self._journal.boot,
            runtime=self.stage,
            recorder=self._recorder,
            on_report=self._take_report,
            on_root_end=self._root_ended,
            on_stuck=self._give_up,
            seed=seed,
            cue=cue,
            remember=_without_stack,
        )

    def _count(self, records: Sequence[Recorded]) -> None:
        self._counts.update(record.kind for record in records)
        self._hear(records)

    def _append(self, records: Sequence[Recorded]) -> None:
        try:
            self._journal.append([draft_of(record) for record in records])
        except JournalError as error:
            # Whoever's turn it is: a process that cannot write leaves at once.
            self.journal_failure = error
            self.stage.kill()
            raise
        self._on_commit(records)

    def _keep(self, seq: int, states: Mapping[str, tuple[int, bytes]]) -> None:
        self._recorder.commit()
        self._journal.save_states(seq, states)

    def _take_report(self, report: Report) -> None:
        self.reports.append(report)
        if not isinstance(report, SupervisorReport) or report.reason.kind != "poisoned":
            return
        if report.offender.name != WATCHER:  # It only looks on: the market goes on without it.
            self.poisoned = f"{report.offender.name} cannot fold {report.reason.detail}"

    def _give_up(self, why: str) -> None:
        self.gave_up = why
        self.stage.kill()

    def _ports(self, venue: Venue) -> Ports:
        return Ports(
            venue=venue,
            generation=self._journal.generation,
            fetch=run_job,
            fetch_headlines=lambda reply: run_job(self.current.parts.headlines.load, reply),
            keep_states=self._keep,
            durable_seq=lambda: self._recorder.durable_seq,
            machine=lambda: Machine(0.0, 0.0, 1e6, 1, 1),
            log=self._log,
            act=self._act,
            pause_s=self._pause_s,
            at_end=self._data_ended,
            summary_after=_next_midnight,
            strays=open_strays(self._past.strays),
            audits=self._audits,
        )


def _nothing(point: str) -> None:
    """Do nothing at a cue."""


def _next_midnight(at: Instant) -> Instant:
    return (at // DAY_MS + 1) * DAY_MS
