"""The catalogue of what an exchange may lie about, and what each lie has to be told with."""

from collections.abc import Mapping, Sequence
from decimal import Decimal
from fnmatch import fnmatchcase
from typing import Literal, NamedTuple

import msgspec

Strike = Literal["before", "after"]
Family = Literal["answer", "order", "stream", "connection", "world"]

REQUESTS = (
    *("ping", "time", "exchange_info", "ticker", "book_ticker", "price", "klines", "trades", "depth", "account"),
    "key",
    *("order.create", "order.test", "order.query", "order.cancel", "order.cancel_all"),
    *("open_orders", "all_orders", "my_trades"),
)
"""Kinds of requests, as scenarios name them."""
MARKET_FRAMES = tuple(
    f"stream.market.{name}"
    for name in ("trade", "aggTrade", "kline", "miniTicker", "ticker", "bookTicker", "depth", "beat")
)
_USER = ("new", "trade", "canceled", "expired", "execution", "balance", "beat")
USER_FRAMES = tuple(f"stream.user.{name}" for name in _USER)
"""Frames of streams; a beat comes every second to every connection, and is no frame."""
FRAMES = tuple(name for name in (*MARKET_FRAMES, *USER_FRAMES) if not name.endswith(".beat"))
CONNECTIONS = ("stream.market", "stream.user")


class Kind(NamedTuple):
    """One kind of lie."""

    family: Family
    says: str
    strikes: tuple[Strike, ...] = ()
    needs: tuple[str, ...] = ()
    takes: tuple[str, ...] = ()
    at: tuple[str, ...] = ()
    """Where it may strike, if not wherever its family may."""


_CREATE, _CANCEL = ("order.create",), ("order.cancel",)
_BOTH: tuple[Strike, ...] = ("after", "before")
KINDS: Mapping[str, Kind] = {
    "hang": Kind("answer", "no answer for so many seconds, then the connection is closed", _BOTH, takes=("seconds",)),
    "reset": Kind("answer", "the connection is reset", _BOTH),
    "close": Kind("answer", "the connection is closed without an answer", _BOTH),
    "cut": Kind("answer", "half an answer, and the connection is closed", _BOTH),
    "drip": Kind("answer", "the answer comes byte by byte over so many seconds", ("after",), takes=("seconds",)),
    "garbled": Kind("answer", "200 with bytes that are no JSON and no UTF-8", _BOTH),
    "gzip": Kind("answer", "200 with a broken compression", _BOTH),
    "html": Kind("answer", "200 with a page of HTML", _BOTH),
    "braces": Kind("answer", "200 with {}", _BOTH),
    "null": Kind("answer", "200 with null", _BOTH),
    "nothing": Kind("answer", "200 with an empty body", _BOTH),
    "status": Kind(
        "answer", "an HTTP status, with a code and a sentence or a page", _BOTH, ("status",), ("code", "message")
    ),
    "redirect": Kind("answer", "307 to the same place", _BOTH),
    "too_many": Kind("answer", "429; Bybit: 10006", _BOTH, takes=("retry_after",)),
    "banned": Kind(
        "answer", "418, Bybit: 403, until so many seconds have passed", ("before",), takes=("seconds", "retry_after")
    ),
    "clock": Kind("answer", "-1021, Bybit: 10002: outside of the window", ("before",)),
    "unknown_outcome": Kind("answer", "503 with -1007, Bybit: 10016: nobody knows what became of it", _BOTH),
    "duplicate": Kind(
        "answer", "-2010, Bybit: 170141: a duplicate, of an order that was just taken", ("after",), at=_CREATE
    ),
    "late": Kind("answer", "done at once, answered after so many seconds", ("after",), ("seconds",)),
    "stuck": Kind("answer", "on its way for so many seconds, then done if it is still good", ("before",), ("seconds",)),
    "hidden": Kind("order", "taken, and missing from every answer for so many seconds", needs=("seconds",), at=_CREATE),
    "partial": Kind("order", "only a share of it trades at once", takes=("share",), at=_CREATE),
    "fill_at_cancel": Kind(
        "order",
        "a share trades while it is cancelled, and shows so many seconds later",
        takes=("share", "seconds"),
        at=_CANCEL,
    ),
    "silent": Kind("stream", "no frames for so many seconds, but pongs", needs=("seconds",)),
    "frozen": Kind("stream", "no frames and no pongs for so many seconds", needs=("seconds",)),
    "disconnect": Kind("stream", "the connection is closed"),
    "reset_stream": Kind("stream", "the connection is reset"),
    "refuse": Kind("connection", "a new connection is answered with 503"),
    "drop": Kind("stream", "a frame is left out", at=FRAMES),
    "garble": Kind("stream", "a frame is no JSON", at=FRAMES),
    "twice": Kind("stream", "a frame comes twice", at=FRAMES),
    "delay": Kind("stream", "a frame comes so many seconds late; others overtake it", needs=("seconds",), at=FRAMES),
    "deposit": Kind("world", "somebody deposits", needs=("asset", "amount")),
    "withdraw": Kind("world", "somebody withdraws", needs=("asset", "amount")),
    "manual_order": Kind(
        "world", "somebody else orders", needs=("symbol", "side", "quantity"), takes=("price", "client_id")
    ),
    "manual_cancel": Kind("world", "somebody else cancels the newest open order of a symbol", needs=("symbol",)),
    "halt": Kind("world", "a symbol does not trade for so many seconds", needs=("symbol", "seconds")),
    "delist": Kind("world", "a symbol is gone, and its orders expire", needs=("symbol",)),
    "revoke": Kind("world", "the key is not good for so many seconds, or for ever", takes=("seconds",)),
    "maintenance": Kind("world", "every request is answered with 503 for so many seconds", needs=("seconds",)),
    "forget": Kind("world", "Bybit: orders that had ended are missing from the real-time list, as after its restart"),
    "skew": Kind("world", "the exchange's clock is ahead by so many milliseconds", needs=("milliseconds",)),
}


