"""The laws of what an answer says besides that a command is done: in time, whatever the venue does."""

import time
from pathlib import Path
from typing import Any

from domain.execution import Execution
from domain.order import Order
from holdfast import outcomes
from holdfast.admin.connection import Limits
from holdfast.outcomes import Outcomes
from messages.node import OrdersAsked
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
