"""The laws of the herald: one line for each event it hears, with a name and values that a person can read."""

from pathlib import Path
from typing import Any

import pytest

from actors.herald import GAP, NAMES, WARNINGS, Herald
from holdfast.routes import HEARS
from messages.base import Event
from messages.codec import decode
from messages.market import RowRefused
from messages.orders import OrderFilled, OrderIntended
from messages.risk import OrderDenied
from tests.actors.alone import Alone
from tests.actors.values import T0, a_fill, an_entry, approved, intended, some_terms

GOLDEN = Path(__file__).parents[1] / "messages" / "golden" / "v1"
HEARD = HEARS["herald"]
LEVELS = {True: "warning", False: "info"}


class Said:
    """A herald alone, and its lines."""

    def __init__(self) -> None:
        self.lines: list[tuple[str, str, dict[str, Any]]] = []
        self.alone = Alone("herald", lambda system, seat: Herald(system, seat, log=self._log)).live()

    def _log(self, level: str, event: str, **values: Any) -> None:
        self.lines.append((level, event, values))


def golden(kind: type[Event]) -> Event:
    """Return an event as it stands in the journal of some node."""
    return decode(kind.__name__, 1, (GOLDEN / f"{kind.__name__}.json").read_bytes())


@pytest.mark.parametrize("kind", HEARD, ids=lambda kind: kind.__name__)
def test_each_event_that_is_heard_is_one_line_with_a_name_of_its_own(kind: type[Event]) -> None:
    said = Said()

    said.alone.happen(golden(kind), at=T0)

    ((level, name, values),) = said.lines
    assert (level, name) == (LEVELS[kind in WARNINGS], GAP if kind is RowRefused else NAMES[kind])  # It is of a gap.
    assert (values["seq"], values["at"]) == (1, T0)


def test_a_gap_is_no_row_that_was_refused() -> None:
    said = Said()

    said.alone.happen(RowRefused("COINUSDT", T0, "gap", "3 of 1m missing"), at=T0)
    said.alone.happen(RowRefused("COINUSDT", T0, "absurd", "a price of nothing"), at=T0)

    gap, row = said.lines
    assert gap[1] == GAP
    assert gap[2] == {"seq": 1, "at": T0, "symbol": "COINUSDT", "opened_at": T0, "detail": "3 of 1m missing"}
    assert (row[1], row[2]["fault"]) == ("market.row_refused", "absurd")


def test_no_two_events_have_the_same_name_and_every_name_is_of_one_that_is_heard() -> None:
    assert len(set(NAMES.values())) == len(NAMES)
    assert set(NAMES) == set(HEARD)
    assert set(WARNINGS) <= set(HEARD)


@pytest.mark.parametrize(
    ("event", "shown"),
    [
        (OrderFilled(a_fill("h1", "0.5"), "one", "answer"), {"quantity": "0.5", "price": "100", "fee": "0 USDT"}),
        (intended(some_terms("h1", 3)), {"order": "h1", "side": "buy", "type": "market", "leg": "entry"}),
        (approved(an_entry(3, why="because")), {"symbol": "COINUSDT", "quantity": "3", "why": "because"}),
        (
            OrderDenied("one@1#0.0", "one", "COINUSDT", "NO_PRICE", "the mark must be above 0"),
            {"reason": "NO_PRICE", "detail": "the mark must be above 0"},
        ),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, Event) else "",
)
def test_a_line_shows_what_a_person_wants_to_know(event: Event, shown: dict[str, str]) -> None:
    said = Said()

    said.alone.happen(event)

    ((_, _, values),) = said.lines
    assert values == values | shown


def test_a_herald_that_was_started_anew_does_not_say_the_past_again() -> None:
    said = Said()
    said.alone.happen(intended())

    said.alone.crash()
    said.alone.happen(OrderFilled(a_fill(), "one", "answer"))

    assert [name for _, name, _ in said.lines] == [NAMES[OrderIntended], NAMES[OrderFilled]]
