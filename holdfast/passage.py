"""The passage: bars go straight through all who take them, as long as nobody has anything to say.

For runs on one thread.  What a node does at each bar by messages (the bar, its frames, the account's worth, an offer to
each strategy and its empty answer) is done here by calls, in the same order and to the same end, and one `BarsPassed`
stands for the record of it.  Where somebody has something to say the bars stop there, and messages go on.

`Retelling` does the same to memories that are rebuilt from a journal.
"""

from collections.abc import Callable, Sequence
from decimal import Decimal

from actors.feed_memory import Audience, Circle, FeedMemory
from domain.bars import judge_step
from domain.market import Bar, Closing, Instant
from domain.sources import Step
from holdfast.doors import Doors
from messages.market import BarsPassed
from supervision import Crashed, System

STEPS_MAX = 10_000
"""Instants that one record stands for at most."""
WINDOW = 32
"""Closings that are looked at together."""


class Passage:
    """Lets bars through the living actors of a system, in the turns of one incarnation of the feed."""

    def __init__(
        self,
        audiences: Sequence[Audience],
        *,
        count_unmatched: Callable[[Sequence[Closing]], int],
        mark: Callable[[Instant, Decimal], None],
        look: Callable[[Instant], None],
        system: System,
        feed: FeedMemory,
        next_step: Callable[[], Step | None],
        put_back: Callable[[Step], None],
    ) -> None:
        """Set out in an incarnation of the feed.

        `count_unmatched` is the venue's: how many closings would do nothing to its open orders.  `mark` hears what the
        account is worth when strategies are about to decide; `look`, how far the market has come.

        Steps come from `next_step`; one that holds anything odd does not pass: it is put back when it is due.
        """
        self._circle = Circle(audiences)
        self._strategies = tuple(audience.strategy for audience in audiences)
        self._count_unmatched = count_unmatched
        self._mark = mark
        self._look = look
        self._system = system
        self._feed = feed
        self._ahead = _Ahead(feed, next_step, put_back)

    def run(self) -> BarsPassed | None:
        """Let bars through until somebody has something to say; return what to record, None where nothing passed."""
        doors = Doors(self._system, self._strategies)
        if not doors.are_open:
            self._ahead.demand_empty()
            return None
        state = self._feed.state
        steps = asked = 0
        has_begun = has_stirred = False
        if state.closed_frames:
            has_begun = True
            asked, has_stirred = self._tell(doors, is_news_due=doors.count_news([(state.at, ())]) == 0)
        while not has_stirred and steps < STEPS_MAX and (run := self._ahead.read(doors)):
            taken, asked, has_stirred = self._let_through(run, doors)
            has_stirred = doors.take(run[:taken]) or has_stirred
            self._ahead.drop(taken)
            self._look(state.at)
            steps, has_begun = steps + taken, True
        if not has_begun:
            return None
        return BarsPassed(at=state.at, steps=steps, is_told=not state.closed_frames, asked=asked)

    def _let_through(self, run: list[Closing], doors: Doors) -> tuple[int, int, bool]:
        """Let closings through; return how many, whom the last one asked, and whether somebody has something to say."""
        state, take_bars, count_bars = self._feed.state, self._feed.take_bars, doors.positions.take_bars
        idle, asked = min(self._count_unmatched(run), doors.count_idle(run)), 0
        for place, (at, bars) in enumerate(run):
            take_bars(at, bars)
            count_bars(bars)
            if place == idle:
                return place + 1, 0, True
            if state.closed_frames:
                asked, has_stirred = self._tell(doors)
                if has_stirred:
                    return place + 1, asked, True
        return len(run), asked, False

    def _tell(self, doors: Doors, *, is_news_due: bool = False) -> tuple[int, bool]:
        """Tell of frames and ask; return how many were asked, and whether somebody has something to say."""
        feed, state = self._feed, self._feed.state
        at, frames = state.at, tuple(state.closed_frames)
        feed.take_frames(frames)
        equity, cash, has_stirred = doors.mark(at)
        self._mark(at, equity)
        has_stirred = doors.tell(at, frames, equity, cash) or has_stirred
        if has_stirred or is_news_due:
            doors.wake("sentiment")
            return 0, True
        asked = 0
        for strategy in self._circle.of(state.told_frames):
            if doors.offer(strategy, at):
                return asked, True
            feed.take_offer(strategy)
            asked += 1
        return asked, False


class _Ahead:
    """Closings that were read and judged before they pass, as far as nothing is odd about them."""

    def __init__(
        self, feed: FeedMemory, next_step: Callable[[], Step | None], put_back: Callable[[Step], None]
    ) -> None:
        self._feed = feed
        self._next_step = next_step
        self._put_back = put_back
        self._closings: list[Closing] = []
        self._newest: dict[str, Bar] = {}
        self._read_until: Instant = 0
        self._odd: Step | None = None

    def read(self, doors: Doors) -> list[Closing]:
        """Return the next closings, at most `WINDOW`; none where the next step is odd, or there is none."""
        if not self._closings and self._odd is None:
            state = self._feed.state
            self._newest, self._read_until = dict(state.newest), state.at
        if len(self._closings) < WINDOW // 2 and self._odd is None:
            try:
                self._read_on()
            except Exception as error:  # noqa: BLE001  whatever a source raises befalls the feed, once it is due
                if not self._closings:
                    doors.fail("feed", error)
        if not self._closings and self._odd is not None:
            self._put_back(self._odd)
            self._odd = None
        return self._closings[:WINDOW]

    def drop(self, count: int) -> None:
        """Forget closings that have passed."""
        del self._closings[:count]

    def demand_empty(self) -> None:
        """Refuse to go on without what was read.

        Raises:
            Crashed: something was; the next incarnation of the feed reads it anew.
        """
        if self._closings or self._odd is not None:
            raise Crashed("what was read ahead must pass, and somebody who takes bars is gone")

    def _read_on(self) -> None:
        while len(self._closings) < WINDOW and (step := self._next_step()) is not None:
            judged = judge_step(step, self._newest, self._read_until)
            if judged.findings or not judged.bars:
                self._odd = step
                return
            for bar in judged.bars:
                self._newest[bar.symbol] = bar
            self._read_until = step.at
            self._closings.append((step.at, judged.bars))
