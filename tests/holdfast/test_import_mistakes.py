"""Laws of what is wrong with, or unknown in, the state of another program: told at once, and kept whole."""

import json
from decimal import Decimal
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from holdfast.config.problems import ConfigurationError
from holdfast.imports import document, fitting, walker
from holdfast.imports.fields import SECTIONS
from holdfast.imports.opening import Opening, opening_events
from holdfast.parts import Parts
from messages.codec import PAYLOAD_BYTES_MAX, decode, encode
from messages.imported import PastImported
from persistence.writer import BATCH_MAX
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


# -- mistakes ------------------------------------------------------------------------------------------------------


def test_every_mistake_is_told_at_once_with_its_path_what_was_expected_and_what_was_found(agent: Agent) -> None:
    problems = agent.problems(
        {
            "quote": [],
            "cash": {"USDT": "much", "not an asset": 1},
            "positions": [
                {"symbol": "BTCUSDT", "quantty": 1, "entry_price": "x"},
                {"symbol": "DOGEUSDT", "quantity": 1, "average_price": 1, "strategy": "mine", "stop_loss": []},
                5,
            ],
            "trades": [A_TRADE | {"side": "hold", "fee": "free"}, {}],
            "performance": {"wins": -1, "losses": 1.5, "fees": {"USDT": None}, "started_at": "then"},
            "last_entries": {"BTCUSDT": "soon"},
        }
    )

    assert {key: problem.found for key, problem in problems.items()} == {
        "quote": "a list",
        "cash.USDT": '"much"',
        'cash["not an asset"]': '"not an asset"',
        "positions[0].entry_price": '"x"',
        "positions[0].quantity": "nothing",
        "positions[1].stop_loss": "a list",
        "positions[1].symbol": '"DOGEUSDT"',
        "positions[1].strategy": '"mine"',
        "positions[2]": "5",
        "trades[0].side": '"hold"',
        "trades[0].fee": '"free"',
        "trades[1].symbol": "nothing",
        "trades[1].side": "nothing",
        "trades[1].quantity": "nothing",
        "trades[1].price": "nothing",
        "trades[1].at": "nothing",
        "performance.wins": "-1",
        "performance.losses": "1.5",
        "performance.fees.USDT": "nothing",
        "performance.started_at": '"then"',
        "last_entries.BTCUSDT": '"soon"',
    }
    assert problems["positions[0].quantity"].hint == "is it `quantty`?"
    assert all(problem.expected and problem.origin.endswith("state.json") for problem in problems.values())


def test_of_very_many_mistakes_the_first_are_told_and_the_others_counted(
    agent: Agent, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(walker, "PROBLEMS_MAX", 10)

    problems = agent.problems({"cash": {f"asset {number}": 1 for number in range(25)}})

    assert len(problems) == 11
    assert problems[""].found == "15 more"


@pytest.mark.parametrize("version", [2, 1.5, 0, -1, "newest", [], "2.0.1"])
def test_a_version_that_is_not_known_is_refused_and_nothing_else_is_judged(agent: Agent, version: Any) -> None:
    problems = agent.problems({"version": version, "cash": "something else by then", "positions": 7})

    assert list(problems) == ["version"]
    assert problems["version"].expected.startswith("version 1 of the format at most")


@pytest.mark.parametrize(
    ("state", "path"),
    [
        ('{"cash": 1, "cash": 2}', "cash"),
        ('{"cash": {"USDT": 1, "USDT": 1}}', "cash.USDT"),
        ('{"cash": {"USDT": 1, "usdt": 1}}', "cash.usdt"),
        ('{"cash": 1, "positions": [{"symbol": "BTCUSDT", "quantity": 0, "quantity": 1}]}', "positions[0].quantity"),
        ('{"cash": 1, "mood": {"a": [{"b": 1, "b": 2}]}}', "mood.a[0].b"),
        ('{"cash": 1, "last_entries": {"BTCUSDT": "2024-01-01", "BTCUSDT": "2024-01-01"}}', "last_entries.BTCUSDT"),
        ('{"performance": {"fees": 1, "total_fees": 1}}', "performance.total_fees"),
    ],
)
def test_what_is_said_twice_is_refused(agent: Agent, state: str, path: str) -> None:
    assert path in agent.problems(state)


@pytest.mark.parametrize(
    "state", ["[]", "5", "null", '"text"', "{}", '{"version": 1}', '{"mood": "calm"}', '{"cash": null}']
)
def test_a_file_that_says_nothing_of_an_account_is_refused(agent: Agent, state: str) -> None:
    assert list(agent.problems(state)) == [""]


def test_a_state_cut_anywhere_is_a_mistake_and_never_a_crash(any_agent: Agent) -> None:
    whole = (ROOT / "examples" / "state.json").read_bytes().rstrip()

    for length in range(len(whole)):
        problems = any_agent.problems(whole[:length])
        assert list(problems) == [""]
        assert problems[""].expected in ("JSON", "UTF-8 text")


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(st.characters(), max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=6), inner, max_size=3),
    max_leaves=8,
)
WORDS = [
    *(name for names in SECTIONS.values() for name in names[:2]),
    *("symbol", "quantity", "average_price", "strategy", "stop_price", "side", "price", "at", "fee", "wins", "USDT"),
]
odd_states = st.recursive(
    json_values | st.sampled_from(["BTCUSDT", "confidence", "buy", 1, "2", AT]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(WORDS), inner, max_size=6),
    max_leaves=25,
)


