"""The feed: moves market time, judges rows, builds frames, and offers closed bars to one strategy after another."""

from collections.abc import Callable, Iterator, Sequence
from typing import Any, Protocol

from actors.base import RememberingActor
from actors.feed_memory import Audience, FeedMemory
from domain.bars import Finding, TellsFindings, frames_of, judge_step
from domain.market import LATE_MS, Bar, Instant
from domain.sources import NOT_YET, LiveSource, MarketSource, SourceUnavailable, Step
from messages.market import (
    BarsClosed,
    BarsPassed,
    CheckPatience,
    FramesClosed,
    GoOn,
    HistoryLoaded,
    HistoryRead,
    MarketEnded,
    Offered,
    OfferSkipped,
    RowRefused,
    SourceOpened,
    StepsArrived,
    Unsettled,
)
from supervision import Seat, Settled, System

Fetch = Callable[[Callable[[], Sequence[Bar]], Callable[[Sequence[Bar] | SourceUnavailable], None]], None]
"""Runs a job beside others, off the actors' threads, and calls back with what it returned, or why it could not."""


class Shortcut(Protocol):
    """Lets bars go straight through all who take them, where a run is on one thread."""

    @property
    def is_over(self) -> bool:
        """Say whether the source has no more rows."""

    @property
    def is_offering(self) -> bool:
        """Say whether the bars stopped because a strategy has something to propose, and for nothing else."""

    def run(self) -> BarsPassed | None:
        """Let bars through until somebody has something to say; return what to record, None where nothing passed."""


class MakesShortcut(Protocol):
    """Makes the shortcut of one incarnation."""

    def __call__(
        self,
        *,
        system: System,
        feed: FeedMemory,
        put_back: Callable[[Step], None],
    ) -> Shortcut:
        """Return it; what it takes and does not let through it puts back."""


