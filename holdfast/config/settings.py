"""Everything that can be set, with its bounds and its default; `config.toml` says it again for people."""

from decimal import Decimal
from typing import Annotated, Any, Literal, get_args

import msgspec

from domain.market import TIMEFRAMES_MS, Instant
from domain.reconciliation import Strategy
from holdfast.config.kinds import (
    Choice,
    Cron,
    Factor,
    Flag,
    Hidden,
    Moment,
    Number,
    Place,
    Several,
    Text,
    Whole,
)
from holdfast.secrets import Secret

SYMBOL = Text(noun="a symbol such as BTCUSDT", pattern=r"[A-Z0-9][A-Z0-9._/:-]{1,31}", upper=True)
ASSET = Text(noun="an asset such as USDT", pattern=r"[A-Z0-9]{1,20}", upper=True)
NAME = Text(noun="a name of small letters, digits, - and _", pattern=r"[a-z][a-z0-9_-]{0,31}")
FRAME = Choice(words=tuple(TIMEFRAMES_MS))

Seconds = Annotated[float, Number(above=0, at_most=86_400, unit="seconds", as_float=True)]
Fraction = Annotated[Decimal, Number(above=0, at_most=1)]
Amount = Annotated[Decimal, Number(above=0)]
AmountOrNone = Annotated[Decimal, Number(at_least=0)]
BasisPoints = Annotated[Decimal, Number(at_least=0, at_most=1_000, unit="basis points")]
Symbols = Annotated[tuple[str, ...], Several(item=SYMBOL)]

BUILT_IN = ("confidence", "ema_cross")
"""Strategies that need no `class`: their name says it."""


class Node(msgspec.Struct, frozen=True, kw_only=True):
    """The node itself."""

    name: Annotated[str, NAME] = "holdfast"
    offline: Annotated[bool, Flag()] = False
    """Refuse every source that would need the network."""


class Feed(msgspec.Struct, frozen=True, kw_only=True):
    """Where bars come from, and how fast market time goes."""

    source: Annotated[Literal["sample", "files", "venue"], Choice(words=("sample", "files", "venue"))] = "sample"
    path: Annotated[str, Place()] = ""
    symbols: Symbols = ()
    """All that the source has where empty."""
    timeframe: Annotated[str, Choice(words=("", *TIMEFRAMES_MS))] = ""
    """What the file's name says where empty."""
    frames: Annotated[tuple[str, ...], Several(item=FRAME)] = ("15m", "1h")
    speed: Annotated[Decimal | Literal["max"], Factor(above=0, at_most=10_000_000)] = Decimal(600)
    start: Annotated[Instant | None, Moment()] = None
    end: Annotated[Instant | None, Moment()] = None
    warmup_bars: Annotated[int, Whole(at_least=0, at_most=10_000)] = 100
    """Bars of each frame that strategies see before the first instant that may be traded."""
    settle_limit_s: Seconds = 30.0


class Sentiment(msgspec.Struct, frozen=True, kw_only=True):
    """Where headlines come from, and how long they count."""

    source: Annotated[Literal["none", "sample", "files"], Choice(words=("none", "sample", "files"))] = "sample"
    path: Annotated[str, Place()] = ""
    half_life_hours: Annotated[float, Number(above=0, at_most=8_760, unit="hours", as_float=True)] = 6.0
    retry_s: Seconds = 60.0
    """How long a source may take to answer, and how long one that could not be read is left alone."""


class Credentials(msgspec.Struct, frozen=True, kw_only=True):
    """Keys of the account at the venue.  The paper venue needs none."""

    api_key: Annotated[Secret | None, Hidden()] = None
    api_secret: Annotated[Secret | None, Hidden()] = None


class Venue(msgspec.Struct, frozen=True, kw_only=True):
    """Where orders go."""

    kind: Annotated[Literal["paper", "binance", "bybit"], Choice(words=("paper", "binance", "bybit"))] = "paper"
    url: Annotated[str, Text(noun="a URL such as http://127.0.0.1:8080", pattern=r"|https?://[^\s/]+")] = ""
    """Where a real venue on this machine is; its own place where empty."""
    allow_elsewhere: Annotated[bool, Flag()] = False
    """Whether a real venue may be on another machine, where nothing of this was ever tried."""
    testnet: Annotated[bool, Flag()] = False
    """Whether a real venue without a `url` is the one that its house runs for tests."""
    deadline_s: Annotated[float, Number(above=0, at_most=60, unit="seconds", as_float=True)] = 10.0
    """How long a real venue may take an order for; it refuses what arrives later."""
    skew_s: Seconds = 2.0
    """How far a real venue's clock may be from what we take it for."""
    visibility_lag_s: Seconds = 10.0
    """How long a real venue may leave an order that it has taken out of its answers."""
    allow_withdrawals: Annotated[bool, Flag()] = False
    """Whether a real venue's key may be one that permits withdrawals."""
    balances: dict[Annotated[str, ASSET], AmountOrNone] = msgspec.field(
        default_factory=lambda: {"USDT": Decimal(10_000)}
    )
    """What the account holds when its book is opened for the first time."""
    fee_maker_bps: BasisPoints = Decimal(10)
    fee_taker_bps: BasisPoints = Decimal(10)
    fee_asset: Annotated[
        str, Text(noun='"quote", "received" or an asset such as BNB', pattern=r"quote|received|[A-Z0-9]{1,20}")
    ] = "quote"
    slippage_bps: BasisPoints = Decimal(2)
    latency_ms: Annotated[int, Whole(at_least=0, at_most=3_600_000, unit="milliseconds")] = 250
    """Market time between an order's arrival and the first trade it can meet."""
    participation: Fraction = Decimal("0.1")
    """The share of a bar's volume that orders of ours may take."""
    credentials: Credentials = Credentials()

    @property
    def place(self) -> str:
        """Name where a real venue is."""
        return self.url or f"{self.kind}'s {'testnet' if self.testnet else 'own place'}"


