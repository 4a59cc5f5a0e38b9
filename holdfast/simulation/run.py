"""One seed: a node lives through its faults, comes back as often as it dies, and must heal once they end."""

import tempfile
import time
import traceback
from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path
from random import Random

import msgspec

from domain.market import MINUTE_MS
from domain.venue import Venue
from gateways.faulty import FaultyVenue, Line
from gateways.paper import PaperVenue
from holdfast.routes import node_names
from holdfast.simulation.console import Console
from holdfast.simulation.faults import KILL, STRIKES_MIN, Strike, draw_weather
from holdfast.simulation.oracle import Oracle, Violation, Witness
from holdfast.simulation.outcome import Outcome, judge_end
from holdfast.simulation.striker import Death, Striker
from holdfast.simulation.visits import draw_visits
from holdfast.simulation.world import World, draw_world
from holdfast.staging import StagedNode
from persistence.errors import JournalUnwritable
from supervision import Recorded, Stage, SupervisionError

SUPERVISORS = ("root", "operations", "trading", "guard", "strategies", "market")
SEEDS_PER_WORLD = 10
STUCK_AFTER_S = 900.0
"""Virtual time without any market time in between, after which a node is stuck."""
STUCK_UNDER_FAULTS_AFTER_S = 7_200.0
"""The same while its line is bad."""
LIVES_MAX = 200
PACE_S = 1.0
"""Virtual time that a minute takes where reports come late: they would be hours late in a market without pauses."""
Trace = Callable[[str], None]


class Result(msgspec.Struct, frozen=True):
    """What became of one seed."""

    seed: int
    hours: float
    """Of market time."""
    lives: int
    faults: dict[str, int]
    commands: dict[str, int]
    """Of operators, that were answered."""
    orders: int
    fills: int
    events: int
    head: str
    """Hash of the last record."""
    violations: list[Violation]
    cpu_s: float


