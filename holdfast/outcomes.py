"""What came of an operator's command beyond that it is done, in words: who gave it hears what it has led to."""

import time
from collections.abc import Callable
from itertools import islice
from pathlib import Path
from typing import Any

from domain.reconciliation import said_of
from holdfast.conflicts import done_about
from messages.codec import decode
from messages.node import BreakerAsked, OperatorCommanded, OrdersAsked, VenueWordAsked
from messages.reconciliation import Reconciled
from persistence.reader import JournalReader

WITHIN_S = 3.0
"""So long an answer is held back, for all that it says together; whoever asked is told in time all the same."""
LOOK_EVERY_S = 0.1
COMMANDS_MAX = 100
"""Of the newest commands, one is looked for among so many."""
COMES_LATER = "a difference counts once a second look finds it again: see `holdfast ctl conflicts`"


class Outcomes:
    """Waits for what commands lead to, in the thread that asks, and never for long."""

    def __init__(self, home: Path, ask: Callable[[str, Any], Any]) -> None:
        """`ask` returns an actor's answer."""
        self._home = home
        self._ask = ask

    def told_of(self, command: OperatorCommanded, *, until: float) -> str:
        """Return what a command that is done has led to, up to a monotonic instant; nothing where that says all."""
        match command.command:
            case "reconcile":
                return _look(lambda: self._verdict_since(command), until=until) or f"asked for; {COMES_LATER}"
            case "resume":
                found = _look(lambda: self._verdict_since(command), until=until, goes_on=self._awaits_verdict)
                if not found and self._awaits_verdict():
                    found = f"no verdict yet, and entries wait for it; {COMES_LATER}"
                return f"done; {found}" if found else ""
            case "settle":
                return _look(lambda: self._end_of(command.target), until=until) or (
                    f"your word for {command.target} holds for an hour of market time: the venue is asked on, and what "
                    "it shows goes before it"
                )
        return ""

    def why_not_settle(self, client_id: str, *, until: float) -> str:
        """Say why nobody can vouch for the end of an order: there is none, or the venue shows it to who asks now."""
        if client_id not in (orders := self._ask("executor", OrdersAsked()).orders):
            told = f"one of {', '.join(orders)}" if orders else "an open order, and there is none"
            return f"expected {told}, found {client_id!r}"
        word = self._ask("executor", VenueWordAsked(client_id, anew=True))
        if word == "asked":
            word = _look(lambda: self._word_of(client_id), until=until)
        known = self._ask("executor", OrdersAsked())
        if client_id not in known.orders:
            return f"the venue shows {client_id}: {known.finished[client_id].state}; there is nothing to vouch for"
        if word != "shown":
            return ""
        state = known.orders[client_id].state
        return f"the venue shows {client_id}: {state}; `holdfast ctl cancel-all` or `flatten` end what is open"

    def _word_of(self, client_id: str) -> str:
        word: str = self._ask("executor", VenueWordAsked(client_id))
        return "" if word == "asked" else word

    def _awaits_verdict(self) -> bool:
        return bool(self._ask("breaker", BreakerAsked()).awaits_verdict)

    def _verdict_since(self, command: OperatorCommanded) -> str:
        with JournalReader(self._home) as reader:
            for given in islice(reader.read_newest(["OperatorCommanded"]), COMMANDS_MAX):
                event = decode(given.kind, given.version, given.payload)
                if isinstance(event, OperatorCommanded) and event.request_id == command.request_id:
                    verdict = next(iter(reader.read(after=given.seq, kinds=["Reconciled"])), None)
                    return "" if verdict is None else _said(decode(verdict.kind, verdict.version, verdict.payload))
        return ""

    def _end_of(self, client_id: str) -> str:
        known = self._ask("executor", OrdersAsked())
        if client_id in known.orders or client_id not in known.finished:
            return ""
        return f"{client_id} is {known.finished[client_id].state}"


def _said(verdict: Any) -> str:
    assert isinstance(verdict, Reconciled)
    found = [f"{said_of(finding)}: {done_about(finding)}" for finding in verdict.findings]
    return "; ".join(found) or "books and account agree"


def _look(look: Callable[[], str], *, until: float, goes_on: Callable[[], bool] = lambda: True) -> str:
    """Look until something is found, nothing is to come any more, or a monotonic instant has come."""
    while not (found := look()) and goes_on() and time.monotonic() < until:
        time.sleep(LOOK_EVERY_S)
    if not found:
        # What has just been heard inside may not be on disk yet, where it is looked for.
        time.sleep(LOOK_EVERY_S)
    return found or look()