class Import(msgspec.Struct, frozen=True, kw_only=True):
    """Where the state of another program is, which a home's first start takes over."""

    path: Annotated[str, Place()] = ""
    """A file or a folder; the home where empty."""


class InstrumentRules(msgspec.Struct, frozen=True, kw_only=True):
    """Rules of one symbol that differ from what Holdfast knows of it."""

    base: Annotated[str | None, ASSET] = None
    quote: Annotated[str | None, ASSET] = None
    tick: Annotated[Decimal | None, Number(above=0)] = None
    lot: Annotated[Decimal | None, Number(above=0)] = None
    quantity_min: Annotated[Decimal | None, Number(at_least=0)] = None
    notional_min: Annotated[Decimal | None, Number(at_least=0)] = None
    quantity_max: Annotated[Decimal | None, Number(above=0)] = None


class StrategySettings(msgspec.Struct, frozen=True, kw_only=True):
    """One strategy: one actor with a name of its own."""

    implementation: Annotated[
        str,
        Text(
            noun="a strategy that ships with Holdfast, a dotted path or file.py:Class",
            pattern=r"[A-Za-z_][\w-]*|[A-Za-z_]\w*(\.[A-Za-z_]\w*)*[.:][A-Za-z_]\w*|[^:\0]+\.py:[A-Za-z_]\w*",
        ),
    ] = msgspec.field(name="class", default="")
    symbols: Symbols = ()
    """All that the feed has where empty."""
    enabled: Annotated[bool, Flag()] = True
    parameters: dict[str, Any] = msgspec.field(default_factory=dict)
    """Handed to the class as they are; it is their judge."""


class Risk(msgspec.Struct, frozen=True, kw_only=True):
    """The breaker's limits.  Fractions are of equity."""

    no_trade: Annotated[bool, Flag()] = False
    """Deny every entry; what is held is still protected and may be left."""
    price_collar_pct: Annotated[Decimal, Number(above=0, at_most=100, unit="percent")] = Decimal(2)
    order_notional_max: Amount = Decimal(5_000)
    """In quote currency."""
    exposure_max: Fraction = Decimal("0.9")
    symbol_exposure_max: Fraction = Decimal("0.4")
    daily_loss_max: Fraction = Decimal("0.05")
    drawdown_max: Fraction = Decimal("0.2")
    symbols_allowed: Symbols = ()
    """All of them where empty."""
    stale_after_s: Annotated[float, Number(above=0, at_most=604_800, unit="seconds", as_float=True)] = 300.0
    """Market time since a symbol's last bar closed."""


def _policy(*words: str) -> Choice:
    return Choice(words=words)


Ours = Annotated[Literal["report", "flatten", "halt"], _policy("report", "flatten", "halt")]
Others = Annotated[Literal["report", "halt"], _policy("report", "halt")]
Extra = Annotated[Literal["adopt", "protect", "flatten", "halt"], _policy("adopt", "protect", "flatten", "halt")]
Taken = Annotated[Literal["adopt", "halt"], _policy("adopt", "halt")]


class Reconcile(msgspec.Struct, frozen=True, kw_only=True):
    """What becomes of each kind of difference between the journal and the venue's account, at each start."""

    order_unknown: Ours = "flatten"
    """An open order with a name of ours that the journal does not have."""
    order_foreign: Others = "halt"
    """One that another home has sent."""
    order_manual: Ours = "report"
    """One that somebody else has sent."""
    order_missing: Others = "halt"
    """One that is open in the journal, and not at the venue."""
    position_extra: Extra = "halt"
    position_missing: Taken = "halt"
    position_flipped: Taken = "halt"
    deposit: Taken = "halt"
    withdrawal: Taken = "halt"
    """Of quote currency."""
    stop_below: Annotated[Decimal, Number(above=0, at_most=Decimal("0.99"))] = Decimal("0.05")
    """How far below the newest price `protect` places its stop, as a fraction of it."""
    every_s: Annotated[float, Number(at_least=0, at_most=86_400, unit="seconds", as_float=True)] = 300.0
    """Between two comparisons while running; 0 for none."""
    conflicts: Annotated[Strategy, Choice(words=get_args(Strategy))] = "by_kind"
    """What becomes of differences that these, or `ctl reconcile`, find."""


