"""Laws of the paper venue over random markets, random orders and random deaths."""

import os
import signal
import subprocess
import sys
import tempfile
from collections import defaultdict
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from decimal import Decimal
from pathlib import Path
from typing import Any

import apsw
import msgspec
from hypothesis import given, settings
from hypothesis import strategies as st

from domain.market import MINUTE_MS, Bar, Instant, Instrument
from domain.money import ONE, ZERO
from domain.order import Fill, OrderType, Terms
from domain.venue import Answer, OrderSeen, Refused
from gateways.paper import PaperSettings, PaperVenue

D = Decimal
T0 = 1_000 * MINUTE_MS
MEMORY = Path("/dev/shm")
"""Where Linux keeps files in memory: a process's death loses none of them, and hundreds of books cost no disk."""
INSTRUMENTS = {
    f"{base}/USD": Instrument(f"{base}/USD", base, "USD", D("0.5"), D("0.1"), notional_min=D(5))
    for base in ("COIN", "BNB")
}
LEDGER = "SELECT at, asset, amount, trade_id FROM ledger ORDER BY at, trade_id, asset, amount"
DEPOSIT = {"USD": D(6_000), "COIN": D(15), "BNB": D("0.3")}


class Show(msgspec.Struct, frozen=True):
    at: Instant
    bars: tuple[Bar, ...]


class Submit(msgspec.Struct, frozen=True):
    terms: Terms


class Cancel(msgspec.Struct, frozen=True):
    client_id: str


class LookUp(msgspec.Struct, frozen=True):
    client_id: str


class Death(msgspec.Struct, frozen=True):
    """The venue dies at a call (counted round and round the script): before it, around its commit, or after it.

    Then the market comes back `back` bars before the newest that was shown.
    """

    call: int
    moment: str
    back: int


Call = Show | Submit | Cancel | LookUp
Script = list[Call]


class Killed(BaseException):
    """Stands for SIGKILL: nothing catches it, nothing is tidied up."""


@st.composite
def scripts(draw: st.DrawFn) -> Script:
    script: Script = []
    placed: list[str] = []
    middle = dict.fromkeys(INSTRUMENTS, 200)
    for nth in range(draw(st.integers(4, 9))):
        bars = []
        for symbol in INSTRUMENTS:
            middle[symbol] = max(20, middle[symbol] + draw(st.integers(-12, 12)))
            if draw(st.integers(0, 11)) < 11:  # else an outage
                bars.append(draw(some_bar(symbol, nth, middle[symbol])))
        script.append(Show(at=T0 + nth * MINUTE_MS, bars=tuple(bars)))
        for _ in range(draw(st.integers(1, 4))):
            what = draw(st.integers(0, 9))
            if what < 6 or not placed:
                placed.append(f"c{len(placed)}")
                script.append(Submit(draw(some_terms(placed[-1], middle, T0 + nth * MINUTE_MS))))
            elif what == 6:
                script.append(next(call for call in script if isinstance(call, Submit)))
            else:
                client_id = draw(st.sampled_from(placed))
                script.append(Cancel(client_id) if what < 9 else LookUp(client_id))
    return script


@st.composite
def some_bar(draw: st.DrawFn, symbol: str, nth: int, middle: int) -> Bar:
    prices = st.integers(middle - 10, middle + 10).map(lambda halves: D(halves) / 2)
    open_, close, low, high = draw(prices), draw(prices), draw(prices), draw(prices)
    low, high = min(low, high, open_, close), max(low, high, open_, close)
    volume = draw(st.sampled_from([D(300), D(40), D(5), D(0)]))
    closed_at = T0 + nth * MINUTE_MS
    return Bar(symbol, "1m", closed_at - MINUTE_MS, closed_at, open_, high, low, close, volume)


@st.composite
def some_terms(draw: st.DrawFn, client_id: str, middle: Mapping[str, int], at: Instant) -> Terms:
    symbol = draw(st.sampled_from(sorted(INSTRUMENTS)))
    kinds: list[OrderType] = ["market", "limit", "stop"]
    kind = draw(st.sampled_from(kinds))
    price = D(middle[symbol] + draw(st.integers(-8, 8))) / 2
    return Terms(
        client_id=client_id,
        strategy="s",
        symbol=symbol,
        side=draw(st.sampled_from(["buy", "sell"])),
        type=kind,
        quantity=D(draw(st.integers(1, 80))) / 10,
        leg="entry",
        limit_price=price if kind == "limit" else None,
        stop_price=price if kind == "stop" else None,
        valid_until=draw(st.sampled_from([0] * 6 + [at, at, at - 1])),
    )


