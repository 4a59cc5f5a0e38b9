"""Bugs of a live gateway and of the verdict, put in on purpose: a torture that does not find each proves nothing.

    python -m tests.endurance.gateway_mutants [NAME ...]

looks for all of them, or for those that are named; exit code 1 where one is not found, or something is found in a node
that does not have it.
"""

import sys
import tempfile
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from decimal import Decimal
from pathlib import Path
from typing import Any

import msgspec

from actors import executor, reconciler
from domain.money import Money
from domain.order import Terms
from domain.venue import OrderSeen, Refused
from gateways.live import client, outcome
from gateways.live.binance import Binance
from gateways.live.dialect import Shown
from gateways.live.orders import Orders
from gateways.live.venue import LiveVenue
from gateways.live.wire import Lost, Received
from holdfast.torture.run import run_torture
from holdfast.torture.wanted import SCENARIO, TAKES_IN, Wanted
from messages.reconciliation import Reconciled

SEEDS_MAX = 6
KILLS = 12
AT_A_TIME = 3
SETTLE_WITHIN_S = 30.0
CREATE = 'where = "order.create", probability = 0.3'
STRANGER = '{ kind = "deposit", asset = "USDT", amount = "250", begin_s = 3, every_s = 4 }'
FOCUS: dict[str, str] = {
    "redirects_are_followed": f'{{ kind = "redirect", strike = "after", {CREATE} }}',
    "an_answer_without_an_id_is_an_acknowledgement": f'{{ kind = "braces", strike = "before", {CREATE} }}',
    "what_has_no_answer_is_sent_again": f'{{ kind = "reset", strike = "after", {CREATE} }}',
    "an_exception_is_taken_for_a_rejection": f'{{ kind = "reset", strike = "after", {CREATE} }}',
    "one_negative_answer_proves_absence": f'{{ kind = "hidden", seconds = [3.0, 4.5], {CREATE} }}, '
    f'{{ kind = "reset", strike = "after", {CREATE} }}',
    "the_venue_is_told_no_deadline": f'{{ kind = "stuck", strike = "before", seconds = [6.0, 12.0], {CREATE} }}',
    "the_first_trade_is_passed_over": f'{{ kind = "partial", {CREATE} }}, '
    f'{{ kind = "reset", strike = "after", {CREATE} }}',
    "a_duplicate_is_taken_for_a_rejection": f'{{ kind = "duplicate", {CREATE} }}',
    "a_cancel_without_an_answer_is_done": '{ kind = "reset", strike = "before", where = "order.cancel", every = 2 }',
    "a_verdict_names_nothing": STRANGER,
    "a_verdict_takes_in_what_it_does_not_name": STRANGER,
}
"""What the exchange lies about more often, for the bugs that only rare lies would show."""
BOUNDS: dict[str, tuple[str, ...]] = {
    "one_negative_answer_proves_absence": ("venue.visibility_lag_s=5",),
    "a_verdict_names_nothing": TAKES_IN,
    "a_verdict_takes_in_what_it_does_not_name": TAKES_IN,
}
"""What the node must know of that, lest the lie be one that the venue may not tell."""


def an_exception_is_taken_for_a_rejection() -> None:
    """No answer counts as a refusal."""
    of_placing = outcome.of_placing

    def mutated(dialect: Any, client_id: str, found: Any) -> Any:
        return (
            Refused(client_id, "LOST", "no answer")
            if isinstance(found, Lost)
            else of_placing(dialect, client_id, found)
        )

    outcome.of_placing = mutated  # type: ignore[assignment]


def redirects_are_followed() -> None:
    """A request goes wherever it is sent on to."""
    client._NoRedirects = _as_it_is  # type: ignore[assignment,misc]


def _as_it_is(session: Any) -> Any:
    return session


