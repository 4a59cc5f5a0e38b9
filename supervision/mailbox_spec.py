"""What a mailbox takes, what it does when it is full, and what becomes of it when its actor is started anew."""

from collections.abc import Callable, Hashable
from dataclasses import dataclass
from typing import Any, Literal

from supervision.errors import SpecError

Overflow = Literal["reject", "drop_oldest", "drop_newest"]

ORDINARY_MAX = 10_000


@dataclass(frozen=True, slots=True, kw_only=True)
class MailboxSpec:
    """A policy for ordinary messages.  Events are never dropped or conflated, and are found again in the journal."""

    ordinary_max: int = ORDINARY_MAX
    overflow: Overflow = "reject"
    """When it is full: tell the sender that the message was not taken, or drop the oldest, or the new one."""
    conflate: Callable[[Any], Hashable | None] | None = None
    """Gives a message's key: a newer message of one key takes the place of the one that waits.  None: none does."""
    retains: bool = False
    """What waits, and what comes while the actor is down, is there for its successor; otherwise it is a dead letter.
    The message in hand is lost either way: it may be what ended the actor."""


DEFAULT_MAILBOX = MailboxSpec()


def check_mailbox(name: str, spec: MailboxSpec) -> None:
    """Refuse a policy that cannot be.

    Raises:
        SpecError: it names the value.
    """
    if spec.ordinary_max < 1:
        raise SpecError(f"{name}: a mailbox must take at least 1 ordinary message, was {spec.ordinary_max}")
    if spec.overflow not in ("reject", "drop_oldest", "drop_newest"):
        raise SpecError(f"{name}: overflow must be reject, drop_oldest or drop_newest, was {spec.overflow!r}")
