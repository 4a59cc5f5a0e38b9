"""What people are shown is for people: times in UTC, numbers without noise; programs get all of it as it is."""

import json
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from holdfast.cli.tables import as_conflicts, as_event, as_performance, as_text
from holdfast.config.settings import Log
from holdfast.logs import NodeLog
from holdfast.rerun.command import _sides
from holdfast.rerun.decisions import Decision
from holdfast.shown import rounded, shown

AT = 1_704_068_100_000
WHEN = "2024-01-01 00:15:00"


@pytest.mark.parametrize(
    ("key", "value", "expected"),
    [
        ("at", AT, WHEN),
        ("good_until", AT, WHEN),
        ("quantity", AT, str(AT)),
        ("seq", 12, "12"),
        ("bars", [["BTCUSDT", "1m", AT, "42600.47"]], f"BTCUSDT, 1m, {WHEN}, 42600.47"),
        ("findings", [{"kind": "cash"}, {"kind": "order"}], "kind cash; kind order"),
        ("win_rate", 0.8421052631578947, "84.21 %"),
        ("drawdown", "0.0009770206598523363068124625812", "0.10 %"),
        ("return_fraction", 0.00478894, "+0.48 %"),
        ("drawdown", "2.14 %", "2.14 %"),
        ("profit_factor", 4.527478319446136, "4.52748"),
        ("reduced_by", None, "-"),
        ("waited_s", 90.0, "1 min 30 s"),
    ],
)
def test_a_value_is_shown_by_what_its_key_says(key: str, value: Any, expected: str) -> None:
    assert shown(key, value) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("0.0009770206598523363068124625812", "0.000977021"),
        ("-10234.500000000012", "-10234.5"),
        ("230.37221674", "230.37221674"),
        ("0.00000000012345678", "0.000000000123457"),
        ("0.0000000000000", "0"),
        ("5.00000000000001", "5"),
        ("h010000001ke00", "h010000001ke00"),
        ("2026-11-28T10:05:20.192452123Z", "2026-11-28T10:05:20.192452123Z"),
        ("1.2.3456789012", "1.2.3456789012"),
    ],
)
def test_only_digits_that_say_nothing_are_left_out(text: str, expected: str) -> None:
    assert rounded(text) == expected


def test_the_log_for_people_has_neither_milliseconds_nor_words_of_python_and_that_of_programs_has_all(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    values = {"at": AT, "reduced_by": None, "win_rate": 0.8421052631578947, "findings": ({"kind": "cash"},), "by": ()}

    with closing(NodeLog(Log(), tmp_path)) as log:
        log("info", "entry.approved", **values)
        log("info", "reconcile.verdict", at=0)

    approved, verdict = capsys.readouterr().err.splitlines()
    assert approved.split("entry.approved")[1].split() == [f"at='{WHEN[:10]}", f"{WHEN[11:]}'", *OTHERS]
    assert verdict.endswith("reconcile.verdict")
    written = json.loads((tmp_path / "logs" / "holdfast.jsonl").read_text().splitlines()[0])
    assert {key: written[key] for key in values} == values | {"findings": [{"kind": "cash"}], "by": []}


OTHERS = ["win_rate='84.21", "%'", "findings='kind", "cash'"]


def test_an_event_and_a_table_show_what_the_log_shows() -> None:
    payload = {"at": AT, "bars": [["BTCUSDT", "1m", AT]], "equity": "10000.970206598523363068124625812"}

    line = as_event({"seq": 1, "at": AT, "actor": "feed", "kind": "BarsClosed", "payload": payload})

    assert line.endswith(f"at={WHEN}  bars=BTCUSDT, 1m, {WHEN}  equity=10000.9702066")
    assert as_text(payload).splitlines()[2] == "equity  10000.9702066"


def test_what_trading_made_is_in_percent_as_a_run_and_a_backtest_say_it() -> None:
    answer = {"trades": 3, "return_fraction": 0.00478894, "drawdown_max": 0.0213, "win_rate": None}

    assert as_performance(answer).splitlines() == [
        "trades        3",
        "return        +0.48 %",
        "drawdown_max  2.13 %",
        "win_rate      -",
    ]


def test_what_resolved_a_difference_is_called_so() -> None:
    assert as_conflicts([{"seq": 4, "strategy": "by_kind"}]).splitlines() == ["seq  resolved by", "  4  by_kind"]
    assert as_conflicts([]) == "none"


def test_of_two_decisions_what_they_are_about_and_what_differs_is_shown() -> None:
    mine, theirs = (
        Decision(seq, AT, "OrderApproved", json.dumps({"symbol": "BTCUSDT", "quantity": quantity, "stop": "41000"}))
        for seq, quantity in ((5, "1"), (7, "2"))
    )

    rows = [line.split() for line in _sides(mine, theirs)[1:]]

    assert rows == [
        ["seq", "5", "7"],
        ["at", *WHEN.split(), *WHEN.split()],
        ["kind", "OrderApproved", "OrderApproved"],
        ["symbol", "BTCUSDT", "BTCUSDT"],
        ["*", "quantity", "1", "2"],
    ]
