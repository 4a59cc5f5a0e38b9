"""A state that was taken over is held as if it had been bought here, and deaths change nothing about that.

On the stage, so that death falls between any two turns of the very first start too.
"""

import json
import random
import tempfile
from collections.abc import Callable, Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import msgspec
import pytest

from domain.imported import PastTrade
from domain.proposal import Entry
from gateways.sample import SampleMarket
from holdfast.config.problems import ConfigurationError
from holdfast.parts import Parts
from holdfast.replay import NoSuchSequence, rebuild, replay_view, verify_everything
from holdfast.staging import StagedNode
from messages.base import Event
from messages.codec import decode
from messages.imported import Kept, PastImported
from messages.market import OfferAnswered
from messages.orders import OrderFilled, OrderIntended
from messages.risk import BreakerTripped
from persistence.reader import JournalReader
from supervision import Crashed
from tests.endurance.nodes import ROOT, Outcome, outcome_of
from tests.holdfast.imported import parts_of
from tests.holdfast.test_equivalence import (
    OVERRIDES,
    crash_through,
    die_at,
    disagreements,
    kill_through,
    live_through,
)

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]
D = Decimal
EXAMPLE = json.loads((ROOT / "examples" / "state.json").read_text())
STATE: dict[str, Any] = EXAMPLE | {
    "positions": [
        *EXAMPLE["positions"],
        # A stop that the market reaches at once, another strategy in the same symbol, and dust.
        {"symbol": "BTCUSDT", "quantity": "0.011111111", "entry_price": 42500, "strategy": "ema_cross", "stop": 42500},
        {"symbol": "SOLUSDT", "quantity": "0.0001", "entry_price": 100, "strategy": "ema_cross", "stop": 90},
    ],
    # More than one record holds.
    "trades": EXAMPLE["trades"] * 1_050,
}
RECORDS_OF_TRADES = 2


def days(parts: Parts, count: int) -> Parts:
    return msgspec.structs.replace(parts, source=SampleMarket(days=count))


@pytest.fixture(scope="module")
def parts() -> Parts:
    return days(parts_of(*OVERRIDES), 1)


def a_home(folder: Path, state: Any = STATE) -> Path:
    """Return a new home with the state of another program in it."""
    home = folder / "home"
    home.mkdir(mode=0o700)
    (home / "state.json").write_text(json.dumps(state))
    return home


@pytest.fixture
def home() -> Iterator[Path]:
    with tempfile.TemporaryDirectory(dir="/dev/shm" if Path("/dev/shm").is_dir() else None) as folder:
        yield a_home(Path(folder))


@pytest.fixture(scope="module")
def reference_home(parts: Parts, tmp_path_factory: pytest.TempPathFactory) -> Path:
    home = a_home(tmp_path_factory.mktemp("reference"))
    live_through(parts, home, seed=0)
    return home


@pytest.fixture(scope="module")
def reference(reference_home: Path) -> Outcome:
    return outcome_of(reference_home)


def events(home: Path, *kinds: type[Event]) -> list[Any]:
    with JournalReader(home) as reader:
        return [
            decode(record.kind, record.version, record.payload)
            for record in reader.read(kinds=[kind.__name__ for kind in kinds])
        ]


# -- as if it had been bought here ---------------------------------------------------------------------------------


def test_every_position_is_protected_by_its_stop_as_soon_as_there_is_a_market(reference_home: Path) -> None:
    stops = [event.terms for event in events(reference_home, OrderIntended)][:3]

    assert [(terms.strategy, terms.symbol, terms.leg, terms.quantity, terms.stop_price) for terms in stops] == [
        ("confidence", "BTCUSDT", "stop", D("0.05"), D(41200)),
        ("confidence", "ETHUSDT", "stop", D("0.6"), D(2230)),
        ("ema_cross", "BTCUSDT", "stop", D("0.01111"), D(42500)),
    ]
    assert len({terms.client_id for terms in stops}) == 3
    with JournalReader(reference_home) as reader:
        kinds = [record.kind for record in reader.read(until=60)]
    assert kinds.index("OrderIntended") > kinds.index("BarsClosed")
    assert kinds[kinds.index("BarsClosed") + 1 :].index("OrderIntended") < kinds[kinds.index("BarsClosed") + 1 :].index(
        "BarsClosed"
    )