class Journal(msgspec.Struct, frozen=True, kw_only=True):
    """How the journal is kept."""

    snapshot_every: Annotated[int, Whole(at_least=100, at_most=10_000_000, unit="events")] = 10_000
    linger_ms: Annotated[int, Whole(at_least=1, at_most=1_000, unit="milliseconds")] = 50
    """The longest an event that nobody waits for stays in memory."""


class Health(msgspec.Struct, frozen=True, kw_only=True):
    """What is watched, and when it is said."""

    heartbeat_s: Seconds = 15.0
    daily_summary: Annotated[str, Cron()] = "0 0 * * *"
    memory_limit_mb: Annotated[int, Whole(at_least=64, at_most=1_048_576, unit="megabytes")] = 512
    disk_free_min_mb: Annotated[int, Whole(at_least=1, at_most=1_048_576, unit="megabytes")] = 64
    message_age_max_s: Seconds = 30.0
    """How long a message may wait before that is an alarm, and an actor be busy with one before systemd steps in."""


class Invariants(msgspec.Struct, frozen=True, kw_only=True):
    """What is demanded of the node's own records."""

    protection: Annotated[bool, Flag()] = True
    """A position with a stop price is covered by an order at the venue."""


class Audit(msgspec.Struct, frozen=True, kw_only=True):
    """When days are audited beside the node, and what is said of it."""

    at: Annotated[str, Cron(may_be_empty=True)] = "10 0 * * *"
    """Never where empty."""
    score_min: Annotated[Decimal, Number(at_least=0, at_most=100, unit="percent")] = Decimal(100)
    """A score below it is a warning."""
    limit_s: Seconds = 1_800.0
    """An audit that takes longer is ended."""


class Backup(msgspec.Struct, frozen=True, kw_only=True):
    """Where the journal is backed up to beside the node, and when."""

    to: Annotated[str, Place()] = ""
    """A folder outside of the home; never where empty."""
    at: Annotated[str, Cron(may_be_empty=True)] = "30 3 * * *"
    """Never where empty."""
    keep: Annotated[int, Whole(at_least=1, at_most=100_000, unit="backups")] = 7
    limit_s: Seconds = 3_600.0
    """A backup that takes longer is ended."""


class Intensity(msgspec.Struct, frozen=True, kw_only=True):
    """How many restarts a supervisor makes within a period before it gives up."""

    intensity: Annotated[int, Whole(at_least=0, at_most=1_000, unit="restarts")] = 5
    period_s: Seconds = 60.0


class Backoff(msgspec.Struct, frozen=True, kw_only=True):
    """How long a supervisor waits before it restarts a child again."""

    base_s: Annotated[float, Number(at_least=0, at_most=3_600, unit="seconds", as_float=True)] = 0.1
    cap_s: Seconds = 5.0


class Supervision(msgspec.Struct, frozen=True, kw_only=True):
    """When supervisors lose patience."""

    root: Intensity = Intensity(intensity=3)
    operations: Intensity = Intensity()
    trading: Intensity = Intensity(intensity=3)
    guard: Intensity = Intensity()
    market: Intensity = Intensity()
    strategies: Intensity = Intensity()
    backoff: Backoff = Backoff()
    hang_after_s: Seconds = 20.0
    """How long an actor may have one message in hand before it is fenced and replaced."""
    abandoned_max: Annotated[int, Whole(at_least=0, at_most=1_000, unit="threads")] = 5
    """After so many threads left behind by hung actors the process gives itself up."""


class Admin(msgspec.Struct, frozen=True, kw_only=True):
    """The admin socket."""

    enabled: Annotated[bool, Flag()] = True


class Log(msgspec.Struct, frozen=True, kw_only=True):
    """What is logged, and how it looks."""

    level: Annotated[str, Choice(words=("debug", "info", "warning", "error"))] = "info"
    format: Annotated[Literal["console", "json"], Choice(words=("console", "json"))] = "console"
    file: Annotated[bool, Flag()] = True
    """Whether the log is also kept in the home."""


def default_strategies() -> dict[str, StrategySettings]:
    """Return the strategies that run where the configuration file names none."""
    return {name: StrategySettings(implementation=name) for name in BUILT_IN}


class Settings(msgspec.Struct, frozen=True, kw_only=True):
    """A whole configuration, without a mistake."""

    node: Node = Node()
    feed: Feed = Feed()
    sentiment: Sentiment = Sentiment()
    venue: Venue = msgspec.field(default_factory=Venue)
    import_: Import = msgspec.field(name="import", default=Import())
    instruments: dict[Annotated[str, SYMBOL], InstrumentRules] = msgspec.field(default_factory=dict)
    strategies: dict[Annotated[str, NAME], StrategySettings] = msgspec.field(default_factory=default_strategies)
    risk: Risk = Risk()
    reconcile: Reconcile = Reconcile()
    journal: Journal = Journal()
    health: Health = Health()
    invariants: Invariants = Invariants()
    audit: Audit = Audit()
    backup: Backup = Backup()
    supervision: Supervision = Supervision()
    admin: Admin = Admin()
    log: Log = Log()
