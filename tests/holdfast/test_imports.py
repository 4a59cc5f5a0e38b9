"""Laws of reading the state of another program: to the last digit, by every name, and never by guessing."""

import json
import os
import re
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from domain.imported import Counters, HeldPosition, LastEntry
from gateways.state_files import FILE_BYTES_MAX
from holdfast.config.problems import ConfigurationError
from holdfast.imports import document, walker
from holdfast.imports.fields import COUNTERS, POSITION, SECTIONS, TRADE, Field, same
from holdfast.imports.here import Here
from holdfast.imports.kinds import DIGITS_MAX, PLACES_MAX
from holdfast.imports.opening import files_for, opening_events, read_opening
from holdfast.parts import Parts
from messages.codec import decode, encode
from messages.imported import PastImported
from tests.endurance.nodes import ROOT
from tests.holdfast.imported import POSITION as A_POSITION
from tests.holdfast.imported import TRADE as A_TRADE
from tests.holdfast.imported import Agent, parts_of

D = Decimal
AT = 1_704_052_800_000
"""2023-12-31T20:00:00Z, four hours before the generated market begins."""


@pytest.fixture(scope="module")
def parts() -> Parts:
    return parts_of()


@pytest.fixture
def agent(tmp_path: Path, parts: Parts) -> Agent:
    return Agent(tmp_path, parts)


@pytest.fixture(scope="module")
def any_agent(tmp_path_factory: pytest.TempPathFactory, parts: Parts) -> Agent:
    return Agent(tmp_path_factory.mktemp("agent"), parts)


# -- what is taken -------------------------------------------------------------------------------------------------


def test_the_example_that_ships_is_read_without_a_mistake(parts: Parts) -> None:
    opening = read_opening([ROOT / "examples" / "state.json"], parts)

    assert opening.cash == {"USDT": D("6412.37"), "BNB": D("0.5"), "BTC": D("0.05"), "ETH": D("0.6")}
    assert opening.taken is not None
    assert opening.taken.positions == (
        HeldPosition("confidence", "BTCUSDT", D("0.05"), D("42180.55"), 1_704_057_300_000, D("41200"), D("45900")),
        HeldPosition("confidence", "ETHUSDT", D("0.6"), D("2291.4"), 1_704_060_900_000, D("2230")),
    )
    assert opening.taken.entries == tuple(
        LastEntry(name, "SOLUSDT", 1_704_064_200_000) for name in ("confidence", "ema_cross")
    )
    assert [(trade.number, trade.id, trade.side, trade.at) for trade in opening.taken.trades] == [
        (1, "8841", "buy", 1_704_064_200_000),
        (2, "8850", "sell", 1_704_066_750_000),
    ]
    assert opening.taken.counters == Counters(
        wins=9,
        losses=5,
        realised=D("412.50"),
        fees={"USDT": D("38.11")},
        peak_equity=D("10120.44"),
        started_at=1_696_118_400_000,
    )
    assert opening.taken.kept == {}


def test_the_account_is_the_cash_and_what_the_positions_are_made_of(agent: Agent) -> None:
    positions = [A_POSITION | {"strategy": name, "quantity": "0.1"} for name in ("confidence", "ema_cross")]

    opening = agent.opened({"cash": {"usdt": 5000.10, "SOL": 0}, "positions": positions})

    assert opening.cash == {"USDT": D("5000.1"), "SOL": D(0), "BTC": D("0.2")}


def test_without_cash_the_configuration_says_what_there_is(agent: Agent) -> None:
    opening = agent.opened({"positions": [A_POSITION]})

    assert opening.cash == {"USDT": D(10_000), "BTC": D("0.05")}
    assert opening.taken is not None
    assert any("venue.balances" in notice for notice in opening.taken.notices)


@pytest.mark.parametrize("cash", [5000, "5000", {"USDT": "5000"}])
def test_a_single_amount_is_of_the_asset_that_worth_is_counted_in(agent: Agent, cash: Any) -> None:
    assert agent.opened({"balance": cash}).cash == {"USDT": D(5000)}


def test_cash_is_held_beside_the_positions_and_of_balances_nobody_can_tell(agent: Agent) -> None:
    state = {"positions": [A_POSITION]}

    beside = agent.opened(state | {"cash": {"USDT": 1, "BTC": "0.01"}})
    problems = agent.problems(state | {"balances": {"USDT": 1, "BTC": "0.01"}})

    assert beside.cash == {"USDT": D(1), "BTC": D("0.06")}
    assert beside.taken is not None
    assert any("0.01 BTC of the cash are held beside" in notice for notice in beside.taken.notices)
    assert list(problems) == ["balances.BTC"]
    assert agent.opened(state | {"balances": {"USDT": 1}}).cash == {"USDT": D(1), "BTC": D("0.05")}


