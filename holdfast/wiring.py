"""The system on one page: the tree of children with their restart policy.  `routes` says who hears what.

    root (one_for_one)
    |- operations (one_for_one)            health, herald, archivist, watcher, operator, auditor, keeper: onlookers
    `- trading (one_for_one, transient, significant)
       |- guard (rest_for_one, transient, significant)  positions -> venue -> executor -> breaker -> reconciler
       |- strategies (one_for_one, transient)
       `- market (one_for_one, transient)  sentiment, feed

Market or strategies giving up leaves the guard alive and the node in reduce only.  The guard giving up ends trading,
and that the root (`auto_shutdown`): the process ends.  What is transient is started anew only where it crashed itself.
"""

from collections.abc import Callable, Mapping

import msgspec

from actors.archivist import Archivist
from actors.auditor import Auditor, Audits
from actors.base import Log
from actors.breaker import Breaker
from actors.breaker_memory import BreakerMemory
from actors.executor import NO_STRAYS, Executor
from actors.executor_memory import ExecutorMemory
from actors.feed import Feed, Fetch, MakesShortcut
from actors.feed_memory import FeedMemory
from actors.health import Health, HealthLimits, Machine
from actors.herald import Herald
from actors.keeper import Backups, Keeper
from actors.operator import Act, Operator, OperatorMemory
from actors.positions import Positions, PositionsMemory
from actors.reconciler import Reconciler
from actors.reconciler_memory import ReconcilerMemory
from actors.sentiment import FetchHeadlines, Sentiment, SentimentMemory
from actors.strategy import StrategyHost
from actors.venue import VenueDesk, VenueMemory
from actors.watcher import Watcher
from domain.market import Instant
from domain.venue import Venue
from holdfast.config.settings import Intensity, Settings
from holdfast.memories import remembering_names, strategy_memory, watcher_memory
from holdfast.parts import Parts, StrategyPart, audiences_of, policies_of
from holdfast.patience import Patience, patience_of
from holdfast.routes import AUDITOR, KEEPER, role_of
from holdfast.scorer import Scorer
from persistence.snapshots import STATE_BYTES_MAX
from supervision import Actor, ChildSpec, MailboxSpec, Seat, Supervisor, SupervisorSpec, System
from supervision.spec import AutoShutdown, Restart, Strategy

TRADING = "trading"
"""The dispatcher of all that recorded data waits for."""
URGENT = ("venue", "executor", "breaker", "reconciler", "journal", "strategy", "positions", "sentiment", "feed")
"""Who takes the next turn there: an order on its way overtakes what only looks on, its intent's commit too."""


class Ports(msgspec.Struct, frozen=True):
    """What the tree is connected to outside of itself."""

    venue: Venue
    generation: int
    fetch: Fetch
    fetch_headlines: FetchHeadlines
    keep_states: Callable[[int, Mapping[str, tuple[int, bytes]]], None]
    durable_seq: Callable[[], int]
    machine: Callable[[], Machine]
    log: Log
    act: Act
    pause_s: Callable[[Instant, Instant], float]
    at_end: Callable[[], None]
    summary_after: Callable[[Instant], Instant]
    shortcut: MakesShortcut | None = None
    strays: Mapping[str, str] = NO_STRAYS
    """Open orders at the venue that the journal does not know, with their symbols."""
    backups: Backups | None = None
    """Makes backups on schedule; None where none are."""
    audits: Audits | None = None
    """Audits days on schedule; None where none are."""


class Current:
    """The parts as they are now; a restarted actor takes what a reload has changed."""

    def __init__(self, parts: Parts) -> None:
        self.parts = parts

    def strategy(self, name: str) -> StrategyPart:
        """Return a strategy as it is configured now."""
        return next(part for part in self.parts.shape.strategies if part.name == name)


def tree(current: Current, ports: Ports) -> ChildSpec:
    """Return the root of the whole node."""
    settings = current.parts.settings
    return _root(settings, _operations(current, ports, settings), _trading(current, ports, settings))


def trading_tree(current: Current, ports: Ports) -> ChildSpec:
    """Return the root of a node that nobody operates or looks on: a backtest."""
    settings = current.parts.settings
    return _root(settings, _trading(current, ports, settings))


