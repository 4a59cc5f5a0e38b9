"""The laws of the tables for people and tools: they say what the events say, and can be thrown away."""

from collections.abc import Iterator, Sequence
from contextlib import closing
from decimal import Decimal
from pathlib import Path

import apsw
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from domain.imported import PastTrade
from domain.money import Money
from domain.order import RANK, Fill, Terms
from domain.strategies.base import Score
from messages.base import Event
from messages.codec import encode
from messages.imported import Kept, PastImported
from messages.market import Offered
from messages.orders import (
    OrderAbsent,
    OrderAccepted,
    OrderCanceled,
    OrderExpired,
    OrderFilled,
    OrderIntended,
    OrderRejected,
    OrderUnresolved,
)
from messages.positions import EquityMarked, PositionChanged
from messages.sentiment import HeadlineScored
from persistence import journal as journal_module
from persistence import projections
from persistence.errors import JournalDamaged
from persistence.journal import Journal
from persistence.records import Draft
from persistence.tables import TABLE_KEYS
from persistence.verify import verify

Rows = list[tuple[object, ...]]


@pytest.fixture
def journal(tmp_path: Path) -> Iterator[Journal]:
    with closing(Journal.open(tmp_path)) as journal:
        yield journal


def append(journal: Journal, events: Sequence[Event], *, tables_follow: bool = False) -> None:
    drafts = []
    for seq, event in enumerate(events, journal.last_seq + 1):
        kind, version, payload = encode(event)
        drafts.append(Draft(seq, seq * 10, 0, kind, version, "executor", 1, seq - 1, 0, 0, payload))
    journal.append(drafts, tables_follow=tables_follow)


def rows(journal: Journal, columns: str, table: str) -> Rows:
    query = f"SELECT {columns} FROM {table} ORDER BY {TABLE_KEYS[table]}"
    return journal._connection.execute(query).fetchall()


def content(journal: Journal) -> dict[str, Rows]:
    return {table: rows(journal, "*", table) for table in TABLE_KEYS if table != "projected"}


def intended(client_id: str, quantity: str = "1") -> OrderIntended:
    terms = Terms(client_id, "cross", "BTCUSDT", "buy", "limit", Decimal(quantity), "entry", Decimal("5.50"))
    return OrderIntended(terms, ordered_by=3, attempt=1, proposal_id="p", why="because")


def filled(client_id: str, trade_id: str, quantity: str) -> OrderFilled:
    fee = Money(Decimal("0.010"), "USDT")
    fill = Fill(trade_id, client_id, "BTCUSDT", "buy", Decimal(quantity), Decimal("5.4900"), fee, "maker", 77)
    return OrderFilled(fill, "cross", "report")


order_events = st.one_of(
    st.builds(intended, st.sampled_from("abc"), st.sampled_from(["1", "0.30", "2.5"])),
    st.builds(OrderAccepted, st.sampled_from("abc"), st.sampled_from(["v1", "v2"]), st.just("answer")),
    st.builds(OrderRejected, st.sampled_from("abc"), st.just("CODE"), st.just("no"), st.just("lookup")),
    st.builds(OrderUnresolved, st.sampled_from("abc"), st.just("timed out")),
    st.builds(filled, st.sampled_from("abc"), st.sampled_from("tuvw"), st.sampled_from(["0.1", "0.30", "1"])),
    st.builds(OrderCanceled, st.sampled_from("abc"), st.just("answer")),
    st.builds(OrderExpired, st.sampled_from("abc"), st.just("lookup")),
    st.builds(OrderAbsent, st.sampled_from("abc"), st.just("two lookups")),
    st.builds(Offered, st.just("cross"), st.integers(0, 9), st.just(1)),
)


def test_an_order_can_be_read_with_all_that_is_known_of_it(journal: Journal) -> None:
    append(journal, [intended("a", "1.00"), OrderUnresolved("a", "timed out"), OrderAccepted("a", "v9", "lookup")])
    append(journal, [filled("a", "t1", "0.40")])

    columns = "client_id, strategy, side, type, quantity, limit_price, stop_price, state, filled, venue_id, evidence"
    assert rows(journal, columns, "orders") == [
        ("a", "cross", "buy", "limit", "1.00", "5.50", None, "accepted", "0.40", "v9", "report")
    ]
    columns = "detail, proposal_id, ordered_by, attempt, why, intended_seq, intended_at, changed_seq, changed_at"
    assert rows(journal, columns, "orders") == [("timed out", "p", 3, 1, "because", 1, 10, 4, 40)]


