"""A node's side of a real venue: one connection, for orders, bars, rules and the account."""

import secrets
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any, TypeVar

import msgspec

from domain.market import SECOND_MS, Instant, Instrument
from domain.order import DIGITS, NAMESPACE_LENGTH
from domain.venue import VenueProfile
from gateways.exchange.pointing import POINTED
from gateways.live.binance import Binance
from gateways.live.bybit import Bybit
from gateways.live.connection import Connection, KeysRefused, VenueSilent
from gateways.live.dialect import Dialect, Unreadable
from gateways.live.kept import VenueFile
from gateways.live.keys import may_withdraw
from gateways.live.market import SETTLE_MS, LiveMarket
from gateways.live.rules import LOOK_EVERY_S, RulesWatch
from gateways.live.venue import LiveVenue
from holdfast.config.instruments import instrument_for
from holdfast.config.problems import ConfigurationError, Problem, nearest
from holdfast.config.settings import InstrumentRules, Settings
from holdfast.config.settings import Venue as VenueSettings
from holdfast.feeding import LIVE_TIMEFRAME
from holdfast.imports.opening import Opening, files_for
from holdfast.parts import Parts, gather

DIALECTS: dict[str, type[Dialect]] = {"binance": Binance, "bybit": Bybit}
PAUSES_S = (1.0, 2.0)
"""Between the attempts to ask what has to be known at a start."""
HELD_S_MAX = 30.0
"""The longest that a start waits for a venue that has asked to be left alone."""
Value = TypeVar("Value")
NO_RULES: Mapping[str, InstrumentRules] = {}
REFUSED, NOBODY_THERE = ConnectionRefusedError.__name__, "nothing listens there; is the exchange running?"


@contextmanager
def reaching(settings: Settings) -> Iterator[None]:
    """Name the venue where it does not answer a node that starts.

    Raises:
        ConfigurationError: it refuses the keys, which no other attempt would change.
        VenueSilent: it does not answer.
    """
    place = settings.venue.place
    try:
        yield
    except KeysRefused as error:
        problem = Problem("venue.credentials", f"keys that {place} takes", str(error), place)
        raise ConfigurationError([problem]) from error
    except VenueSilent as error:
        why = NOBODY_THERE if REFUSED in str(error) else error
        raise VenueSilent(f"{place} must answer before a node can start: {why}") from error


def ccxt_settings_of(venue: VenueSettings) -> dict[str, Any]:
    """Return what ccxt's client of a real venue is made with, keys included."""
    key, secret = venue.credentials.api_key, venue.credentials.api_secret
    assert key is not None and secret is not None, "a configuration without keys must have been refused"
    if venue.url:
        return POINTED[venue.kind](venue.url, venue.url.replace("http", "ws", 1), key.reveal(), secret.reveal())
    # ccxt's own switch from a house's own place to the one that it runs for tests.
    return {"apiKey": key.reveal(), "secret": secret.reveal(), "options": {"sandbox": venue.testnet}}


