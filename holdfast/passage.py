"""The passage: bars go straight through all who take them, as long as nobody has anything to say.

For runs on one thread.  What a node does at each bar by messages (the bar, its frames, the account's worth, an offer to
each strategy and its empty answer) is done here by calls, in the same order and to the same end, and one `BarsPassed`
stands for the record of it.  Where somebody has something to say the bars stop there, and messages go on.

`Retelling` does the same to memories that are rebuilt from a journal.
"""

from collections import deque
from collections.abc import Callable, Iterator, Sequence
from decimal import Decimal
from operator import itemgetter

from actors.feed_memory import Audience, Circle, FeedMemory
from domain.bars import judge_step, read_stretch
from domain.market import Bar, Closing, Instant
from domain.money import ZERO
from domain.sources import Step, Stretch
from holdfast.doors import Doors
from messages.market import BarsPassed
from supervision import Crashed, System

STEPS_MAX = 10_000
"""Instants that one record stands for at most."""
WINDOW = 48
"""Closings that are looked at together."""

_BARS = itemgetter(1)

Mark = tuple[Instant, Decimal]
"""When an account was marked, and what it was worth."""
MarkAll = Callable[[Sequence[Mark]], None]
Read = Callable[[Instant], Iterator[Step | Stretch]]


class Passage:
    """Lets bars through the living actors of a system, in the turns of one incarnation of the feed."""

    def __init__(
        self,
        audiences: Sequence[Audience],
        *,
        read: Read,
        count_unmatched: Callable[[Sequence[Closing]], int],
        mark_all: MarkAll,
        look: Callable[[Instant], None],
        system: System,
        feed: FeedMemory,
        put_back: Callable[[Step], None],
        are_bars_frames: bool = False,
    ) -> None:
        """Set out in an incarnation of the feed.

        `read` reads the source from an instant on; a step that holds anything odd is put back when it is due.
        `count_unmatched` is the venue's: how many closings would do nothing to its open orders.  `mark_all` hears what
        the account is worth when strategies are about to decide, and while that stays the same of the first and the
        last; `look`, how far the market has come.  `are_bars_frames` where there is one symbol, and its bars are the
        only frames.
        """
        self._circle = Circle(audiences)
        self._strategies = tuple(audience.strategy for audience in audiences)
        self._count_unmatched = count_unmatched
        self._mark_all = mark_all
        self._worth = ZERO, ZERO
        self._is_offering = False
        self._look = look
        self._system = system
        self._feed = feed
        self._doors = Doors(system, self._strategies)
        self._goes_together = are_bars_frames and len(audiences) == 1
        """One strategy may be told of many closings at once: nobody else is to be asked in between."""
        self._ahead = _Ahead(feed, read, put_back)

    @property
    def is_offering(self) -> bool:
        """Say whether the bars stopped because a strategy has something to propose, and for nothing else."""
        return self._is_offering

    @property
    def is_over(self) -> bool:
        """Say whether the source has no more rows."""
        return self._ahead.is_over

    def run(self) -> BarsPassed | None:
        """Let bars through until somebody has something to say; return what to record, None where nothing passed."""
        doors = self._find_doors()
        if not doors.are_open:
            self._ahead.demand_empty()
            return None
        state = self._feed.state
        steps, asked, has_begun, has_stirred = 0, 0, False, False
        self._is_offering = False
        if state.closed_frames:
            has_begun = True
            may_ask = not doors.is_news_due(state.at)
            asked, has_stirred = self._tell(state.at, state.closed_frames, doors, may_ask=may_ask)
        while not has_stirred and steps < STEPS_MAX and (run := self._ahead.read(doors, puts_back=not has_begun)):
            taken, asked, has_stirred = self._let_through(run, doors)
            passed = run if taken == len(run) else run[:taken]
            doors.positions.count_bars(sum(map(len, map(_BARS, passed))))
            if doors.take(passed):
                has_stirred, self._is_offering = True, False
            self._ahead.drop(taken)
            self._look(state.at)
            steps, has_begun = steps + taken, True
        if not has_begun:
            return None
        return BarsPassed(at=state.at, steps=steps, is_told=not state.closed_frames, asked=asked)

    def _find_doors(self) -> Doors:
        if not self._doors.are_open:
            self._doors = Doors(self._system, self._strategies)
        return self._doors

    def _let_through(self, run: list[Closing], doors: Doors) -> tuple[int, int, bool]:
        """Let closings through; return how many, whom the last one asked, and whether somebody has something to say."""
        feed, build, price = self._feed, self._feed.build, doors.positions.price
        idle = self._count_idle(run, doors)
        asked, has_stirred, together = 0, False, 0
        if self._goes_together and idle and self._circle.of(run[0][1]):
            together, asked, has_stirred = self._tell_all(run[:idle], doors)
            if has_stirred or together == len(run):
                return together, asked, has_stirred
        for place, (at, bars) in enumerate(run[together:], together):
            frames = build(bars)
            price(bars)
            if place == idle:
                feed.come_to(at)
                feed.state.closed_frames = frames
                return place + 1, 0, True
            if frames:
                asked, has_stirred = self._tell(at, frames, doors, is_last=place + 1 == len(run))
                if has_stirred:
                    return place + 1, asked, True
            elif place + 1 == len(run):
                feed.come_to(at)
        return len(run), asked, False

    def _count_idle(self, run: list[Closing], doors: Doors) -> int:
        """Return how many closings pass before somebody has something to say."""
        unmatched = self._count_unmatched(run)
        return min(unmatched, doors.count_idle(run if unmatched == len(run) else run[: unmatched + 1]))

    def _tell_all(self, run: list[Closing], doors: Doors) -> tuple[int, int, bool]:
        """Tell the one strategy of closings whose bars are its frames, as `_tell` would of each; return as it does.

        The first number is how many were told; the last of them is what it has something to propose to, if it has.
        """
        ((strategy, host),) = doors.strategies
        try:
            is_stirring = self._is_offering = host.take_run(run, doors.positions.worths_along(run))
        except Exception as error:  # noqa: BLE001  a strategy may raise anything
            is_stirring = doors.fail(f"strategy.{strategy}", error)
        marks: list[Mark] = host.marks
        told = len(marks)
        passed = run if told == len(run) else run[:told]
        self._worth = doors.positions.take_marks(passed, marks)
        self._mark_all([marks[0], marks[-1]] if len(marks) > 2 and marks[0][1] is marks[-1][1] else marks)
        at, bars = passed[-1]
        doors.sentiment.take_frames(at)
        self._feed.come_to(at, self._feed.build(bars), [] if is_stirring else [strategy])
        self._feed.state.closed_frames = []
        return told, int(not is_stirring), is_stirring

    def _tell(
        self, at: Instant, frames: list[Bar], doors: Doors, *, may_ask: bool = True, is_last: bool = True
    ) -> tuple[int, bool]:
        """Tell of frames and ask; return how many were asked, and whether somebody has something to say.

        The feed is told how far the market has come only at the last, or where somebody has something to say: it hears
        of the bars that follow these frames anyway, which news does not.
        """
        deciding, asked, has_stirred = self._circle.of(frames), 0, not may_ask
        try:
            self._worth = doors.positions.take_frames(at)
        except Exception as error:  # noqa: BLE001  whatever it is, it befalls who raised it
            has_stirred = doors.fail("positions", error)
        doors.sentiment.take_frames(at)
        equity, cash = self._worth
        self._mark_all(((at, equity),))
        for strategy, host in doors.strategies:
            is_asked = not has_stirred and strategy in deciding
            try:
                is_stirring = host.take_frames(at, frames, equity, cash, is_asked=is_asked)
                self._is_offering = self._is_offering or is_stirring
            except Exception as error:  # noqa: BLE001  a strategy may raise anything
                is_stirring = doors.fail(f"strategy.{strategy}", error)
                self._is_offering = False
            asked += is_asked and not is_stirring
            has_stirred = has_stirred or is_stirring
        if has_stirred or is_last:
            self._feed.come_to(at, frames, deciding[:asked])
            self._feed.state.closed_frames = []
        return asked, has_stirred