def _root(settings: Settings, *children: ChildSpec) -> ChildSpec:
    return _supervisor(
        "root", settings.supervision.root, children, restart="transient", auto_shutdown="any_significant"
    )


def _operations(current: Current, ports: Ports, settings: Settings) -> ChildSpec:
    names = remembering_names(current.parts.shape)

    def health(system: System, seat: Seat) -> Health:
        watch = current.parts.settings.health
        return Health(
            system,
            seat,
            machine=ports.machine,
            limits=HealthLimits(watch.memory_limit_mb, watch.disk_free_min_mb, watch.message_age_max_s),
            log=ports.log,
            beat_s=watch.heartbeat_s,
            summary_after=ports.summary_after,
            durable_seq=ports.durable_seq,
        )

    def herald(system: System, seat: Seat) -> Herald:
        return Herald(system, seat, log=ports.log)

    def archivist(system: System, seat: Seat) -> Archivist:
        return Archivist(
            system,
            seat,
            names=names,
            keep=ports.keep_states,
            every=settings.journal.snapshot_every,
            state_bytes_max=STATE_BYTES_MAX,
        )

    def watcher(system: System, seat: Seat) -> Watcher:
        return Watcher(system, seat, memory=watcher_memory(current.parts.shape))

    def operator(system: System, seat: Seat) -> Operator:
        return Operator(system, seat, memory=OperatorMemory(), act=ports.act)

    onlookers: dict[str, Callable[[System, Seat], Actor]] = {
        "health": health,
        "herald": herald,
        "archivist": archivist,
        "watcher": watcher,
    }
    patience = patience_of(settings)
    return _supervisor(
        "operations",
        settings.supervision.operations,
        (
            *(ChildSpec(name=name, start=start, hears_late=True, **patience) for name, start in onlookers.items()),
            # An operator's command waits until its clerk is back; what this one does is never begun by the next.
            ChildSpec(name="operator", start=operator, mailbox=MailboxSpec(retains=True), **patience),
            *_auditor(current, ports, patience),
            *_keeper(ports, patience),
        ),
    )


def _auditor(current: Current, ports: Ports, patience: "Patience") -> tuple[ChildSpec, ...]:
    """Return the auditor, where days are audited on schedule; what an audit has found waits until it is back."""
    audits = ports.audits
    if audits is None:
        return ()

    def start(system: System, seat: Seat) -> Auditor:
        score_min = current.parts.settings.audit.score_min
        return Auditor(system, seat, audits=audits, score_min=score_min, log=ports.log)

    return (ChildSpec(name=AUDITOR, start=start, hears_late=True, mailbox=MailboxSpec(retains=True), **patience),)


def _keeper(ports: Ports, patience: "Patience") -> tuple[ChildSpec, ...]:
    """Return the keeper, where backups are made on schedule; what came of one waits until it is back."""
    backups = ports.backups
    if backups is None:
        return ()

    def start(system: System, seat: Seat) -> Keeper:
        return Keeper(system, seat, backups=backups, log=ports.log)

    return (ChildSpec(name=KEEPER, start=start, mailbox=MailboxSpec(retains=True), **patience),)


def _trading(current: Current, ports: Ports, settings: Settings) -> ChildSpec:
    supervision = settings.supervision
    return _supervisor(
        "trading",
        supervision.trading,
        (
            _supervisor(
                "guard",
                supervision.guard,
                _guard(current, ports),
                strategy="rest_for_one",
                restart="transient",
                significant=True,
            ),
            _supervisor("strategies", supervision.strategies, _strategies(current), restart="transient"),
            _supervisor("market", supervision.market, _market(current, ports), restart="transient"),
        ),
        restart="transient",
        significant=True,
        auto_shutdown="any_significant",
    )