def test_a_position_without_a_strategy_goes_to_the_first_that_trades_its_symbol(tmp_path: Path) -> None:
    agent = Agent(tmp_path, parts_of('strategies.confidence.symbols=["ETHUSDT"]'))

    taken = agent.opened({"positions": [A_POSITION, A_POSITION | {"symbol": "ETHUSDT"}]}).taken

    assert taken is not None
    assert [(held.symbol, held.strategy) for held in taken.positions] == [
        ("BTCUSDT", "ema_cross"),
        ("ETHUSDT", "confidence"),
    ]


def test_a_time_of_last_entry_cools_all_strategies_of_the_symbol_down_and_the_later_one_counts(tmp_path: Path) -> None:
    agent = Agent(tmp_path, parts_of('strategies.ema_cross.symbols=["ETHUSDT"]'))

    taken = agent.opened({"last_entries": {"BTC-USDT": AT, "ETHUSDT": AT + 1, "XMRUSDT": AT}}).taken

    assert taken is not None
    assert taken.entries == (
        LastEntry("confidence", "BTCUSDT", AT),
        LastEntry("confidence", "ETHUSDT", AT + 1),
        LastEntry("ema_cross", "ETHUSDT", AT + 1),
    )
    assert any("last_entries.XMRUSDT" in notice for notice in taken.notices)


def test_a_position_of_nothing_is_none_but_cools_down(agent: Agent) -> None:
    taken = agent.opened({"positions": [{"symbol": "BTCUSDT", "quantity": 0, "entered_at": AT}]}).taken

    assert taken is not None
    assert taken.positions == ()
    assert taken.entries == (LastEntry("confidence", "BTCUSDT", AT),)


def test_positions_may_stand_under_their_symbols(agent: Agent) -> None:
    positions = {"BTC/USDT": {"qty": 1, "entry_price": 5}, "ethusdt": {"pair": "ETH_USDT", "size": 2, "entryPrice": 6}}

    taken = agent.opened({"positions": positions}).taken

    assert taken is not None
    assert [(held.symbol, held.quantity) for held in taken.positions] == [("BTCUSDT", D(1)), ("ETHUSDT", D(2))]
    problems = agent.problems({"positions": {"BTCUSDT": {"symbol": "ETHUSDT", "quantity": 1, "entry_price": 5}}})
    assert list(problems) == ["positions.BTCUSDT.symbol"]


def test_three_files_are_one_state(agent: Agent) -> None:
    opening = agent.opened(
        positions={"cash": {"USDT": 7}, "BTCUSDT": {"quantity": 1, "average_price": 5}},
        trades=[A_TRADE],
        performance={"trades": 3, "wins": 2, "losses": 1, "last_entries": {"ETHUSDT": AT}},
    )

    assert opening.cash == {"USDT": D(7), "BTC": D(1)}
    assert opening.taken is not None
    assert (len(opening.taken.positions), len(opening.taken.trades), len(opening.taken.entries)) == (1, 1, 2)
    assert opening.taken.counters == Counters(wins=2, losses=1)
    assert [Path(file.path).name for file in opening.files] == ["positions.json", "trades.json", "performance.json"]


@pytest.mark.parametrize(
    "positions", [[dict(A_POSITION)], {"positions": [dict(A_POSITION)]}, {"BTCUSDT": dict(A_POSITION)}]
)
def test_a_file_of_positions_may_be_a_list_a_section_or_the_positions_themselves(agent: Agent, positions: Any) -> None:
    taken = agent.opened(positions=positions).taken

    assert taken is not None
    assert [held.quantity for held in taken.positions] == [D("0.05")]


def test_what_two_files_say_is_refused(agent: Agent) -> None:
    problems = agent.problems(
        positions={"cash": {"USDT": 1}, "positions": []}, trades={"trades": [], "cash": {"USDT": 2}}
    )

    assert list(problems) == ["cash"]
    assert problems["cash"].origin.endswith("trades.json")


# -- numbers and instants ------------------------------------------------------------------------------------------


def can_be_said(amount: Decimal) -> bool:
    _, digits, exponent = amount.as_tuple()
    return len(digits) <= DIGITS_MAX and isinstance(exponent, int) and -exponent <= PLACES_MAX


