"""How it went before, as far as the words of a foreign state mean what they mean here."""

from decimal import Decimal

from domain.imported import Counters
from domain.money import ZERO
from gateways.state_files import Numeral
from holdfast.imports.document import QUOTE, Document
from holdfast.imports.walker import WRONG


def counters_of(document: Document, quote: str) -> tuple[Counters | None, list[str]]:
    """Return the counters that go on here, None where there are none; and what is said of the others.

    A round trip is won, lost or neither.  `trades` may mean orders, fills or trips, open ones too: it is compared, and
    goes on only as what is won and lost.
    """
    if document.counters is None:
        return None, []
    walker, row = document.counters
    values = {name: value for name, value in row.values.items() if value is not WRONG}
    notices: list[str] = []
    trips = {name: values[name] for name in ("wins", "losses", "draws") if name in values}
    if trips and not {"wins", "losses"} <= set(trips):
        notices.append(f"{row.path or 'the file'} does not say both wins and losses; neither goes on")
        document.leave(walker, row.path, {row.keys[name]: Numeral(count) for name, count in trips.items()})
        trips = {}
    trades, finished = values.get("trades"), sum(trips.values())
    if trades is not None and trips and trades < finished:
        expected = f"at least the {finished} that were won, lost or neither"
        walker.report(row.path_of("trades"), expected=expected, found=str(trades))
    elif trades is not None and trades != finished:
        notices.append(
            f"{row.path_of('trades')} is {trades}, and {finished} were won, lost or neither: only these go on"
        )
        document.leave(walker, row.path, {row.keys["trades"]: Numeral(trades)})
    counters = Counters(
        **trips,
        realised=values.get("realised", ZERO),
        fees=_in_assets(document.fees, quote),
        peak_equity=values.get("peak_equity"),
        started_at=values.get("started_at"),
    )
    return counters, notices


def _in_assets(fees: dict[str, Decimal], quote: str) -> dict[str, Decimal]:
    return {quote if asset == QUOTE else asset: amount for asset, amount in fees.items() if amount}
