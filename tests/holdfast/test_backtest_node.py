"""The quick ways of a backtest change the time it takes and nothing else: neither dispatch nor deaths show."""

import random
from collections import Counter
from decimal import Decimal
from pathlib import Path

import msgspec
import pytest

from domain.market import Closing
from holdfast.backtest.node import BacktestNode
from holdfast.backtest.plan import Plan, plan_backtest
from holdfast.backtest.tape import Tape
from holdfast.doors import Doors
from holdfast.passage import Passage
from holdfast.replay import rebuild, verify_everything
from persistence.reader import JournalReader
from supervision import JournaledActor
from tests.endurance.nodes import Outcome, outcome_of
from tests.holdfast.test_backtest import FIRST, PARAMETERS, SETTINGS, write_walk

PATIENCE = (
    *(f"supervision.{name}.intensity=1000" for name in ("root", "trading", "guard", "market", "strategies")),
    "supervision.backoff.base_s=0.001",
    "supervision.backoff.cap_s=0.01",
)
NAMES = ("feed", "sentiment", "strategy.ema_cross", "breaker", "executor", "venue", "positions")
PARTS = (*NAMES, "guard", "market")
every_way = pytest.mark.parametrize("by_messages", [False, True])


@pytest.fixture(scope="module")
def plan(tmp_path_factory: pytest.TempPathFactory) -> Plan:
    folder = tmp_path_factory.mktemp("bars")
    write_walk(folder / "BTCUSDT_1m.csv", seed=3, bars=500)
    write_walk(folder / "ETHUSDT_1m.csv", seed=4, bars=500, price=20.0)
    overrides = (*SETTINGS, *PATIENCE)
    return plan_backtest(folder, "ema-cross", parameters=PARAMETERS, config=None, overrides=overrides)


@pytest.fixture(scope="module")
def narrow(tmp_path_factory: pytest.TempPathFactory) -> Plan:
    """One strategy on one symbol whose bars are its frames: it is told of many bars at once."""
    folder = tmp_path_factory.mktemp("bar")
    write_walk(folder / "BTCUSDT_1m.csv", seed=8, bars=2_000)
    overrides = (*SETTINGS, *PATIENCE, "feed.frames=['1m']", "feed.warmup_bars=3")
    return plan_backtest(folder, "ema-cross", parameters=PARAMETERS, config=None, overrides=overrides)