amounts = st.decimals(min_value=0, max_value=10**12, allow_nan=False, allow_infinity=False).filter(can_be_said)


@given(amounts, st.booleans())
@settings(max_examples=200, deadline=None)
def test_every_digit_of_a_number_is_taken_whether_it_is_a_number_or_a_text(
    any_agent: Agent, amount: Decimal, is_text: bool
) -> None:
    written = f'"{amount}"' if is_text else str(amount)

    cash = any_agent.opened(f'{{"cash": {{"USDT": {written}}}}}').cash

    assert cash["USDT"] == amount
    assert not cash["USDT"].is_signed()


@pytest.mark.parametrize(
    "written",
    [
        "NaN",
        "-Infinity",
        '"NaN"',
        '"inf"',
        "-0.1",
        "1e13",
        "1e999999999",
        "1e-31",
        '"1,5"',
        '"five"',
        '""',
        "true",
        "[1]",
        '{"free": 1}',
        "12345678901234567890123456789e-20",
        f'"{"0" * 250}5"',
    ],
)
def test_what_is_no_amount_is_refused_where_it_stands(agent: Agent, written: str) -> None:
    problems = agent.problems(f'{{"cash": {{"USDT": {written}, "BTC": 1}}}}')

    assert list(problems) == ["cash.USDT"]
    assert problems["cash.USDT"].expected.startswith("a number at least 0")


@pytest.mark.parametrize("written", ["-0", "-0.00", '"-0"'])
def test_there_is_no_nothing_below_nothing(agent: Agent, written: str) -> None:
    assert not agent.opened(f'{{"cash": {{"USDT": {written}}}}}').cash["USDT"].is_signed()


