"""What the market did, and what strategies were asked and answered."""

from typing import Literal

from domain.market import Bar, Instant
from domain.proposal import Proposal
from messages.base import Event, Message

Fault = Literal["gap", "duplicate", "out_of_order", "absurd", "misaligned", "unreadable"]


class SourceOpened(Event, frozen=True):
    """A market source was opened; `description` names files by hash or a generated market by seed."""

    description: str
    symbols: tuple[str, ...]
    starts_at: Instant


class HistoryLoaded(Event, frozen=True):
    """Bars from before trading starts, for indicators to warm up on.  Never offered, never matched."""

    symbol: str
    timeframe: str
    bars: tuple[Bar, ...]


class BarsClosed(Event, frozen=True):
    """Market time moved to `at`, and these bars of the base time frame closed there."""

    at: Instant
    bars: tuple[Bar, ...]


class FramesClosed(Event, frozen=True):
    """Bars of the time frames strategies decide on closed at `at`."""

    at: Instant
    bars: tuple[Bar, ...]


class BarsPassed(Event, frozen=True):
    """Bars of the source closed one after another, and nobody who heard of them had anything to say.

    In a backtest it stands for all that a node records of such bars: that they closed, their frames, what the account
    was worth, and an offer to each strategy that answered with nothing.  The bars themselves are in the source, which
    `SourceOpened` names by the hashes of its files; they are those up to `at` that were not recorded before.
    """

    at: Instant
    steps: int
    """Instants at which they closed."""
    is_told: bool
    """The frames that closed at `at` were told too."""
    asked: int
    """So many of the strategies that decide on these frames were asked too."""


class RowRefused(Event, frozen=True):
    """A row of the source was not believed and will not be traded on (for a gap: what is missing)."""

    symbol: str
    opened_at: Instant
    fault: Fault
    detail: str


class Offered(Event, frozen=True):
    """A strategy is asked what it proposes now that the bars closed at `at` are settled."""

    strategy: str
    at: Instant
    attempt: int


class OfferAnswered(Event, frozen=True):
    """A strategy's whole answer to an offer: all of its proposals, or none."""

    strategy: str
    at: Instant
    attempt: int
    proposals: tuple[Proposal, ...] = ()


class OfferSkipped(Event, frozen=True):
    """A strategy that is stopped or given up was passed over."""

    strategy: str
    at: Instant
    attempt: int
    reason: str


class MarketEnded(Event, frozen=True):
    """The source has no more rows."""

    at: Instant


class HistoryRead(Message, frozen=True):
    """The source's history of one symbol and time frame, or why there is none."""

    symbol: str
    timeframe: str
    bars: tuple[Bar, ...]
    problem: str = ""


class GoOn(Message, frozen=True):
    """The pause between two instants of recorded data is over."""


class StepsArrived(Message, frozen=True):
    """A market that goes on may have gone on."""


class CheckPatience(Message, frozen=True):
    """Time to see whether settling takes too long."""


class Unsettled(Message, frozen=True):
    """Settling takes longer than its limit; these parts are not done."""

    parts: tuple[str, ...]
    waited_s: float
