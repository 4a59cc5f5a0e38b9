"""The reconciler: holds the books against the venue's account before anything may add to what is held.

It asks for the account once the executor has made certain of every order that earlier lives have left.  Where the two
agree, one look is enough.  A difference counts only when a second look, after whatever the venue may show late, finds
the same; and no look counts during which an order changed, nor a difference while the fate of one is unknown.
"""

from collections.abc import Collection, Mapping
from typing import Any

from actors.base import Log, RememberingActor
from actors.reconciler_memory import ReconcilerMemory
from domain.conflicts import resolved
from domain.market import Instrument
from domain.money import plain
from domain.reconciliation import Comparison, Finding, Policies, Strategy, compare, shares_of
from domain.venue import AccountAnswer, AccountSeen, Unproven, VenueProfile
from messages.orders import CancelOrder, LookUpOrder
from messages.reconciliation import (
    AccountAdopted,
    AccountTold,
    CertaintyAsked,
    CompareBooks,
    LookAtAccount,
    OrdersCertain,
    Reconciled,
    TellAccount,
)
from supervision import Seat, System

VENUE = "venue"
EXECUTOR = "executor"
LOOKS_PER_LIFE = 1_000_000_000
INTERVAL = "interval"
TAKEN = ("adopt", "protect", "flatten")