def simulate_seed(seed: int, *, hours: float, trace: Trace | None = None, folder: Path | None = None) -> Result:
    """Live one seed to its end.  `folder` is where homes are made; memory where there is such a place."""
    began = time.process_time()
    world = draw_world(seed // SEEDS_PER_WORLD, hours=hours)
    with tempfile.TemporaryDirectory(dir=folder or memory_folder(), prefix="holdfast-") as scratch:
        return _Run(seed, world, Path(scratch) / "home", trace).to_end(began)


def memory_folder() -> Path | None:
    """Return a folder in memory, where a commit costs little; None where the machine has none."""
    shared = Path("/dev/shm")
    return shared if shared.is_dir() else None


class _Run:
    def __init__(self, seed: int, world: World, home: Path, trace: Trace | None) -> None:
        self._seed, self._world, self._home, self._trace = seed, world, home, trace
        names = node_names(world.parts.shape)
        weather = draw_weather(seed, minutes=world.minutes, parts=names, supervisors=SUPERVISORS)
        shape = world.parts.shape
        visits = draw_visits(
            seed, minutes=world.minutes, parts=(*names, *SUPERVISORS), symbols=tuple(shape.instruments)
        )
        self._parts = world.behind(weather.line, visits.settings(world.parts.settings))
        self._left = sorted((*weather.strikes, *visits.strikes), key=lambda strike: strike.minute)
        self._draws = Random(f"lives {seed}")
        self._faults: Counter[str] = Counter()
        self._line = Line(weather.line, seed, self._heard)
        self._oracle = Oracle(world, home, reports_come_late=weather.line.report_late > 0)
        self._compares = visits.changes_nothing and not weather.line.report_late
        self._console = Console(self._oracle.commands, self._oracle.stops)
        self._pause_s = PACE_S if weather.line.report_late else 0.0
        self._lives = 0
        self._node: StagedNode | None = None
        self._striker: Striker | None = None
        self._far_end: FaultyVenue | None = None

    def to_end(self, began: float) -> Result:
        """Live until the data has ended, and judge."""
        has_ended, outcome = False, Outcome()
        try:
            while not has_ended and not self._oracle.violations:
                has_ended = self._live()
                if self._lives > LIVES_MAX:
                    self._oracle.say("comes-back", f"after {self._lives} lives the data has not ended")
            if has_ended:
                outcome = judge_end(self._oracle, self._home)
            if has_ended and self._compares and not (self._oracle.is_decided_anew or self._oracle.violations):
                self._compare(outcome)
        except Exception as error:  # noqa: BLE001  whatever ends the run is a finding, with its seed
            self._oracle.say("comes-back", f"{type(error).__name__}: {error}")
            self._say(traceback.format_exc())
        finally:
            self._oracle.ledger.close()
        return Result(
            seed=self._seed,
            hours=self._world.minutes / 60,
            lives=self._lives,
            faults=dict(sorted(self._faults.items())),
            commands=dict(sorted(self._console.done.items())),
            orders=len(self._oracle.orders.known),
            fills=len(self._oracle.orders.fills),
            events=self._oracle.last_seq,
            head=outcome.head,
            violations=self._oracle.violations,
            cpu_s=round(time.process_time() - began, 3),
        )

    def _compare(self, outcome: Outcome) -> None:
        reference, violations = reference_of(self._world)
        for violation in violations:
            self._oracle.say(violation.law, f"without faults: {violation.found}")
        if not violations:
            for difference in outcome.differences(reference):
                self._oracle.say("faults-change-nothing", difference)

    # -- one life ------------------------------------------------------------------------------------------------

    def _live(self) -> bool:
        """Live once; say whether the data has ended."""
        self._lives += 1
        self._striker = striker = Striker(self._heard, self._oracle.say, self._console)
        node = StagedNode(
            self._parts,
            self._home,
            seed=self._draws.randrange(1 << 30),
            cue=striker.reached,
            around_venue=self._around_venue,
            act=self._console.act,
            on_commit=self._hear_commit,
            pause_s=lambda at, following: self._pause_s,
        )
        self._node = striker.node = node
        self._oracle.begin(node.last_seq)
        self._console.begin(node)
        self._say(f"life {self._lives} begins with {node.last_seq} records")
        try:
            with node:
                try:
                    return self._live_on(node, striker)
                finally:
                    striker.disarm()
                    node.stage.let_go()
                    assert self._far_end is not None
                    self._far_end.close()
        except (Death, JournalUnwritable):
            return False
        finally:
            self._node = None

    def _live_on(self, node: StagedNode, striker: Striker) -> bool:
        while self._left:
            if not self._reach(node, self._left[0]):
                if node.ended:
                    # The market was over before it was due, and would be in every later life.
                    self._left.pop(0)
                return False
            strike = self._left.pop(0)
            self._say(f"{strike.act} of {strike.part} {strike.moment}")
            striker.strike(strike)
        if node.stage.is_dead:
            return False
        if sum(self._faults.values()) < STRIKES_MIN:
            # What was drawn has found nobody to befall.
            self._left.append(KILL)
            return self._live_on(node, striker)
        self._line.is_calm = True
        striker.disarm()
        self._console.open_up()
        self._go_on(node, lambda: False)
        if node.ended:
            self._rest(node)
        return node.ended

    def _rest(self, node: StagedNode) -> None:
        """Let a node whose data has ended come to rest: all that was asked of it is answered, and everybody is up."""
        clock, console = node.stage.clock, self._console
        quiet_at = clock.now_s + self._line.faults.late_s_max

        def down() -> list[str]:
            return [each.name for each in node.switchboard.vitals() if not each.up]

        def is_at_rest() -> bool:
            console.look()
            if clock.now_s <= quiet_at:
                return False
            return clock.now_s > quiet_at + STUCK_AFTER_S or not (console.waits_for or down())

        node.stage.run_until(is_at_rest)
        node.commit()
        if console.waits_for or down():
            self._oracle.say("heals", f"in the end, not answered: {console.waits_for}, down: {down()}")

    def _reach(self, node: StagedNode, strike: Strike) -> bool:
        """Live until a fault is due; say False where the life ended before."""
        due = self._world.begins_at + strike.minute * MINUTE_MS
        market_ms = node.stage.clock.market_ms
        if not self._go_on(node, lambda: market_ms() >= due):
            return False
        turns = node.stage.steps + strike.turns
        return self._go_on(node, lambda: node.stage.steps >= turns)

    def _go_on(self, node: StagedNode, is_there: Callable[[], bool]) -> bool:
        """Let the node live until a condition holds; say False where it does not live any more, or is stuck."""
        clock, violations, striker = node.stage.clock, self._oracle.violations, self._striker
        console = self._console
        assert striker is not None
        moved_at, market = clock.now_s, clock.market_ms()
        patience_s = STUCK_AFTER_S if self._line.is_calm else STUCK_UNDER_FAULTS_AFTER_S

        def is_over() -> bool:
            nonlocal moved_at, market
            striker.look()
            console.look()
            if is_there() or violations:
                return True
            if market != (now := clock.market_ms()):
                market, moved_at = now, clock.now_s
            return clock.now_s - moved_at > patience_s

        try:
            node.run(is_over)
        except SupervisionError as error:
            self._oracle.say("heals", f"{error}: {node.switchboard.unsettled()}")
        if not node.stage.is_dead and clock.now_s - moved_at > patience_s:
            self._oracle.say("heals", f"stuck at {market}: {'; '.join(node.switchboard.unsettled())}")
        return not (node.stage.is_dead or node.ended or node.root_exit or violations)

    # -- hearing -------------------------------------------------------------------------------------------------

    def _around_venue(self, venue: PaperVenue, stage: Stage) -> Venue:
        self._far_end = FaultyVenue(venue, self._line, after=stage.after, now=stage.clock.monotonic)
        return Witness(self._far_end, self._oracle.hear_submit)

    def _hear_commit(self, records: Sequence[Recorded]) -> None:
        self._oracle.take(records)
        if self._trace is not None:
            for record in records:
                self._say(f"{record.seq:>6} {record.actor}/{record.epoch} {record.event}")

    def _heard(self, fault: str) -> None:
        self._faults[fault] += 1
        self._say(f"fault: {fault}")

    def _say(self, what: str) -> None:
        if self._trace is not None:
            now_s = self._node.stage.clock.now_s if self._node else 0.0
            self._trace(f"{now_s:10.3f} {what}")


_references: dict[tuple[int, int], tuple[Outcome, list[Violation]]] = {}
"""Of the newest world."""


def forget_references() -> None:
    """Find out anew what a life without faults comes to: the program has changed."""
    _references.clear()


def reference_of(world: World) -> tuple[Outcome, list[Violation]]:
    """Return what a life without faults comes to in a world, and what was wrong with it."""
    key = world.number, world.minutes
    if key not in _references:
        _references.clear()
        with tempfile.TemporaryDirectory(dir=memory_folder(), prefix="holdfast-") as scratch:
            home = Path(scratch) / "home"
            oracle = Oracle(world, home, reports_come_late=False)
            with StagedNode(world.parts, home, seed=0, on_commit=oracle.take) as node:
                node.run()
                node.commit()
            if not node.ended:
                oracle.say("heals", "its data has not ended")
            try:
                _references[key] = judge_end(oracle, home), oracle.violations
            finally:
                oracle.ledger.close()
    return _references[key]