@given(
    st.dictionaries(st.sampled_from(WORDS), odd_states, max_size=5), st.sampled_from(["state", *document.OWN_SECTION])
)
@settings(max_examples=400, deadline=None)
def test_whatever_a_file_says_is_taken_or_refused_and_can_be_told(any_agent: Agent, state: Any, name: str) -> None:
    try:
        opening = any_agent.opened(**{name.removesuffix(".json"): json.dumps(state)})
    except ConfigurationError as refused:
        assert refused.problems
        json.dumps([problem.as_dict() for problem in refused.problems], ensure_ascii=False).encode()
    else:
        assert all(amount >= 0 for amount in opening.cash.values())
        events = opening_events(opening, any_agent.parts)
        assert [decode(*encode(event)) for event in events] == events


anything = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(st.characters()),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(st.characters()), inner, max_size=3),
    max_leaves=6,
)
unknown = st.dictionaries(st.text(st.characters(), min_size=1).map(lambda key: f"x {key}"), anything, max_size=2)
numbers = st.decimals("0.00000001", 10**6, places=8)
sound_trades = st.builds(
    lambda trade, more: more | trade,
    st.fixed_dictionaries(
        {
            "symbol": st.sampled_from(["BTCUSDT", "xmr/btc", 7]),
            "side": st.sampled_from(["buy", "SELL"]),
            "quantity": numbers.map(str),
            "price": numbers.map(float),
            "at": st.sampled_from([AT, "2023-06-01"]),
        },
        optional={"id": st.integers() | st.text("ab\u00e9", min_size=1), "fee": numbers.map(float)},
    ),
    unknown,
)
sound_positions = st.builds(
    lambda position, more: more | position,
    st.fixed_dictionaries(
        {"quantity": numbers.map(str), "average_price": numbers.map(float)},
        optional={"entered_at": st.just(AT), "strategy": st.sampled_from(["confidence", "ema_cross"])},
    ),
    unknown,
)
sound_states = st.builds(
    lambda state, more: more | state,
    st.fixed_dictionaries(
        {"cash": st.fixed_dictionaries({"USDT": numbers.map(float), "BNB": numbers.map(str)})},
        optional={
            "positions": st.dictionaries(st.sampled_from(["BTCUSDT", "ETHUSDT", "SOLUSDT"]), sound_positions),
            "trades": st.lists(sound_trades, max_size=4),
            "performance": st.builds(lambda more: {"wins": 1, "losses": 2} | more, unknown),
            "last_entries": st.dictionaries(st.sampled_from(["BTCUSDT", "ETH/USDT"]), st.just(AT)),
        },
    ),
    unknown,
)