def an_answer_without_an_id_is_an_acknowledgement() -> None:
    """Whatever comes with status 200 means that the order was taken."""
    of_placing = outcome.of_placing

    def mutated(dialect: Any, client_id: str, found: Any) -> Any:
        said = of_placing(dialect, client_id, found)
        if isinstance(found, Received) and found.status == 200 and not hasattr(said, "venue_id"):
            return Shown(client_id, "0", "accepted", "0")
        return said

    outcome.of_placing = mutated  # type: ignore[assignment]


def what_has_no_answer_is_sent_again() -> None:
    """An order without an answer is sent once more."""
    place = Orders.place

    async def mutated(self: Orders, terms: Any) -> Any:
        found = await place(self, terms)
        return found if isinstance(found, OrderSeen | Refused) else await place(self, terms)

    Orders.place = mutated  # type: ignore[method-assign]


def one_negative_answer_proves_absence() -> None:
    """What was not found once never was."""
    executor.may_still_turn_up = lambda terms, *, now, profile, is_vouched_for=False: False  # type: ignore[attr-defined]
    executor.absence_is_proven = lambda negatives, profile: negatives >= 1  # type: ignore[attr-defined]


def the_venue_is_told_no_deadline() -> None:
    """An order may arrive whenever it likes."""
    place = Binance.place

    def mutated(self: Binance, terms: Any, *, good_for_ms: int) -> Any:
        call = place(self, terms, good_for_ms=good_for_ms)
        return msgspec.structs.replace(call, params={**call.params, "recvWindow": "60000"})

    Binance.place = mutated  # type: ignore[method-assign]


def the_first_trade_is_passed_over() -> None:
    """An order's trades are read from the second on, and nobody adds them up."""
    read_trades = Binance.read_trades

    def mutated(self: Binance, received: Any, shown: Any, symbol: str) -> Any:
        fills, may_be_more = read_trades(self, received, shown, symbol)
        return fills[1:], may_be_more

    Binance.read_trades = mutated  # type: ignore[method-assign]
    outcome.seen_with = lambda shown: OrderSeen(shown.client_id, shown.venue_id, shown.state, shown.fills or ())


def fees_are_forgotten() -> None:
    """A trade costs nothing."""
    from gateways.live import binance, binance_rows

    trade = binance_rows.fill_of

    def mutated(*given: Any) -> Any:
        fill = trade(*given)
        return msgspec.structs.replace(fill, fee=Money(Decimal(0), fill.fee.asset))

    # Both modules have the name.
    vars(binance)["fill_of"] = vars(binance_rows)["fill_of"] = mutated


def a_duplicate_is_taken_for_a_rejection() -> None:
    """That an order exists already means that it was refused."""
    of_placing = outcome.of_placing

    def mutated(dialect: Any, client_id: str, found: Any) -> Any:
        said = of_placing(dialect, client_id, found)
        return Refused(client_id, "-2010", "duplicate") if said == "exists" else said

    outcome.of_placing = mutated  # type: ignore[assignment]


def a_cancel_without_an_answer_is_done() -> None:
    """An order that was to be cancelled is cancelled."""

    async def mutated(self: Orders, client_id: str, symbol: str) -> Any:
        await self._requests.send(self._dialect.cancel(client_id, symbol)[0])
        return OrderSeen(client_id, "0", "canceled")

    Orders.cancel = mutated  # type: ignore[method-assign]


def a_verdict_names_nothing() -> None:
    """Whatever the account has, the books are right."""
    compare = vars(reconciler)["compare"]

    def mutated(*given: Any, **more: Any) -> Any:
        return msgspec.structs.replace(compare(*given, **more), findings=())

    vars(reconciler)["compare"] = mutated


def a_verdict_takes_in_what_it_does_not_name() -> None:
    """What somebody else did is taken into the books, and nobody is told."""
    record = reconciler.Reconciler.record

    def mutated(self: Any, event: Any, **more: Any) -> None:
        silenced = msgspec.structs.replace(event, findings=()) if isinstance(event, Reconciled) else event
        record(self, silenced, **more)

    reconciler.Reconciler.record = mutated  # type: ignore[method-assign]


