"""Laws of recorded markets: one order of time, the same from any point, and no bad row that stops the reading."""

import gzip
import hashlib
import os
import random
import tracemalloc
from collections.abc import Sequence
from itertools import islice
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from domain.bars import Finding, judge_step
from domain.market import HOUR_MS, MINUTE_MS, Bar
from domain.sources import Row, Step, Stretch
from gateways import bar_files
from gateways.errors import SourceBroken, SourceMissing
from gateways.recorded import RecordedMarket

DATA = Path(os.environ.get("HOLDFAST_DATA", Path(__file__).parents[2] / "../shared/data")) / "ohlcv"
needs_data = pytest.mark.skipif(not DATA.is_dir(), reason=f"no recorded bars in {DATA}: set HOLDFAST_DATA")
HEADER = "ts,open,high,low,close,volume"
T0 = 1_700_002_800_000
"""The beginning of an hour."""


def at(minute: float) -> int:
    return T0 + int(minute * MINUTE_MS)


def line(minute: float, price: float = 100) -> str:
    return f"{at(minute)},{price},{price},{price},{price},1"


def write(folder: Path, name: str, lines: Sequence[str], header: str = HEADER) -> Path:
    path = folder / name
    text = "\n".join([header, *lines, ""]).encode()
    path.write_bytes(gzip.compress(text, mtime=0) if name.endswith(".gz") else text)
    return path


def minutes_of(steps: Sequence[Step]) -> list[tuple[float, list[tuple[str, float]]]]:
    return [
        ((step.at - T0) / MINUTE_MS, [(row.symbol, (row.opened_at - T0) / MINUTE_MS) for row in step.rows])
        for step in steps
    ]


def test_rows_that_close_together_come_in_one_step_in_configured_order(tmp_path: Path) -> None:
    write(tmp_path, "AAA_1m.csv.gz", [line(0), line(1), line(3)])
    write(tmp_path, "BBB_1m.csv", [line(1), line(2), line(3)])
    market = RecordedMarket.open(tmp_path, symbols=["BBB", "AAA"], start=at(0))

    steps = minutes_of(list(market.steps(0)))

    assert steps == [
        (1, [("AAA", 0)]),
        (2, [("BBB", 1), ("AAA", 1)]),
        (3, [("BBB", 2)]),
        (4, [("BBB", 3), ("AAA", 3)]),
    ]


@pytest.mark.parametrize("seed", range(30))
def test_stretches_read_what_steps_read_whatever_is_odd_in_the_lines(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, seed: int
) -> None:
    monkeypatch.setattr(bar_files, "BATCH_BYTES", 256)
    draw = random.Random(seed)
    lines = [f"{minute},{line(minute)}" for minute in range(60)]
    for _ in range(seed % 4):
        place = draw.randrange(1, 59)
        lines[place] = draw.choice((f"{lines[place]},8", "", lines[place].rpartition(",")[0], f"{lines[place]}\n"))
    if seed % 5 == 0:  # A field too many, and one too few in the next line: together they have as many as they should.
        lines[30], lines[31] = f"{lines[30]},8", line(31)
    header = f"trades,{HEADER}"
    if seed % 5 == 1:  # A line that is broken where a field would be that nobody reads.
        lines, header = (
            [line(minute).replace(",", ",0,", 1) for minute in range(60)],
            HEADER.replace(",", ",trades,", 1),
        )
        lines[30] = lines[30].replace(",0,", "\n", 1)
    market = RecordedMarket.open(write(tmp_path, "AAA_1m.csv", lines, header=header), start=at(0))

    read = list(market.stretches(at(0)))

    steps = [step for each in read for step in (each.steps() if isinstance(each, Stretch) else [each])]
    assert steps == list(market.steps(at(0)))
    assert seed % 4 or seed % 5 < 2 or all(isinstance(each, Stretch) for each in read)


def test_time_frames_are_merged_by_when_their_bars_close(tmp_path: Path) -> None:
    write(tmp_path, "AAA_1h.csv", [line(0), line(60)])
    write(tmp_path, "BBB_15m.csv", [line(30), line(45), line(60)])
    market = RecordedMarket.open(tmp_path, start=at(0))

    steps = minutes_of(list(market.steps(0)))

    assert steps == [(45, [("BBB", 30)]), (60, [("AAA", 0), ("BBB", 45)]), (75, [("BBB", 60)]), (120, [("AAA", 60)])]
    assert (market.base_timeframe("AAA"), market.base_timeframe("BBB")) == ("1h", "15m")