@given(sound_states)
@settings(max_examples=150, deadline=None)
def test_a_sound_state_opens_an_account_that_can_be_written_down_and_read_again(any_agent: Agent, state: Any) -> None:
    opening = any_agent.opened(state)
    events = opening_events(opening, any_agent.parts)

    held = {symbol[:3]: D(position["quantity"]) for symbol, position in state.get("positions", {}).items()}
    cash = {asset: D(str(amount)) for asset, amount in state["cash"].items()}
    assert {asset: amount for asset, amount in opening.cash.items() if amount} == cash | held
    assert [decode(*encode(event)) for event in events] == events
    assert sum(len(event.trades) for event in events if isinstance(event, PastImported)) == len(state.get("trades", []))


def test_values_are_told_without_what_a_terminal_would_do_with_them(agent: Agent) -> None:
    problems = agent.problems({"cash": {"\x1b[2J\ud800": 1, "USDT": "\x1b]0;x\x07\ud800" + "y" * 100}})

    for problem in problems.values():
        assert str(problem).isascii()
        assert str(problem).isprintable()
        assert len(problem.found) <= 60


# -- limits --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["POSITIONS_MAX", "TRADES_MAX", "ASSETS_MAX", "ENTRIES_MAX"])
def test_there_is_a_limit_on_everything(agent: Agent, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    state = {
        "positions": [A_POSITION, A_POSITION | {"strategy": "ema_cross"}],
        "trades": [A_TRADE, A_TRADE],
        "cash": {"USDT": 1, "BNB": 1},
        "last_entries": {"BTCUSDT": AT, "ETHUSDT": AT},
    }
    agent.opened(state)

    monkeypatch.setattr(document, name, 1)
    problems = agent.problems(state)

    (problem,) = problems.values()
    assert (problem.expected, problem.found) == ("at most 1 of them", "2")


def test_the_largest_state_there_may_be_is_one_commit(parts: Parts, agent: Agent) -> None:
    taken = agent.opened({"trades": [A_TRADE], "positions": [A_POSITION], "mood": 1}).taken
    assert taken is not None
    largest = msgspec.structs.replace(
        taken,
        positions=taken.positions * document.POSITIONS_MAX,
        trades=taken.trades * document.TRADES_MAX,
    )

    events = opening_events(Opening(cash=taken.cash, taken=largest), parts)

    # The start of the process itself comes first, and perhaps a halt last.
    assert 1 + len(events) + 1 <= BATCH_MAX
    past = [event for event in events if isinstance(event, PastImported)]
    assert sum(len(each.trades) for each in past) == document.TRADES_MAX


# -- what means nothing here ---------------------------------------------------------------------------------------


def test_what_is_not_known_is_kept_as_it_was_and_named(agent: Agent) -> None:
    state = (
        '{"cash": 1, "mood": {"calm": 1.10, "words": ["\\u00e9", null, true]}, "positions": '
        '[{"symbol": "BTCUSDT", "quantity": 1, "average_price": 5, "note": 1e2},'
        ' {"symbol": "ETHUSDT", "quantity": 1, "average_price": 5, "note": "x"}], "performance": {"sharpe": 1.70}}'
    )

    taken = agent.opened(state).taken

    assert taken is not None
    assert taken.kept == {
        "": '{"mood": {"calm": 1.10, "words": ["é", null, true]}}',
        "positions[0]": '{"note": 1e2}',
        "positions[1]": '{"note": "x"}',
        "performance": '{"sharpe": 1.70}',
    }
    said = [notice for notice in taken.notices if "means nothing here" in notice]
    assert [notice.split(" ")[0] for notice in said] == ["mood", "positions[].note", "performance.sharpe"]
    assert "(2 times)" in said[1]


def test_a_secret_is_neither_kept_nor_told(agent: Agent) -> None:
    secret = "k-83f1a0b2c4d5"
    state = {
        "cash": {"USDT": 1, "api_key": secret, "TOKEN": secret},
        "api_secret": secret,
        "exchange": {"name": "x", "password": secret, "keys": [{"private_key": secret}]},
    }

    problems = agent.problems(state)
    state["cash"] = {"USDT": 1}
    taken = agent.opened(state).taken

    assert set(problems) == {"cash.api_key", "cash.TOKEN"}
    assert secret not in "".join(map(str, problems.values()))
    assert taken is not None
    assert secret not in repr(taken)
    assert taken.kept == {"": '{"exchange": {"name": "x", "password": "***", "keys": [{"private_key": "***"}]}}'}
    assert any(notice.startswith("api_secret") and "not kept" in notice for notice in taken.notices)
    trades = [A_TRADE | {"token": secret}, A_TRADE | {"token": secret}]
    assert agent.opened({"cash": 1, "trades": trades}).taken.notices[-1].startswith("trades[].token")  # type: ignore[union-attr]


def test_what_is_not_known_of_three_files_is_kept_apart(agent: Agent) -> None:
    files = {"positions": {"positions": [], "saved": 1}, "performance": {"wins": 1, "losses": 1, "saved": 2}}

    taken = agent.opened(**files).taken

    assert taken is not None
    assert taken.kept == {"positions.json": '{"saved": 1}', "performance.json": '{"saved": 2}'}


def test_of_very_many_notices_the_first_are_given_and_the_others_counted(
    agent: Agent, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(fitting, "NOTICES_MAX", 3)

    taken = agent.opened({"cash": 1} | {f"key {number}": number for number in range(10)}).taken

    assert taken is not None
    assert len(taken.notices) == 4
    assert taken.notices[-1] == "and 7 notices more"
    assert len(json.loads(taken.kept[""])) == 10


@pytest.mark.parametrize(
    "state",
    [
        {"mood": 'é"\\' * 3_000_000},
        {"mood": "\U0001f600" * 3_000_000},
        {"k" * 6_000_000: 1},
        {"trades": [A_TRADE | {"info": '"' * 30_000}] * 300},
        {"trades": [A_TRADE | {"info": "x" * 6_000_000}, A_TRADE]},
        {"positions": [A_POSITION | {"info": "x" * 6_000_000}]},
    ],
    ids=["escapes", "wide", "key", "trades", "trade", "position"],
)
def test_much_that_is_not_known_is_kept_whole_in_records_that_the_journal_takes(agent: Agent, state: Any) -> None:
    opening = agent.opened({"cash": 1} | state)

    events = opening_events(opening, agent.parts)

    payloads = [encode(event)[2] for event in events]
    assert max(map(len, payloads)) <= PAYLOAD_BYTES_MAX
    assert sum(map(len, payloads)) / len(payloads) > PAYLOAD_BYTES_MAX / 8
    assert opening.taken is not None
    joined: dict[str, str] = {}
    for event in events:
        for kept in event.kept if isinstance(event, PastImported) else ():
            joined[kept.path] = joined.get(kept.path, "") + kept.text
    assert joined == opening.taken.kept
    total = sum(len(text) for text in joined.values()) + sum(len(trade.kept) for trade in opening.taken.trades)
    assert total > 2_900_000
    assert max(len(notice) for notice in opening.taken.notices) < 500


def test_letters_that_no_file_can_hold_are_kept_as_they_were_written(agent: Agent) -> None:
    opening = agent.opened('{"cash": 1, "mood": {"\\ud800": "\\udfff"}}')
    assert opening.taken is not None

    events = opening_events(opening, agent.parts)

    assert opening.taken.kept == {"": '{"mood": {"\\ud800": "\\udfff"}}'}
    assert [decode(*encode(event)) for event in events] == events


def test_a_mistake_under_a_long_key_is_told_shortly(agent: Agent) -> None:
    (problem,) = agent.problems({"cash": {"k" * 1_000_000: 1}}).values()

    assert len(str(problem)) < 1_000


def test_what_is_not_known_must_be_json_all_the_same(agent: Agent) -> None:
    problems = agent.problems(
        '{"cash": 1, "mood": [1, NaN], "positions": [{"symbol": "BTCUSDT", "quantity": 0, "x": Infinity}]}'
    )

    assert {path: problem.found for path, problem in problems.items()} == {
        "mood[1]": "NaN",
        "positions[0].x": "Infinity",
    }


def test_what_is_not_known_may_be_deep_and_no_deeper(agent: Agent) -> None:
    def nested(depth: int) -> str:
        return '{"cash": 1, "mood": ' + "[" * depth + "]" * depth + "}"

    assert agent.opened(nested(60)).taken is not None
    (problem,) = agent.problems(nested(70)).values()
    assert problem.found == "deeper ones"