def an_order_is_sent_at_the_end() -> None:
    """A node that ends in order buys once more, and writes nothing of it down."""
    close = LiveVenue.close

    def mutated(self: LiveVenue) -> None:
        is_answered, now = threading.Event(), self._connection.clock.now_ms()
        symbol, quantity, until = "BTCUSDT", Decimal("0.01"), now + 3_000
        terms = Terms("h01zzzz0000e00", "hasty", symbol, "buy", "market", quantity, "entry", valid_until=until)
        self.submit(terms, lambda answer: is_answered.set())
        is_answered.wait(5.0)
        close(self)

    LiveVenue.close = mutated  # type: ignore[method-assign]


MUTANTS: tuple[Callable[[], None], ...] = (
    an_exception_is_taken_for_a_rejection,
    redirects_are_followed,
    an_answer_without_an_id_is_an_acknowledgement,
    what_has_no_answer_is_sent_again,
    one_negative_answer_proves_absence,
    the_venue_is_told_no_deadline,
    the_first_trade_is_passed_over,
    fees_are_forgotten,
    a_duplicate_is_taken_for_a_rejection,
    a_cancel_without_an_answer_is_done,
    a_verdict_names_nothing,
    a_verdict_takes_in_what_it_does_not_name,
    an_order_is_sent_at_the_end,
)


def nothing_at_all() -> None:
    """Put no bug in: what a torture finds then, the lies alone have done."""


def hunt(name: str) -> str:
    """Return the first violation that a torture of a node with this bug finds; nothing where none does."""
    for seed in range(SEEDS_MAX):
        if violations := torture(name, FOCUS.get(name, ""), BOUNDS.get(name, ()), seed):
            return violations[0]
    return ""


def acquit(name: str) -> str:
    """Return what a torture finds under the lies that a bug is hunted with, where the node does not have it."""
    return "; ".join(torture(nothing_at_all.__name__, FOCUS.get(name, ""), BOUNDS.get(name, ()), seed=0))


def torture(bug: str, lies: str, bounds: tuple[str, ...], seed: int) -> list[str]:
    """Torture a node with a bug at an exchange that tells some more lies; return all violations."""
    program = (sys.executable, "-m", "tests.endurance.mutated", bug)
    with tempfile.TemporaryDirectory() as folder:
        scenario = Path(folder) / "scenario.toml"
        scenario.write_text(SCENARIO.read_text().rstrip().removesuffix("]") + (f"{lies},\n]" if lies else "]"))
        wanted = Wanted(
            kills=KILLS,
            real=0,
            seed=seed,
            settle_within_s=SETTLE_WITHIN_S,
            keep=Path(folder) / "kept",
            program=program,
            warm=(*program, "--warm"),
            scenario=scenario,
            overrides=bounds,
        )
        return run_torture(wanted, show=lambda kills, violations: None).violations


def main() -> int:
    """Hunt some at a time, and print what was found."""
    names = sys.argv[1:] or [mutant.__name__ for mutant in MUTANTS]
    began = time.monotonic()
    with ThreadPoolExecutor(AT_A_TIME) as pool:
        hunts = {name: (pool.submit(hunt, name), pool.submit(acquit, name)) for name in names}
        good = 0
        for name, (hunted, acquitted) in hunts.items():
            found, wrongly = hunted.result(), acquitted.result()
            good += bool(found) and not wrongly
            verdict = "MISSED" if not found else "WRONG " if wrongly else "found "
            print(f"{verdict}  {name}  {found}{'; without it: ' if wrongly else ''}{wrongly}", flush=True)
    print(f"{good} of {len(names)} found in {time.monotonic() - began:.0f} s, and nothing where there is no bug")
    return 0 if good == len(names) else 1


if __name__ == "__main__":
    sys.exit(main())
