"""Laws of `holdfast audit`: a day that is lived again the same is equal, and what is not is told with its cause."""

import json
import tempfile
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import msgspec
import pytest

from domain.market import HOUR_MS, MINUTE_MS
from domain.reconciliation import Finding
from gateways.sample import SampleMarket
from holdfast.audit.compare import audit
from holdfast.audit.days import choose_day
from holdfast.parts import Parts
from holdfast.staging import StagedNode
from messages.base import Event
from messages.node import Command, OperatorCommanded, Salvaged
from messages.reconciliation import Reconciled
from persistence.reader import JournalReader
from persistence.records import Record
from tests.holdfast.audited import (
    FIRST_DAY,
    SECOND_AT,
    SECOND_DAY,
    Row,
    demand_equal,
    demand_told,
    first_ones,
    leave_out,
    parts_on,
    revise,
    write_bars,
)
from tests.holdfast.imported import parts_of
from tests.holdfast.test_equivalence import OVERRIDES, crash_through, kill_through, live_through, parts_for
from tests.holdfast.test_import_equivalence import STATE

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]


@pytest.fixture
def home() -> Iterator[Path]:
    with tempfile.TemporaryDirectory(dir="/dev/shm" if Path("/dev/shm").is_dir() else None) as folder:
        yield Path(folder) / "home"