def test_a_row_keeps_its_text(tmp_path: Path) -> None:
    path = write(tmp_path, "x_BTCUSDT_1m_20230101.csv", [f"{T0},1.10,NaN,-0,1e5,", "", line(1)])

    steps = list(RecordedMarket.open(path, start=0).steps(0))

    assert steps[0] == Step(at(1), (Row("BTCUSDT", "1m", T0, "1.10", "NaN", "-0", "1e5", ""),))
    assert len(steps) == 2


def test_late_rows_come_in_steps_of_their_own_at_the_time_of_the_step_before(tmp_path: Path) -> None:
    write(tmp_path, "AAA_1m.csv", [line(0), line(1), line(1), line(0), line(2)])
    write(tmp_path, "BBB_1m.csv", [line(0), line(1), line(0), line(2)])

    steps = minutes_of(list(RecordedMarket.open(tmp_path, start=at(0)).steps(0)))

    assert steps == [
        (1, [("AAA", 0), ("BBB", 0)]),
        (2, [("AAA", 1), ("BBB", 1)]),
        (2, [("AAA", 1)]),
        (2, [("AAA", 0)]),
        (2, [("BBB", 0)]),
        (3, [("AAA", 2), ("BBB", 2)]),
    ]


@pytest.mark.parametrize(
    "text", ["garbage", "12:30,1,1,1,1,1", "1700002800,1,1,1,1,1", "\ufffd\u0000,,", f"{10**400},1"]
)
def test_a_row_without_a_readable_time_is_shown_at_that_of_the_row_before_and_stops_nothing(
    tmp_path: Path, text: str
) -> None:
    path = write(tmp_path, "AAA_1m.csv", [line(0), text, line(1)])

    steps = list(RecordedMarket.open(path, start=at(0)).steps(0))

    assert [step.at for step in steps] == [at(1), at(1), at(2)]
    assert steps[1].rows == (Row("AAA", "1m", at(0), text[:60], "", "", "", ""),)
    assert [finding.fault for finding in judge_step(steps[1], {}, 0).findings] == ["unreadable"]


@pytest.mark.parametrize("text", [f"{at(1)},1,1,1,1", f"{at(1)},1,1,1,1,1,1", f"{at(1)}"])
def test_a_row_with_too_few_or_too_many_fields_is_unreadable_at_its_own_time(tmp_path: Path, text: str) -> None:
    path = write(tmp_path, "AAA_1m.csv", [line(0), text, line(2)])

    steps = list(RecordedMarket.open(path, start=at(0)).steps(0))

    assert [step.at for step in steps] == [at(1), at(2), at(3)]
    assert [finding.fault for finding in judge_step(steps[1], {}, 0).findings] == ["unreadable"]


def test_one_time_far_ahead_does_not_end_the_data(tmp_path: Path) -> None:
    path = write(tmp_path, "AAA_1m.csv", [line(0), line(50_000), line(1), line(2)])

    steps = list(RecordedMarket.open(path, start=at(0)).steps(0))

    assert [step.at for step in steps] == [at(1), at(1), at(2), at(3)]
    assert [finding.fault for finding in judge_step(steps[1], {}, 0).findings] == ["unreadable"]


def test_a_long_outage_is_no_error_in_time(tmp_path: Path) -> None:
    path = write(tmp_path, "AAA_1m.csv", [line(0), line(50_000), line(50_001)])

    steps = list(RecordedMarket.open(path, start=at(0)).steps(0))

    assert [step.at for step in steps] == [at(1), at(50_001), at(50_002)]


@pytest.mark.parametrize(
    ("header", "row"),
    [
        ("open,high,low,close,volume,ts", f"1,2,3,4,5,{T0}"),
        ("\ufeffts,open,high,low,close,volume,trades", f"{T0},1,2,3,4,5,99"),
        ("TS , Close,Open,High,Low,Volume\r", f"{T0},4,1,2,3,5\r"),
    ],
)
def test_columns_are_found_by_name(tmp_path: Path, header: str, row: str) -> None:
    path = write(tmp_path, "AAA_1m.csv", [row], header=header)

    steps = list(RecordedMarket.open(path, start=0).steps(0))

    assert steps == [Step(at(1), (Row("AAA", "1m", T0, "1", "2", "3", "4", "5"),))]