class LiveSide:
    """Open from the start of a process to its end."""

    def __init__(
        self, settings: Settings, home: Path, *, tell: Callable[..., None], look_every_s: float = LOOK_EVERY_S
    ) -> None:
        """Connect, and learn the venue's time; what is known of the venue from earlier lives is in the home.

        `look_every_s` is how often its rules are asked for again.

        Raises:
            VenueSilent: the venue does not answer, or has asked to be left alone for longer than a start may wait.
        """
        given = settings.venue
        self._file = VenueFile(home, given.place)
        self._tell = tell
        self._look_every_s = look_every_s
        self._wait_until_it_may_be_asked()
        self._settings = settings
        self._connection = Connection(
            DIALECTS[given.kind](), ccxt_settings_of(given), tell=tell, on_pause=self._keep_pause
        )
        try:
            self._patiently(self._connection.know_the_time)
        except VenueSilent:
            self._connection.close()
            raise
        self.venue = LiveVenue(self._connection)

    @property
    def now_ms(self) -> Callable[[], int]:
        """Return what tells the venue's time."""
        return self._connection.clock.now_ms

    @property
    def library(self) -> str:
        """Return what speaks to the venue, and its version."""
        return self._connection.client.library

    def demand_trading_only(self) -> None:
        """Refuse a key with which money could leave the account; where the venue does not tell, warn.

        Raises:
            ConfigurationError: the key permits withdrawals, and the configuration does not say that it may.
            KeysRefused: the venue refuses the key.
            VenueSilent: it has asked to be left alone for longer than a start may wait.
        """
        given = self._settings.venue
        if given.allow_withdrawals:
            return
        why = "it does not serve the question"
        try:
            may = self._patiently(lambda: may_withdraw(self._connection))
        except KeysRefused:
            raise
        except VenueSilent as error:
            self._wait_until_it_may_be_asked()
            may, why = None, str(error)
        if may is None:
            self._tell("venue.key_permissions_unknown", why=why)
        if may:
            expected = "true where the key permits withdrawals, or a key that does not"
            raise ConfigurationError([Problem("venue.allow_withdrawals", expected, "false", given.place)])

    def parts(
        self, folder: Path, opened: tuple[str, Instant] | None, rules: Mapping[str, InstrumentRules] = NO_RULES
    ) -> Parts:
        """Return the parts of a node, its instruments with the venue's own rules.

        `opened` is what the journal has of the market: its description, and the first instant that could be traded.
        `rules` is what it has of symbols: one that the venue has not got any more rests, while others are traded.

        Raises:
            ConfigurationError: a symbol was never there, or none is, or something the configuration names is not there.
            VenueSilent: the venue does not answer.
        """
        feed = self._settings.feed
        settings, traded = self._with_rules(rules)
        watch = RulesWatch(self._connection, feed.symbols, keep=self._keep_rules, every_s=self._look_every_s)
        self._connection.begin(watch.look)
        closed_by = self._connection.clock.surely_ms() - SETTLE_MS
        market = self._market(traded, closed_by)
        if opened is not None and opened[0] == market.describe():
            market = self._market(traded, opened[1])
        parts = gather(settings, folder=folder, source=market, profile=self._profile(), known=feed.symbols)
        return msgspec.structs.replace(parts, instruments_given=self._settings.instruments)

    def opening(self, parts: Parts, home: Path) -> Opening:
        """Return what the account of a new home is opened with: what the venue says it holds.

        Raises:
            ConfigurationError: the state of another program is to be taken over.
            VenueSilent: the venue does not answer.
        """
        if files := files_for(parts.settings, home):
            expected = "no state to take over: an account at a real venue is opened with what it holds there"
            raise ConfigurationError([Problem("import.path", expected, str(files[0]), str(home))])
        dialect, ask = self._connection.dialect, self._connection.ask
        held = self._patiently(lambda: dialect.read_balances(ask(dialect.balances())))
        known = {asset for each in parts.shape.instruments.values() for asset in (each.base, each.quote)}
        cash = {asset: amount for asset, amount in held.items() if asset in known}
        return Opening(cash=cash or _nothing(parts), namespace=_new_namespace())

    def close(self) -> None:
        """End the connection."""
        self._connection.close()

    def _market(self, symbols: Sequence[str], starts_at: Instant) -> LiveMarket:
        feed = self._settings.feed
        return LiveMarket(
            self._connection,
            symbols=symbols,
            timeframe=feed.timeframe or LIVE_TIMEFRAME,
            frames=feed.frames,
            warmup_bars=feed.warmup_bars,
            starts_at=starts_at,
        )

    def _profile(self) -> VenueProfile:
        given = self._settings.venue
        return msgspec.structs.replace(
            self._connection.dialect.profile,
            skew_ms=int(given.skew_s * SECOND_MS),
            visibility_lag_ms=int(given.visibility_lag_s * SECOND_MS),
        )

    def _keep_pause(self, seconds: float) -> None:
        self._file.hold(seconds, _wall_ms())

    def _wait_until_it_may_be_asked(self) -> None:
        """Wait out a pause that the venue asked for, be it in an earlier life: who asks within a ban makes it longer.

        Raises:
            VenueSilent: it lasts for longer than a start may wait.
        """
        now_ms = _wall_ms()
        held_s = self._file.held_for_s(now_ms)
        if held_s > HELD_S_MAX:
            until = datetime.fromtimestamp(now_ms / SECOND_MS + held_s, UTC)
            raise VenueSilent(f"it has asked to be left alone until {until:%Y-%m-%d %H:%M:%S} UTC")
        if held_s:
            self._tell("venue.asks_for_a_pause", seconds=held_s)
            time.sleep(held_s)

    def _patiently(self, ask: Callable[[], Value]) -> Value:
        """Return what the venue answers; a lost answer or two end no start.

        Raises:
            KeysRefused: it refuses the keys.
            VenueSilent: it does not answer, or nothing that can be read.
        """
        for pause_s in PAUSES_S:
            try:
                return ask()
            except KeysRefused:
                raise
            except (VenueSilent, Unreadable):
                self._wait_until_it_may_be_asked()
                time.sleep(pause_s)
        try:
            return ask()
        except Unreadable as error:
            raise VenueSilent(f"the venue's answer cannot be read: {error}") from error

    def _rules(self, symbols: Sequence[str]) -> Mapping[str, Instrument]:
        """Return the venue's rules; those of an earlier life where it does not tell them now.

        Raises:
            VenueSilent: it does not, and they are not known.
        """
        dialect, ask, tell = self._connection.dialect, self._connection.ask, self._tell
        try:
            told = self._patiently(lambda: dialect.read_rules(ask(dialect.rules()), symbols))
        except VenueSilent as error:
            if (kept := self._file.rules_of(symbols)) is None:
                raise
            tell("venue.rules_are_old", told_at=kept[1], why=str(error))
            return kept[0]
        if changed := self._keep_rules(told):
            tell("venue.rules_changed", symbols=changed)
        return told

    def _unlisted(self, strange: Sequence[str]) -> Problem:
        """Return the mistake that the venue has no such symbols, and which of its own were probably meant."""
        dialect, ask = self._connection.dialect, self._connection.ask
        try:
            listed = dialect.read_symbols(ask(dialect.rules()))
        except (VenueSilent, Unreadable):
            listed = ()  # The mistake is one without a hint too.
        meant = [near for symbol in strange if (near := nearest(symbol, listed))]
        hint = f"did you mean {', '.join(meant)}?" if meant else ""
        expected = f"symbols that {self._settings.venue.kind} has"
        return Problem("feed.symbols", expected, ", ".join(strange), "the venue", hint)

    def _keep_rules(self, told: Mapping[str, Instrument]) -> Sequence[str]:
        return self._file.keep_rules(told, _wall_ms())

    def _with_rules(self, before: Mapping[str, InstrumentRules]) -> tuple[Settings, Sequence[str]]:
        """Return the settings with the venue's rules of each symbol, and the symbols that it has.

        Of one that it has not got any more, the rules are those from `before`; what is configured goes first.
        """
        symbols = self._settings.feed.symbols
        rules = self._rules(symbols)
        traded = [symbol for symbol in symbols if symbol in rules]
        gone = [symbol for symbol in symbols if symbol not in rules]
        never = [symbol for symbol in gone if symbol not in before]
        if never or not traded:
            raise ConfigurationError([self._unlisted(never or gone)])
        if gone:
            self._tell("venue.symbols_are_gone", symbols=gone, rest="nothing is entered in them, until they are back")
        told = {symbol: _given(rules[symbol]) if symbol in rules else before[symbol] for symbol in symbols}
        given = self._settings.instruments
        merged = {symbol: _refined(told[symbol], given.get(symbol)) for symbol in symbols}
        instruments = {symbol: instrument_for(symbol, each) for symbol, each in merged.items()}
        self._connection.dialect.know({**instruments, **rules})
        return msgspec.structs.replace(self._settings, instruments={**given, **merged}), traded


def _wall_ms() -> int:
    return time.time_ns() // 1_000_000


def _given(rule: Instrument) -> InstrumentRules:
    """Return a venue's rules as they would be configured."""
    rules = msgspec.structs.asdict(rule)
    del rules["symbol"]
    return InstrumentRules(**rules)


def _refined(told: InstrumentRules, given: InstrumentRules | None) -> InstrumentRules:
    if given is None:
        return told
    own = {name: value for name in given.__struct_fields__ if (value := getattr(given, name)) is not None}
    return msgspec.structs.replace(told, **own)


def _new_namespace() -> str:
    """Draw what tells this home's orders from those of every other home that had or has the same account."""
    return "".join(secrets.choice(DIGITS) for _ in range(NAMESPACE_LENGTH))


def _nothing(parts: Parts) -> dict[str, Decimal]:
    return {parts.shape.quote: Decimal(0)}
