"""A connection to one venue: its client, its pace and its clock, on the one thread that owns them."""

from collections.abc import Callable, Coroutine
from typing import Any

from gateways.live.client import Client
from gateways.live.clock import VenueClock
from gateways.live.dialect import Dialect, Unreadable
from gateways.live.requests import Requests
from gateways.live.thread import IoThread
from gateways.live.wire import Call, Lost, Outcome, Received

OPEN_WITHIN_S = 60.0
ANSWER_WITHIN_S = 10.0
CLOCK_WITHIN_S = 10.0


class VenueSilent(OSError):
    """The venue did not answer what has to be known before anything can begin."""


class KeysRefused(VenueSilent):
    """The venue refused the account's key, its secret or what they permit."""


def silent(event: str, **values: Any) -> None:
    """Say nothing."""


class Connection:
    """Opened once, and shared by all that speak to the venue."""

    def __init__(
        self,
        dialect: Dialect,
        settings: dict[str, Any],
        *,
        tell: Callable[..., None] = silent,
        answer_within_s: float = ANSWER_WITHIN_S,
        on_pause: Callable[[float], None] = lambda seconds: None,
    ) -> None:
        """Open the client, which takes the seconds that it takes to import ccxt.

        `settings` are ccxt's, keys included.  `tell(event, **values)` hears what a person may want to know; `on_pause`
        for how many seconds the venue wants to be left alone, on the connection's thread.

        Raises:
            ValueError: ccxt knows no such exchange, or a URL would send keys in the clear.
        """
        self.dialect = dialect
        self.tell = tell
        self._on_pause = on_pause
        self.client = Client(
            dialect.exchange_id, _merged(dialect.settings(), settings), answer_within_s=answer_within_s
        )
        self.thread = IoThread("venue", on_error=lambda why: tell("venue.error", why=why))
        self.requests: Requests = self.thread.wait(self._open(), OPEN_WITHIN_S)

    @property
    def clock(self) -> VenueClock:
        """Return the venue's clock."""
        return self.requests.clock

    @property
    def is_open(self) -> bool:
        """Say whether anything can be asked yet."""
        return self.thread.is_alive

    def begin(self, work: Callable[[], Coroutine[Any, Any, None]]) -> bool:
        """Have something done on the connection's thread; say False where it is closed."""
        return self.thread.begin(work)

    def ask(self, call: Call) -> Received:
        """Ask from another thread, and wait for the answer.

        Raises:
            KeysRefused: the venue refuses the keys.
            VenueSilent: there is none, or it is another error that the venue has named.
        """
        try:
            outcome: Outcome = self.thread.wait(self.requests.send(call), OPEN_WITHIN_S)
        except (TimeoutError, RuntimeError) as failure:
            raise VenueSilent(f"{call.path} must be answered within {OPEN_WITHIN_S} s, was not") from failure
        if isinstance(outcome, Lost):
            raise VenueSilent(f"{call.path} must be answered, found {outcome.detail}")
        if (error := self.dialect.error_in(outcome)) is not None:
            if error.blames_keys:
                raise KeysRefused(f"code {error.code} from {call.path}: {error.message}")
            raise VenueSilent(f"{call.path} must be answered, found code {error.code}: {error.message}")
        return outcome

    def know_the_time(self) -> None:
        """Wait until the venue's clock is known.

        Raises:
            VenueSilent: it does not tell its time, or in no way that can be read.
        """
        try:
            if not self.thread.wait(self.requests.measure(), CLOCK_WITHIN_S):
                raise VenueSilent(f"the venue must tell its time, found {self.requests.no_time_because}")
        except (TimeoutError, Unreadable) as error:
            raise VenueSilent(f"the venue must tell its time within {CLOCK_WITHIN_S} s, did not") from error

    def close(self) -> None:
        """End streams, connections and the thread."""
        if self.thread.is_alive:
            try:
                self.thread.wait(self.client.close(), OPEN_WITHIN_S)
            finally:
                self.thread.close()

    async def _open(self) -> Requests:
        await self.client.open()
        requests = Requests(self.dialect, self.client, tell=self.tell, on_pause=self._on_pause)
        self.thread.begin(requests.keep_time)
        return requests


def _merged(first: Any, second: Any) -> dict[str, Any]:
    """Return both, folders of settings merged, the second one's values going first."""
    merged = dict(first)
    for name, value in second.items():
        both = isinstance(value, dict) and isinstance(merged.get(name), dict)
        merged[name] = _merged(merged[name], value) if both else value
    return merged