some_settings = st.builds(
    PaperSettings,
    fee_asset=st.sampled_from(["quote", "received", "BNB"]),
    slippage_bps=st.sampled_from([D(0), D(30)]),
    latency_ms=st.sampled_from([0, 250, 40_000, 90_000]),
    participation=st.sampled_from([D("0.1"), D(1)]),
)
some_deaths = st.lists(
    st.builds(
        Death,
        call=st.integers(0, 400),
        moment=st.sampled_from(["before", "venue.before_book", "venue.after_book", "after"]),
        back=st.integers(0, 3),
    ),
    min_size=1,
    max_size=6,
)


class Node:
    """Makes a script's calls of a venue, and dies where it is told to."""

    def __init__(self, path: Path, terms: PaperSettings) -> None:
        self._path, self._terms = path, terms
        self._deadly = ""
        self.told: dict[Instant, list[tuple[str, tuple[Fill, ...]]]] = {}
        self.answers: list[Answer] = []
        self.venue = self._open()

    def run(self, script: Script, deaths: list[Death]) -> "Node":
        coming, place = list(deaths), 0
        while place < len(script):
            death = next((death for death in coming if death.call % len(script) == place), None)
            try:
                self._make(script[place], death.moment if death else "")
                place += 1
            except Killed:
                assert death is not None
                coming.remove(death)
                self.venue = self._open()
                place = _bars_back(script, place, death.back)
        return self

    def _open(self) -> PaperVenue:
        self._deadly = ""
        venue = PaperVenue.open(
            self._path, instruments=INSTRUMENTS, deposit=DEPOSIT, settings=self._terms, cue=self._cue
        )
        venue.watch(self._hear)
        self._at: Instant = 0
        return venue

    def _cue(self, name: str) -> None:
        if name == self._deadly:
            raise Killed

    def _hear(self, seen: OrderSeen) -> None:
        self.told[self._at].append((seen.client_id, seen.fills))

    def _make(self, call: Call, moment: str) -> None:
        if moment == "before":
            raise Killed
        self._deadly = moment
        match call:
            case Show(at, bars):
                self._at, self.told[at] = at, []
                self.venue.show(at, bars)
            case Submit(terms):
                self.venue.submit(terms, self.answers.append)
            case Cancel(client_id):
                self.venue.cancel(client_id, "", self.answers.append)
            case LookUp(client_id):
                self.venue.look_up(client_id, "", self.answers.append)
        if moment:
            raise Killed


def _bars_back(script: Script, place: int, back: int) -> int:
    shows = [index for index, call in enumerate(script[:place]) if isinstance(call, Show)]
    return shows[max(0, len(shows) - 1 - back)] if shows else 0


@contextmanager
def a_folder() -> Iterator[Path]:
    with tempfile.TemporaryDirectory(dir=MEMORY if MEMORY.is_dir() else None) as folder:
        yield Path(folder)


def visible(venue: PaperVenue, script: Script) -> dict[str, OrderSeen]:
    answers: list[Answer] = []
    for client_id in dict.fromkeys(call.terms.client_id for call in script if isinstance(call, Submit)):
        venue.look_up(client_id, "", answers.append)
    return {answer.client_id: answer for answer in answers if isinstance(answer, OrderSeen)}


def rows(path: Path, statement: str) -> list[tuple[Any, ...]]:
    with closing(apsw.Connection(str(path), flags=apsw.SQLITE_OPEN_READONLY)) as connection:
        return connection.execute(statement).fetchall()


@settings(max_examples=50, deadline=None)
@given(scripts(), some_settings, some_deaths)
def test_a_venue_killed_anywhere_and_shown_older_bars_ends_like_one_never_killed(
    script: Script, terms: PaperSettings, deaths: list[Death]
) -> None:
    with a_folder() as folder:
        spared = Node(folder / "spared.db", terms).run(script, [])
        killed = Node(folder / "killed.db", terms).run(script, deaths)

        assert visible(killed.venue, script) == visible(spared.venue, script)
        assert killed.venue.balances() == spared.venue.balances()
        assert killed.told == spared.told
        assert rows(folder / "killed.db", LEDGER) == rows(folder / "spared.db", LEDGER)
        spared.venue.close()
        killed.venue.close()


@settings(max_examples=30, deadline=None)
@given(scripts(), some_settings, st.integers(0, 8))
def test_a_new_life_sees_nothing_later_than_the_bar_it_was_shown(
    script: Script, terms: PaperSettings, nth: int
) -> None:
    shows = [index for index, call in enumerate(script) if isinstance(call, Show)]
    nth = min(nth, len(shows) - 1)
    then = script[: ([*shows, len(script)])[nth + 1]]
    with a_folder() as folder:
        spared = Node(folder / "then.db", terms).run(then, [])
        full = Node(folder / "venue.db", terms).run(script, [])
        rejected = {client_id for client_id, seen in visible(full.venue, script).items() if seen.state == "rejected"}
        full.venue.close()
        again = Node(folder / "venue.db", terms).run([script[shows[nth]]], [])

        expected = visible(spared.venue, then)
        found = visible(again.venue, script)
        assert {client_id: found[client_id] for client_id in expected} == expected
        for client_id in found.keys() - expected.keys():
            state = "rejected" if client_id in rejected else "accepted"
            assert (found[client_id].state, found[client_id].fills) == (state, ())
        assert again.venue.balances() == spared.venue.balances()
        spared.venue.close()
        again.venue.close()