class Lie(msgspec.Struct, frozen=True, kw_only=True):
    """One fault as a scenario has it: what, where, when, and how often."""

    kind: str
    where: str = "*"
    """Kind of request, of frame or of connection; `*` stands for any part of it.  Not for what befalls the world."""
    strike: Strike = "after"
    """Before the request has its effect, or after."""
    nth: int | None = None
    """Strikes at the nth occasion, counted from when it was added."""
    every: int | None = None
    """Strikes at every nth occasion."""
    probability: float | None = None
    """Strikes at an occasion with this probability."""
    begin_s: float = 0.0
    """Strikes from so many seconds on after it was added.  What befalls the world does so then."""
    end_s: float | None = None
    times: int | None = None
    """Strikes at most so often."""
    seconds: float | tuple[float, float] | None = None
    """How long; two numbers for anything between them."""
    every_s: float | None = None
    """What befalls the world does so again after so many seconds."""
    status: int = 503
    code: int | None = None
    message: str = ""
    retry_after: int | None = None
    share: Decimal = Decimal("0.5")
    asset: str = ""
    amount: Decimal = Decimal(0)
    symbol: str = ""
    side: str = ""
    quantity: Decimal = Decimal(0)
    price: Decimal = Decimal(0)
    client_id: str = ""
    milliseconds: int = 0


def places_of(kind: Kind) -> Sequence[str]:
    """Return where a kind of fault may strike."""
    if kind.at:
        return kind.at
    match kind.family:
        case "answer":
            return REQUESTS
        case "stream":
            return (*MARKET_FRAMES, *USER_FRAMES)
        case "connection":
            return CONNECTIONS
        case _:
            return ()


def is_at(place: str, where: str) -> bool:
    """Say whether a place is the one that is meant, or within it: `order` means `order.create` too."""
    return fnmatchcase(place, where) or place.startswith(f"{where}.")
