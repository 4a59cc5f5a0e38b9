"""The audit of a day: what two more lives of it came to, scores, and where and why they are not the same."""

import tempfile
from collections import Counter
from collections.abc import Sequence
from contextlib import nullcontext
from decimal import Decimal
from pathlib import Path

import msgspec

from holdfast.audit.causes import Causes, Difference
from holdfast.audit.days import Day, choose_day
from holdfast.audit.deviations import CAUSES, Cause, Deviation, bar_deviations, hand_deviations, standing
from holdfast.audit.items import Item, items_of
from holdfast.audit.matching import Matching, Score, match
from holdfast.audit.running import DayAgain, Lived
from holdfast.journal_tools import check_chain
from holdfast.rerun.decisions import Difference as Before
from holdfast.rerun.decisions import Reading, first_difference
from persistence.reader import JournalReader


class Side(msgspec.Struct, frozen=True):
    """The journal's day beside one of its other lives."""

    decisions: Score
    fills: Score
    differences: tuple[Difference, ...]


class Tally(msgspec.Struct, frozen=True):
    """What came of one cause."""

    inputs: int
    """Bars, commands, changes and parts that were not the same."""
    first: int
    """Differences between journal and backtest that are the first of something."""
    following: int
    """Those that only follow from these."""


class Audit(msgspec.Struct, frozen=True):
    """A day's decisions against a re-run of the journal's inputs, and a backtest of the bars as they are now."""

    day: Day
    source: str
    settings: tuple[str, ...]
    """Those that the backtest was given others of."""
    before: Before | None
    """The first decision before the day that the re-run did not repeat: the day began in another state then."""
    replay: Side
    backtest: Side
    deviations: tuple[Deviation, ...]
    """The inputs that were not the same."""

    @property
    def score(self) -> Decimal | None:
        """Return the lowest of the four scores; None where nothing was decided."""
        scores = [
            percent
            for side in (self.replay, self.backtest)
            for score in (side.decisions, side.fills)
            if (percent := score.percent) is not None
        ]
        return min(scores, default=None)

    @property
    def is_equal(self) -> bool:
        """Say whether nothing was decided or filled otherwise, and the day began in the same state."""
        return not (self.replay.differences or self.backtest.differences or self.before)

    def tallies(self) -> dict[Cause, Tally]:
        """Return what came of each cause, of those that there are."""
        inputs = Counter(each.cause for each in self.deviations)
        first = Counter(each.cause for each in self.backtest.differences if each.follows is None)
        following = Counter(each.cause for each in self.backtest.differences if each.follows is not None)
        return {
            cause: Tally(inputs[cause], first[cause], following[cause])
            for cause in CAUSES
            if inputs[cause] or first[cause] or following[cause]
        }


def audit(
    home: Path,
    day: str | None = None,
    *,
    data: Path | None = None,
    overrides: Sequence[str] = (),
    folder: Path | None = None,
    progress: bool = False,
) -> Audit:
    """Audit a day of a home's journal, its newest whole one if none is named; the home is only read.

    The day is lived again in an empty `folder`, or in one that is gone afterwards.

    Raises:
        NoSuchDay: the journal has no bar of it.
        JournalError: there is no journal, or it is damaged.
        ConfigurationError: something that the day is to be lived with is not here.
        SupervisionError: a node gave itself up.
    """
    with JournalReader(home) as reader:
        chosen = choose_day(reader, day)
    check_chain(home, until=chosen.until, is_over=lambda: False)
    again = DayAgain(home, chosen, data=data, overrides=tuple(overrides))
    with tempfile.TemporaryDirectory(prefix="holdfast-audit-") if folder is None else nullcontext(folder) as place:
        lived = again.live(Path(place), progress=progress)
        with (
            JournalReader(home) as journal,
            JournalReader(lived.rerun) as rerun,
            JournalReader(lived.backtest) as backtest,
        ):
            return _compare(chosen, lived, journal, rerun, backtest, tuple(overrides))


def _compare(
    day: Day,
    lived: Lived,
    journal: JournalReader,
    rerun: JournalReader,
    backtest: JournalReader,
    settings: tuple[str, ...],
) -> Audit:
    mine = list(items_of(Reading(journal, until=day.until, with_market=False), day))
    replayed = _match(mine, rerun, day)
    tested = _match(mine, backtest, day)
    before = _before(day, lived, journal, rerun)
    hands = hand_deviations(journal, day)
    hands += [standing(journal, day, lived.standing)] if lived.standing else []
    deviations = sorted(
        [*hands, *bar_deviations(journal, backtest, day, since=lived.since)], key=lambda each: (each.at, each.seq or 0)
    )
    down = [each for each in deviations if each.cause == "restart"]
    commands = [each for each in deviations if each.cause == "operator"]
    replay = _side(replayed, Causes(down, began_equal=before is None, hands=commands))
    strange = {
        item.said
        for each in replay.differences
        if each.cause == "unexplained"
        for item in (each.pair.journal, each.pair.other)
        if item is not None
    }
    return Audit(
        day=day,
        source=lived.source,
        settings=settings,
        before=before,
        replay=replay,
        backtest=_side(tested, Causes(deviations, began_equal=before is None, strange=strange, hands=commands)),
        deviations=tuple(deviations),
    )


def _match(mine: list[Item], reader: JournalReader, day: Day) -> Matching:
    """Match a day with another life of it; where the journal ends within an instant, with what it has of that."""
    others = items_of(Reading(reader, with_market=False), day)
    said = {item.said for item in mine} if day.is_cut else set()
    return match(mine, [item for item in others if not day.is_cut or item.at < day.last_at or item.said in said])


def _before(day: Day, lived: Lived, journal: JournalReader, rerun: JournalReader) -> Before | None:
    if not day.since:
        return None
    return first_difference(Reading(journal, until=day.since), Reading(rerun, until=lived.since))


def _side(matching: Matching, causes: Causes) -> Side:
    return Side(matching.decisions, matching.fills, tuple(map(causes.of, matching.pairs)))
