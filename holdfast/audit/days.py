"""The days of a journal, in market time and UTC, and the one that is to be audited."""

from datetime import UTC, date, datetime

import msgspec

from domain.market import DAY_MS, Instant, day_of
from holdfast.config.problems import ConfigurationError, Problem
from messages.market import BarsPassed
from persistence.reader import JournalReader

NAMED_MAX = 5
"""Days that are named on either end of the journal where another one was asked for."""


class NoSuchDay(LookupError):
    """The journal has no bar of the day; the sentence names the days that it has."""


class Day(msgspec.Struct, frozen=True):
    """A day of a journal, from its first millisecond to that of the next day."""

    number: int
    """Days since the epoch."""
    since: int
    """The last sequence before it; 0 where the market was opened within it."""
    until: int
    """Its last sequence."""
    is_whole: bool
    """The market went past its end."""
    last_at: Instant
    """When its newest bars closed."""
    is_cut: bool
    """What these led to may be in the journal in part only."""

    @property
    def name(self) -> str:
        """Return it as people write it: 2024-01-31."""
        return name_of(self.number)

    @property
    def begins_at(self) -> Instant:
        """Return its first instant."""
        return self.number * DAY_MS

    @property
    def ends_at(self) -> Instant:
        """Return its last instant."""
        return self.begins_at + DAY_MS - 1


def name_of(number: int) -> str:
    """Return a day as people write it: 2024-01-31."""
    return datetime.fromtimestamp(number * DAY_MS / 1000, tz=UTC).strftime("%Y-%m-%d")


def one_of_a_backtest(place: str) -> ConfigurationError:
    """Return the error that refuses the journal of a backtest."""
    hint = "`holdfast replay --rerun` runs a backtest's again"
    return ConfigurationError([Problem("", "a journal that a node has written", "one of a backtest", place, hint)])


def number_of(name: str) -> int:
    """Return the number of a day that is written like 2024-01-31; raise ValueError for what is none."""
    return (date.fromisoformat(name) - date(1970, 1, 1)).days


def choose_day(reader: JournalReader, name: str | None) -> Day:
    """Return the day of a name; without one the newest that is whole, or the newest where none is.

    Raises:
        NoSuchDay: no bar of it is in the journal.
        ConfigurationError: the journal has no bars, as that of a backtest or of a node that never ran.
    """
    end = reader.last()[0]  # All that follows sees the journal up to here, though a node goes on writing.
    closed = _days_with_bars(reader, end)
    if not closed:
        if next(iter(reader.read(kinds=[BarsPassed.__name__])), None) is not None:
            raise one_of_a_backtest("the home")
        raise ConfigurationError(
            [
                Problem(
                    "", "a journal in which a node has taken bars", "none with bars", "the home", "run the node first"
                )
            ]
        )
    days = sorted(closed)
    whole = days[:-1]
    if name is None:
        number = whole[-1] if whole else days[-1]
    elif (number := number_of(name)) not in closed:
        raise NoSuchDay(f"expected a day of this journal ({_named(days)}), found {name}")
    begins_at = number * DAY_MS
    is_first = number == days[0]
    return Day(
        number=number,
        since=0 if is_first else reader.seq_at(begins_at - 1),
        until=min(reader.seq_at(begins_at + DAY_MS - 1), end),
        is_whole=number in whole,
        last_at=closed[number],
        is_cut=number == days[-1] and not _is_over(reader, end),
    )


def _days_with_bars(reader: JournalReader, end: int) -> dict[int, Instant]:
    """Return when the newest bars of each day closed."""
    return {day_of(record.at): record.at for record in reader.read(until=end, kinds=["BarsClosed"])}


def _is_over(reader: JournalReader, end: int) -> bool:
    """Say whether the newest of bars, and of what ends them, is that the market has ended."""
    newest = next(iter(reader.read_newest(["BarsClosed", "MarketEnded", "OperatorCommanded"], 1, until=end)), None)
    return newest is not None and newest.kind == "MarketEnded"


def _named(days: list[int]) -> str:
    if len(days) <= 2 * NAMED_MAX:
        return ", ".join(map(name_of, days))
    first, last = (", ".join(map(name_of, some)) for some in (days[:NAMED_MAX], days[-NAMED_MAX:]))
    return f"{first}, ... {last}"