@pytest.mark.parametrize(
    ("name", "content", "sentence"),
    [
        ("A_1m.csv", b"", "line 1: expected the columns ts, open, high, low, close, volume, found an empty line"),
        ("A_1m.csv", b"time,open,high\n1,2,3\n", "line 1: expected the columns .* found 'time,open,high'"),
        ("A_1m.csv", HEADER.encode(), "line 2: expected a row of bars, found the end of the file"),
        (
            "A_1m.csv",
            HEADER.encode() + b"\n1700000,1,1,1,1,1\n",
            "line 2: expected a time in milliseconds .* '1700000,",
        ),
        ("A_1m.csv", HEADER.encode() + b"\n2023-01-01,1,1,1,1,1\n", "line 2: expected a time in milliseconds"),
        ("A_1m.csv", b"x" * 100_000, "line 1: expected a line of at most 65536 bytes, found a longer one"),
        ("A_1m.csv.gz", b"ts,open", "expected gzip data, which begins with 1f 8b, found 74 73"),
        ("A_1m.csv.gz", b"", "expected gzip data, which begins with 1f 8b, found an empty file"),
        ("A_7m.csv", b"", "expected a time frame of 1s, 1m, 3m, .*, found '7m'"),
        ("bars.csv", b"", "expected a name like BTCUSDT_1m.csv.gz, .*, found 'bars.csv'"),
    ],
)
def test_a_file_that_holds_no_bars_is_refused_with_what_was_expected_and_found(
    tmp_path: Path, name: str, content: bytes, sentence: str
) -> None:
    (tmp_path / name).write_bytes(content)

    with pytest.raises(SourceBroken, match=f"{name}.*{sentence}"):
        RecordedMarket.open(tmp_path / name)


def test_a_file_that_is_cut_short_is_refused_before_anything_is_traded(tmp_path: Path) -> None:
    path = write(tmp_path, "A_1m.csv.gz", [line(minute, minute % 97) for minute in range(20_000)])
    path.write_bytes(path.read_bytes()[:-5_000])

    with pytest.raises(SourceBroken, match=r"A_1m.csv.gz, line 1\d+: expected a whole gzip file, found "):
        RecordedMarket.open(path)


def test_a_file_that_was_changed_since_it_was_opened_is_refused(tmp_path: Path) -> None:
    path = write(tmp_path, "A_1m.csv", [line(0), line(1)])
    market = RecordedMarket.open(path, start=0)
    write(tmp_path, "A_1m.csv", [line(0), line(1), line(2)])

    with pytest.raises(SourceBroken, match="expected the file that was opened at the start"):
        next(market.steps(0))


def test_what_is_not_there_is_missing(tmp_path: Path) -> None:
    write(tmp_path, "AAA_1m.csv", [line(0)])

    with pytest.raises(SourceMissing, match="gone: expected a file or a folder, found nothing"):
        RecordedMarket.open(tmp_path / "gone")
    with pytest.raises(SourceMissing, match="expected a file of BBB, found files of AAA 1m"):
        RecordedMarket.open(tmp_path, symbols=["AAA", "BBB"])
    with pytest.raises(SourceMissing, match="expected a file of AAA 1h, found files of AAA 1m"):
        RecordedMarket.open(tmp_path, timeframes={"AAA": "1h"})


def test_a_folder_without_bars_is_refused_and_other_files_in_it_are_passed_over(tmp_path: Path) -> None:
    write(tmp_path, "notes.csv", ["hello"])
    (tmp_path / "AAA_1m.txt").write_text("no bars")
    with pytest.raises(SourceMissing, match="expected a file named like"):
        RecordedMarket.open(tmp_path)

    write(tmp_path, "AAA_1m.csv", [line(0)])

    assert RecordedMarket.open(tmp_path, start=0).symbols() == ("AAA",)


def test_a_file_whose_name_says_nothing_takes_symbol_and_time_frame_from_the_configuration(tmp_path: Path) -> None:
    path = write(tmp_path, "bars.csv", [line(0)])

    market = RecordedMarket.open(path, symbols=["AAA"], timeframes={"AAA": "5m"}, start=0)

    assert minutes_of(list(market.steps(0))) == [(5, [("AAA", 0)])]


@pytest.mark.parametrize("name", ["binance_BTCUSDT_1m_2021_2022.csv.gz", "btcusdt_1m_LGPL.csv.gz", "BTCUSDT-1m.csv.gz"])
def test_the_symbol_is_read_from_anywhere_in_the_name(tmp_path: Path, name: str) -> None:
    market = RecordedMarket.open(write(tmp_path, name, [line(0)]), start=0)

    assert (market.symbols(), market.base_timeframe("BTCUSDT")) == (("BTCUSDT",), "1m")


