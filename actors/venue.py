"""The venue's desk: passes requests to the venue and its answers back, and shows a simulated venue the market."""

from collections.abc import Callable, Sequence
from typing import Any

import msgspec

from actors.base import RememberingActor, StructMemory
from domain.market import Bar, Closing, Instant
from domain.venue import Answer, Venue
from messages.market import BarsClosed, SourceOpened
from messages.orders import CancelOrder, LookUpOrder, SubmitOrder, VenueAnswered, VenueReported
from messages.reconciliation import AccountTold, TellAccount
from supervision import Recorded, Seat, System

EXECUTOR = "executor"
RECONCILER = "reconciler"


class VenueState(msgspec.Struct):
    """The newest bars, which a simulated venue must have seen before it is asked anything."""

    at: Instant = 0
    bars: tuple[Bar, ...] = ()


class VenueMemory(StructMemory[VenueState]):
    """Folds the market's time."""

    def __init__(self) -> None:
        super().__init__(VenueState())

    def fold(self, record: Recorded) -> None:
        """Take the newest bars in."""
        match record.event:
            case BarsClosed(at=at, bars=bars):
                self.take_bars(at, bars)
            case SourceOpened(starts_at=starts_at):
                if starts_at > self.state.at:
                    self.state.at, self.state.bars = starts_at, ()

    def take_bars(self, at: Instant, bars: tuple[Bar, ...]) -> None:
        """Take bars in that closed together."""
        self.state.at, self.state.bars = at, bars


class VenueDesk(RememberingActor):
    """Speaks with the venue in the order it is spoken to.

    What the venue says may come from any thread, and goes to the executor while this incarnation lives.
    """

    def __init__(self, system: System, seat: Seat, *, memory: VenueMemory, venue: Venue) -> None:
        super().__init__(system, seat, memory=memory)
        self._known = memory
        self._venue = venue
        self._shown: Instant = 0

    def started(self) -> None:
        """Show the venue the newest journaled bars before anyone can ask it anything, and only then hear it.

        What those bars did, the executor asks about: it starts after this, and would hear some of it and not the rest.
        """
        self._show()
        self._venue.watch(lambda seen: self._hear(VenueReported(seen)))

    def take_run(self, run: Sequence[Closing]) -> None:
        """Take closings in of which the venue cares for the last at most."""
        self._known.take_bars(*run[-1])
        self._show()

    def react(self) -> None:
        """Show what the venue has not seen yet."""
        self._show()

    def receive(self, message: Any) -> None:
        """Pass a request on."""
        match message:
            case SubmitOrder(request_id=request_id, terms=terms):
                self._venue.submit(terms, self._reply_to(request_id))
            case CancelOrder(request_id=request_id, client_id=client_id, symbol=symbol):
                self._venue.cancel(client_id, symbol, self._reply_to(request_id))
            case LookUpOrder(request_id=request_id, client_id=client_id, symbol=symbol, since=since):
                self._venue.look_up(client_id, symbol, self._reply_to(request_id), since=since)
            case TellAccount(request_id=request_id):
                self._venue.tell_account(lambda answer: self._hear(AccountTold(request_id, answer), RECONCILER))
            case _:
                super().receive(message)

    def _reply_to(self, request_id: int) -> Callable[[Answer], None]:
        return lambda answer: self._hear(VenueAnswered(request_id, answer))

    def _hear(self, said: VenueAnswered | VenueReported | AccountTold, whose: str = EXECUTOR) -> None:
        self._system.switchboard.pass_on(self.name, self.epoch, whose, said)

    def _show(self) -> None:
        state = self._known.state
        if state.at > self._shown:
            self._shown = state.at
            self._venue.show(state.at, state.bars)
