"""Why an order is what it is: the whole chain, from the journal alone, each part with the record that tells it."""

import json
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from holdfast.backtest.plan import plan_backtest
from holdfast.backtest.running import run_backtest
from holdfast.cli.main import run_command_line
from holdfast.why.chain import Why, explain
from holdfast.why.orders import NoSuchOrder, read_orders
from messages.risk import OrderDenied
from persistence.reader import JournalReader
from tests.endurance.nodes import ROOT
from tests.holdfast.imported import parts_of
from tests.holdfast.test_backtest import PARAMETERS, SETTINGS, write_walk
from tests.holdfast.test_equivalence import OVERRIDES, crash_through, live_through, parts_for
from tests.holdfast.test_import_equivalence import a_home, days

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def home() -> Iterator[Path]:
    with tempfile.TemporaryDirectory() as folder:
        home = Path(folder) / "home"
        live_through(parts_for(2), home, seed=0)
        yield home


@pytest.fixture
def reader(home: Path) -> Iterator[JournalReader]:
    with JournalReader(home) as reader:
        yield reader


def orders_of(reader: JournalReader, leg: str) -> list[str]:
    told = read_orders(reader)
    return [client_id for client_id in told.orders if told.intent(client_id).event.terms.leg == leg]


def steps(why: Why) -> list[str]:
    return [link.step for link in why.links]


def test_every_entry_is_told_from_its_candle_to_its_end(reader: JournalReader) -> None:
    entries = orders_of(reader, "entry")
    assert len(entries) >= 10

    for client_id in entries:
        why = explain(reader, client_id)
        told = dict.fromkeys(steps(why))
        assert [step for step in told if step not in ("score", "answer", "fill", "end")] == [
            *("candle", "worth", "offer", "signal", "verdict", "intent")
        ]
        assert {"fill", "end"} & set(told)
        assert [link.record.seq for link in why.links] == sorted(link.record.seq for link in why.links)
        by_step = {link.step: link.about for link in why.links}
        assert (
            by_step["signal"].symbol == by_step["verdict"].entry.symbol == by_step["intent"].terms.symbol == why.symbol
        )
        assert by_step["candle"].symbol == why.symbol
        assert by_step["signal"].quantity >= by_step["verdict"].quantity == by_step["intent"].terms.quantity
        assert by_step["offer"].at == by_step["candle"].closed_at == by_step["worth"].at


def test_every_entry_tells_what_its_quantity_was_made_of(reader: JournalReader) -> None:
    for client_id in orders_of(reader, "entry"):
        links = {link.step: link.about for link in explain(reader, client_id).links}

        signal, worth = links["signal"], links["worth"]
        assert f"of equity {worth.equity:f}" in signal.sizing
        assert signal.sizing == links["verdict"].entry.sizing


def test_scores_are_those_that_were_known_and_concern_the_symbol(reader: JournalReader) -> None:
    found = [explain(reader, client_id) for client_id in orders_of(reader, "entry")]

    scores = [(why, link) for why in found for link in why.links if link.step == "score"]
    assert scores
    for why, score in scores:
        offer = next(link for link in why.links if link.step == "offer")
        assert score.record.seq < offer.record.seq
        assert not score.about.symbols or why.symbol in score.about.symbols


def test_a_stop_is_told_with_the_fill_it_protects_and_the_entry_of_that(reader: JournalReader) -> None:
    for client_id in orders_of(reader, "stop"):
        why = explain(reader, client_id)
        legs = [link.about.terms.leg for link in why.links if link.step == "intent"]
        assert legs[-1] == "stop" and "entry" in legs
        told = steps(why)
        assert told.index("signal") < told.index("fill") < len(told) - 1 - told[::-1].index("intent")


def test_an_exit_is_told_with_who_or_what_ordered_it(reader: JournalReader) -> None:
    exits = [explain(reader, client_id) for client_id in orders_of(reader, "exit")]

    assert exits
    for why in exits:
        assert "exit" in steps(why), why.name
        assert {"signal", "candle", "command"} & set(steps(why)), why.name


def test_a_stop_of_a_position_that_was_taken_over_is_told_with_the_import(tmp_path: Path) -> None:
    home = a_home(tmp_path)
    live_through(days(parts_of(*OVERRIDES), 1), home, seed=0)

    with JournalReader(home) as reader:
        imported = {held.seq for held in read_orders(reader).imported}
        found = [explain(reader, client_id) for client_id in orders_of(reader, "stop")]
    told = {link.record.seq for why in found for link in why.links if link.step == "import"}
    assert told and told <= imported


def test_a_proposal_that_was_denied_is_told_by_its_sequence_and_by_its_name(reader: JournalReader) -> None:
    verdicts = read_orders(reader).verdicts
    denied = [name for name, records in verdicts.items() if isinstance(records[-1].event, OrderDenied)]
    assert denied

    by_name = explain(reader, denied[0])
    by_sequence = explain(reader, str(verdicts[denied[0]][0].seq))

    assert by_name == by_sequence
    assert steps(by_name)[-2:] == ["signal", "verdict"]
    assert by_name.links[-1].about.reason


