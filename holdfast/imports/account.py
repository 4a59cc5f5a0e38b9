"""What the account holds in all: the cash of a foreign state, and the assets that its positions are made of."""

from collections.abc import Sequence
from decimal import Decimal, localcontext

from domain.imported import HeldPosition
from domain.money import ZERO
from domain.position import LEDGER
from holdfast.imports.document import QUOTE, Document
from holdfast.imports.here import Here
from holdfast.imports.walker import below


def open_account(
    document: Document, positions: Sequence[HeldPosition], here: Here
) -> tuple[dict[str, Decimal], list[str]]:
    """Return the account's totals by asset, and what is to be said of them."""
    notices: list[str] = []
    cash = _cash(document, here, notices)
    held = _held_assets(positions, here)
    for asset in held:
        if cash.get(asset):
            _check_double(document, asset, cash[asset], held[asset], notices)
    with localcontext(LEDGER):
        totals = cash | {asset: cash.get(asset, ZERO) + amount for asset, amount in held.items()}
    notices += [
        f"{amount:f} {asset} count as nothing: no symbol of the feed says what they are worth"
        for asset, amount in totals.items()
        if amount and asset != here.quote and asset not in {each.base for each in here.instruments.values()}
    ]
    return totals, notices


def _cash(document: Document, here: Here, notices: list[str]) -> dict[str, Decimal]:
    if "cash" in document.sections:
        return {here.quote if asset == QUOTE else asset: amount for asset, amount in document.cash.items()}
    configured = dict(here.parts.settings.venue.balances)
    amounts = " and ".join(f"{amount:f} {asset}" for asset, amount in configured.items()) or "nothing"
    notices.append(f"no cash is named; venue.balances of the configuration is taken, {amounts}")
    return configured


def _held_assets(positions: Sequence[HeldPosition], here: Here) -> dict[str, Decimal]:
    held: dict[str, Decimal] = {}
    with localcontext(LEDGER):
        for position in positions:
            base = here.instruments[position.symbol].base
            held[base] = held.get(base, ZERO) + position.quantity
    return {asset: amount for asset, amount in held.items() if amount}


def _check_double(document: Document, asset: str, beside: Decimal, held: Decimal, notices: list[str]) -> None:
    """Say that an asset is named twice; refuse where nobody can tell whether one amount has the other in it."""
    said = document.sections.get("cash")
    if said is None or said.path.lower() == "cash":
        notices.append(f"{beside:f} {asset} of the cash are held beside the {held:f} {asset} of the positions")
        return
    said.walker.report(
        below(said.path, asset),
        expected=f"no {asset}, of which positions hold {held:f}",
        found=f"{beside:f}",
        hint="`cash`, in place of `balances`, is what is held beside the positions",
    )