@pytest.mark.parametrize("in_one_batch", [True, False])
def test_an_order_is_filled_when_its_fills_add_up_exactly(journal: Journal, in_one_batch: bool) -> None:
    events = [intended("a", "0.3"), filled("a", "t1", "0.1"), filled("a", "t2", "0.2")]

    for batch in [events] if in_one_batch else [[event] for event in events]:
        append(journal, batch)

    assert rows(journal, "state, filled", "orders") == [("filled", "0.3")]
    assert rows(journal, "seq, trade_id, quantity, price, fee, fee_asset, liquidity, at", "fills") == [
        (2, "t1", "0.1", "5.4900", "0.010", "USDT", "maker", 77),
        (3, "t2", "0.2", "5.4900", "0.010", "USDT", "maker", 77),
    ]


REPORTS: dict[str, Event] = {
    "unresolved": OrderUnresolved("a", "timed out"),
    "accepted": OrderAccepted("a", "v1", "answer"),
    "canceled": OrderCanceled("a", "answer"),
    "expired": OrderExpired("a", "lookup"),
    "rejected": OrderRejected("a", "CODE", "no", "lookup"),
    "absent": OrderAbsent("a", "two lookups"),
    "filled": filled("a", "t1", "1"),
}


@pytest.mark.parametrize("first", sorted(REPORTS))
@pytest.mark.parametrize("second", sorted(REPORTS))
@pytest.mark.parametrize("in_one_batch", [True, False])
def test_an_order_never_goes_down_the_lattice_of_states(
    journal: Journal, first: str, second: str, in_one_batch: bool
) -> None:
    events = [intended("a"), REPORTS[first], REPORTS[second]]

    for batch in [events] if in_one_batch else [[event] for event in events]:
        append(journal, batch)

    wanted = second if RANK[second] > RANK[first] else first
    assert rows(journal, "state", "orders") == [(wanted,)]


@given(st.lists(order_events, max_size=14), st.integers(1, 5))
@settings(max_examples=25, deadline=None)
def test_tables_that_grew_with_the_journal_equal_those_made_again(
    tmp_path_factory: pytest.TempPathFactory, events: list[Event], group: int
) -> None:
    with closing(Journal.open(tmp_path_factory.mktemp("any"))) as journal:
        for start in range(0, len(events), group):
            append(journal, events[start : start + group])
        grown = content(journal)

        journal.rebuild_projections()

        assert content(journal) == grown


def test_positions_equity_and_sentiment_are_kept(journal: Journal) -> None:
    cash = {"USDT": Decimal("9.5")}
    append(
        journal,
        [
            PositionChanged("cross", "BTCUSDT", Decimal("1.0"), Decimal("5.5"), Decimal(0), cash, 5),
            PositionChanged("cross", "BTCUSDT", Decimal("0.0"), Decimal("0"), Decimal("0.25"), cash, None),
            EquityMarked(60, Decimal("10.10"), Decimal("9.5"), Decimal("0.6"), Decimal("0.25"), Decimal("0.01")),
            HeadlineScored(Score("wire", "h1", "lexicon", -0.25, 1_000, 50, 55, ("BTCUSDT", "ETHUSDT"))),
            HeadlineScored(Score("wire", "h2", "lexicon", 0.5, 1_000, 51, 56)),
        ],
    )

    assert content(journal) == {
        "orders": [],
        "fills": [],
        "positions": [("cross", "BTCUSDT", "0.0", "0", "0.25", None, 2, 20)],
        "equity": [(3, 60, "10.10", "9.5", "0.6", "0.25", "0.01")],
        "sentiment": [
            (4, "wire", "h1", "lexicon", -0.25, 1_000, 50, 55, "BTCUSDT ETHUSDT"),
            (5, "wire", "h2", "lexicon", 0.5, 1_000, 51, 56, ""),
        ],
        "imported_trades": [],
    }


