"""`holdfast reconcile --plan`: the verdict that a start would come to now, without acting and without writing."""

import queue
import shutil
import tempfile
from collections.abc import Callable, Mapping
from contextlib import closing
from decimal import Decimal
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

from actors.reconciler import told
from actors.reconciler_memory import ReconcilerMemory
from domain.money import ZERO
from domain.order import Order
from domain.reconciliation import Comparison, Finding, compare, shares_of
from domain.venue import AccountSeen, Answer, OpenOrder, Unproven
from gateways.paper.audit import audited, seen_in
from holdfast.admin.client import AdminClient, NodeUnreachable
from holdfast.cli.asking import SOCKET
from holdfast.config.problems import ConfigurationError, Problem
from holdfast.config.settings import Settings
from holdfast.conflicts import done_about
from holdfast.ground import Past, look_at_home, remembering
from holdfast.mending.books import BOOK
from holdfast.parts import Parts, gather, policies_of
from holdfast.recovery import recorded_of
from holdfast.routes import kinds_of
from holdfast.unfinished import make_certain
from persistence.errors import JournalMissing
from persistence.reader import JournalReader

ANSWER_WITHIN_S = 60.0
UNANSWERED = f"no answer within {ANSWER_WITHIN_S} s"
Told = TypeVar("Told")


class _Asked(NamedTuple):
    memory: ReconcilerMemory
    """With all that the venue proves of open orders."""
    account: AccountSeen
    parts: Parts


def plan_verdict(settings: Settings, home: Path, *, folder: Path) -> dict[str, Any]:
    """Return how the journal of a home and the venue's account differ, and what a start would do about it.

    Raises:
        JournalMissing: the home has no journal.
        ConfigurationError: it names another kind of venue than the one that the home's orders went to.
        VenueSilent: the venue does not tell the account: that is no empty account.
    """
    past = look_at_home(home)
    if not past.has_account:
        raise JournalMissing(f"expected a journal with an account in {home}, found none")
    _demand_its_venue(settings, home, past)
    is_running = _is_running(home)
    ask = _ask_paper if settings.venue.kind == "paper" else _ask_live
    memory, account, parts = ask(settings, home, past, folder)
    return _view(memory, account, parts, is_running=is_running)


def _demand_its_venue(settings: Settings, home: Path, past: Past) -> None:
    """Refuse another venue: nothing that it tells or does not tell says anything about this home's orders."""
    if past.venue and settings.venue.kind != past.venue:
        expected, hint = f"{past.venue}, where this home's orders went", "name its configuration with --config"
        raise ConfigurationError([Problem("venue.kind", expected, settings.venue.kind, f"for {home}", hint)])


def _is_running(home: Path) -> bool:
    try:
        AdminClient(home / SOCKET).call("status")
    except NodeUnreachable as error:
        return error.was_reached
    return True


def _remembered(home: Path, parts: Parts) -> ReconcilerMemory:
    memory = ReconcilerMemory(parts.shape.instruments, parts.shape.quote)
    with JournalReader(home) as reader:
        for record in reader.read(kinds=sorted(kinds_of("reconciler"))):
            memory.fold(recorded_of(record))
    return memory


def _ask_paper(settings: Settings, home: Path, past: Past, folder: Path) -> _Asked:
    parts, now = remembering(past, gather(settings, folder=folder)), past.market_at
    memory = _remembered(home, parts)
    with audited(home / BOOK) as audit:
        make_certain(
            memory, lambda order: seen_in(audit, order.terms.client_id, now), now=lambda: now, profile=parts.profile
        )
        totals: dict[str, Decimal] = {}
        for at, asset, amount, _trade in audit.movements():
            if at <= now:
                totals[asset] = totals.get(asset, ZERO) + amount
        orders = tuple(
            OpenOrder(each.client_id, "", each.symbol, each.side, each.type, each.quantity, each.filled)  # type: ignore[arg-type]
            for each in audit.orders(now=now)
            if each.state == "accepted"
        )
    return _Asked(memory, AccountSeen({asset: total for asset, total in totals.items() if total}, orders), parts)


def _ask_live(settings: Settings, home: Path, past: Past, folder: Path) -> _Asked:
    from gateways.live.connection import VenueSilent
    from gateways.live.kept import NAME
    from holdfast.live import LiveSide, reaching  # Takes long to import, and a paper node needs none of it.

    # What a start keeps of the venue is read, and what this learns is thrown away: a plan writes nothing.
    with tempfile.TemporaryDirectory() as place, reaching(settings):
        if (home / NAME).exists():
            shutil.copy(home / NAME, place)
        with closing(LiveSide(settings, Path(place), tell=lambda event, **values: None)) as side:
            parts = remembering(past, side.parts(folder, past.market, past.rules))
            memory, venue = _remembered(home, parts), side.venue

            def look_up(order: Order) -> Answer:
                terms = order.terms
                question = partial(venue.look_up, terms.client_id, terms.symbol, since=terms.sent_from)
                return _answer(question) or Unproven(terms.client_id, UNANSWERED)

            make_certain(memory, look_up, now=side.now_ms, profile=parts.profile, resting=parts.resting)
            account = _answer(venue.tell_account) or Unproven("", UNANSWERED)
    if isinstance(account, Unproven):
        raise VenueSilent(f"the account must be told, found {account.detail}")
    return _Asked(memory, account, parts)


def _answer(question: Callable[[Callable[[Told], None]], None]) -> Told | None:
    """Return what a venue answers to a question; None where it does not."""
    answers: queue.Queue[Told] = queue.Queue()
    question(answers.put)
    try:
        return answers.get(timeout=ANSWER_WITHIN_S)
    except queue.Empty:
        return None


def _view(memory: ReconcilerMemory, account: AccountSeen, parts: Parts, *, is_running: bool) -> dict[str, Any]:
    state, policies = memory.state, policies_of(parts.settings)
    compared = compare(
        state.book,
        state.orders,
        account,
        namespace=state.namespace,
        instruments=parts.shape.instruments,
        policies=policies.yielding() if state.yields else policies,
        resting=parts.resting,
    )
    rows = []
    for finding in compared.findings:
        row = told(finding)
        would = done_about(finding)
        shares: Mapping[str, Decimal] = {}
        if finding.is_about_money and finding.policy not in ("halt", "report"):
            shares = dict(shares_of(finding, state.book))
        of = ", ".join(f"{amount:+f} {holder or 'nobody'}" for holder, amount in shares.items())
        rows.append(row | {"would": _once_certain(f"{would} ({of})" if of else would, finding, compared, state.orders)})
    return {
        "agrees": not rows and not compared.moving,
        "is_running": is_running,
        "symbols": {
            symbol: {
                "journal": f"{state.book.cash.get(each.base, ZERO):f}",
                "venue": f"{account.balances.get(each.base, ZERO):f}",
                "differences": sum(row["symbol"] == symbol for row in rows),
            }
            for symbol, each in parts.shape.instruments.items()
        },
        "findings": rows,
        "uncertain": list(compared.moving),
    }


def _once_certain(would: str, finding: Finding, compared: Comparison, orders: Mapping[str, Order]) -> str:
    """Say what a difference waits for: an order that is not certain may be all that it is."""
    symbols = {"", *(orders[each].terms.symbol for each in compared.moving)}
    if not compared.moving or finding.symbol not in symbols:
        return would
    return f"nothing before it is certain what became of {', '.join(compared.moving)}; if it is the same then: {would}"