@pytest.fixture(scope="module")
def bars(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_bars(tmp_path_factory.mktemp("bars"))


@pytest.fixture(scope="module")
def lived(bars: Path) -> Iterator[Path]:
    """Return the home of a node that has traded two recorded days."""
    with tempfile.TemporaryDirectory() as folder:
        live_through(parts_on(bars), Path(folder) / "home", seed=5)
        yield Path(folder) / "home"


def command(name: Command, target: str = "") -> OperatorCommanded:
    return OperatorCommanded(f"r-{name}", name, "tester", 1, 1_700_000_000_000, reason="a test", target=target)


def operate(parts: Parts, home: Path, *commands: tuple[int, Command]) -> None:
    """Live to the end, with commands given when the market has come to an instant."""
    with StagedNode(parts, home, seed=1, pause_s=lambda at, following: 0.1) as node:
        for at, name in commands:
            node.run(lambda at=at: node.stage.clock.market_ms() >= at and not node.switchboard.unsettled())  # type: ignore[misc]
            node.switchboard.record("node", [command(name)])
        node.run()
        node.commit()


# -- equal ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("day", [FIRST_DAY, SECOND_DAY])
def test_a_day_is_equal_to_its_re_run_and_its_backtest_and_the_home_is_only_read(lived: Path, day: str) -> None:
    before = {path.name: path.read_bytes() for path in lived.iterdir() if path.suffix in (".db", ".watermark")}

    demand_equal(audit(lived, day))
    assert {name: (lived / name).read_bytes() for name in before} == before


def test_the_newest_whole_day_is_audited_where_none_is_named(lived: Path) -> None:
    found = audit(lived)

    assert (found.day.name, found.day.is_whole) == (SECOND_DAY, True)


@pytest.mark.parametrize("seed", [0])
def test_a_node_that_was_killed_many_times_is_equal_on_every_day(home: Path, seed: int) -> None:
    kill_through(parts_for(2), home, seed=seed, wanted=40)

    for day in ("2024-01-01", "2024-01-02"):
        demand_equal(audit(home, day))


def test_actors_that_crashed_are_equal(home: Path) -> None:
    crash_through(parts_for(2), home, seed=1, wanted=60)

    demand_equal(audit(home, "2024-01-02"))


@pytest.mark.parametrize("turns", [5_003, 6_111, 7_402, 8_000])
def test_a_day_that_is_not_over_is_audited_up_to_where_the_journal_ends(home: Path, turns: int) -> None:
    with StagedNode(parts_for(2), home, seed=turns) as node:
        node.run(lambda: node.stage.steps >= turns)
        node.kill()

    found = audit(home)

    demand_equal(found)
    assert not found.day.is_whole


def test_a_day_ends_where_its_newest_bars_were_seen_though_its_node_goes_on(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with StagedNode(parts_for(1), home, seed=1) as node:
        node.run(lambda: node.counted("BarsClosed") >= 100)
        node.commit()
        read = JournalReader.read

        def read_and_go_on(reader: JournalReader, *given: Any, **named: Any) -> Iterator[Record]:
            yield from read(reader, *given, **named)
            node.run(lambda: node.counted("BarsClosed") >= 105)
            node.commit()

        monkeypatch.setattr(JournalReader, "read", read_and_go_on)
        with JournalReader(home) as reader:
            day = choose_day(reader, None)
            monkeypatch.undo()
            bars = list(reader.read(until=day.until, kinds=["BarsClosed"]))

    assert node.counted("BarsClosed") >= 105
    assert bars[-1].at == day.last_at


@pytest.mark.parametrize("kind", ["BarsClosed", "OfferAnswered", "OrderApproved", "OrderIntended", "OrderFilled"])
def test_of_an_instant_that_is_in_the_journal_in_part_no_more_is_asked_for(home: Path, kind: str) -> None:
    heard: list[str] = []
    hear = lambda records: heard.extend(record.kind for record in records)  # noqa: E731
    with StagedNode(parts_for(1), home, seed=1, hear=hear) as node:
        node.run(lambda: heard.count("OrderFilled") >= 4 and heard[-1] == kind)
        node.commit()
        node.kill()

    found = audit(home)

    assert found.day.is_cut
    demand_equal(found)


def test_what_the_source_has_got_since_the_market_ended_is_not_missed(bars: Path, home: Path, tmp_path: Path) -> None:
    def until_noon(symbol: str, rows: list[Row]) -> list[Row]:
        return [row for row in rows if row[0] < SECOND_AT + 12 * HOUR_MS]

    live_through(parts_on(write_bars(tmp_path / "then", until_noon)), home, seed=1)

    found = audit(home, SECOND_DAY, data=bars)

    assert (found.day.is_whole, found.day.is_cut, found.deviations) == (False, False, ())
    demand_equal(found)


def test_an_account_that_was_taken_over_is_equal_on_its_first_day_and_after(home: Path) -> None:
    home.mkdir(mode=0o700)
    (home / "state.json").write_text(json.dumps(STATE))
    kill_through(msgspec.structs.replace(parts_of(*OVERRIDES), source=SampleMarket(days=2)), home, seed=1, wanted=10)
    (home / "state.json").unlink()

    demand_equal(audit(home, "2024-01-01"))
    demand_equal(audit(home, "2024-01-02"))


def test_a_day_on_which_nothing_was_decided_has_no_score(lived: Path) -> None:
    found = audit(lived, "2024-01-04")

    assert found.score is None
    assert found.backtest.decisions.places == found.backtest.fills.places == 0
    assert found.is_equal


# -- bars ----------------------------------------------------------------------------------------------------------


def test_a_revised_bar_is_the_cause_with_both_versions(lived: Path, tmp_path: Path) -> None:
    opened_at = SECOND_AT + 3 * HOUR_MS + 14 * MINUTE_MS
    now = write_bars(tmp_path / "now", revise("BTCUSDT", opened_at, 1.02))

    found = audit(lived, SECOND_DAY, data=now)

    demand_told(found, ["revised bar"])
    (revised,) = found.deviations
    assert (revised.cause, revised.symbol, revised.at) == ("revised bar", "BTCUSDT", opened_at + MINUTE_MS)
    assert revised.journal is not None
    assert revised.source is not None
    assert Decimal(revised.source["close"]) / Decimal(revised.journal["close"]) > Decimal("1.019")
    with JournalReader(lived) as reader:
        record = next(iter(reader.read(after=(revised.seq or 0) - 1)))
    assert (record.kind, record.at) == ("BarsClosed", opened_at + MINUTE_MS)
    first = first_ones(found)[0]
    assert first.evidence == (revised,)
    assert first.pair.item.at >= revised.at


def test_what_a_revised_bar_leads_to_only_later_days_are_not_blamed_for(lived: Path, tmp_path: Path) -> None:
    now = write_bars(tmp_path / "now", revise("BTCUSDT", SECOND_AT - 9 * HOUR_MS - MINUTE_MS, 1.02))

    assert not audit(lived, FIRST_DAY, data=now).is_equal
    demand_equal(audit(lived, SECOND_DAY, data=now))


def test_bars_that_were_missing_just_before_a_day_are_no_matter_of_it(bars: Path, home: Path, tmp_path: Path) -> None:
    then = write_bars(tmp_path / "then", leave_out("", SECOND_AT - 50 * MINUTE_MS, minutes=49))
    live_through(parts_on(then), home, seed=1)

    found = audit(home, SECOND_DAY, data=bars)

    demand_equal(found)
    assert found.deviations == ()


def test_a_bar_that_changed_no_decision_is_told_and_the_day_is_equal(lived: Path, tmp_path: Path) -> None:
    now = write_bars(tmp_path / "now", revise("BTCUSDT", SECOND_AT + 23 * HOUR_MS + 59 * MINUTE_MS - MINUTE_MS, 1.0001))

    found = audit(lived, SECOND_DAY, data=now)

    demand_equal(found)
    assert [each.cause for each in found.deviations] == ["revised bar"]


def test_bars_that_the_node_never_got_are_missing(bars: Path, home: Path, tmp_path: Path) -> None:
    opened_at = SECOND_AT + 5 * HOUR_MS
    then = write_bars(tmp_path / "then", leave_out("ETHUSDT", opened_at, minutes=120))
    live_through(parts_on(then), home, seed=1)

    found = audit(home, SECOND_DAY, data=bars)

    demand_told(found, ["missing bar"])
    assert len(found.deviations) == 120
    assert {(each.cause, each.symbol, each.seq) for each in found.deviations} == {("missing bar", "ETHUSDT", None)}
    assert all(each.pair.item.symbol == "ETHUSDT" for each in first_ones(found))
    demand_equal(audit(home, SECOND_DAY))


def test_a_bar_that_came_too_late_and_one_that_was_not_believed_are_told_apart(
    bars: Path, home: Path, tmp_path: Path
) -> None:
    late_at, odd_at = SECOND_AT + 4 * HOUR_MS + 14 * MINUTE_MS, SECOND_AT + 9 * HOUR_MS + 29 * MINUTE_MS

    def disturb(symbol: str, rows: list[Row]) -> list[Row]:
        if symbol != "BTCUSDT":
            return rows
        late = next(row for row in rows if row[0] == late_at)
        kept: list[Row] = []
        for at, line in rows:
            if at != late_at:
                kept.append((at, line.replace(",", ",9", 1) if at == odd_at else line))
            if at == late_at + 2 * MINUTE_MS:
                kept.append(late)
        return kept

    live_through(parts_on(write_bars(tmp_path / "then", disturb)), home, seed=1)

    found = audit(home, SECOND_DAY, data=bars)

    causes = {each.cause: each for each in found.deviations}
    assert set(causes) == {"late bar", "refused bar"}
    assert causes["late bar"].at == late_at + MINUTE_MS
    assert causes["refused bar"].at == odd_at + MINUTE_MS
    with JournalReader(home) as reader:
        for each in causes.values():
            assert next(iter(reader.read(after=(each.seq or 0) - 1))).kind == "RowRefused"


# -- fills ---------------------------------------------------------------------------------------------------------


def test_other_slippage_is_told_fill_by_fill_in_basis_points_and_money(lived: Path) -> None:
    found = audit(lived, SECOND_DAY, overrides=["venue.slippage_bps=12"])

    demand_told(found, ["slippage"])
    slips = [each.slip for each in first_ones(found) if each.slip is not None]
    assert len(slips) == len(first_ones(found)) > 3
    assert all(-11 < slip.price_bps < -9 and slip.quote < 0 for slip in slips)
    assert found.backtest.fills.matched == 0


def test_other_fees_are_slippage_too_at_the_same_price(lived: Path) -> None:
    found = audit(lived, SECOND_DAY, overrides=["venue.fee_taker_bps=4"])

    slip = first_ones(found)[0].slip
    demand_told(found, ["slippage"])
    assert slip is not None
    assert slip.price_bps == slip.quote == 0
    assert slip.fee > 0


# -- hands ---------------------------------------------------------------------------------------------------------


def test_a_pause_is_the_operators_and_on_the_next_day_too(bars: Path, home: Path) -> None:
    paused_at = SECOND_AT - 20 * HOUR_MS
    operate(parts_on(bars), home, (paused_at, "pause"))

    for day in (FIRST_DAY, SECOND_DAY):
        found = audit(home, day)

        demand_told(found, ["operator"])
        (pause,) = found.deviations
        with JournalReader(home) as reader:
            assert next(iter(reader.read(after=(pause.seq or 0) - 1))).kind == "OperatorCommanded"
        assert "a test" in pause.detail
        assert first_ones(found)[0].evidence == (pause,)


def test_flatten_is_the_operators(bars: Path, home: Path) -> None:
    operate(parts_on(bars), home, (SECOND_AT + 6 * HOUR_MS, "flatten"))

    found = audit(home, SECOND_DAY)

    demand_told(found, ["operator"])
    assert "flatten by tester" in found.deviations[0].detail


def test_a_command_just_before_midnight_belongs_to_the_day_that_ends(bars: Path, home: Path) -> None:
    operate(parts_on(bars), home, (SECOND_AT - MINUTE_MS, "flatten"))

    demand_equal(audit(home, SECOND_DAY))


def test_other_settings_in_force_since_midday_are_the_operators(bars: Path, home: Path) -> None:
    with StagedNode(parts_on(bars), home, seed=1) as node:
        node.run(lambda: node.stage.clock.market_ms() >= SECOND_AT + 2 * HOUR_MS)
        node.commit()
        node.kill()
    live_through(parts_on(bars, "risk.order_notional_max=150", "log.level=warning"), home, seed=2)

    found = audit(home, SECOND_DAY)

    demand_told(found, ["operator"])
    (change,) = found.deviations
    assert change.detail == "other settings: risk.order_notional_max from 5000 to 150"


def test_a_part_that_was_given_up_is_the_restarts(bars: Path, home: Path) -> None:
    with StagedNode(parts_on(bars, "supervision.strategies.intensity=0"), home, seed=1) as node:
        node.run(lambda: node.stage.clock.market_ms() >= SECOND_AT + 2 * HOUR_MS)
        node.crash("strategy.ema_cross")
        node.run()
        node.commit()

    found = audit(home, SECOND_DAY)

    assert {each.cause for each in found.deviations} == {"restart"}
    assert {each.cause for each in found.backtest.differences} == {"restart"}
    assert {each.cause for each in found.replay.differences} == {"restart"}
    assert any("offer skipped" in evidence.detail for each in first_ones(found) for evidence in each.evidence)


def test_entries_that_a_salvage_has_ended_are_the_restarts_and_on_the_next_day_too(bars: Path, home: Path) -> None:
    salvaged = Salvaged(
        generation=2,
        kept=9,
        lost_from=10,
        lost_to=12,
        readable_beyond=0,
        reason="chain",
        files={},
        quarantine="",
        user="x",
        process=1,
        wall_ms=1,
    )
    demand_told_on_both_days(bars, home, salvaged, "salvaged up to sequence 9: no entries")


@pytest.mark.parametrize("symbol", ["", "BTCUSDT"])
def test_entries_that_a_verdict_has_ended_are_the_restarts_and_on_the_next_day_too(
    bars: Path, home: Path, symbol: str
) -> None:
    asset = symbol.removesuffix("USDT") or "USDT"
    finding = Finding("position_extra" if symbol else "deposit", symbol, asset, Decimal(1), Decimal(2), "halt")
    said = f"the verdict of a start, {finding.kind}: expected 1 {asset}, found 2 at the venue: no entries"

    demand_told_on_both_days(bars, home, Reconciled("start", (finding,)), said)


def demand_told_on_both_days(bars: Path, home: Path, stop: Event, said: str) -> None:
    """Demand that what ends entries on the first day is a cause in the audit of either."""
    with StagedNode(parts_on(bars), home, seed=1, pause_s=lambda at, following: 0.1) as node:
        node.run(lambda: node.stage.clock.market_ms() >= SECOND_AT - 18 * HOUR_MS and not node.switchboard.unsettled())
        node.switchboard.record("node", [stop])
        node.run()
        node.commit()

    for day, words in ((FIRST_DAY, said), (SECOND_DAY, "no entries since before")):
        found = audit(home, day)
        (deviation,) = found.deviations

        assert (deviation.cause, deviation.seq is not None) == ("restart", True)
        assert deviation.detail.startswith(words)
        assert not found.replay.differences
        assert {each.cause for each in found.backtest.differences} == {"restart"}