def test_a_stop_that_is_reached_sells_what_was_taken_over(reference_home: Path) -> None:
    intended = {event.terms.client_id: event.terms for event in events(reference_home, OrderIntended)}
    taken_over = next(terms for terms in intended.values() if terms.strategy == "ema_cross" and terms.leg == "stop")
    fills = [event.fill for event in events(reference_home, OrderFilled)]

    sold = [fill for fill in fills if fill.client_id == taken_over.client_id]

    assert sum(fill.quantity for fill in sold) == D("0.01111")


def test_the_past_is_kept_apart_and_the_trades_are_those_of_the_file(reference_home: Path) -> None:
    trades: list[PastTrade] = [trade for event in events(reference_home, PastImported) for trade in event.trades]
    view = replay_view(rebuild(reference_home)[0])

    assert [(trade.number, trade.id) for trade in trades[:2]] == [(1, "8841"), (2, "8850")]
    assert [trade.number for trade in trades] == list(range(1, 2_101))
    assert not {trade.id for trade in trades} & {fill["trade_id"] for fill in view["fills"]}
    assert view["imported"]["positions"] == 4
    assert rebuild(reference_home)[0].positions.state.performance.summary().trades >= 14


def test_a_replay_shows_what_was_taken_over_at_once(reference_home: Path) -> None:
    rebuilt, notes = rebuild(reference_home, "7")
    view = replay_view(rebuilt)

    assert notes == []
    assert view["positions"]["BTCUSDT"]["quantity"] == "0.061111111"
    assert {(lot["strategy"], lot["symbol"], lot["quantity"]) for lot in view["lots"]} >= {
        ("confidence", "ETHUSDT", "0.6"),
        ("ema_cross", "SOLUSDT", "0.0001"),
    }
    assert view["cash"] == {"BNB": "0.5", "BTC": "0.061111111", "ETH": "0.6", "SOL": "0.0001", "USDT": "6412.37"}


@pytest.mark.parametrize("seq", range(1, 16))
def test_a_replay_can_stop_anywhere_in_what_was_taken_over(reference_home: Path, seq: int) -> None:
    assert rebuild(reference_home, str(seq))[0].seq == seq


def test_a_replay_to_a_sequence_that_is_not_there_says_where_the_journal_ends(reference_home: Path) -> None:
    with pytest.raises(NoSuchSequence, match=r"ends at \d+, found 99999999"):
        rebuild(reference_home, "99999999")


def test_a_replay_proves_it(reference_home: Path) -> None:
    checks = {check.name: check for check in verify_everything(reference_home)}

    assert not [check for check in checks.values() if check.problems]
    assert checks["states"].checked >= 3
    assert checks["snapshots"].checked == 11


@pytest.mark.parametrize("minutes", [None, 20])
def test_the_cooldown_survives(parts: Parts, tmp_path: Path, minutes: int | None) -> None:
    starts_at = parts.source.starts_at()
    entries = {} if minutes is None else {"SOLUSDT": starts_at - minutes * 60_000}
    home = a_home(tmp_path, {"cash": 10_000, "last_entries": entries})
    cooling = days(parts_of(*OVERRIDES, "strategies.ema_cross.parameters.cooldown_minutes=200"), 1)

    live_through(cooling, home, seed=1)

    wished = [
        answer.at
        for answer in events(home, OfferAnswered)
        for proposal in answer.proposals
        if isinstance(proposal, Entry) and (answer.strategy, proposal.symbol) == ("ema_cross", "SOLUSDT")
    ]
    assert (wished[0] >= starts_at + 180 * 60_000) == (minutes is not None)