@pytest.mark.parametrize(
    ("written", "instant"),
    [
        (AT, AT),
        (str(AT), AT),
        (AT // 1000, AT),
        (1704052800.123456, AT + 123),
        ("1704052800.5", AT + 500),
        ("2023-12-31T20:00:00Z", AT),
        ("2023-12-31 20:00:00", AT),
        ("2023-12-31T20:00:00.123999", AT + 123),
        ("2023-12-31T21:30:00+01:30", AT),
        ("2024-01-01", AT + 4 * 3_600_000),
    ],
)
def test_an_instant_may_be_written_in_many_ways(agent: Agent, written: Any, instant: int) -> None:
    taken = agent.opened({"positions": [A_POSITION | {"entered_at": written}]}).taken

    assert taken is not None
    assert taken.positions[0].entered_at == instant


@pytest.mark.parametrize(
    "written", [0, -1, 12345, 20240101, AT * 1000, "yesterday", "", "12:00", True, "0001-01-01", {}]
)
def test_what_is_no_instant_is_refused(agent: Agent, written: Any) -> None:
    problems = agent.problems({"positions": [A_POSITION | {"entered_at": written}]})

    assert list(problems) == ["positions[0].entered_at"]


# -- names ---------------------------------------------------------------------------------------------------------


def spellings() -> Iterator[tuple[str, str, Field]]:
    for section, fields in (("positions", POSITION), ("trades", TRADE), ("performance", COUNTERS)):
        for field in dict.fromkeys(fields.by_name.values()):
            for name in field.names:
                yield section, name, field


def value_for(field: Field) -> Any:
    texts = {
        "stop_price": 41000,
        "take_profit": 43000,
        "symbol": "BTCUSDT",
        "side": "buy",
        "status": "open",
        "strategy": "ema_cross",
        "is_open": True,
    }
    return texts.get(field.name, AT if field.name in ("at", "entered_at", "started_at") else 1)


@pytest.mark.parametrize(
    ("section", "name", "field"), list(spellings()), ids=lambda each: each if isinstance(each, str) else ""
)
@pytest.mark.parametrize(
    "spell", [str, str.upper, lambda name: name.title().replace("_", ""), lambda name: name.replace("_", "-")]
)
def test_every_name_and_spelling_of_a_key_is_known(
    agent: Agent, section: str, name: str, field: Field, spell: Any
) -> None:
    base = {"positions": A_POSITION, "trades": A_TRADE, "performance": {}}[section]
    own = {"positions": POSITION, "trades": TRADE, "performance": COUNTERS}[section].by_name
    row = {key: value for key, value in base.items() if own[same(key)] is not field} | {spell(name): value_for(field)}
    if section == "performance":
        row |= {"losses": 0} if field.name == "wins" else {"wins": 0} if field.name == "losses" else {}

    taken = agent.opened({section: row if section == "performance" else [row]}).taken

    assert taken is not None
    assert not [notice for notice in taken.notices if "means nothing here" in notice]


@pytest.mark.parametrize(
    ("section", "name"), [(section, name) for section, names in SECTIONS.items() for name in names]
)
def test_every_name_of_a_section_is_known(agent: Agent, section: str, name: str) -> None:
    value: Any = {
        "version": 1,
        "quote": "USDT",
        "cash": {"USDT": 1},
        "positions": [A_POSITION],
        "trades": [A_TRADE],
        "performance": {"wins": 1, "losses": 1},
        "last_entries": {"BTCUSDT": AT},
    }[section]

    taken = agent.opened({"last_entries": {}, name: value} if section in ("version", "quote") else {name: value}).taken

    assert taken is not None
    assert not [notice for notice in taken.notices if "means nothing here" in notice]


def test_two_names_for_one_thing_must_agree(agent: Agent) -> None:
    same_twice = A_TRADE | {"timestamp": AT, "datetime": "2023-12-31T20:00:00Z"}

    problems = agent.problems({"positions": [A_POSITION | {"amount": "0.06"}], "cash": 1, "balance": 1})

    assert agent.opened({"trades": [same_twice]}).taken is not None
    assert set(problems) == {"positions[0].amount", "balance"}
    assert "what quantity says" in problems["positions[0].amount"].expected


@pytest.mark.parametrize("symbol", ["BTCUSDT", "BTC/USDT", "btc-usdt", "Btc_Usdt"])
def test_a_symbol_may_be_written_in_many_ways(agent: Agent, symbol: str) -> None:
    taken = agent.opened(
        {"positions": [A_POSITION | {"symbol": symbol}], "trades": [A_TRADE | {"symbol": symbol}]}
    ).taken

    assert taken is not None
    assert (taken.positions[0].symbol, taken.trades[0].symbol) == ("BTCUSDT", "BTCUSDT")


def test_trades_of_what_is_not_traded_here_are_past_all_the_same(agent: Agent) -> None:
    trade = A_TRADE | {"symbol": "XMR/BTC", "fee": {"cost": 0.1, "currency": "BNB"}, "id": 17, "info": {"raw": [1.50]}}

    taken = agent.opened({"trades": [trade]}).taken

    assert taken is not None
    (found,) = taken.trades
    assert (found.symbol, found.fee, found.fee_asset, found.id) == ("XMR/BTC", D("0.1"), "BNB", "17")
    assert found.kept == '{"info": {"raw": [1.5]}}'
    rated = agent.opened({"trades": [trade | {"fee": {"cost": 0.1, "currency": "BNB", "rate": 0.001}}]}).taken
    assert rated is not None
    assert json.loads(rated.trades[0].kept)["fee"]["rate"] == 0.001


# -- what would be something else ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "odd",
    [
        {"side": "short"},
        {"direction": "SELL"},
        {"status": "closed"},
        {"is_open": False},
        {"leverage": 3},
        {"quantity": -1},
        {"quantity": "0.05", "average_price": 0},
        {"symbol": "BTC/USDT:USDT"},
        {"symbol": "XMRUSDT"},
        {"strategy": "confidance"},
        {"strategy": 7},
        {"stop_price": 0},
        {"stop_price": 0.05},
        {"stop_loss": "2.5"},
        {"take_profit": 0.1},
        {"stop_price": 43000, "take_profit": 43000},
    ],
)
def test_a_position_that_cannot_be_held_is_refused_under_its_own_key(agent: Agent, odd: dict[str, Any]) -> None:
    problems = agent.problems({"positions": [A_POSITION | odd]})

    assert list(problems) == [f"positions[0].{next(iter(odd)) if 'average_price' not in odd else 'average_price'}"]


def test_a_stop_below_the_smallest_step_is_refused(tmp_path: Path) -> None:
    agent = Agent(tmp_path, parts_of("instruments.BTCUSDT.tick=100"))

    problems = agent.problems({"positions": [A_POSITION | {"average_price": 500, "stop_price": 99}]})

    assert "the smallest step of the price" in problems["positions[0].stop_price"].expected