@settings(max_examples=40, deadline=None)
@given(scripts(), some_settings, st.data())
def test_a_cancel_in_an_older_market_ends_as_if_later_bars_had_not_been_shown(
    script: Script, terms: PaperSettings, data: st.DataObject
) -> None:
    shows = [index for index, call in enumerate(script) if isinstance(call, Show)]
    nth = data.draw(st.integers(0, len(shows) - 2))
    then, later = script[: shows[nth + 1]], [script[index] for index in shows[nth + 1 :]]
    placed = [call.terms.client_id for call in then if isinstance(call, Submit)]
    cancel = Cancel(data.draw(st.sampled_from(placed)))
    with a_folder() as folder:
        Node(folder / "ahead.db", terms).run([*then, *later], []).venue.close()
        ahead = Node(folder / "ahead.db", terms).run([script[shows[nth]], cancel, *later], [])
        spared = Node(folder / "spared.db", terms).run([*then, cancel, *later], [])

        assert visible(ahead.venue, script) == visible(spared.venue, script)
        assert ahead.venue.balances() == spared.venue.balances()
        for statement in (LEDGER, "SELECT * FROM orders", "SELECT * FROM trades"):
            assert rows(folder / "ahead.db", statement) == rows(folder / "spared.db", statement)
        ahead.venue.close()
        spared.venue.close()


@settings(max_examples=30, deadline=None)
@given(scripts(), some_settings)
def test_bars_shown_again_change_no_byte_of_the_book_and_tell_the_same(script: Script, terms: PaperSettings) -> None:
    shows: Script = [call for call in script if isinstance(call, Show)]
    with a_folder() as folder:
        node = Node(folder / "venue.db", terms).run(script, [])
        told = {at: list(reports) for at, reports in node.told.items()}
        node.venue.close()
        before = (folder / "venue.db").read_bytes()
        again = Node(folder / "venue.db", terms).run(shows, [])
        again.run(shows[-1:], [])
        again.venue.close()

        assert again.told == told
        assert (folder / "venue.db").read_bytes() == before


@settings(max_examples=30, deadline=None)
@given(scripts(), some_settings)
def test_money_is_neither_made_nor_lost_and_nothing_goes_below_zero(script: Script, terms: PaperSettings) -> None:
    with a_folder() as folder:
        node = Node(folder / "venue.db", terms).run(script, [])
        fills = [fill for seen in visible(node.venue, script).values() for fill in seen.fills]
        expected = defaultdict(Decimal, DEPOSIT)
        for fill in fills:
            sign = 1 if fill.side == "buy" else -1
            expected[INSTRUMENTS[fill.symbol].base] += sign * fill.quantity
            expected["USD"] -= sign * fill.quantity * fill.price
            expected[fill.fee.asset] -= fill.fee.amount
        balances = node.venue.balances()
        ledger: dict[str, Decimal] = defaultdict(Decimal)
        least: dict[str, Decimal] = defaultdict(Decimal)
        for asset, amount in rows(folder / "venue.db", "SELECT asset, amount FROM ledger ORDER BY at, number"):
            ledger[asset] += D(amount)
            least[asset] = min(least[asset], ledger[asset])
        held: dict[str, Decimal] = defaultdict(Decimal)
        for asset, amount in rows(
            folder / "venue.db", "SELECT lock_asset, lock_amount FROM orders WHERE final_at IS NULL"
        ):
            held[asset] += D(amount)
        taken = (
            "SELECT lock_asset, taken_from_lock FROM trades JOIN orders ON number = order_number WHERE final_at IS NULL"
        )
        for asset, amount in rows(folder / "venue.db", taken):
            held[asset] -= D(amount)
        node.venue.close()

        assert balances == {asset: amount for asset, amount in expected.items() if amount}
        assert balances == {asset: amount for asset, amount in ledger.items() if amount}
        assert set(least.values()) <= {ZERO}
        assert all(balances.get(asset, ZERO) >= amount >= 0 for asset, amount in held.items())