def test_of_several_time_frames_the_finest_is_read_or_the_one_asked_for(tmp_path: Path) -> None:
    write(tmp_path, "AAA_1h.csv", [line(0)])
    write(tmp_path, "AAA_5m.csv", [line(0)])

    assert RecordedMarket.open(tmp_path, start=0).base_timeframe("AAA") == "5m"
    assert RecordedMarket.open(tmp_path, start=0, timeframes={"AAA": "1h"}).base_timeframe("AAA") == "1h"


def test_files_of_one_symbol_follow_each_other_and_where_they_overlap_the_rows_are_late(tmp_path: Path) -> None:
    write(tmp_path, "one_AAA_1m.csv", [line(2), line(3)])
    write(tmp_path, "two_AAA_1m.csv", [line(0), line(1), line(2)])

    steps = minutes_of(list(RecordedMarket.open(tmp_path, start=at(0)).steps(0)))

    assert steps == [(minute, [("AAA", opened)]) for minute, opened in [(1, 0), (2, 1), (3, 2), (3, 2), (4, 3)]]


def test_it_names_its_files_by_hash_and_not_by_folder(tmp_path: Path) -> None:
    path = write(tmp_path, "AAA_1m.csv.gz", [line(0)])
    sha256 = hashlib.sha256(path.read_bytes()).hexdigest()

    description = RecordedMarket.open(path, start=0).describe()

    assert description == f"recorded market: AAA 1m AAA_1m.csv.gz sha256:{sha256}"


def hours(count: int, begin: int = 0) -> list[str]:
    return [line(minute, 100 + minute % 7) for minute in range(begin, begin + count * 60)]


def test_trading_starts_when_every_symbol_has_its_warm_up_in_whole_frames(tmp_path: Path) -> None:
    write(tmp_path, "AAA_1m.csv", hours(40))
    write(tmp_path, "BBB_1m.csv", hours(40, begin=90))

    market = RecordedMarket.open(tmp_path, warmup_bars=5)

    assert market.starts_at() == at(2 * 60 + 5 * 60)
    assert [len(market.history(symbol, "1h")) for symbol in market.symbols()] == [5, 5]


def test_at_most_a_third_of_the_data_is_left_for_the_warm_up(tmp_path: Path) -> None:
    market = RecordedMarket.open(write(tmp_path, "AAA_1m.csv", hours(40)), warmup_bars=100)

    assert market.starts_at() == at(13 * 60)
    assert market.steps_total() == 27 * 60 == len(list(market.steps(market.starts_at())))


def test_a_given_start_and_end_are_kept_to(tmp_path: Path) -> None:
    path = write(tmp_path, "AAA_1m.csv", hours(5))

    market = RecordedMarket.open(path, start=at(100), end=at(110))

    assert market.starts_at() == at(100)
    assert [step.at for step in market.steps(at(100))] == [at(minute) for minute in range(101, 111)]
    assert market.steps_total() == 10
    with pytest.raises(SourceBroken, match="expected a bar that closes after"):
        RecordedMarket.open(path, start=at(300))


def test_the_number_of_steps_of_sparse_data_is_at_most_that_of_its_rows(tmp_path: Path) -> None:
    path = write(tmp_path, "AAA_1m.csv", [line(0), line(5_000), line(9_000)])

    assert RecordedMarket.open(path, start=at(0)).steps_total() == 3


def test_history_is_what_the_steps_up_to_the_start_make(tmp_path: Path) -> None:
    rows = hours(30)
    rows[200] = "garbage"
    rows[300] = line(300, 10_000)
    market = RecordedMarket.open(write(tmp_path, "AAA_1m.csv", rows), start=at(12 * 60), warmup_bars=4)

    history = market.history("AAA", "1h")

    assert [bar.closed_at for bar in history] == [at(hour * 60) for hour in (9, 10, 11, 12)]
    assert all(bar.timeframe == "1h" and bar.high == 106 and bar.volume == 60 for bar in history)
    assert [bar.closed_at for bar in market.history("AAA", "15m")] == [at(12 * 60 - back) for back in (45, 30, 15, 0)]
    with pytest.raises(ValueError, match="a frame of AAA must be one of"):
        market.history("AAA", "5m")


def test_history_holds_a_frame_whose_last_bars_are_missing(tmp_path: Path) -> None:
    rows = [*hours(3)[:-10], *hours(3, begin=180)]
    market = RecordedMarket.open(write(tmp_path, "AAA_1m.csv", rows), start=at(180))

    assert [bar.closed_at for bar in market.history("AAA", "1h")] == [at(60), at(120), at(180)]


