"""What a torture came to, as data and as lines."""

from collections.abc import Iterator, Sequence

import msgspec


class Spread(msgspec.Struct, frozen=True):
    """How long something took, in seconds."""

    p50: float
    p99: float
    most: float


class Report(msgspec.Struct):
    """What was done, and what came of it."""

    seed: int
    kills: int = 0
    on_cue: int = 0
    """Of these, deaths at a named boundary: of the journal, or of a part's turn."""
    during_start: int = 0
    """Of these, deaths before the node was ready."""
    restarts: int = 0
    with_open_order: int = 0
    """Deaths at which an order rested at the exchange."""
    with_unproven_order: int = 0
    """Deaths after which the journal did not know whether an order had arrived."""
    orders: int = 0
    fills: int = 0
    absent: int = 0
    """Orders that provably never arrived."""
    events: int = 0
    faults: dict[str, int] = {}
    ready_s: Spread | None = None
    """From a death until every part of the node is up again."""
    trading_s: Spread | None = None
    """From a death until a strategy is asked again."""
    seconds: float = 0.0
    is_partial: bool = False
    """It was interrupted, or its time was up, before all deaths were died."""
    violations: list[str] = []
    kept: str = ""
    """The folder in which everything is, where it was kept."""


def spread(times: Sequence[float]) -> Spread | None:
    """Return the middle, the ninety-ninth in a hundred, and the longest; None of none."""
    if not times:
        return None
    ordered = sorted(times)
    middle, late = (ordered[min(len(ordered) - 1, int(len(ordered) * share))] for share in (0.5, 0.99))
    return Spread(round(middle, 3), round(late, 3), round(ordered[-1], 3))


def lines_of(report: Report) -> Iterator[str]:
    """Yield a report as lines for people."""
    yield f"kills        {report.kills} ({report.on_cue} on cue, {report.during_start} during a start)"
    yield f"             {report.with_open_order} with an order open, {report.with_unproven_order} with one unproven"
    yield f"orders       {report.orders}, {report.absent} more never arrived; {report.fills} fills"
    yield f"faults       {', '.join(f'{kind} {count}' for kind, count in sorted(report.faults.items())) or 'none'}"
    for name, times in (("ready", report.ready_s), ("trading", report.trading_s)):
        if times is not None:
            yield f"{name:<12} after {times.p50:g} s (p50), {times.p99:g} s (p99), {times.most:g} s at most"
    yield f"violations   {len(report.violations)}"
    yield from (f"  {each}" for each in report.violations)
    if report.violations:
        yield f"seed {report.seed}; everything is in {report.kept}"
