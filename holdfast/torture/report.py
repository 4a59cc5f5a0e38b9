"""What a torture came to, as data and as lines."""

from collections import Counter
from collections.abc import Iterator, Sequence
from typing import Any

import msgspec

from holdfast.torture.deaths import Recovery


class Spread(msgspec.Struct, frozen=True):
    """How long something took, in seconds."""

    p50: float
    p99: float
    most: float


class Tally(msgspec.Struct):
    """What one round, or several together, came to."""

    kills: int = 0
    real_kills: int = 0
    """Of these, deaths of a process that was started and not forked, with real bounds."""
    on_cue: int = 0
    during_start: int = 0
    restarts: int = 0
    with_open_order: int = 0
    with_unproven_order: int = 0
    orders: int = 0
    fills: int = 0
    absent: int = 0
    intended: int = 0
    """Orders that a node meant to send."""
    verdicts: int = 0
    conflicts: int = 0
    events: int = 0
    moments: Counter[str] = msgspec.field(default_factory=Counter)
    weathers: Counter[str] = msgspec.field(default_factory=Counter)
    ends: Counter[str] = msgspec.field(default_factory=Counter)
    crashes: Counter[str] = msgspec.field(default_factory=Counter)
    lies: Counter[str] = msgspec.field(default_factory=Counter)
    faults: Counter[str] = msgspec.field(default_factory=Counter)
    recoveries: list[Recovery] = []
    real_recoveries: list[Recovery] = []
    settled_s: list[float] = []
    violations: list[str] = []
    reproduce: list[str] = []

    def take(self, other: "Tally") -> None:
        """Add another one to it."""
        for name in self.__struct_fields__:
            setattr(self, name, getattr(self, name) + getattr(other, name))


class Report(msgspec.Struct, kw_only=True):
    """What was done, and what came of it."""

    seed: int
    kills: int
    """SIGKILLs of a node that lived."""
    real_kills: int
    """Of these, deaths of a process that was started and not forked, with real bounds."""
    on_cue: int
    """Of these, deaths at a named boundary: of the journal, or of a part's turn."""
    during_start: int
    """Of these, deaths before the node was ready."""
    restarts: int
    with_open_order: int
    """Deaths at which an order rested at the exchange."""
    with_unproven_order: int
    """Deaths after which the journal did not know whether an order had arrived."""
    orders: int
    fills: int
    absent: int
    """Orders that provably never arrived."""
    verdicts: int
    """Starts that held the journal against the account."""
    conflicts: int
    """Differences that these have named."""
    events: int
    kills_by_moment: dict[str, int]
    lives_by_weather: dict[str, int]
    ends: dict[str, int]
    """Lives that ended by themselves, as they had to: by what befell them and exit code."""
    crashes: dict[str, int]
    """Parts that crashed, or hung, and were replaced."""
    lies: dict[str, int]
    """What became of journals whose disk had lied."""
    faults: dict[str, int]
    ready_s: Spread | None
    """From a death until every part of the node is up again, with real start-ups."""
    trading_s: Spread | None
    """From a death until a strategy is asked again, with real start-ups."""
    forked_ready_s: Spread | None
    forked_trading_s: Spread | None
    settled_s: Spread | None
    """From the last fault until journal and ledger agree."""
    seconds: float
    is_partial: bool
    """It was interrupted, or its time was up, or it broke, before all deaths were died."""
    broke: str
    """Why it could not be brought to its end; empty where it could."""
    left_out: list[str]
    """What could not be tried on this machine."""
    proves_nothing: bool
    """No node meant to send an order, so that nothing which must hold of orders was tried."""
    replaced: list[str] = []
    """Settings of the file in place of which the torture has its own."""
    violations: list[str]
    reproduce: list[str]
    """A command for each round with a violation."""
    kept: str
    """The folder in which everything is, where it was kept."""


def report_of(
    tally: Tally, *, seed: int, seconds: float, is_partial: bool, broke: str, left_out: Sequence[str], kept: str
) -> Report:
    """Return the report of all rounds."""
    same = set(Report.__struct_fields__) & set(Tally.__struct_fields__) - {
        "settled_s",
        "ends",
        "crashes",
        "lies",
        "faults",
    }
    values: dict[str, Any] = {name: getattr(tally, name) for name in same}
    times = {
        "ready_s": [each.ready_s for each in tally.real_recoveries],
        "trading_s": [each.trading_s for each in tally.real_recoveries],
        "forked_ready_s": [each.ready_s for each in tally.recoveries],
        "forked_trading_s": [each.trading_s for each in tally.recoveries],
        "settled_s": tally.settled_s,
    }
    values |= {name: spread(each) for name, each in times.items()}
    return Report(
        **values,
        kills_by_moment=_sorted(tally.moments),
        lives_by_weather=_sorted(tally.weathers),
        ends=_sorted(tally.ends),
        crashes=_sorted(tally.crashes),
        lies=_sorted(tally.lies),
        faults=_sorted(tally.faults),
        seed=seed,
        seconds=round(seconds, 1),
        is_partial=is_partial,
        broke=broke,
        left_out=list(left_out),
        proves_nothing=not tally.intended,
        kept=kept,
    )


def _sorted(counts: Counter[str]) -> dict[str, int]:
    return dict(sorted(counts.items()))


def spread(times: Sequence[float]) -> Spread | None:
    """Return the middle, the ninety-ninth in a hundred, and the longest; None of none."""
    if not times:
        return None
    ordered = sorted(times)
    middle, late = (ordered[min(len(ordered) - 1, int(len(ordered) * share))] for share in (0.5, 0.99))
    return Spread(round(middle, 3), round(late, 3), round(ordered[-1], 3))


def lines_of(report: Report) -> Iterator[str]:
    """Yield a report as lines for people."""
    yield f"kills        {report.kills} in {report.seconds / 60:.1f} minutes, {report.real_kills} with real start-ups"
    yield f"             {report.with_open_order} with an order open, {report.with_unproven_order} with one unproven"
    yield f"moments      {_counts(report.kills_by_moment)}"
    yield f"weather      {_counts(report.lives_by_weather)}"
    yield f"ends         {_counts(report.ends)}"
    yield f"crashes      {_counts(report.crashes)}"
    yield f"lying disks  {_counts(report.lies)}"
    yield f"orders       {report.orders}, {report.absent} more never arrived; {report.fills} fills"
    yield f"verdicts     {report.verdicts}, which named {report.conflicts} differences"
    yield f"faults       {_counts(report.faults)}"
    named = (
        ("ready", report.ready_s),
        ("trading", report.trading_s),
        ("forked ready", report.forked_ready_s),
        ("... trading", report.forked_trading_s),
        ("settled", report.settled_s),
    )
    for name, times in named:
        if times is not None:
            yield f"{name:<12} after {times.p50:g} s (p50), {times.p99:g} s (p99), {times.most:g} s at most"
    yield from (f"left out     {each}" for each in report.left_out)
    yield from (f"replaced     {each}" for each in report.replaced)
    yield f"violations   {len(report.violations)}"
    yield from (f"  {each}" for each in report.violations)
    yield from (f"  again: {each}" for each in report.reproduce)
    if report.broke:
        yield f"broke off    {report.broke}"
    if report.violations or report.broke:
        yield f"seed {report.seed}; everything is in {report.kept}"


def _counts(counts: dict[str, int]) -> str:
    return ", ".join(f"{name} {count}" for name, count in counts.items()) or "none"