def rest_of(every: Sequence[Step], after: int) -> list[Step]:
    """Return the steps after an instant, and before them what came late to that of this instant."""
    return [step for step in every if step.at >= after][any(step.at == after for step in every) :]


broken_lines = st.lists(
    st.one_of(
        st.integers(0, 60).map(line),
        st.integers(0, 60).map(lambda minute: line(minute * 60)),
        st.sampled_from(["garbage", "", line(90_000), line(90_001), f"{at(7)},1", "9"]),
    ),
    max_size=25,
)


@settings(max_examples=120, deadline=None)
@given(
    files=st.lists(broken_lines, min_size=1, max_size=3),
    after=st.integers(-1, 70),
    unit=st.sampled_from([1, 60]),
    batch=st.integers(20, 700),
)
def test_reading_from_any_point_gives_the_rest_of_reading_from_the_start(
    tmp_path_factory: pytest.TempPathFactory, files: list[list[str]], after: int, unit: int, batch: int
) -> None:
    folder = tmp_path_factory.mktemp("bars")
    in_order = [line(minute) for minute in range(-30, 0)]
    for index, lines in enumerate(files):
        write(folder, f"{'AAB'[index]}_1m_{index}.csv", [*in_order, *lines, *in_order[index:]])
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(bar_files, "BATCH_BYTES", batch)
        market = RecordedMarket.open(folder, start=at(-30))
        every = list(market.steps(0))

        rest = list(market.steps(at(after * unit)))

    assert rest == rest_of(every, at(after * unit))
    assert [step.at for step in every] == sorted(step.at for step in every)
    wanted = sum(bool(text) for lines in files for text in lines)
    assert sum(len(step.rows) for step in every) == wanted + sum(60 - index for index in range(len(files)))


def test_wherever_batches_end_skipping_changes_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    opened = [*range(60), 10, 60, 30, *range(61, 120), 90_000, *range(120, 180)]
    path = write(tmp_path, "AAA_1h.csv", [line(60 * hour) for hour in opened])
    market = RecordedMarket.open(path, start=at(0))
    every = list(market.steps(0))

    for batch in range(100, 3_500, 17):
        monkeypatch.setattr(bar_files, "BATCH_BYTES", batch)
        for hour in (60, 61, 119, 121, 170):
            first_two = list(islice(market.steps(at(60 * hour)), 2))
            assert first_two == rest_of(every, at(60 * hour))[:2], (batch, hour)


def test_memory_does_not_grow_with_the_file(tmp_path: Path) -> None:
    path = write(tmp_path, "AAA_1m.csv.gz", [line(minute) for minute in range(25_000)])
    market = RecordedMarket.open(path, start=at(0))
    tracemalloc.start()
    try:
        count = sum(1 for _ in market.steps(0))
        peak_bytes = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()

    assert count == 25_000
    assert peak_bytes < 1_500_000


@needs_data
def test_the_recorded_market_is_believed_whole_but_for_its_known_outages() -> None:
    symbols = ["BTCUSDT", "ETHUSDT", "DOGEUSDT", "LUNAUSDT", "BNBUSDT", "SOLUSDT", "XRPUSDT", "BTCPERP"]
    market = RecordedMarket.open(DATA, symbols=symbols)
    newest: dict[str, Bar] = {}
    market_at, count = 0, 0
    found: list[Finding] = []
    for step in market.steps(0):
        judged = judge_step(step, newest, market_at)
        market_at = step.at
        newest.update((bar.symbol, bar) for bar in judged.bars)
        found += judged.findings
        count += len(judged.bars)

    assert count == 2 * (43_461 + 43_199) + 3 * 2_176 + 45_031
    assert {(finding.fault, finding.detail.split(" missing")[0]) for finding in found} == {
        ("gap", "2 of 1h"),
        ("gap", "3 of 1h"),
    }
    assert len(found) == 6


@needs_data
def test_three_files_of_hours_are_read_as_one_series() -> None:
    market = RecordedMarket.open(DATA, symbols=["BTCUSDT"], timeframes={"BTCUSDT": "1h"})

    opened = [row.opened_at for step in market.steps(0) for row in step.rows]

    assert len(opened) == 20_708 + 2_176 + 3_624
    assert opened == sorted(opened)
    assert len(market.history("BTCUSDT", "1h")) == 100
    assert market.starts_at() % HOUR_MS == 0