def test_a_peak_of_before_trips_the_breaker_once_there_is_a_market(parts: Parts, tmp_path: Path) -> None:
    home = a_home(tmp_path, STATE | {"performance": {"peak_equity": 20_000}})

    live_through(parts, home, seed=1)

    (tripped,) = events(home, BreakerTripped)
    assert tripped.limit == "drawdown"
    assert D("0.4") < tripped.value < D("0.6")


# -- deaths --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("seed", [1, 2])
def test_the_outcome_depends_on_the_state_and_the_data_alone(
    parts: Parts, reference: Outcome, home: Path, seed: int
) -> None:
    live_through(parts, home, seed=seed)

    assert outcome_of(home) == reference
    assert disagreements(home) == []


@pytest.mark.parametrize("seed", range(2))
def test_actors_that_crash_change_nothing(parts: Parts, reference: Outcome, home: Path, seed: int) -> None:
    crash_through(parts, home, seed=seed, wanted=34)

    assert outcome_of(home) == reference
    assert disagreements(home) == []


@pytest.mark.parametrize("seed", range(3))
def test_a_node_killed_between_any_two_turns_ends_the_same(
    parts: Parts, reference: Outcome, home: Path, seed: int
) -> None:
    kill_through(parts, home, seed=seed, wanted=20)

    assert outcome_of(home) == reference, f"seed {seed}"
    assert disagreements(home) == []
    assert len(events(home, PastImported)) == RECORDS_OF_TRADES
    assert not [check for check in verify_everything(home) if check.problems]


@pytest.mark.parametrize("seed", range(3))
def test_a_node_killed_again_and_again_while_it_starts_for_the_first_time_ends_the_same(
    parts: Parts, reference: Outcome, home: Path, seed: int
) -> None:
    draw = random.Random(seed)
    for turns in [0, 0, 1, 2, *(draw.randint(1, 60) for _ in range(16))]:
        with StagedNode(parts, home, seed=draw.randrange(1 << 30)) as node:
            node.run(lambda node=node, turns=turns: node.stage.steps >= turns)  # type: ignore[misc]
            node.kill()
    live_through(parts, home, seed=seed)

    assert outcome_of(home) == reference
    assert disagreements(home) == []
    assert len(events(home, PastImported)) == RECORDS_OF_TRADES


POINTS = (
    *(f"journal.{point}" for point in ("before_commit", "after_commit", "after_watermark")),
    *(f"venue.{point}" for point in ("before_book", "after_book")),
    *(f"{name}.before_release" for name in ("positions", "executor", "breaker", "strategy.ema_cross")),
    *(f"{name}.after_release" for name in ("positions", "executor")),
)


@pytest.mark.parametrize("point", POINTS)
def test_a_node_killed_at_a_boundary_ends_the_same(parts: Parts, reference: Outcome, home: Path, point: str) -> None:
    draw = random.Random(point)
    for times in (1, 1, 2, 3, draw.randint(4, 60)):
        die_at(parts, home, point, times=times, seed=draw.randrange(1 << 30))
    live_through(parts, home, seed=1)

    assert outcome_of(home) == reference, point


# -- between the venue's book and the first commit -----------------------------------------------------------------


def die_before_the_first_commit(parts: Parts, home: Path) -> None:
    die_at(parts, home, "journal.before_commit", times=1, seed=1)
    assert (home / "venue.db").exists()
    with JournalReader(home) as reader:
        assert reader.last()[0] == 0


Change = Callable[[Path], object]
CHANGES: dict[str, Change] = {
    "removed": Path.unlink,
    "other cash": lambda file: file.write_text(json.dumps(STATE | {"cash": 1})),
    "other position": lambda file: file.write_text(json.dumps(STATE | {"positions": STATE["positions"][:1]})),
}


