"""A torture from its beginning to its verdict."""

import random
import shutil
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

import msgspec

from holdfast.replay import rebuild
from holdfast.torture.exchange import ExchangeProcess
from holdfast.torture.judge import judge
from holdfast.torture.lives import PROGRAM, Life, NodeEnded, durable_seq
from holdfast.torture.report import Report, spread
from persistence.reader import JournalReader

SCENARIO = Path(__file__).parent / "scenario.toml"
SPEED = 60.0
"""The market of an exchange moves so much faster than the clock, or nothing would happen in a life."""
BOUNDS = ("venue.deadline_s=3", "venue.skew_s=0.5", "venue.visibility_lag_s=1")
"""The venue's bounds, scaled down together with what `scenario.toml` has it do."""
HASTY = (
    "strategies.hasty.class=holdfast.torture.hasty:Hasty",
    "strategies.hasty.parameters.enter=0.5",
    "strategies.hasty.parameters.leave=0.3",
    "strategies.hasty.parameters.size=0.05",
    "strategies.hasty.parameters.cooldown_minutes=0",
    "strategies.confidence.enabled=false",
    "strategies.ema_cross.enabled=false",
    "risk.daily_loss_max=1",
    "risk.drawdown_max=1",
)
PARTS = ("executor", "breaker", "venue", "positions")
CUES = (
    *("journal.before_commit", "journal.after_commit", "journal.after_watermark"),
    *(f"{part}.{when}_release" for part in PARTS for when in ("before", "after")),
)
EVENTS_MAX = 60
"""The most events that a life has before it is to die."""
LIFE_S_MAX = 30.0
SETTLE_WITHIN_S = 120.0
QUIET_S = 5.0
STOP_WITHIN_S = 60.0


class Wanted(msgspec.Struct, frozen=True, kw_only=True):
    """What a torture is to be."""

    kills: int
    seed: int
    minutes: float | None = None
    honest: bool = False
    api: str = "binance"
    """Which of the exchange's interfaces the node speaks to it by."""
    symbols: Sequence[str] = ("BTCUSDT", "ETHUSDT", "SOLUSDT")
    data: str = "sample"
    config: Path | None = None
    overrides: Sequence[str] = ()
    scenario: Path = SCENARIO
    keep: Path | None = None
    program: Sequence[str] = PROGRAM
    """What is started as the node, before its own words."""


