"""An account at a venue, asked for as a whole: what it holds, and every open order on it."""

from domain.venue import AccountAnswer, AccountSeen, OpenOrder, Unproven
from gateways.live import outcome
from gateways.live.dialect import Dialect, Unreadable
from gateways.live.requests import Requests
from gateways.live.wire import Call, Received

PAGES_MAX = 50
"""More pages of open orders than this are no answer."""


class _Failed(Exception):
    """A question was not answered by anything that proves something."""

    def __init__(self, why: Unproven) -> None:
        super().__init__(why.detail)
        self.why = why


class Account:
    """Asks for it, and says what the answers prove: all of it, or nothing."""

    def __init__(self, dialect: Dialect, requests: Requests) -> None:
        self._dialect = dialect
        self._requests = requests

    async def tell(self) -> AccountAnswer:
        """Ask for open orders first, and for balances then."""
        try:
            orders = await self._open_orders()
            received = await self._ask(self._dialect.balances())
            try:
                return AccountSeen(dict(self._dialect.read_balances(received)), tuple(orders))
            except Unreadable as problem:
                return outcome.unproven("", received, str(problem))
        except _Failed as failed:
            return failed.why

    async def _open_orders(self) -> list[OpenOrder]:
        found: list[OpenOrder] = []
        after = ""
        for _page in range(PAGES_MAX):
            received = await self._ask(self._dialect.open_orders(after))
            try:
                orders, after = self._dialect.read_open_orders(received)
            except Unreadable as problem:
                raise _Failed(outcome.unproven("", received, str(problem))) from problem
            found += orders
            if not after:
                return found
        raise _Failed(Unproven("", f"more than {PAGES_MAX} pages of open orders"))

    async def _ask(self, call: Call) -> Received:
        sent = await self._requests.send(call)
        if not isinstance(sent, Received):
            raise _Failed(outcome.unproven("", sent))
        if (error := self._dialect.error_in(sent)) is not None:
            raise _Failed(outcome.unproven("", sent, f"code {error.code}: {error.message}"))
        return sent
