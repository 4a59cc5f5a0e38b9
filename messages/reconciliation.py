"""The verdict of a start: where the books and the venue's account differ, and what was done about it."""

from decimal import Decimal

from domain.reconciliation import Finding, Policy, Strategy
from domain.venue import AccountAnswer
from messages.base import Event, Message


class Reconciled(Event, frozen=True):
    """The books were held against the venue's account; from here on entries may go on, but for what is halted.

    Without findings the two agree.
    """

    why: str
    """`start`, the operator who resumed or asked for it, or `interval`."""
    findings: tuple[Finding, ...] = ()
    looks: int = 1
    """How often the account was asked for until two answers said the same."""
    by: Strategy = "by_kind"
    """How it was decided what becomes of them."""


class AccountAdopted(Event, frozen=True):
    """Something that no order of ours has done was taken into the books: a deposit, a trade by hand.

    It is worth the market's newest price.  Nothing that is lost or won by it counts as a loss or profit of trading.
    """

    asset: str
    amount: Decimal
    """What the account has more of it, below zero for less."""
    symbol: str
    """Empty for quote currency."""
    holder: str
    """The strategy whose holding it changes; empty where it is nobody's."""
    policy: Policy
    stop_below: Decimal = Decimal(0)
    """Where it is to be protected: how far below the newest price, as a fraction of it."""


class TellAccount(Message, frozen=True):
    """Tell what the account holds, and its open orders."""

    request_id: int


class AccountTold(Message, frozen=True):
    """The venue's answer to that."""

    request_id: int
    answer: AccountAnswer


class CertaintyAsked(Message, frozen=True):
    """Say so once every unfinished order of earlier lives has been made certain of."""


class OrdersCertain(Message, frozen=True):
    """Every unfinished order of earlier lives is certain."""


class CompareBooks(Message, frozen=True):
    """It is time to hold the books against the account again."""


class LookAtAccount(Message, frozen=True):
    """It is time to ask for the account again."""

    look: int
