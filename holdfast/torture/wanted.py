"""What a torture is to be, and what a node of it is told."""

import random
import re
from collections.abc import Callable, Sequence
from pathlib import Path

import msgspec

from holdfast.torture.exchange import ExchangeProcess
from holdfast.torture.lives import PROGRAM
from holdfast.torture.warm import WARM

SCENARIO = Path(__file__).parent / "scenario.toml"
SPEED = 60.0
"""The market of an exchange moves so much faster than the clock, or nothing would happen in a life."""
BOUNDS = ("venue.deadline_s=3", "venue.skew_s=0.5", "venue.visibility_lag_s=1", "supervision.hang_after_s=1.5")
"""A node's bounds, scaled down together with what `scenario.toml` has the exchange do."""
REAL_SCALE = 10 / 3
"""How much longer the exchange takes for its lies where a node has its real bounds."""
HASTY = (
    "feed.frames=1s",
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


STRANGERS_SHARE = 0.25
"""Share of the rounds with forked lives in which somebody else uses the account too."""
STRANGERS = (
    'kind = "deposit", asset = "USDT", amount = "250", begin_s = 5, every_s = 11',
    'kind = "withdraw", asset = "USDT", amount = "100", begin_s = 9, every_s = 17',
    'kind = "manual_order", symbol = "{symbol}", side = "buy", quantity = "0.01", begin_s = 3, every_s = 13',
    'kind = "manual_order", symbol = "{symbol}", side = "sell", quantity = "0.004", begin_s = 10, every_s = 19',
    'kind = "manual_order", symbol = "{symbol}", side = "buy", quantity = "0.01", price = "1000", every_s = 41',
    'kind = "manual_cancel", symbol = "{symbol}", begin_s = 12, every_s = 29',
)
"""What they do: money comes and goes, something is bought, and a part of it sold; orders of theirs rest far from the
market, and they cancel whatever is newest, be it ours."""
TAKES_IN = (
    *("reconcile.deposit=adopt", "reconcile.withdrawal=adopt"),
    *("reconcile.position_extra=adopt", "reconcile.position_missing=adopt"),
)


class Wanted(msgspec.Struct, frozen=True, kw_only=True):
    """What a torture is to be."""

    kills: int
    seed: int
    real: int | None = None
    """How many of the kills are of processes that were started, and not forked; one in a hundred if not given."""
    jobs: int = 1
    """Rounds at a time."""
    minutes: float | None = None
    settle_within_s: float = 90.0
    """Journal and ledger must agree so long after the last fault."""
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
    warm: Sequence[str] = WARM
    """What is started to be forked from."""


def scenario_for(wanted: Wanted, plan: "Plan") -> str:
    """Return the scenario of a round: with its own seed, strangers, and the times that go with real bounds."""
    lines = [line for line in wanted.scenario.read_text().splitlines() if not line.startswith("seed")]
    if plan.is_real and wanted.scenario == SCENARIO:
        lines = [re.sub(r"\bseconds = ([\d.]+|\[[^\]]*\])", _longer, line) for line in lines]
    if has_strangers(wanted, plan):
        symbol = wanted.symbols[0]
        lines[lines.index("]") :] = [*(f"  {{ {each.format(symbol=symbol)} }}," for each in STRANGERS), "]"]
    return "\n".join([f"seed = {plan.seed}", *lines]) + "\n"


def has_strangers(wanted: Wanted, plan: "Plan") -> bool:
    """Say whether somebody else uses the account in a round: then its node takes in what they do, and trades on."""
    is_ours = wanted.scenario == SCENARIO and wanted.config is None
    return is_ours and not plan.is_real and random.Random(f"strangers {plan.seed}").random() < STRANGERS_SHARE


def _longer(found: re.Match[str]) -> str:
    return "seconds = " + re.sub(r"[\d.]+", lambda number: f"{float(number[0]) * REAL_SCALE:g}", found[1])


def arguments_for(wanted: Wanted, plan: "Plan", exchange: ExchangeProcess, folder: Path) -> list[str]:
    """Return what a node is told, but its home."""
    for name, text in (("api_key", exchange.keys.api_key), ("api_secret", exchange.keys.secret)):
        file = folder / name
        file.touch(mode=0o600)
        file.write_text(text)
    keys = (f"file:{folder / 'api_key'}", f"file:{folder / 'api_secret'}")
    given = ["--config", str(wanted.config)] if wanted.config is not None else []
    return [*given, *setting_words(settings_for(wanted, plan, exchange.rest_url, keys))]


def settings_for(wanted: Wanted, plan: "Plan", url: str, keys: tuple[str, str]) -> list[str]:
    """Return the settings of a node beside its file, for an exchange at `url` and references to its keys."""
    return [
        *market_settings(wanted),
        f"venue.url={url}",
        f"venue.credentials.api_key={keys[0]}",
        f"venue.credentials.api_secret={keys[1]}",
        *("log.level=error", "admin.enabled=false", "health.disk_free_min_mb=1"),
        *(() if plan.is_real else BOUNDS),
        *(HASTY if wanted.config is None else ()),
        *(TAKES_IN if has_strangers(wanted, plan) else ()),
        *wanted.overrides,
    ]


def market_settings(wanted: Wanted) -> list[str]:
    """Return what a torture trades, and where: it takes the place of what a file says of that."""
    return [
        *("feed.source=venue", f"feed.symbols={','.join(wanted.symbols)}", "feed.timeframe=1s", "feed.warmup_bars=10"),
        f"venue.kind={wanted.api}",
    ]


def setting_words(settings: Sequence[str]) -> list[str]:
    """Return settings as words of a command line."""
    return [word for each in settings for word in ("--set", each)]


class Plan(msgspec.Struct, frozen=True):
    """One round: a home and an exchange of its own, and so many deaths."""

    number: int
    seed: int
    kills: int
    is_real: bool


KILLS_OF_ROUND, REAL_KILLS_OF_ROUND = 40, 10
REAL_SHARE = 0.01


def plans_for(wanted: Wanted) -> list[Plan]:
    """Return all rounds, those with real start-ups spread among the others.

    A torture of the seed and the number of kills of one round begins with that round.
    """
    real = min(wanted.kills, max(1, round(wanted.kills * REAL_SHARE)) if wanted.real is None else wanted.real)
    real_rounds, forked_rounds = _split(real, REAL_KILLS_OF_ROUND), _split(wanted.kills - real, KILLS_OF_ROUND)
    placed = [((place + 0.5) / len(real_rounds), size, True) for place, size in enumerate(real_rounds)]
    placed += [((place + 0.5) / len(forked_rounds), size, False) for place, size in enumerate(forked_rounds)]
    return [
        Plan(number=number + 1, seed=wanted.seed + number, kills=kills, is_real=is_real)
        for number, (_place, kills, is_real) in enumerate(sorted(placed))
    ]


def _split(total: int, size: int) -> list[int]:
    return [min(size, total - start) for start in range(0, total, size)]


def command_for(plan: Plan, wanted: Wanted, quoted: Callable[[str], str]) -> str:
    """Return the command that does a round again."""
    words = ["holdfast", "torture", "--seed", str(plan.seed), "--kills", str(plan.kills)]
    words += ["--real", str(plan.kills if plan.is_real else 0)]
    words += ["--config", str(wanted.config)] if wanted.config is not None else []
    words += ["--scenario", str(wanted.scenario)] if wanted.scenario != SCENARIO else []
    words += ["--honest"] if wanted.honest else []
    words += ["--api", wanted.api] if wanted.api != "binance" else []
    words += [word for each in wanted.overrides for word in ("--set", each)]
    return " ".join(quoted(word) for word in words)