class _Ahead:
    """Closings that were read and judged before they pass, as far as nothing is odd about them."""

    def __init__(self, feed: FeedMemory, read: Read, put_back: Callable[[Step], None]) -> None:
        self._feed = feed
        self._read = read
        self._put_back = put_back
        self._closings: list[Closing] = []
        self._newest: dict[str, Bar] = {}
        self._read_until: Instant = -1
        self._source: Iterator[Step | Stretch] = iter(())
        self.is_over = False
        self._odd: deque[Step] = deque()
        """Steps to be looked at one by one, the first of them odd if there are no closings."""

    def read(self, doors: Doors, *, puts_back: bool) -> list[Closing]:
        """Return the next closings, at most `WINDOW`; none where the next step is odd, or there is none.

        One that is odd is put back, or kept until the next time.
        """
        if not self._closings:
            self._look_where_the_feed_is()
        if len(self._closings) < WINDOW:
            try:
                self._read_on()
            except Exception as error:  # noqa: BLE001  whatever a source raises befalls the feed, once it is due
                if not self._closings:
                    doors.fail("feed", error)
        if puts_back and not self._closings and self._odd:
            self._put_back(self._odd.popleft())
        return self._closings[:WINDOW]

    def drop(self, count: int) -> None:
        """Forget closings that have passed."""
        del self._closings[:count]

    def demand_empty(self) -> None:
        """Refuse to go on without what was read.

        Raises:
            Crashed: something was; the next incarnation of the feed reads it anew.
        """
        if self._closings or self._odd:
            raise Crashed("what was read ahead must pass, and somebody who takes bars is gone")

    def _look_where_the_feed_is(self) -> None:
        state = self._feed.state
        self._newest = dict(state.newest)
        if state.at > self._read_until:
            self._source, self._odd, self.is_over = self._read(state.at), deque(), False
        self._read_until = state.at

    def _read_on(self) -> None:
        """Read until there is enough, or something odd is next."""
        while len(self._closings) < WINDOW:
            if self._odd:
                if not self._take(self._odd[0]):
                    return
                self._odd.popleft()
                continue
            found = next(self._source, None)
            if found is None:
                self.is_over = True
                return
            if isinstance(found, Step):
                self._odd.append(found)
            elif (bars := read_stretch(found, self._newest.get(found.symbol))) is None:
                self._odd.extend(found.steps())
            else:
                self._newest[found.symbol] = bars[-1]
                self._read_until = bars[-1].closed_at
                self._closings += [(bar.closed_at, (bar,)) for bar in bars]

    def _take(self, step: Step) -> bool:
        """Take a step in if nothing is odd about it; say whether that was so."""
        judged = judge_step(step, self._newest, self._read_until)
        if judged.findings or not judged.bars:
            return False
        for bar in judged.bars:
            self._newest[bar.symbol] = bar
        self._read_until = step.at
        self._closings.append((step.at, judged.bars))
        return True