@pytest.mark.parametrize("change", CHANGES)
def test_a_book_that_was_made_from_another_state_is_refused(parts: Parts, home: Path, change: str) -> None:
    die_before_the_first_commit(parts, home)
    before = (home / "state.json").read_text()
    CHANGES[change](home / "state.json")

    for _ in range(2):
        with pytest.raises(ConfigurationError, match=r"a book that holds .*, found one that holds .* \(.*venue\.db\)"):
            live_through(parts, home, seed=1)

    with JournalReader(home) as reader:
        assert reader.last()[0] == 0
    (home / "state.json").write_text(before)
    live_through(parts, home, seed=1)


def test_a_state_that_changed_in_what_no_book_holds_is_taken_as_it_is_now(parts: Parts, home: Path) -> None:
    die_before_the_first_commit(parts, home)
    positions = [position | {"note": "looked at again"} for position in STATE["positions"]]
    (home / "state.json").write_text(json.dumps(STATE | {"positions": positions}))

    live_through(parts, home, seed=1)

    past = events(home, PastImported)[0]
    assert past.kept[0] == Kept("positions[0]", 1, '{"note": "looked at again"}')


def test_a_book_with_orders_in_it_is_of_another_journal(parts: Parts, home: Path) -> None:
    live_through(parts, home, seed=1)
    for name in ("journal.db", "journal.watermark"):
        (home / name).unlink()

    with pytest.raises(ConfigurationError, match="orders of another journal"):
        live_through(parts, home, seed=1)


# -- once ----------------------------------------------------------------------------------------------------------


def test_what_is_wrong_with_the_file_is_told_before_anything_is_written(parts: Parts, home: Path) -> None:
    (home / "state.json").write_text(json.dumps(STATE | {"cash": "much", "positions": [{}]}))
    content = (home / "state.json").read_bytes()

    with pytest.raises(ConfigurationError) as refused:
        live_through(parts, home, seed=1)

    assert len(refused.value.problems) == 3
    assert not (home / "venue.db").exists()
    with JournalReader(home) as reader:
        assert reader.last()[0] == 0
    assert (home / "state.json").read_bytes() == content


def test_the_file_is_read_once_and_never_touched(parts: Parts, reference: Outcome, home: Path) -> None:
    file = home / "state.json"
    before = (file.read_bytes(), file.stat().st_mtime_ns, file.stat().st_ino)
    with StagedNode(parts, home, seed=1) as node:
        node.run(lambda: node.counted("BarsClosed") >= 30)
        node.commit()
        node.kill()
    after = (file.read_bytes(), file.stat().st_mtime_ns, file.stat().st_ino)
    file.write_text("{ no longer a state")

    live_through(parts, home, seed=2)

    assert after == before
    assert outcome_of(home) == reference
    assert len(events(home, PastImported)) == RECORDS_OF_TRADES


def test_a_home_that_is_older_than_the_file_goes_on_as_it_was(parts: Parts, tmp_path: Path) -> None:
    for name in ("with", "without"):
        with StagedNode(parts, tmp_path / name, seed=1) as node:
            node.run(lambda node=node: node.counted("BarsClosed") >= 30)  # type: ignore[misc]
            node.commit()
            node.kill()
    (tmp_path / "with" / "state.json").write_text(json.dumps(STATE))

    for name in ("with", "without"):
        live_through(parts, tmp_path / name, seed=2)

    assert outcome_of(tmp_path / "with") == outcome_of(tmp_path / "without")


def test_an_actor_that_crashes_before_it_has_told_a_position_tells_it_when_it_is_back(parts: Parts, home: Path) -> None:
    crashes = 0

    def cue(point: str) -> None:
        nonlocal crashes
        if point == "positions.before_release" and crashes < 3:
            crashes += 1
            raise Crashed(f"on cue at {point}")

    with StagedNode(parts, home, seed=1, cue=cue) as node:
        node.run()
        assert node.ended
        node.commit()

    assert crashes == 3
    assert disagreements(home) == []
