"""What can be asked of the node, and with which parameters."""

from typing import Annotated, Any, Literal

import msgspec
from msgspec import Meta

Reason = Annotated[str, Meta(max_length=500)]
GivenReason = Annotated[str, Meta(min_length=1, max_length=500)]
Name = Annotated[str, Meta(min_length=1, max_length=100)]
RequestId = Annotated[str, Meta(pattern=r"^[A-Za-z0-9_.:-]{1,64}$")]

TAIL_MAX = 1_000
CRASHES_MAX = 100
VIOLATIONS_MAX = 100


class Question(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Parameters of what changes nothing."""


class Orders(Question, frozen=True):
    """Which orders to tell of."""

    all: bool = False
    """The finished ones too."""


class Tail(Question, frozen=True):
    """Which events to tell."""

    n: Annotated[int, Meta(ge=0, le=TAIL_MAX)] = 20
    follow: bool = False


class Crashes(Question, frozen=True):
    """How many crashes to tell of."""

    n: Annotated[int, Meta(ge=1, le=CRASHES_MAX)] = 10


class Violations(Question, frozen=True):
    """How many violations to tell of."""

    n: Annotated[int, Meta(ge=1, le=VIOLATIONS_MAX)] = 10


class Conflicts(Question, frozen=True):
    """How many differences to tell of."""

    n: Annotated[int, Meta(ge=1, le=CRASHES_MAX)] = 20


class Order(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Parameters of what changes something: the same request id twice is done once."""

    request_id: RequestId
    reason: Reason = ""


class Halt(Order, frozen=True, kw_only=True):
    """Why everything stops."""

    reason: GivenReason


class Flatten(Order, frozen=True, kw_only=True):
    """What to leave; everything where empty."""

    symbol: Annotated[str, Meta(max_length=32)] = ""


class Settle(Order, frozen=True, kw_only=True):
    """Which order's end somebody vouches for, and why that is right."""

    client_id: Annotated[str, Meta(pattern=r"^[A-Za-z0-9_-]{1,64}$")]
    reason: GivenReason


class ActorOrder(Order, frozen=True, kw_only=True):
    """Which actor is meant."""

    actor: Name


class Excuse(ActorOrder, frozen=True, kw_only=True):
    """Which event an actor is to pass over, and why that is right."""

    sequence: Annotated[int, Meta(ge=1)]
    reason: GivenReason


class QuarantineOrder(ActorOrder, frozen=True, kw_only=True):
    """Which messages are meant: those to an actor with one fingerprint."""

    fingerprint: Annotated[str, Meta(pattern=r"^[A-Za-z0-9_-]{1,64}$")]


class LogLevel(Order, frozen=True, kw_only=True):
    """The level from now on."""

    level: Literal["debug", "info", "warning", "error"]


METHODS: dict[str, type[Question] | type[Order]] = {
    "status": Question,
    "tree": Question,
    "positions": Question,
    "orders": Orders,
    "performance": Question,
    "tail": Tail,
    "crashes": Crashes,
    "violations": Violations,
    "quarantine": Question,
    "dead-letters": Question,
    "pause": Order,
    "resume": Order,
    "halt": Halt,
    "flatten": Flatten,
    "cancel-all": Order,
    "settle": Settle,
    "restart": ActorOrder,
    "crash": ActorOrder,
    "hang": ActorOrder,
    "excuse": Excuse,
    "quarantine-retry": QuarantineOrder,
    "quarantine-drop": QuarantineOrder,
    "reload": Order,
    "loglevel": LogLevel,
    "snapshot": Order,
    "reconcile": Order,
    "conflicts": Conflicts,
    "stop": Order,
}


def read_params(method: str, params: dict[str, Any]) -> dict[str, Any]:
    """Return a method's parameters with defaults filled in.

    Raises:
        KeyError: there is no such method.
        msgspec.ValidationError: they are not what the method takes; the sentence says which.
    """
    return msgspec.structs.asdict(msgspec.convert(params, METHODS[method]))