class Deaths:
    """Breaks an actor every so many turns, the same ones again for the same seed: often at first, and ever less."""

    def __init__(self, node: BacktestNode, seed: int) -> None:
        self._node = node
        self._random = random.Random(seed)
        self._next = 300
        self.count: Counter[str] = Counter()

    def __call__(self) -> bool:
        if self._node.stage.steps >= self._next:
            self._next += self._random.randrange(10, 60) * (1 + self.count.total() // 10)
            name = self._random.choice(PARTS)
            self.count[name] += self._node.crash(name)
        return False


def live(
    plan: Plan, home: Path, *, by_messages: bool = False, by_own_loop: bool = False, deaths: int | None = None
) -> tuple[str, Counter[str]]:
    """Run a plan in a home; return the head of its chain and who was broken how often."""
    with BacktestNode(plan.parts(), home, by_messages=by_messages, by_own_loop=by_own_loop) as node:
        befall = Deaths(node, deaths or 0)
        node.run(befall if deaths is not None else lambda: False)
        node.stop("end of data")
        return node.head, befall.count


def states_of(node: BacktestNode) -> dict[str, bytes]:
    """Return what each living actor remembers, by its name."""
    return {
        name: actor.remembered.save() for name in NAMES if isinstance(actor := node.system.actor(name), JournaledActor)
    }


def kinds_in(home: Path) -> Counter[str]:
    """Count what a journal holds by kind, but for what bars are told by."""
    told_by = ("BarsPassed", "BarsClosed", "FramesClosed", "EquityMarked", "Offered", "OfferAnswered")
    with JournalReader(home) as reader:
        return Counter(record.kind for record in reader.read() if record.kind not in told_by)


@every_way
def test_quick_turns_record_what_the_loop_of_pykka_records_hash_for_hash(
    plan: Plan, tmp_path: Path, by_messages: bool
) -> None:
    quick, _ = live(plan, tmp_path / "quick", by_messages=by_messages)
    slow, _ = live(plan, tmp_path / "slow", by_messages=by_messages, by_own_loop=True)

    assert quick == slow
    assert len(outcome_of(tmp_path / "quick").fills) > 20


@pytest.mark.slow
@every_way
@pytest.mark.parametrize("seed", [1, 2])
def test_they_do_under_failures_too(plan: Plan, tmp_path: Path, seed: int, by_messages: bool) -> None:
    quick, deaths = live(plan, tmp_path / "quick", by_messages=by_messages, deaths=seed)
    slow, again = live(plan, tmp_path / "slow", by_messages=by_messages, by_own_loop=True, deaths=seed)

    assert quick == slow
    assert deaths == again
    assert sum(deaths.values()) > 20
    assert len(deaths) >= len(PARTS) - 1


@pytest.mark.parametrize("deaths", [None, pytest.param(3, marks=pytest.mark.slow)])
def test_bars_that_are_told_together_keep_to_both_laws(
    narrow: Plan, tmp_path: Path, deaths: int | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    together = list[int]()
    tell_all = Passage._tell_all

    def tell(self: Passage, run: list[Closing], doors: Doors) -> tuple[int, int, bool]:
        together.append(len(run))
        return tell_all(self, run, doors)

    monkeypatch.setattr(Passage, "_tell_all", tell)
    quick, _ = live(narrow, tmp_path / "quick", deaths=deaths)
    slow, died = live(narrow, tmp_path / "slow", deaths=deaths, by_own_loop=True)
    live(narrow, tmp_path / "told", by_messages=True)

    assert quick == slow
    assert outcome_of(tmp_path / "quick") == outcome_of(tmp_path / "told")
    assert len(outcome_of(tmp_path / "quick").fills) > 20
    assert max(together) > 20
    assert (sum(died.values()) > 10) is (deaths is not None)


@pytest.mark.parametrize("limits", [{}, {"drawdown_max": Decimal("0.004")}, {"daily_loss_max": Decimal("0.003")}])
@pytest.mark.parametrize("market", ["plan", "narrow"])
def test_bars_that_pass_come_to_what_messages_come_to(
    request: pytest.FixtureRequest, tmp_path: Path, limits: dict[str, Decimal], market: str
) -> None:
    plan: Plan = request.getfixturevalue(market)
    risk = msgspec.structs.replace(plan.settings.risk, **limits)
    plan = msgspec.structs.replace(plan, settings=msgspec.structs.replace(plan.settings, risk=risk))
    told: list[list[tuple[int, float]]] = []
    for by_messages in (False, True):
        tape, home = Tape(), tmp_path / f"{by_messages}"
        with BacktestNode(plan.parts(), home, hear=tape.hear, mark_all=tape.mark_all, by_messages=by_messages) as node:
            node.run()
            node.stop("end of data")
            tape.end()
        told.append(sorted(zip(tape.marks_at, tape.equity, strict=True)))

    assert outcome_of(tmp_path / "False") == outcome_of(tmp_path / "True")
    assert told[0] == told[1]
    assert kinds_in(tmp_path / "False") == kinds_in(tmp_path / "True")
    assert bool(limits) is ("BreakerTripped" in kinds_in(tmp_path / "True"))
    assert len(told[0]) > 40


def test_so_they_do_with_news_coarser_frames_and_two_strategies(tmp_path: Path) -> None:
    write_walk(tmp_path / "BTCUSDT_1m.csv", seed=5, bars=4_000)
    write_walk(tmp_path / "ETHUSDT_1m.csv", seed=6, bars=4_000, price=20.0)
    titles = ("Bitcoin soars to a record high as buyers rush in", "Ethereum crashes after a hack, investors panic")
    rows = [f'{FIRST + minute * 60_000},"{titles[minute % 2]}"' for minute in range(1_007, 4_000, 171)]
    (tmp_path / "news.csv").write_text("ts,title\n" + "\n".join(rows) + "\n")
    news = ("sentiment.source=files", f"sentiment.path={tmp_path / 'news.csv'}", "feed.warmup_bars=20")
    one, other = (
        plan_backtest(tmp_path, name, parameters=parameters, config=None, overrides=news)
        for name, parameters in (("confidence", ("enter_from=0.52", "cooldown_minutes=0")), ("ema-cross", ()))
    )
    both = {**one.settings.strategies, **other.settings.strategies}
    plan = msgspec.structs.replace(one, settings=msgspec.structs.replace(one.settings, strategies=both))

    for by_messages in (False, True):
        live(plan, tmp_path / f"{by_messages}", by_messages=by_messages)

    outcome = outcome_of(tmp_path / "False")
    assert outcome == outcome_of(tmp_path / "True")
    assert kinds_in(tmp_path / "False") == kinds_in(tmp_path / "True")
    assert kinds_in(tmp_path / "True")["HeadlineScored"] == len(rows)
    assert {fill[6] for fill in outcome.fills} == {"confidence", "ema_cross"}
    assert [check for check in verify_everything(tmp_path / "False") if check.problems] == []


def test_what_a_journal_tells_again_is_what_its_actors_remembered(plan: Plan, tmp_path: Path) -> None:
    with BacktestNode(plan.parts(), tmp_path) as node:
        node.run()
        lived = states_of(node)
        node.stop("end of data")

    rebuilt, _ = rebuild(tmp_path)
    assert {name: rebuilt.memories[name].save() for name in lived} == lived
    assert set(lived) == set(NAMES)


@pytest.mark.parametrize("frames", [("1m", "15m"), ("5m",), ("15m", "1h"), ("1m",)])
@pytest.mark.parametrize("bars", [180, 181, 194, 203, 239])
def test_a_journal_is_told_again_wherever_its_bars_end(tmp_path: Path, bars: int, frames: tuple[str, ...]) -> None:
    write_walk(tmp_path / "BTCUSDT_1m.csv", seed=9, bars=bars)
    overrides = (f"feed.frames={list(frames)}", "feed.warmup_bars=0")
    strategies: dict[str, tuple[str, ...]] = {"ema-cross": (f"timeframe={frames[0]}", "fast=2", "slow=3")}
    if frames == ("15m", "1h"):
        strategies["confidence"] = ("fast=2", "slow=3")
    for strategy, parameters in strategies.items():
        plan = plan_backtest(tmp_path, strategy, parameters=parameters, config=None, overrides=overrides)
        live(plan, tmp_path / strategy)

        assert [check for check in verify_everything(tmp_path / strategy) if check.problems] == []


@pytest.mark.slow
def test_failures_change_nothing_of_the_outcome(plan: Plan, tmp_path: Path) -> None:
    outcomes: list[Outcome] = []
    for seed in (None, 4, 5):
        live(plan, tmp_path / f"home{seed}", deaths=seed)
        outcomes.append(outcome_of(tmp_path / f"home{seed}"))

    assert outcomes[1:] == outcomes[:1] * 2