class Torture:
    """One torture in a folder of its own."""

    def __init__(self, wanted: Wanted, folder: Path, *, show: Callable[[Report], None]) -> None:
        """`show` hears of the report after each death."""
        self._wanted = wanted
        self._folder = folder
        self._home = folder / "node"
        self._show = show
        self._draw = random.Random(wanted.seed)
        self._deaths_ms: list[int] = []
        self.report = Report(wanted.seed)

    def run(self) -> Report:
        """Let the node live and die, settle, and be judged.

        Raises:
            NodeEnded: the node ended by itself.
            ExchangeFailed: the exchange did.
        """
        began = time.monotonic()
        with self._exchange() as exchange:
            arguments = self._arguments(exchange)
            try:
                self._live_and_die(arguments, until=began + 60 * (self._wanted.minutes or 1e9))
            except KeyboardInterrupt:
                self.report.is_partial = True
            exchange.be_honest()
            self._settle(arguments)
            ledger = exchange.ledger()
            self.report.faults = dict(sorted(exchange.faults().items()))
        self.report.violations = judge(self._home, ledger)
        self._count(ledger)
        self.report.seconds = round(time.monotonic() - began, 1)
        return self.report

    def _exchange(self) -> ExchangeProcess:
        wanted = self._wanted
        return ExchangeProcess(
            self._folder / "exchange",
            symbols=wanted.symbols,
            balances=("USDT=100000",),
            speed=SPEED,
            seed=wanted.seed,
            scenario=None if wanted.honest else self._scenario(),
            data=wanted.data,
        )

    def _scenario(self) -> Path:
        """Give the scenario the seed of this torture."""
        own = self._folder / "scenario.toml"
        lines = [line for line in self._wanted.scenario.read_text().splitlines() if not line.startswith("seed")]
        own.write_text("\n".join([f"seed = {self._wanted.seed}", *lines]) + "\n")
        return own

    def _arguments(self, exchange: ExchangeProcess) -> list[str]:
        for name, text in (("api_key", exchange.keys.api_key), ("api_secret", exchange.keys.secret)):
            file = self._folder / name
            file.touch(mode=0o600)
            file.write_text(text)
        symbols = ",".join(self._wanted.symbols)
        settings = [
            *("feed.source=venue", f"feed.symbols={symbols}", "feed.timeframe=1s", "feed.warmup_bars=10"),
            *(f"venue.kind={self._wanted.api}", f"venue.url={exchange.rest_url}", *BOUNDS),
            f"venue.credentials.api_key=file:{self._folder / 'api_key'}",
            f"venue.credentials.api_secret=file:{self._folder / 'api_secret'}",
            *("log.level=error", "admin.enabled=false"),
            *(("feed.frames=1s", *HASTY) if self._wanted.config is None else ()),
            *self._wanted.overrides,
        ]
        config = self._wanted.config
        given = ["--config", str(config)] if config is not None else []
        return [*given, *(word for each in settings for word in ("--set", each))]

    # -- lives and deaths ----------------------------------------------------------------------------------------

    def _live_and_die(self, arguments: list[str], *, until: float) -> None:
        report = self.report
        while report.kills < self._wanted.kills:
            if time.monotonic() > until:
                report.is_partial = True
                return
            self._deaths_ms.append(self._life(arguments))
            report.kills += 1
            if durable_seq(self._home):
                orders = rebuild(self._home)[0].executor.state.orders.values()
                report.with_open_order += any(order.state == "accepted" for order in orders)
                report.with_unproven_order += any(order.state in ("intended", "unresolved") for order in orders)
            self._show(report)

    def _life(self, arguments: list[str]) -> int:
        """Live for a while and die; return when, in wall-clock milliseconds."""
        draw, report = self._draw, self.report
        kind = draw.choices(("anywhere", "cue", "start"), (0.6, 0.3, 0.1))[0]
        report.restarts += bool(report.kills)
        if kind == "cue":
            cue = f"{draw.choice(CUES)}:{draw.randint(1, 40)}"
            life = self._begin(arguments, {"HOLDFAST_DIE_AT": cue})
            if self._dies_by_itself(life):
                report.on_cue += 1
                return time.time_ns() // 1_000_000
            return life.kill()
        life = self._begin(arguments)
        if kind == "start":
            report.during_start += 1
            time.sleep(draw.random() * 2.0)
            return life.kill()
        life.wait_for_events(draw.randint(1, EVENTS_MAX), limit_s=LIFE_S_MAX)
        time.sleep(draw.random() * 1.5)
        return life.kill()

    def _begin(self, arguments: Sequence[str], environment: Mapping[str, str] | None = None) -> Life:
        return Life(self._home, arguments, program=self._wanted.program, environment=environment)

    def _dies_by_itself(self, life: Life) -> bool:
        deadline = time.monotonic() + LIFE_S_MAX
        while time.monotonic() < deadline:
            if life.is_over():
                return True
            time.sleep(0.01)
        return False

    def _settle(self, arguments: list[str]) -> None:
        """Let the node live until every order it was ever unsure of is proven, and end it in order."""
        life = self._begin([*arguments, "--set", "risk.no_trade=true"])
        self.report.restarts += 1
        deadline, quiet_since = time.monotonic() + SETTLE_WITHIN_S, 0.0
        while time.monotonic() < deadline and not life.is_over():
            time.sleep(0.5)
            is_quiet = life.wait_for_events(1, limit_s=0.1) and self._is_proven()
            quiet_since = (quiet_since or time.monotonic()) if is_quiet else 0.0
            if quiet_since and time.monotonic() - quiet_since > QUIET_S:
                break
        else:
            self.report.violations.append(f"not everything was proven within {SETTLE_WITHIN_S:g} s")
        life.stop(limit_s=STOP_WITHIN_S)

    def _is_proven(self) -> bool:
        return all(order.state == "accepted" for order in rebuild(self._home)[0].executor.state.orders.values())

    # -- what came of it -----------------------------------------------------------------------------------------

    def _count(self, ledger: dict[str, list[object]]) -> None:
        report = self.report
        history = rebuild(self._home)[0].history
        report.orders, report.fills = len(ledger["orders"]), len(ledger["trades"])
        report.absent = sum(order.state == "absent" for order in history.orders.values())
        report.events = durable_seq(self._home)
        ready, trading = self._recoveries()
        report.ready_s, report.trading_s = spread(ready), spread(trading)

    def _recoveries(self) -> tuple[list[float], list[float]]:
        """Return the seconds from each death until the next life was ready, and until it asked a strategy."""
        ready: list[float] = []
        trading: list[float] = []
        with JournalReader(self._home) as reader:
            records = [
                (record.wall, record.kind) for record in reader.read(kinds=["NodeStarted", "PartStarted", "Offered"])
            ]
        starts = [wall for wall, kind in records if kind == "NodeStarted"]
        for began, over in zip(starts[1:], [*starts[2:], None], strict=True):
            death = max((at for at in self._deaths_ms if at <= began), default=None)
            life = [(wall, kind) for wall, kind in records if began <= wall and (over is None or wall < over)]
            offers = [wall for wall, kind in life if kind == "Offered"]
            parts = [wall for wall, kind in life if kind == "PartStarted" and (not offers or wall <= offers[0])]
            if death is not None and parts and offers:
                ready.append((parts[-1] - death) / 1000)
                trading.append((offers[0] - death) / 1000)
        return ready, trading


def run_torture(wanted: Wanted, *, show: Callable[[Report], None]) -> Report:
    """Run a torture; its folder is kept where somebody wants it, or where something was violated.

    Raises:
        NodeEnded: the node ended by itself; the folder is kept.
        ExchangeFailed: the exchange did.
    """
    with _folder(wanted.keep) as (folder, keep):
        torture = Torture(wanted, folder, show=show)
        try:
            report = torture.run()
        except NodeEnded as error:
            keep()
            raise NodeEnded(f"{error}; seed {wanted.seed}, everything is in {folder}") from error
        if report.violations or wanted.keep is not None:
            keep()
            report.kept = str(folder)
    return report


@contextmanager
def _folder(keep: Path | None) -> Iterator[tuple[Path, Callable[[], None]]]:
    folder = Path(tempfile.mkdtemp(prefix="holdfast-torture-")) if keep is None else keep.expanduser().absolute()
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    is_kept = keep is not None

    def keep_it() -> None:
        nonlocal is_kept
        is_kept = True

    try:
        yield folder, keep_it
    finally:
        if not is_kept:
            shutil.rmtree(folder, ignore_errors=True)