def test_imported_trades_are_kept_apart_from_fills(journal: Journal) -> None:
    sold = PastTrade(2, "ETHUSDT", "sell", Decimal("1.50"), Decimal("2E+3"), Decimal(0), "", 70, kept='{"note": 1}')
    bought = PastTrade(1, "BTCUSDT", "buy", Decimal("0.10"), Decimal("5.5"), Decimal("-0.01"), "BNB", 60, "t-1")
    append(journal, [PastImported((bought,), (Kept("", 1, '{"mood": "calm"}'),)), PastImported((sold,))])

    assert content(journal)["imported_trades"] == [
        (1, "t-1", "BTCUSDT", "buy", "0.10", "5.5", "-0.01", "BNB", 60, "", 1),
        (2, "", "ETHUSDT", "sell", "1.50", "2E+3", "0", "", 70, '{"note": 1}', 2),
    ]
    assert content(journal)["fills"] == []


def test_tables_of_another_version_are_made_again_when_the_journal_is_opened(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with closing(Journal.open(tmp_path)) as journal:
        append(journal, [intended("a"), filled("a", "t1", "1")])
        grown = content(journal)
        journal._connection.execute("DROP TABLE orders; UPDATE fills SET price = '0'")
    monkeypatch.setattr(projections, "PROJECTIONS_VERSION", projections.PROJECTIONS_VERSION + 1)

    with closing(Journal.open(tmp_path)) as again:
        assert content(again) == grown
    monkeypatch.setattr(projections, "rebuild", lambda _: pytest.fail("made again though nothing changed"))
    Journal.open(tmp_path).close()


def test_a_journal_whose_tables_are_of_another_version_is_sound_before_it_is_opened_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with closing(Journal.open(tmp_path)) as journal:
        append(journal, [intended("a"), filled("a", "t1", "1")])
        journal._connection.execute("DROP TABLE imported_trades")
    monkeypatch.setattr(projections, "PROJECTIONS_VERSION", projections.PROJECTIONS_VERSION + 1)

    before = verify(tmp_path)
    Journal.open(tmp_path).close()

    assert before.is_sound
    assert verify(tmp_path).is_sound


@pytest.mark.parametrize(("table", "column"), [("orders", "state"), ("fills", "price"), ("equity", "equity")])
def test_a_changed_table_is_found_by_verify_and_mended_by_making_it_again(
    journal: Journal, tmp_path: Path, table: str, column: str
) -> None:
    mark = EquityMarked(60, Decimal("10.10"), Decimal("9.5"), Decimal("0.6"), Decimal("0.25"), Decimal("0.01"))
    append(journal, [intended("a"), filled("a", "t1", "1"), mark])
    assert verify(tmp_path).is_sound

    journal._connection.execute(f"UPDATE {table} SET {column} = 'x'")

    assert [finding.place for finding in verify(tmp_path).findings] == [f"projection {table}"]
    journal.rebuild_projections()
    assert verify(tmp_path).is_sound


@pytest.mark.parametrize("change", ["state = 'lost'", "filled = 'x'", "quantity = 'NaN'"])
def test_an_order_row_that_cannot_be_read_stops_the_append_and_nothing_is_written(
    journal: Journal, change: str
) -> None:
    append(journal, [intended("a")])
    journal._connection.execute(f"UPDATE orders SET {change}")

    with pytest.raises(JournalDamaged, match="expected a sound row in the projection orders"):
        append(journal, [Offered("cross", 1, 1), OrderAccepted("a", "v1", "answer")])

    assert journal.last_seq == 1
    journal.rebuild_projections()
    append(journal, [Offered("cross", 1, 1), OrderAccepted("a", "v1", "answer")])
    assert rows(journal, "state", "orders") == [("accepted",)]


def test_a_death_never_comes_between_an_event_and_its_row(tmp_path: Path) -> None:
    class Killed(BaseException):
        pass

    def die(cue: str) -> None:
        if cue == "journal.before_commit":
            raise Killed

    with closing(Journal.open(tmp_path, cue=die)) as journal:
        with pytest.raises(Killed):
            append(journal, [intended("a")])

        assert journal._connection.execute("SELECT count(*) FROM events").get == 0
        assert rows(journal, "client_id", "orders") == []


@given(st.lists(st.tuples(order_events, st.booleans()), max_size=14), st.integers(1, 14), st.booleans())
@settings(max_examples=25, deadline=None)
def test_tables_that_follow_later_equal_those_that_never_lagged_also_after_a_death(
    tmp_path_factory: pytest.TempPathFactory, events: list[tuple[Event, bool]], death: int, is_asked: bool
) -> None:
    home = tmp_path_factory.mktemp("lagging")
    with closing(Journal.open(tmp_path_factory.mktemp("prompt"))) as journal:
        append(journal, [event for event, _ in events])
        prompt = content(journal)

    for life in (events[:death], events[death:]):
        journal = Journal.open(home)
        for event, follows in life:
            append(journal, [event], tables_follow=follows)
        assert verify(home).is_sound
        if is_asked:
            journal.catch_up()
            assert not journal.tables_lag
        journal._unprojected = []  # A process that dies tells the tables nothing more.
        journal.close()

    with closing(Journal.open(home)) as journal:
        assert content(journal) == prompt
        assert verify(home).is_sound


def test_a_start_lets_the_tables_take_in_what_a_death_kept_from_them(tmp_path: Path) -> None:
    journal = Journal.open(tmp_path)
    append(journal, [intended("a")])
    append(journal, [filled("a", "t1", "0.25"), OrderAccepted("b", "v1", "answer")], tables_follow=True)
    append(journal, [filled("a", "t2", "0.75")], tables_follow=True)
    assert rows(journal, "state, filled", "orders") == [("intended", "0")]
    assert projections.projected_seq(journal._connection) == 1
    assert verify(tmp_path).is_sound
    journal._unprojected = []  # A process that dies tells the tables nothing more.
    journal.close()

    with closing(Journal.open(tmp_path)) as again:
        assert rows(again, "state, filled", "orders") == [("filled", "1.00")]
        assert rows(again, "trade_id", "fills") == [("t1",), ("t2",)]
        assert projections.projected_seq(again._connection) == 4


def test_tables_do_not_lag_without_end_however_many_wait_for_their_events(
    journal: Journal, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(journal_module, "UNTOLD_MAX", 10)

    for number in range(25):
        append(journal, [intended(f"o{number}")], tables_follow=True)
        assert len(journal._unprojected) < 10

    assert projections.projected_seq(journal._connection) == 20


def test_the_next_start_need_not_look_through_many_events_that_changed_nothing(journal: Journal) -> None:
    for first in range(0, 2_500, 100):
        append(journal, [Offered("cross", at, 1) for at in range(first, first + 100)])

    assert projections.projected_seq(journal._connection) >= 1_500


def test_who_closes_a_journal_leaves_no_table_behind(tmp_path: Path) -> None:
    journal = Journal.open(tmp_path)
    append(journal, [intended("a"), filled("a", "t1", "1")], tables_follow=True)
    assert journal.tables_lag
    assert rows(journal, "client_id", "orders") == []

    journal.close()

    with closing(apsw.Connection(str(tmp_path / "journal.db"), flags=apsw.SQLITE_OPEN_READONLY)) as other:
        assert other.execute("SELECT state FROM orders").fetchall() == [("filled",)]


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ("UPDATE projected SET seq = 99", "expected projections up to sequence 2 at most, found them to reach 99"),
        ("DELETE FROM projected", "expected one row in the projection projected, found none"),
    ],
)
def test_tables_that_do_not_know_how_far_they_came_are_found_and_made_again(
    journal: Journal, tmp_path: Path, change: str, sentence: str
) -> None:
    append(journal, [intended("a"), filled("a", "t1", "1")])
    grown = content(journal)
    journal._connection.execute(f"{change}; DELETE FROM orders")

    assert [finding.sentence for finding in verify(tmp_path).findings] == [sentence]
    journal.close()
    with closing(Journal.open(tmp_path)) as again:
        assert content(again) == grown
        assert verify(tmp_path).is_sound


def test_the_tables_can_be_read_by_any_sqlite(journal: Journal, tmp_path: Path) -> None:
    append(journal, [intended("a"), filled("a", "t1", "0.25"), filled("a", "t2", "0.5")])

    with closing(apsw.Connection(str(tmp_path / "journal.db"), flags=apsw.SQLITE_OPEN_READONLY)) as other:
        total = other.execute("SELECT sum(quantity * price) FROM fills WHERE symbol = 'BTCUSDT'").get

    assert total == pytest.approx(0.75 * 5.49)
