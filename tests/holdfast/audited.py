"""What tests of audits share: recorded bars that can be changed row by row, and nodes that live on them."""

import gzip
from collections.abc import Callable, Sequence
from pathlib import Path

from domain.market import DAY_MS
from gateways.sample import SampleMarket
from gateways.sample_plan import BEGIN
from holdfast.audit.causes import Difference
from holdfast.audit.compare import Audit
from holdfast.config.loading import load_settings
from holdfast.parts import Parts, gather
from tests.endurance.nodes import ROOT
from tests.holdfast.test_equivalence import OVERRIDES

SYMBOLS = ("BTCUSDT", "ETHUSDT")
HEADER = "ts,open,high,low,close,volume"
FIRST_DAY, SECOND_DAY = "2024-01-02", "2024-01-03"
"""The days that are traded; the one before them is history."""
SECOND_AT = BEGIN + 2 * DAY_MS

Row = tuple[int, str]
"""When it opened, and the whole line."""
Change = Callable[[str, list[Row]], list[Row]]
"""Changes the rows of a symbol."""


def unchanged(symbol: str, rows: list[Row]) -> list[Row]:
    """Leave the rows as they are."""
    return rows


def write_bars(folder: Path, change: Change = unchanged, *, days: int = 3) -> Path:
    """Write the generated market's bars into files, with changes."""
    folder.mkdir(exist_ok=True)
    rows: dict[str, list[Row]] = {symbol: [] for symbol in SYMBOLS}
    for step in SampleMarket(days=days, symbols=SYMBOLS).steps(0):
        for row in step.rows:
            numbers = (row.open, row.high, row.low, row.close, row.volume)
            rows[row.symbol].append((row.opened_at, ",".join((str(row.opened_at), *numbers))))
    for symbol, known in rows.items():
        lines = "\n".join([HEADER, *(line for _, line in change(symbol, known))])
        (folder / f"{symbol}_1m.csv.gz").write_bytes(gzip.compress(lines.encode(), 1))
    return folder


def revise(symbol: str, opened_at: int, factor: float, *, minutes: int = 1) -> Change:
    """Return a change of a symbol's prices from an instant on."""

    def change(name: str, rows: list[Row]) -> list[Row]:
        if name != symbol:
            return rows
        span = range(opened_at, opened_at + minutes * 60_000)
        return [(at, _times(line, factor) if at in span else line) for at, line in rows]

    return change


def leave_out(symbol: str, opened_at: int, *, minutes: int) -> Change:
    """Return a change by which a symbol, all of them where it is empty, has no rows for a while."""

    def change(name: str, rows: list[Row]) -> list[Row]:
        span = range(opened_at, opened_at + minutes * 60_000)
        return [row for row in rows if symbol not in ("", name) or row[0] not in span]

    return change


def _times(line: str, factor: float) -> str:
    at, *prices, volume = line.split(",")
    return ",".join([at, *(f"{float(price) * factor:.2f}" for price in prices), volume])


def parts_on(bars: Path, *overrides: str) -> Parts:
    """Return the parts of a node that trades two days of bars."""
    feed = ("feed.source=files", f"feed.path={bars}", "feed.warmup_bars=24", f"feed.start={SECOND_AT - DAY_MS}")
    settings = load_settings(None, environ={}, overrides=(*OVERRIDES, *feed, *overrides)).settings
    return gather(settings, folder=ROOT)


def first_ones(found: Audit) -> list[Difference]:
    """Return the differences between journal and backtest that follow from no other."""
    return [each for each in found.backtest.differences if each.follows is None]


def demand_equal(found: Audit, *, fills_min: int = 3) -> None:
    """Demand that nothing differs, and that there was something to differ."""
    assert found.is_equal, [*found.replay.differences[:1], *found.backtest.differences[:1], found.before]
    assert found.score == 100
    assert found.replay.fills.places == found.backtest.fills.places >= fills_min
    assert found.backtest.decisions.matched == found.backtest.decisions.places > fills_min


def demand_told(found: Audit, causes: Sequence[str]) -> None:
    """Demand that all differences are of some causes, first ones before those that follow, and none equal to 100."""
    assert not found.replay.differences
    assert not found.is_equal
    assert found.score is not None
    assert found.score < 100
    assert {each.cause for each in found.backtest.differences} == set(causes)
    first = {each.number: each for each in first_ones(found)}
    for number, each in enumerate(found.backtest.differences, start=1):
        assert each.number == number
        assert each.follows is None or (each.follows < number and first[each.follows].cause == each.cause)