def test_a_symbol_that_no_strategy_trades_has_nobody_to_look_after_it(tmp_path: Path) -> None:
    agent = Agent(
        tmp_path,
        parts_of('strategies.confidence.symbols=["ETHUSDT"]', 'strategies.ema_cross.symbols=["ETHUSDT"]'),
    )

    for strategy in ({}, {"strategy": "confidence"}):
        problems = agent.problems({"positions": [A_POSITION | strategy]})
        assert list(problems) == ["positions[0].symbol"]
        assert "trades" in problems["positions[0].symbol"].expected


def test_a_second_position_of_a_strategy_in_a_symbol_is_refused(agent: Agent) -> None:
    problems = agent.problems({"positions": [A_POSITION, A_POSITION | {"strategy": "confidence"}]})

    assert list(problems) == ["positions[1]"]


def test_money_of_another_currency_is_refused(agent: Agent) -> None:
    assert list(agent.problems({"quote": "EUR", "cash": 5})) == ["quote"]


def test_what_was_paid_must_be_known_of_what_is_held(agent: Agent) -> None:
    problems = agent.problems({"positions": [{"symbol": "BTCUSDT", "quantity": 1}]})

    assert list(problems) == ["positions[0].average_price"]
    assert problems["positions[0].average_price"].found == "nothing"


def test_of_two_symbols_that_differ_in_a_separator_the_one_that_is_written_is_meant(parts: Parts) -> None:
    btc = parts.shape.instruments["BTCUSDT"]
    both = {"BTCUSDT": btc, "BTC/USDT": msgspec.structs.replace(btc, symbol="BTC/USDT")}
    here = Here(msgspec.structs.replace(parts, shape=msgspec.structs.replace(parts.shape, instruments=both)))

    found = [here.instrument(symbol) for symbol in ("BTCUSDT", "btc/usdt", "BTC-USDT")]

    assert [each.symbol for each in found if each is not None] == ["BTCUSDT", "BTC/USDT", "BTCUSDT"]


def test_a_place_whose_name_is_no_text_can_be_written_down(tmp_path: Path, parts: Parts) -> None:
    folder = tmp_path / os.fsdecode(b"agent-\xff")
    folder.mkdir()
    agent = Agent(folder, parts)

    events = opening_events(agent.opened({"cash": 1}), parts)

    assert [decode(*encode(event)) for event in events] == events


def test_no_number_is_no_name(agent: Agent) -> None:
    problems = agent.problems(
        '{"trades": [{"symbol": NaN, "side": "buy", "quantity": 1, "price": 1, "at": 1704052800000}]}'
    )

    assert list(problems) == ["trades[0].symbol"]


def test_a_trade_that_is_named_by_a_number_can_be_written_down(agent: Agent) -> None:
    opening = agent.opened({"trades": [A_TRADE | {"id": 17, "symbol": 5, "fee_asset": 0}]})

    past = opening_events(opening, agent.parts)[-1]

    assert isinstance(past, PastImported)
    assert decode(*encode(past)) == past
    assert (past.trades[0].id, past.trades[0].symbol) == ("17", "5")


# -- counters ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("performance", "trips", "is_said"),
    [
        ({"trades": 14, "wins": 9, "losses": 5}, (9, 5, 0), False),
        ({"trades": 15, "wins": 9, "losses": 5, "draws": 1}, (9, 5, 1), False),
        ({"wins": 9, "losses": 5}, (9, 5, 0), False),
        ({"trades": 28, "wins": 9, "losses": 5}, (9, 5, 0), True),
        ({"trades": 14}, (0, 0, 0), True),
        ({"trades": 14, "wins": 9}, (0, 0, 0), True),
        ({"losses": 5}, (0, 0, 0), True),
    ],
)
def test_only_what_was_won_lost_or_neither_goes_on_as_round_trips(
    agent: Agent, performance: dict[str, int], trips: tuple[int, int, int], is_said: bool
) -> None:
    taken = agent.opened({"performance": performance}).taken

    assert taken is not None
    assert taken.counters is not None
    assert (taken.counters.wins, taken.counters.losses, taken.counters.draws) == trips
    assert any("performance" in notice and "go" in notice for notice in taken.notices) == is_said
    assert bool(taken.kept) == is_said


def test_more_won_and_lost_than_there_were_is_refused(agent: Agent) -> None:
    assert list(agent.problems({"performance": {"total_trades": 3, "wins": 2, "losses": 2}})) == [
        "performance.total_trades"
    ]


