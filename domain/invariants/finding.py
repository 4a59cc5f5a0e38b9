"""A law that does not hold: which one, of what, what was expected and found, and what an operator can do."""

from typing import Literal

import msgspec

Code = Literal["J1", "O1", "O2", "O3", "O4", "O5", "O6", "O7", "P1", "P2", "P4", "P5", "P6", "P7", "S2"]
"""The letters are stable: tools may match on them.  J: the journal, O: orders, P: positions and money, S: settling."""

NOTICES: frozenset[Code] = frozenset({"O7"})
"""Nothing is wrong with the node then, but somebody should know; entries go on."""

LAWS: dict[Code, str] = {
    "J1": "records are in sequence, and none is of an incarnation that was replaced",
    "O1": "whatever is heard of an order, its intent was written down before",
    "O2": "a client order id is used once, and names one order at the venue",
    "O3": "an order's state only goes up, and what is final stays",
    "O4": "nothing is ordered a second time while the first attempt is not over",
    "O5": "fills add up to at most the order, and each trade counts once",
    "O6": "a symbol with an order of unknown fate takes no entry",
    "O7": "a trade of an order that was over is counted, and told",
    "P1": "what is told of a position is the sum of its fills",
    "P2": "what is told of the account is its opening and what fills have moved",
    "P4": "an entry is what the breaker approved, at most of that size, once",
    "P5": "who knows that entries are stopped opens nothing",
    "P6": "nothing is sold that is not held",
    "P7": "a position with a stop price is covered by an order that sells it",
    "S2": "what was sent to the venue is proven in time",
}

ADVICE: dict[Code, str] = {
    "J1": "Run `holdfast journal verify`. If it is sound, restart the node; if not, see docs/operations.md.",
    "O1": "Look the order up at the venue by its client id. If it is there, cancel it by hand; see `holdfast why`.",
    "O2": "Compare both orders at the venue with `holdfast ctl orders --all`; cancel the one that is too much by hand.",
    "O3": "Look the order up at the venue by its client id; what it shows there is true. Then restart the executor.",
    "O4": "Compare the open orders at the venue with `holdfast ctl orders`; cancel by hand what is there twice.",
    "O5": "Compare the order's trades at the venue with `holdfast why`; the position is wrong by the difference.",
    "O6": "Find out at the venue what became of the order of unknown fate, before anything is resumed in its symbol.",
    "O7": "The trade is counted, nothing is lost. Check that the position it made has its stop: `holdfast ctl orders`.",
    "P1": "Compare the position at the venue with `holdfast replay`; then `holdfast ctl restart positions`.",
    "P2": "Compare the balances at the venue with `holdfast replay`; then `holdfast ctl restart positions`.",
    "P4": "An entry went past the breaker. Leave it by `holdfast ctl flatten --symbol`, and report it: a fault.",
    "P5": "An entry was made while entries were stopped. Halt the node, check its position, and report it: a fault.",
    "P6": "Cancel the sells that are too much at the venue by hand; `holdfast ctl positions` shows what is held.",
    "P7": "Place a stop at the venue by hand, or leave it by `holdfast ctl flatten --symbol`; then look why: "
    "`holdfast ctl orders --all` shows refused stops.",
    "S2": "See whether the venue answers. Look the order up there by its client id; the node goes on asking by itself.",
}


class Finding(msgspec.Struct, frozen=True):
    """One law that did not hold of one subject."""

    code: Code
    subject: str
    """An order by its client id, or a position by its strategy and symbol; one of each is told until a resume."""
    expected: str
    found: str
    sequences: tuple[int, ...]
    """The records that it rests on."""

    def __str__(self) -> str:
        where = ", ".join(map(str, self.sequences))
        return f"{self.code} {self.subject}: expected {self.expected}, found {self.found} (sequences {where})"
