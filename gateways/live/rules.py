"""A venue's rules, asked for again now and then: a node goes by those that it was started with, and they may change.

What a memory was folded by cannot be exchanged under it, so a change is told, and holds from the next start on.
"""

import asyncio
from collections.abc import Callable, Mapping, Sequence

from domain.market import Instrument
from gateways.live.connection import Connection
from gateways.live.dialect import Unreadable
from gateways.live.wire import Lost

LOOK_EVERY_S = 6 * 3_600.0

Rules = Mapping[str, Instrument]


class RulesWatch:
    """Looks whether the rules of some symbols are still those that a node has."""

    def __init__(
        self,
        connection: Connection,
        symbols: Sequence[str],
        *,
        keep: Callable[[Rules], Sequence[str]],
        every_s: float = LOOK_EVERY_S,
    ) -> None:
        """`keep` keeps what the venue tells for the next start, and returns the symbols of which that is news."""
        self._connection = connection
        self._symbols = symbols
        self._keep = keep
        self._every_s = every_s

    async def look(self) -> None:
        """Look again and again, for as long as the connection is open."""
        while True:
            await asyncio.sleep(self._every_s)
            try:
                await self._look_once()
            except Exception as error:  # noqa: BLE001  it is looked again; a watch that ends without a word is none
                self._connection.tell("venue.error", why=f"{type(error).__name__} while its rules were asked for")

    async def _look_once(self) -> None:
        """Ask once, and tell what is new; no answer is no news."""
        dialect = self._connection.dialect
        outcome = await self._connection.requests.send(dialect.rules())
        if isinstance(outcome, Lost) or dialect.error_in(outcome) is not None:
            return
        try:
            told = dialect.read_rules(outcome, self._symbols)
        except Unreadable as error:
            self._connection.tell("venue.error", why=f"its rules cannot be read: {error}")
            return
        if changed := self._keep(told):
            self._connection.tell("venue.rules_changed", symbols=list(changed), hold_from="the next start")