def test_crashes_in_between_change_nothing_of_it(tmp_path: Path) -> None:
    crash_through(parts_for(2), tmp_path / "home", seed=3, wanted=60)

    with JournalReader(tmp_path / "home") as reader:
        for client_id in orders_of(reader, "entry"):
            told = steps(explain(reader, client_id))
            assert {"candle", "worth", "offer", "signal", "verdict", "intent"} <= set(told), client_id


def test_an_order_is_found_by_the_beginning_of_its_id_and_one_that_is_not_there_is_refused_with_what_is_near(
    reader: JournalReader,
) -> None:
    first = orders_of(reader, "entry")[0]

    assert explain(reader, first[:-1]).name == first
    for name, said in (("h0", "with which"), ("h010zzz", "an order of this journal"), ("999999999", "the sequence of")):
        with pytest.raises(NoSuchOrder, match=said) as caught:
            explain(reader, name)
        assert "near: h0" in str(caught.value)


def test_the_command_tells_it_as_lines_and_as_json(home: Path, reader: JournalReader) -> None:
    client_id = orders_of(reader, "stop")[0]

    def run(*arguments: str) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-m", "holdfast", "why", *arguments, "--home", str(home)]
        return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)

    told, found = run(client_id), json.loads(run(client_id, "--json").stdout)

    assert told.returncode == 0
    assert told.stdout.splitlines()[0].split()[0] == found["order"] == client_id
    assert [line.split()[0] for line in told.stdout.splitlines()[3:]] == [link["step"] for link in found["chain"]]
    assert found["chain"][-1]["kind"].startswith("Order")
    candle = next(link for link in found["chain"] if link["step"] == "candle")
    assert {"open", "high", "low", "close"} <= set(candle["about"])
    refused = run("h0nothing")
    assert refused.returncode == 64
    assert "near:" in refused.stderr


def test_nothing_is_told_of_a_journal_that_is_not_what_was_written(
    home: Path, reader: JournalReader, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    entry = orders_of(reader, "entry")[0]
    shutil.copytree(home, tmp_path / "home")
    place = tmp_path / "home" / "journal.db"
    place.write_bytes(place.read_bytes().replace(b'"quantity":"0.', b'"quantity":"1.'))

    assert run_command_line(["why", entry, "--home", str(tmp_path / "home")]) == 65
    said = capsys.readouterr()
    assert said.out == ""
    assert "chain" in said.err


@pytest.fixture(scope="module")
def bars(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("bars")
    write_walk(folder / "BTCUSDT_1m.csv", seed=3, bars=1_500)
    return folder


@pytest.fixture(scope="module")
def backtested(bars: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the home of a backtest."""
    home = tmp_path_factory.mktemp("backtest") / "home"
    plan = plan_backtest(bars, "ema-cross", parameters=PARAMETERS, config=None, overrides=SETTINGS)
    run_backtest(plan, journal=home, progress=False)
    return home


def test_of_a_backtest_every_entry_is_told_from_its_candle_on(backtested: Path) -> None:
    with JournalReader(backtested) as reader:
        found = [explain(reader, client_id) for client_id in orders_of(reader, "entry")]

    assert len(found) >= 5
    for why in found:
        candles = [link.about for link in why.links if link.step == "candle"]
        offer = next(link.about for link in why.links if link.step == "offer")
        assert candles and {bar.closed_at for bar in candles} == {offer.at}


def test_of_a_backtest_the_candle_is_the_one_that_a_node_has_seen(backtested: Path, bars: Path, tmp_path: Path) -> None:
    plan = plan_backtest(bars, "ema-cross", parameters=PARAMETERS, config=None, overrides=SETTINGS)
    live_through(plan.parts(), tmp_path / "home", seed=1)

    def candles(home: Path) -> list[list[Any]]:
        with JournalReader(home) as reader:
            found = [explain(reader, client_id) for leg in ("entry", "exit") for client_id in orders_of(reader, leg)]
        # A node's journal has a bar that is a frame too in two records.
        return [list(dict.fromkeys(link.about for link in why.links if link.step == "candle")) for why in found]

    assert candles(backtested) == candles(tmp_path / "home")


def test_of_a_backtest_whose_files_are_others_now_it_is_told_where_the_candle_is(
    backtested: Path, bars: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = bars / "BTCUSDT_1m.csv"
    rows = file.read_text()
    with JournalReader(backtested) as reader:
        entry = orders_of(reader, "entry")[0]
    file.write_text(rows.replace("ts,", "ts ,"))
    try:
        assert run_command_line(["why", entry, "--home", str(backtested)]) == 0
        (told,) = (line for line in capsys.readouterr().out.splitlines() if line.startswith("candle"))
    finally:
        file.write_text(rows)

    assert "left_to='the files that the backtest has read'" in told
    assert "feed.path" in told
