"""What Bybit's error codes prove.

Source: the venue's list of error codes (v5).  A code is here only where that says that nothing was done.  What is not
here proves nothing, such as 10016 (internal error), 10000 (timeout) and 170007 (no answer from the engine).
"""

from gateways.live.dialect import Meaning, VenueError

_CLOCK = frozenset({10002})
_BUSY = frozenset({10006, 10018, 170005, 170222})
_KEYS = frozenset({10003, 10004, 10005, 10007, 10010, 33004})
"""The key, the signature, what they permit, the address, and a key that has expired."""
_DUPLICATES = frozenset({12141, 110072, 170141})
_NOT_FOUND = frozenset({110001, 170139, 170142, 170143, 170190, 170213})
"""There is no such order, or none that could be cancelled any more."""
_REACHED = frozenset({110092, 110093})
_REFUSALS = frozenset(
    {
        10001,  # what is wrong with a parameter: looked at before anything is done
        *(170033, 170034),  # the account cannot pay for it
        170105,  # a parameter is empty
        *(170115, 170116, 170117, 170121, 170124),  # time in force, type, side, symbol, amount
        *range(170130, 170138),  # a parameter, balance, price, quantity
        170140,  # worth too little
        *(170148, 170151, 170157, 170159),  # decimals of a market order, a pair that is not open
        *range(170192, 170195),  # limits of the price
        *range(170197, 170207),  # quantities too far from the market, a restricted account, a stop's price
        *(170210, 170217, 170218),  # refused by the engine, a maker's order that would take
        *(170223, 170224, 170226, 170228, 170229, 170241),  # what the account may buy
    }
)


def error_of(code: int, message: str, status: int) -> VenueError:
    """Return an error of the venue with what it proves."""
    return VenueError(str(code), message, _meaning(code, status), blames_keys=code in _KEYS)


def _meaning(code: int, status: int) -> Meaning:
    if status >= 500:
        return "nothing"
    kinds: tuple[tuple[frozenset[int], Meaning], ...] = (
        (_CLOCK, "clock"),
        (_BUSY, "busy"),
        (_DUPLICATES, "exists"),
        (_NOT_FOUND, "not_found"),
        (_REACHED, "reached"),
        (_KEYS | _REFUSALS, "rejected"),
    )
    return next((meaning for codes, meaning in kinds if code in codes), "nothing")