@settings(max_examples=30, deadline=None)
@given(scripts(), some_settings)
def test_trades_stay_within_their_order_their_bar_and_their_share_of_its_volume(
    script: Script, terms: PaperSettings
) -> None:
    bars = {(bar.symbol, bar.closed_at): bar for call in script if isinstance(call, Show) for bar in call.bars}
    orders = {call.terms.client_id: call.terms for call in script if isinstance(call, Submit)}
    with a_folder() as folder:
        node = Node(folder / "venue.db", terms).run(script, [])
        shown_at = {
            f"p{number}-{nth}": at
            for number, nth, at in rows(folder / "venue.db", "SELECT order_number, nth, shown_at FROM trades")
        }
        seen = visible(node.venue, script)
        node.venue.close()

    taken: dict[tuple[str, Instant], Decimal] = defaultdict(Decimal)
    for client_id, order in seen.items():
        total = sum((fill.quantity for fill in order.fills), ZERO)
        assert total <= orders[client_id].quantity
        assert (total == orders[client_id].quantity) == (order.state == "filled")
        for fill in order.fills:
            bar = bars[fill.symbol, shown_at[fill.trade_id]]
            taken[bar.symbol, bar.closed_at] += fill.quantity
            assert_price_is_of_bar(fill, orders[client_id], bar, terms)
    assert all(quantity <= bars[key].volume * terms.participation for key, quantity in taken.items())


def assert_price_is_of_bar(fill: Fill, order: Terms, bar: Bar, terms: PaperSettings) -> None:
    tick, slip = INSTRUMENTS[fill.symbol].tick, terms.slippage if fill.liquidity == "taker" else ZERO
    assert bar.opened_at <= fill.at <= bar.closed_at
    assert fill.price % tick == 0
    assert fill.fee.amount >= 0
    if fill.side == "buy":
        assert bar.low <= fill.price < bar.high * (ONE + slip) + tick
        assert order.limit_price is None or fill.price <= order.limit_price
        assert order.stop_price is None or fill.price * (ONE + slip) >= bar.low
    else:
        assert bar.low * (ONE - slip) - tick < fill.price <= bar.high
        assert order.limit_price is None or fill.price >= order.limit_price


COMMITS = 7
"""How many of them the process below makes: four orders, and three bars that trade."""
PROCESS = """
import os, signal, sys
from decimal import Decimal as D
from domain.market import MINUTE_MS, Bar, Instrument
from domain.order import Terms
from gateways.paper import PaperSettings, PaperVenue

left = int(sys.argv[2])

def cue(name):
    global left
    left -= 1
    if left == 0:
        os.kill(os.getpid(), signal.SIGKILL)

venue = PaperVenue.open(
    sys.argv[1],
    instruments={"COIN/USD": Instrument("COIN/USD", "COIN", "USD", D("0.1"), D("0.1"))},
    deposit={"USD": D(100000)}, settings=PaperSettings(), cue=cue,
)
for nth in range(4):
    bar = Bar("COIN/USD", "1m", nth * MINUTE_MS, (nth + 1) * MINUTE_MS, D(100), D(101), D(99), D(100), D(50 + nth))
    venue.show(bar.closed_at, [bar])
    terms = Terms(f"c{nth}", "s", "COIN/USD", "buy", "market", D(6), "entry")
    venue.submit(terms, lambda answer: None)
print(sorted(venue.balances().items()))
"""


def run_in_a_process(path: Path, kill_at: int) -> subprocess.CompletedProcess[str]:
    environment = os.environ | {"PYTHONPATH": str(Path(__file__).parents[2])}
    command = [sys.executable, "-c", PROCESS, str(path), str(kill_at)]
    return subprocess.run(command, env=environment, capture_output=True, text=True, timeout=60, check=False)


def test_a_process_killed_for_real_around_every_commit_ends_like_one_never_killed() -> None:
    with a_folder() as folder:
        spared = run_in_a_process(folder / "spared.db", 0)
        lives = [run_in_a_process(folder / "killed.db", kill_at) for kill_at in (1, 2) * COMMITS]
        survived = run_in_a_process(folder / "killed.db", 0)

    assert spared.returncode == 0, spared.stderr
    assert [life.returncode for life in lives] == [-signal.SIGKILL] * 2 * COMMITS
    assert survived.stdout == spared.stdout != ""


def test_a_refused_order_stays_refused_in_a_later_life() -> None:
    script: Script = [Show(T0, ())]
    order = Terms("c0", "s", "COIN/USD", "sell", "market", D(99), "exit")
    with a_folder() as folder:
        first = Node(folder / "venue.db", PaperSettings()).run([*script, Submit(order)], [])
        again = Node(folder / "venue.db", PaperSettings()).run([*script, LookUp("c0")], [])
        first.venue.close()
        again.venue.close()

    (refused,), (seen,) = first.answers, again.answers
    assert isinstance(refused, Refused)
    assert isinstance(seen, OrderSeen)
    assert (seen.state, seen.code) == ("rejected", refused.code)
