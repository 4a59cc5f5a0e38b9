"""A bad line to a venue: what is asked or answered may be lost, late, doubled or garbled, as a seed has it.

The line keeps order: what was asked first arrives first, and what is under way when a process dies either arrives just
before its end or never.  `profile_behind` says what silence proves there.
"""

from collections import deque
from collections.abc import Callable, Sequence
from random import Random
from typing import Any

import msgspec

from domain.market import Bar, Instant
from domain.order import Terms
from domain.venue import AccountReply, Answer, OrderNotFound, OrderSeen, Reply, Unproven, Venue, VenueProfile

After = Callable[[float, Callable[[], object]], object]
"""Calls later, in monotonic seconds."""


class LineFaults(msgspec.Struct, frozen=True, kw_only=True):
    """How often the line does what, as probabilities in 0..1 for each thing that is said."""

    request_lost: float = 0.0
    request_late: float = 0.0
    request_doubled: float = 0.0
    answer_lost: float = 0.0
    answer_late: float = 0.0
    answer_doubled: float = 0.0
    answer_garbled: float = 0.0
    report_doubled: float = 0.0
    report_late: float = 0.0
    not_shown: float = 0.0
    """A look-up does not find an order that is there, at most `not_shown_max` times for each order."""
    not_shown_max: int = 0
    late_s_max: float = 60.0


def profile_behind(faults: LineFaults, profile: VenueProfile) -> VenueProfile:
    """Return what is known of a venue behind such a line: one negative more than it may give wrongly proves absence."""
    return msgspec.structs.replace(profile, negatives_needed=profile.negatives_needed + faults.not_shown_max)


class Line:
    """The line itself, which outlives the processes that use it.  `heard` is told the name of every fault."""

    def __init__(self, faults: LineFaults, seed: int, heard: Callable[[str], object] = lambda fault: None) -> None:
        self.faults = faults
        self.is_calm = False
        """Nothing goes wrong any more."""
        self._draws = Random(seed)
        self._heard = heard
        self._hidden: dict[str, int] = {}

    def goes_wrong(self, fault: str) -> bool:
        """Say whether this goes wrong now."""
        share = getattr(self.faults, fault)
        if self.is_calm or not share or self._draws.random() >= share:
            return False
        self._heard(fault)
        return True

    def delay_s(self) -> float:
        """Return how late something is."""
        return self._draws.random() * self.faults.late_s_max

    def hides(self, client_id: str) -> bool:
        """Say whether an order is not shown, this time."""
        hidden = self._hidden.get(client_id, 0)
        if hidden >= self.faults.not_shown_max or not self.goes_wrong("not_shown"):
            return False
        self._hidden[client_id] = hidden + 1
        return True

    def still_arrive(self, under_way: int) -> int:
        """Return how many of those under way arrive before the end."""
        return int(self._draws.random() * (under_way + 1))


class FaultyVenue:
    """A `domain.venue.Venue` at the far end of a line, for one process."""

    def __init__(self, venue: Venue, line: Line, *, after: After, now: Callable[[], float]) -> None:
        """`after` and `now` are monotonic time."""
        self._venue = venue
        self._line = line
        self._after = after
        self._now = now
        self._under_way: deque[Callable[[], None]] = deque()
        self._last_due = 0.0

    def watch(self, report: Callable[[OrderSeen], None]) -> None:
        """Give the callable that hears of changes; it may hear of them twice, or late."""

        def pass_on(seen: OrderSeen) -> None:
            for _ in range(1 + self._line.goes_wrong("report_doubled")):
                if self._line.goes_wrong("report_late"):
                    self._after(self._line.delay_s(), lambda: report(seen))
                else:
                    report(seen)

        self._venue.watch(pass_on)

    def submit(self, terms: Terms, reply: Reply) -> None:
        """Place an order, if that arrives."""
        self._ask(lambda back: self._venue.submit(terms, back), terms.client_id, reply)

    def cancel(self, client_id: str, symbol: str, reply: Reply) -> None:
        """Cancel an order, if that arrives."""
        self._ask(lambda back: self._venue.cancel(client_id, symbol, back), client_id, reply)

    def look_up(self, client_id: str, symbol: str, reply: Reply, *, since: Instant = 0) -> None:
        """Tell what is known of an order, if that arrives; it may not be shown yet."""

        def look(back: Reply) -> None:
            def shown(answer: Answer) -> None:
                is_hidden = isinstance(answer, OrderSeen) and self._line.hides(client_id)
                back(OrderNotFound(client_id) if is_hidden else answer)

            self._venue.look_up(client_id, symbol, shown, since=since)

        self._ask(look, client_id, reply)

    def tell_account(self, reply: AccountReply) -> None:
        """Tell what there is on the account, if that arrives."""
        self._ask(self._venue.tell_account, "", reply)

    def show(self, at: Instant, bars: Sequence[Bar]) -> None:
        """Hand the bars on: the market needs no line to reach its venue."""
        self._venue.show(at, bars)

    def close(self) -> None:
        """Hang up: some of what is under way still arrives, and nobody hears what comes of it."""
        for _ in range(self._line.still_arrive(len(self._under_way))):
            self._under_way.popleft()()
        self._under_way.clear()

    def _ask(self, ask: Callable[[Callable[[Any], None]], None], client_id: str, reply: Callable[[Any], None]) -> None:
        line = self._line
        if line.goes_wrong("request_lost"):
            return

        def arrive() -> None:
            ask(lambda answer: self._answer(answer, client_id, reply))

        delay_s = line.delay_s() if line.goes_wrong("request_late") else 0.0
        for _ in range(1 + line.goes_wrong("request_doubled")):
            self._send(arrive, delay_s)

    def _send(self, arrive: Callable[[], None], delay_s: float) -> None:
        if not delay_s and not self._under_way:
            arrive()
            return
        self._last_due = max(self._last_due, self._now() + delay_s)
        self._under_way.append(arrive)
        self._after(self._last_due - self._now(), self._deliver_first)

    def _deliver_first(self) -> None:
        if self._under_way:
            self._under_way.popleft()()

    def _answer(self, answer: object, client_id: str, reply: Callable[[Any], None]) -> None:
        line = self._line
        if line.goes_wrong("answer_lost"):
            return
        said = Unproven(client_id, "an answer that cannot be read") if line.goes_wrong("answer_garbled") else answer
        for _ in range(1 + line.goes_wrong("answer_doubled")):
            if line.goes_wrong("answer_late"):
                self._after(line.delay_s(), lambda: reply(said))
            else:
                reply(said)