@pytest.mark.parametrize("fees", [5, {"USDT": "5"}])
def test_fees_may_be_a_number_or_an_amount_for_each_asset(agent: Agent, fees: Any) -> None:
    taken = agent.opened({"performance": {"fees_paid": fees}}).taken

    assert taken is not None
    assert taken.counters == Counters(fees={"USDT": D(5)})


# -- notices -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("state", "words"),
    [
        ({"positions": [A_POSITION]}, "names no strategy"),
        ({"positions": [A_POSITION]}, "nothing will protect BTCUSDT"),
        ({"positions": [A_POSITION | {"quantity": "0.0001"}]}, "so small"),
        ({"cash": {"XMR": 1}}, "count as nothing"),
        ({"positions": [A_POSITION | {"entered_at": "2024-02-01"}]}, "until then it cools down"),
        ({"last_entries": {"SOLUSDT": "2024-02-01"}}, "until then it cools down"),
        ({"cash": 7000, "performance": {"peak_equity": 9000}}, "risk.drawdown_max is reached"),
    ],
)
def test_what_may_surprise_is_said(agent: Agent, state: Any, words: str) -> None:
    taken = agent.opened(state).taken

    assert taken is not None
    assert [notice for notice in taken.notices if words in notice]


def test_what_is_as_it_was_meant_needs_no_words(agent: Agent) -> None:
    position = A_POSITION | {"strategy": "confidence", "stop_price": 41000, "entered_at": AT}

    taken = agent.opened({"cash": {"USDT": 100}, "positions": [position], "performance": {"peak_equity": 2200}}).taken

    assert taken is not None
    assert taken.notices == ()


# -- where it lies -------------------------------------------------------------------------------------------------


def test_the_place_that_is_configured_comes_before_the_home(tmp_path: Path) -> None:
    home, elsewhere = tmp_path / "home", tmp_path / "elsewhere"
    for folder in (home, elsewhere):
        folder.mkdir()
        (folder / "state.json").touch()
    (elsewhere / "old.json").touch()

    def found(path: object) -> tuple[Path, ...]:
        return files_for(parts_of(f"import.path={path}").settings, home)

    assert found("") == (home / "state.json",)
    assert found(elsewhere) == (elsewhere / "state.json",)
    assert found(elsewhere / "old.json") == (elsewhere / "old.json",)
    with pytest.raises(ConfigurationError, match=r"import\.path: expected a folder with state\.json"):
        (tmp_path / "empty").mkdir()
        found(tmp_path / "empty")


def test_one_file_beside_three_is_refused_for_nobody_can_tell_which_is_meant(agent: Agent) -> None:
    (problem,) = agent.problems(state={"cash": 1}, trades=[]).values()

    assert problem.found == "state.json and trades.json"


def test_mistakes_of_all_files_are_told_at_once(agent: Agent) -> None:
    (agent.folder / "positions.json").write_text("{")
    (agent.folder / "trades.json").mkdir()

    with pytest.raises(ConfigurationError) as refused:
        read_opening([agent.folder / "positions.json", agent.folder / "trades.json"], agent.parts)

    assert [Path(problem.origin).name for problem in refused.value.problems] == ["positions.json:1", "trades.json"]


# -- what is written about it --------------------------------------------------------------------------------------


def test_every_name_of_every_key_is_documented() -> None:
    text = (ROOT / "docs" / "import.md").read_text()
    names = {name for _, name, _ in spellings()} | {name for names in SECTIONS.values() for name in names}

    assert not [name for name in sorted(names) if f"`{name}`" not in text]


def test_what_is_documented_is_read_without_a_mistake(agent: Agent) -> None:
    (shown,) = re.findall(r"^```json\n(.*?)^```$", (ROOT / "docs" / "import.md").read_text(), re.MULTILINE | re.DOTALL)

    taken = agent.opened(shown).taken

    assert taken is not None
    assert (len(taken.positions), len(taken.entries), taken.notices) == (1, 2, ())


def test_the_limits_that_are_documented_are_those_that_hold() -> None:
    text = " ".join((ROOT / "docs" / "import.md").read_text().split())

    assert f"at most {FILE_BYTES_MAX // 2**20} MiB" in text
    limits = (document.POSITIONS_MAX, document.TRADES_MAX, document.ASSETS_MAX, document.ENTRIES_MAX)
    assert "{:,} positions, {:,} trades, {:,} assets and {:,} times of last entry".format(*limits) in text
    assert f"the first {walker.PROBLEMS_MAX:,} of a file are told" in text
    assert f"at most {DIGITS_MAX} digits and {PLACES_MAX} places" in text