def _guard(current: Current, ports: Ports) -> tuple[ChildSpec, ...]:
    def positions(system: System, seat: Seat) -> Positions:
        shape = current.parts.shape
        return Positions(system, seat, memory=PositionsMemory(shape.instruments, shape.quote))

    def venue(system: System, seat: Seat) -> VenueDesk:
        return VenueDesk(system, seat, memory=VenueMemory(), venue=ports.venue)

    def executor(system: System, seat: Seat) -> Executor:
        return Executor(
            system,
            seat,
            memory=ExecutorMemory(),
            instruments=current.parts.shape.instruments,
            generation=ports.generation,
            profile=current.parts.profile,
            deadline_ms=current.parts.deadline_ms,
            strays=ports.strays,
            resting=current.parts.resting,
        )

    def breaker(system: System, seat: Seat) -> Breaker:
        parts, instruments = current.parts, current.parts.shape.instruments
        memory = BreakerMemory(instruments, parts.shape.quote)
        return Breaker(system, seat, memory=memory, instruments=instruments, limits=parts.limits)

    def reconciler(system: System, seat: Seat) -> Reconciler:
        parts, instruments = current.parts, current.parts.shape.instruments
        return Reconciler(
            system,
            seat,
            memory=ReconcilerMemory(instruments, parts.shape.quote),
            instruments=instruments,
            policies=policies_of(parts.settings),
            profile=parts.profile,
            log=ports.log,
            resting=parts.resting,
        )

    starts: dict[str, Callable[[System, Seat], Actor]]
    starts = {each.__name__: each for each in (positions, venue, executor, breaker, reconciler)}
    # The paper venue lives in its desk's thread: a hung desk has it in hand, and no other may touch it then.
    is_paper = current.parts.settings.venue.kind == "paper"
    return tuple(
        _trader(current, name, start, fenceable=name != "venue" or not is_paper) for name, start in starts.items()
    )


def _strategies(current: Current) -> tuple[ChildSpec, ...]:
    def host(name: str) -> Callable[[System, Seat], StrategyHost]:
        def start(system: System, seat: Seat) -> StrategyHost:
            memory = strategy_memory(current.strategy(name))
            return StrategyHost(system, seat, memory=memory, strategy=name, instruments=current.parts.shape.instruments)

        return start

    return tuple(_trader(current, f"strategy.{part.name}", host(part.name)) for part in current.parts.shape.strategies)


def _market(current: Current, ports: Ports) -> tuple[ChildSpec, ...]:
    def sentiment(system: System, seat: Seat) -> Sentiment:
        parts = current.parts
        half_life_ms = int(parts.settings.sentiment.half_life_hours * 3_600_000)
        return Sentiment(
            system,
            seat,
            memory=SentimentMemory(),
            source=parts.headlines.describe(),
            fetch=ports.fetch_headlines,
            score=parts.score or Scorer(parts.settings, parts.shape.instruments),
            look_back_ms=8 * half_life_ms,
            retry_s=parts.settings.sentiment.retry_s,
        )

    def feed(system: System, seat: Seat) -> Feed:
        parts = current.parts
        return Feed(
            system,
            seat,
            memory=FeedMemory(parts.shape.frames),
            source=parts.source,
            audiences=audiences_of(parts.shape, parts.source),
            frames=parts.shape.frames,
            fetch=ports.fetch,
            pause_s=ports.pause_s,
            settle_limit_s=parts.settings.feed.settle_limit_s,
            at_end=ports.at_end,
            shortcut=ports.shortcut,
        )

    return _trader(current, "sentiment", sentiment), _trader(current, "feed", feed)


def _trader(
    current: Current, name: str, start: Callable[[System, Seat], Actor], *, fenceable: bool = True
) -> ChildSpec:
    """Return the spec of an actor that recorded data waits for."""
    return ChildSpec(
        name=name,
        start=start,
        fenceable=fenceable,
        settles=True,
        dispatcher=TRADING,
        urgency=urgency_of(role_of(name)),
        **patience_of(current.parts.settings),
    )


def urgency_of(role: str) -> int:
    """Return how urgent the turns of a role are; the highest goes first."""
    return len(URGENT) - URGENT.index(role)


def _supervisor(
    name: str,
    given: Intensity,
    children: tuple[ChildSpec, ...],
    *,
    strategy: Strategy = "one_for_one",
    restart: Restart = "permanent",
    significant: bool = False,
    auto_shutdown: AutoShutdown = "never",
) -> ChildSpec:
    spec = SupervisorSpec(
        strategy=strategy,
        intensity=given.intensity,
        period_s=given.period_s,
        auto_shutdown=auto_shutdown,
        children=children,
    )
    return ChildSpec(
        name=name,
        start=lambda system, seat: Supervisor(system, seat, spec=spec),
        restart=restart,
        significant=significant,
        shutdown_s=None,
        start_timeout_s=300.0,
        supervises=spec,
    )