class Feed(RememberingActor):
    """Goes on to the next offer, and to the next bar, only when all that the last one caused is settled."""

    def __init__(
        self,
        system: System,
        seat: Seat,
        *,
        memory: FeedMemory,
        source: MarketSource,
        audiences: Sequence[Audience],
        frames: Sequence[str],
        fetch: Fetch,
        pause_s: Callable[[Instant, Instant], float],
        settle_limit_s: float,
        at_end: Callable[[], None],
        shortcut: MakesShortcut | None = None,
    ) -> None:
        super().__init__(system, seat, memory=memory)
        self._known = memory
        self._source = source
        self._audiences = audiences
        self._frames = tuple(frames)
        self._fetch = fetch
        self._description = source.describe()
        self._pause_s = pause_s
        self._settle_limit_s = settle_limit_s
        self._at_end = at_end
        self._is_live = isinstance(source, LiveSource)
        if isinstance(source, LiveSource):
            source.watch(self._tell_arrived)
        self._shortcut = shortcut(system=system, feed=memory, put_back=self._put_back) if shortcut else None
        self._steps: Iterator[Step] | None = None
        self._step: Step | None = None
        self._histories: dict[tuple[str, str], HistoryRead | None] = {}
        self._is_idle = True
        """Nothing is waited for: neither settling, nor a pause, nor history, nor the end."""
        self._is_settled = False
        self._lacks_steps = False
        """It waits for a market that goes on to have gone on."""
        self._waits_since: float | None = None
        self._wanted = [
            (symbol, frame)
            for symbol in source.symbols()
            for frame in frames_of(source.base_timeframe(symbol), self._frames)
        ]
        """Symbol and time frame of every history that is not known to be there."""

    def started(self) -> None:
        """Begin to watch how long settling takes."""
        self.after(self._settle_limit_s, CheckPatience())

    def has_open_work(self) -> bool:
        """Say whether history is still to come."""
        return any(read is None for read in self._histories.values())

    def receive(self, message: Any) -> None:
        """Take what is not remembered."""
        match message:
            case Settled():
                self._waits_since = None
                self._is_idle = self._is_settled = True
            case GoOn():
                self._is_idle = True
            case StepsArrived():
                self._is_idle = self._is_idle or self._lacks_steps
                self._lacks_steps = False
            case HistoryRead(symbol=symbol, timeframe=timeframe):
                self._histories[symbol, timeframe] = message
                self._is_idle = not self.has_open_work()
            case CheckPatience():
                self._check_patience()
            case _:
                super().receive(message)

    def react(self) -> None:
        """Take the next step, if nothing is waited for."""
        state = self._known.state
        if not self._is_idle:
            return
        if state.description != self._description:
            self._open_source()
        elif missing := self._missing_histories():
            self._read_histories(missing)
        elif self._is_settled:
            self._is_settled = False
            # Nothing comes of rows that were refused before, and nobody would wake this actor: so the next at once.
            while self._is_idle and not self.has_recorded():
                self._go_on()
        else:
            self._is_idle = False
            self._waits_since = self.monotonic()
            self.await_settled(though_waiting=self._is_live)

    # -- before the first bar ------------------------------------------------------------------------------------

    def _open_source(self) -> None:
        starts_at = self._source.starts_at()
        opened = SourceOpened(description=self._description, symbols=tuple(self._source.symbols()), starts_at=starts_at)
        self.record(opened, at=starts_at)

    def _missing_histories(self) -> list[tuple[str, str]]:
        # Histories are never forgotten, so that what was found once need not be looked for again.
        self._wanted = [key for key in self._wanted if key not in self._known.state.histories]
        return self._wanted

    def _read_histories(self, missing: list[tuple[str, str]]) -> None:
        """Have all of them fetched side by side; once all are here, record them in the order of the symbols."""
        if not self._histories:
            self._is_idle = False
            self._histories = dict.fromkeys(missing)
            for symbol, timeframe in missing:
                self._ask_for_history(symbol, timeframe)
            return
        for read in self._histories.values():
            assert read is not None
            if read.problem:
                raise ValueError(f"history of {read.symbol} {read.timeframe} cannot be read: {read.problem}")
            self.record(HistoryLoaded(symbol=read.symbol, timeframe=read.timeframe, bars=read.bars))
        if isinstance(self._source, TellsFindings):
            for symbol in dict.fromkeys(symbol for symbol, _timeframe in self._histories):
                self._refuse(self._source.findings(symbol))
        self._histories = {}

    def _ask_for_history(self, symbol: str, timeframe: str) -> None:
        def reply(found: Sequence[Bar] | SourceUnavailable) -> None:
            if isinstance(found, SourceUnavailable):
                read = HistoryRead(symbol, timeframe, (), problem=str(found))
            else:
                read = HistoryRead(symbol, timeframe, tuple(found))
            self._system.switchboard.tell(self.name, read, epoch=self.epoch)

        self._fetch(lambda: self._source.history(symbol, timeframe), reply)

    # -- one step after another ----------------------------------------------------------------------------------

    def _go_on(self) -> None:
        state = self._known.state
        if self._shortcut is not None and (passed := self._take_shortcut(self._shortcut)) is not None:
            self.record(passed, at=passed.at)
            if self._shortcut.is_offering and (offer := self._next_offer()) is not None:
                self.record(offer)
        elif state.closed_frames:
            # Told only now: what the account is worth is marked on it, and the fills of these bars belong to that.
            self.record(FramesClosed(at=state.at, bars=tuple(state.closed_frames)))
        elif (offer := self._next_offer()) is not None:
            self.record(offer)
        elif (step := self._next_step()) is None:
            self._end()
        elif step is NOT_YET:
            self._is_idle = False
            self._lacks_steps = True
        elif self._step is None and (pause_s := self._pause_s(state.at, step.at)) > 0:
            self._step = step
            self._is_idle = False
            self.after(pause_s, GoOn())
        else:
            self._step = None
            self._take_step(step)

    def _take_shortcut(self, shortcut: Shortcut) -> BarsPassed | None:
        if not self._known.state.closed_frames and self._next_offer() is not None:
            return None
        passed = shortcut.run()
        if passed is not None or self._step is not None:
            self._steps = None  # The shortcut reads for itself.
        return passed

    def _tell_arrived(self) -> None:
        self._system.switchboard.tell(self.name, StepsArrived(), epoch=self.epoch)

    def _put_back(self, step: Step) -> None:
        self._step = step

    def _end(self) -> None:
        if not self._known.state.is_ended:
            self.record(MarketEnded(at=self._known.state.at))
            return
        self._is_idle = False
        self._at_end()

    def _next_offer(self) -> Offered | OfferSkipped | None:
        state = self._known.state
        is_late = self.market_ms() - state.at > LATE_MS
        for audience in self._audiences:
            if not audience.decides_at(state.told_frames):
                continue
            strategy = audience.strategy
            offer = state.offers.get(strategy)
            if offer is None or offer.status == "void":
                attempt = 0 if offer is None else offer.attempt + 1
                if is_late:
                    return OfferSkipped(strategy, state.at, attempt, reason="the bars are too old to be acted on")
                return Offered(strategy=strategy, at=state.at, attempt=attempt)
            if offer.status == "made":
                return OfferSkipped(strategy, state.at, offer.attempt, reason="the strategy is down for good")
        return None

    def _next_step(self) -> Step | None:
        if self._step is not None:
            return self._step
        if self._shortcut is not None and self._shortcut.is_over:
            return None
        if self._steps is None:
            self._steps = self._source.steps(self._known.state.at)
        return next(self._steps, None)

    def _take_step(self, step: Step) -> None:
        state = self._known.state
        judged = judge_step(step, state.newest, state.at)
        self._refuse(judged.findings)
        if judged.bars:
            self.record(BarsClosed(at=step.at, bars=judged.bars), at=step.at)

    def _refuse(self, findings: Sequence[Finding]) -> None:
        refused = self._known.state.refused
        for found in findings:
            if (found.symbol, found.opened_at, found.fault) not in refused:
                self.record(RowRefused(found.symbol, found.opened_at, found.fault, found.detail))

    def _check_patience(self) -> None:
        self.after(self._settle_limit_s, CheckPatience())
        if self._waits_since is None:
            return
        waited_s = self.monotonic() - self._waits_since
        if waited_s >= self._settle_limit_s:
            parts = tuple(part for part in self._system.switchboard.unsettled() if not part.startswith(self.name))
            self.tell("health", Unsettled(parts=parts, waited_s=waited_s))
