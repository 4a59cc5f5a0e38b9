"""Which generation comes next: one that no client order id was ever made in, as far as anything here tells."""

from collections.abc import Iterable
from pathlib import Path

from domain.order import GENERATION_MAX
from holdfast.mending.books import BOOK, generations_in
from holdfast.mending.errors import MendingRefused
from persistence.errors import JournalError
from persistence.home import Home
from persistence.installing import plans_of
from persistence.remains import Remains
from persistence.schema import Identity


def next_generation(home: Home, known: Iterable[int]) -> int:
    """Return the generation after all that are known: given ones, those of the home's journal, book and quarantine.

    Raises:
        MendingRefused: there are no more.
    """
    found = {0, *known, *generations_in(home.folder / BOOK)}
    if (identity := identity_in(home)) is not None:
        found.add(identity.generation)
    found |= {int(plan.said.get("generation", 0)) for plan in plans_of(home)}
    if max(found) >= GENERATION_MAX:
        raise MendingRefused(f"expected a generation of at most {GENERATION_MAX}, the next would be {max(found) + 1}")
    return max(found) + 1


def identity_in(home: Home) -> Identity | None:
    """Return which journal a home has; None where there is none, or that cannot be read."""
    if not home.database.exists():
        return None
    try:
        with Remains(home.folder) as remains:
            return remains.identity()
    except JournalError:
        return None


def quarantined_books(home: Home) -> list[Path]:
    """Return the venue's books that gave their place up."""
    return sorted(home.quarantine.glob(f"*/{BOOK}"))
