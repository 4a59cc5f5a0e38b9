"""The laws of what an answer says besides that a command is done: in time, whatever the venue does."""

import time
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from domain.execution import Execution
from domain.order import Order
from domain.reconciliation import Finding, Kind
from holdfast import outcomes
from holdfast.admin.connection import Limits
from holdfast.outcomes import Outcomes
from messages.base import Event
from messages.codec import encode
from messages.node import OrdersAsked
from messages.reconciliation import Reconciled
from persistence.journal import Journal
from persistence.records import Draft
from tests.actors.values import commanded, some_terms


def test_who_vouches_for_an_order_at_a_silent_venue_is_answered_in_time(tmp_path: Path) -> None:
    order = Order(some_terms())
    name = order.terms.client_id
    known = Execution(orders={name: order})

    def ask(_actor: str, question: Any) -> Any:
        return known if isinstance(question, OrdersAsked) else "asked"

    told, began = Outcomes(tmp_path, ask), time.monotonic()
    until = began + outcomes.WITHIN_S

    assert not told.why_not_settle(name, until=until)
    assert told.told_of(commanded("settle", target=name), until=until).startswith(f"your word for {name} holds")
    assert time.monotonic() - began < Limits().answer_s - 1


@pytest.mark.parametrize(
    ("kind", "client_id", "becomes"),
    [("order_unknown", "h9", "cancelled"), ("position_extra", "", "taken into the books, and sold")],
)
def test_who_asks_for_a_verdict_is_told_what_becomes_of_each_difference(
    tmp_path: Path, kind: Kind, client_id: str, becomes: str
) -> None:
    asked = commanded("reconcile")
    finding = Finding(kind, "COINUSDT", "COIN", some_terms().quantity - 1, some_terms().quantity, "flatten", client_id)
    events: tuple[Event, ...] = (asked, Reconciled("an operator", (finding,)))
    with closing(Journal.open(tmp_path)) as journal:
        for seq, event in enumerate(events, 1):
            kind_of, version, payload = encode(event)
            journal.append([Draft(seq, seq, seq, kind_of, version, "reconciler", 1, seq - 1, 0, 0, payload)])

    told = Outcomes(tmp_path, lambda _actor, _question: None).told_of(asked, until=time.monotonic())

    assert told.endswith(f": {becomes}")
