"""What the feed remembers: how far the market was read, and who has been asked about it."""

from collections.abc import Sequence
from typing import Literal

import msgspec

from actors.base import StructMemory
from domain.bars import FrameBuilder, chain_frames, frames_of, take_in
from domain.market import Bar, Instant
from domain.proposal import offer_of
from messages.market import (
    BarsClosed,
    FramesClosed,
    HistoryLoaded,
    MarketEnded,
    OfferAnswered,
    Offered,
    OfferSkipped,
    RowRefused,
    SourceOpened,
)
from messages.orders import OrderAbsent
from supervision import Recorded


class Audience(msgspec.Struct, frozen=True):
    """A strategy that is offered bars: asked when a bar of `decides_on[symbol]` has closed."""

    strategy: str
    decides_on: dict[str, str]
    """Time frame by symbol."""

    def decides_at(self, told: Sequence[tuple[str, str]]) -> bool:
        """Say whether it is asked when frames of these symbols and time frames have closed."""
        return any(self.decides_on.get(symbol) == frame for symbol, frame in told)


class Circle:
    """Who is asked when, in order."""

    def __init__(self, audiences: Sequence[Audience]) -> None:
        self._audiences = audiences
        self._found: dict[tuple[tuple[str, str], ...], tuple[str, ...]] = {}

    def of(self, frames: Sequence[Bar]) -> tuple[str, ...]:
        """Return the strategies that decide when these frames have closed."""
        if len(frames) == 1:
            told: tuple[tuple[str, str], ...] = ((frames[0].symbol, frames[0].timeframe),)
        else:
            told = tuple([(bar.symbol, bar.timeframe) for bar in frames])
        found = self._found.get(told)
        if found is None:
            deciding = (audience for audience in self._audiences if audience.decides_at(told))
            found = self._found[told] = tuple(audience.strategy for audience in deciding)
        return found


class Offer(msgspec.Struct):
    """Where one strategy stands with the bars of this instant.  `void`: an order it led to never came to be."""

    attempt: int
    status: Literal["made", "answered", "void"] = "made"


class FeedState(msgspec.Struct):
    """How far the market was read, and who has been asked about it."""

    description: str = ""
    at: Instant = 0
    newest: dict[str, Bar] = msgspec.field(default_factory=dict)
    builders: dict[str, FrameBuilder] = msgspec.field(default_factory=dict)
    closed_frames: list[Bar] = msgspec.field(default_factory=list)
    """Frames that closed at `at` and were not told yet."""
    told_frames: list[tuple[str, str]] = msgspec.field(default_factory=list)
    """Symbol and time frame of those that were."""
    offers: dict[str, Offer] = msgspec.field(default_factory=dict)
    """By strategy, for the bars that closed at `at`."""
    histories: list[tuple[str, str]] = msgspec.field(default_factory=list)
    refused: list[tuple[str, Instant, str]] = msgspec.field(default_factory=list)
    """Rows refused since the last bar, so that reading them again refuses them once."""
    is_ended: bool = False


class FeedMemory(StructMemory[FeedState]):
    """Folds what the market did."""

    def __init__(self, frames: Sequence[str]) -> None:
        super().__init__(FeedState())
        self._frames = tuple(frames)
        self._chains: dict[tuple[str, str], tuple[bool, list[list[FrameBuilder]]]] = {}
        """By symbol and time frame of bars: whether they are frames themselves, and the state's builders for them."""

    def load(self, saved: bytes) -> None:
        """Take over a saved state."""
        super().load(saved)
        self._chains = {}

    def fold(self, record: Recorded) -> None:
        """Take a market event in."""
        state = self.state
        match record.event:
            case BarsClosed(at=at, bars=bars):
                self.take_bars(at, bars)
            case FramesClosed(bars=bars):
                self.take_frames(bars)
            case Offered(strategy=strategy, attempt=attempt):
                state.offers[strategy] = Offer(attempt)
            case OfferAnswered(strategy=strategy, at=at) | OfferSkipped(strategy=strategy, at=at):
                if at == state.at:  # What came too late is skipped without having been offered.
                    state.offers.setdefault(strategy, Offer(0)).status = "answered"
            case OrderAbsent(proposal_id=proposal_id) if proposal_id:
                strategy, at, _ = offer_of(proposal_id)
                if at == state.at and strategy in state.offers:
                    state.offers[strategy].status = "void"
            case RowRefused(symbol=symbol, opened_at=opened_at, fault=fault):
                state.refused.append((symbol, opened_at, fault))
            case HistoryLoaded(symbol=symbol, timeframe=timeframe):
                state.histories.append((symbol, timeframe))
            case SourceOpened(description=description, starts_at=starts_at):
                state.description = description
                state.at = max(state.at, starts_at)
            case MarketEnded():
                state.is_ended = True

    def take_frames(self, frames: tuple[Bar, ...]) -> None:
        """Take in that frames were told."""
        self.state.closed_frames = []
        self.state.told_frames = [(bar.symbol, bar.timeframe) for bar in frames]

    def take_offer(self, strategy: str) -> None:
        """Take in that a strategy was asked and had nothing to propose."""
        self.state.offers[strategy] = Offer(0, "answered")

    def take_bars(self, at: Instant, bars: tuple[Bar, ...]) -> None:
        """Take in bars that closed together."""
        self.come_to(at)
        self.state.closed_frames += self.build(bars)

    def come_to(self, at: Instant, told: Sequence[Bar] = (), asked: Sequence[str] = ()) -> None:
        """Take in how far the market has come; of its newest frames, which were told and who had nothing to them."""
        state = self.state
        state.at, state.is_ended = at, False
        state.told_frames = [(bar.symbol, bar.timeframe) for bar in told]
        state.offers = {strategy: Offer(0, "answered") for strategy in asked}
        state.refused = []

    def build(self, bars: tuple[Bar, ...]) -> list[Bar]:
        """Add bars up; return the frames that are closed now."""
        newest, chains_of = self.state.newest, self._chains
        closed: list[Bar] = []
        for bar in bars:
            newest[symbol := bar.symbol] = bar
            is_frame, chains = chains_of.get((symbol, bar.timeframe)) or self._chains_for(bar)
            if is_frame:
                closed.append(bar)
            for chain in chains:
                finest = chain[0]
                if finest.opened_at <= bar.opened_at and bar.closed_at < finest.closes_at:
                    finest.parts.append(bar)  # What `take_in` would do for nearly every bar, without the calls.
                else:
                    closed += take_in(chain, bar)
        return closed

    def _chains_for(self, bar: Bar) -> tuple[bool, list[list[FrameBuilder]]]:
        """Return whether bars like this are frames themselves, and what builds coarser ones of them."""
        frames = frames_of(bar.timeframe, self._frames)
        builders = [
            self.state.builders.setdefault(f"{bar.symbol}|{frame}", FrameBuilder(frame))
            for frame in frames
            if frame != bar.timeframe
        ]
        found = self._chains[bar.symbol, bar.timeframe] = bar.timeframe in frames, chain_frames(builders)
        return found