class Reconciler(RememberingActor):
    """Gives the verdict that entries wait for."""

    def __init__(
        self,
        system: System,
        seat: Seat,
        *,
        memory: ReconcilerMemory,
        instruments: Mapping[str, Instrument],
        policies: Policies,
        profile: VenueProfile,
        log: Log,
        resting: Collection[str] = (),
    ) -> None:
        """Of symbols that are `resting` the venue may tell nothing any more: no verdict waits for their orders."""
        super().__init__(system, seat, memory=memory)
        self._known = memory
        self._instruments = instruments
        self._policies = policies
        self._resting = resting
        self._is_wanted = False
        """The time has come to compare again, though nobody ordered it."""
        self._agreed_at = 0
        """Up to which sequence books and account were seen to agree."""
        self._profile = profile
        self._log = log
        self._is_certain = False
        """The executor knows of every order that earlier lives have left what became of it."""
        self._has_asked_executor = False
        self._look = self.epoch * LOOKS_PER_LIFE
        self._looks = 0
        """How many there were for this verdict."""
        self._asked_at: int | None = None
        """The newest sequence that was folded when the account was asked for; None where it is not."""
        self._is_resting = False
        """It is asked for again after a while."""
        self._before: tuple[Finding, ...] | None = None
        """What the look before has found."""
        self._cancels: dict[str, str] = {}
        """Unknown orders of ours that are to be gone, with their symbols."""

    def started(self) -> None:
        """Begin to count the time to the next comparison."""
        if self._policies.every_s:
            self.after(self._policies.every_s, CompareBooks())

    def has_open_work(self) -> bool:
        """Say whether a verdict is due, or an order is still to be cancelled."""
        return bool(self._known.state.due or self._is_wanted or self._cancels)

    def react(self) -> None:
        """Make sure of the orders, then ask for the account."""
        if not self.has_open_work() or self.has_recorded():
            return
        if not self._is_certain:
            if not self._has_asked_executor:
                # Again after a while: an executor that is started anew knows nothing of what its predecessor was asked.
                self._has_asked_executor = True
                self.tell(EXECUTOR, CertaintyAsked())
                self.after(self._profile.answer_within_s, LookAtAccount(self._look))
            return
        if self._asked_at is None and not self._is_resting and not self._is_order_in_flight():
            self._ask()

    def receive(self, message: Any) -> None:
        """Take what was asked for, or notice that it does not come."""
        match message:
            case CompareBooks():
                self._is_wanted = True
                self.after(self._policies.every_s, CompareBooks())
            case OrdersCertain():
                self._is_certain = True
            case AccountTold(request_id=look, answer=answer) if look == self._look and self._asked_at is not None:
                asked_at, self._asked_at = self._asked_at, None
                self._take_in(answer, asked_at)
            case LookAtAccount(look=look) if look == self._look:
                if self._asked_at is not None:
                    self._hear_nothing(f"no answer within {self._profile.answer_within_s} s")
                self._is_resting = self._has_asked_executor = False
            case AccountTold() | LookAtAccount():
                pass
            case _:
                super().receive(message)

    def _is_order_in_flight(self) -> bool:
        """Say whether an answer about an order is due any moment: whatever the venue shows now is about to change.

        An order of which the answer proved nothing may take long to make certain of, and entries would wait for it.
        """
        state = self._known.state
        return bool(state.canceling) or any(order.state == "intended" for order in state.orders.values())

    def _ask(self) -> None:
        self._look += 1
        self._looks += 1
        self._asked_at = self.seq
        self.tell(VENUE, TellAccount(self._look))
        self.after(self._profile.answer_within_s, LookAtAccount(self._look))

    def _rest(self, seconds: float) -> None:
        # A new number: what was asked before is not waited for any more.
        self._look += 1
        self._asked_at, self._is_resting = None, True
        self.after(seconds, LookAtAccount(self._look))

    def _take_in(self, answer: AccountAnswer, asked_at: int) -> None:
        state = self._known.state
        if isinstance(answer, Unproven):
            self._hear_nothing(answer.detail)
            self._rest(self._profile.look_again_s)
            return
        if state.touched_at > asked_at or self._is_order_in_flight():
            return
        compared = self._compare(answer)
        self._cancel_what_is_left(answer)
        if not (state.due or self._is_wanted):
            return
        if not compared.agrees:
            self._have_looked_up(compared)
        if not compared.agrees and (compared.moving or compared.findings != self._before):
            self._before = None if compared.moving else compared.findings
            # Where something is on its way, this look counts for nothing, and the lag begins with the next one.
            self._rest(self._profile.look_again_s if compared.moving else self._pause_s())
            return
        if not compared.findings:
            self._agreed_at = asked_at
        self._decide(compared.findings)

    def _have_looked_up(self, compared: Comparison) -> None:
        """Ask what became of orders that the account shows otherwise than the books have them.

        The answers are the executor's to hear.  A trade that nobody has told yet would else be taken for somebody
        else's by the next look, and counted once more when it is told.
        """
        missing = {finding.client_id for finding in compared.findings if finding.kind == "order_missing"}
        for client_id, order in self._known.state.orders.items():
            if client_id in missing or (client_id in compared.moving and client_id not in compared.traceless):
                terms = order.terms
                self.tell(VENUE, LookUpOrder(self._look, client_id, terms.symbol, terms.sent_from))

    def _compare(self, account: AccountSeen) -> Comparison:
        state = self._known.state
        policies = self._policies.yielding() if state.yields else self._policies
        return compare(
            state.book,
            state.orders,
            account,
            namespace=state.namespace,
            instruments=self._instruments,
            policies=policies,
            resting=self._resting,
        )

    def _pause_s(self) -> float:
        """Return after how long a second look sees what the first may have been too early for."""
        late_s = (self._profile.visibility_lag_ms + self._profile.skew_ms) / 1_000
        return max(self._profile.look_again_s, late_s)

    def _decide(self, findings: tuple[Finding, ...]) -> None:
        state = self._known.state
        is_running = state.is_running or not state.due
        if is_running:
            traded = {symbol for symbol, seq in state.traded.items() if seq > self._agreed_at}
            findings = resolved(findings, self._policies.conflicts, traded=traded)
        looks, self._looks, self._before, self._is_wanted = self._looks, 0, None, False
        if not state.due and findings == state.told:
            return  # Nothing is new since it was told last: that the two agree is no news either.
        # What becomes of an order is what its kind says, whatever the strategy is: a reset is for money alone.
        is_about_money = any(finding.is_about_money for finding in findings)
        by: Strategy = self._policies.conflicts if is_running and is_about_money else "by_kind"
        # First what the books take in: who waits for the verdict acts at once on what it holds by then.
        for finding in findings:
            if finding.is_about_money:
                self._adopt(finding)
        self.record(Reconciled(state.due or INTERVAL, findings, looks, by))
        for finding in findings:
            self._log("warning", "reconcile.finding", **told(finding))
            if finding.policy == "flatten" and not finding.is_about_money:
                self._cancels[finding.client_id] = finding.symbol
                self._cancel(finding.client_id)
        if self._cancels:
            self._rest(self._pause_s())

    def _adopt(self, finding: Finding) -> None:
        if finding.policy not in TAKEN:
            return
        below = self._policies.stop_below
        for holder, amount in shares_of(finding, self._known.state.book):
            self.record(AccountAdopted(finding.asset, amount, finding.symbol, holder, finding.policy, below))

    def _cancel_what_is_left(self, account: AccountSeen) -> None:
        """Cancel again what the venue still has; what it has no more is done with."""
        there = {order.client_id for order in account.orders}
        self._cancels = {client_id: symbol for client_id, symbol in self._cancels.items() if client_id in there}
        for client_id in self._cancels:
            self._cancel(client_id)
        if self._cancels:
            self._rest(self._pause_s())

    def _cancel(self, client_id: str) -> None:
        # The answer is the executor's to hear, which knows no order of this name: it says so to the operator.
        self.tell(VENUE, CancelOrder(self._look, client_id, self._cancels[client_id]))

    def _hear_nothing(self, why: str) -> None:
        """A question that failed is no empty answer: it is asked again, and entries wait."""
        self._asked_at = None
        self._log("warning", "reconcile.unanswered", why=why)


def told(finding: Finding) -> dict[str, str]:
    """Return a finding as plain values, for a log line and for tables."""
    return {
        "symbol": finding.symbol or finding.asset,
        "kind": finding.kind,
        "journal": plain(finding.ours),
        "venue": plain(finding.theirs),
        "asset": finding.asset,
        "order": finding.client_id,
        "policy": finding.policy,
    }
