"""The laws of commands to the process: a reload is whole or refused, and a stop comes whatever befalls the clerk."""

import itertools
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing
from decimal import Decimal
from pathlib import Path
from typing import Any

import msgspec
import pytest

from actors.breaker_memory import BreakerState
from domain.position import Book
from domain.reconciliation import Finding
from domain.strategies.ema_cross import EmaCross
from gateways.sample import SampleMarket
from holdfast import views
from holdfast.acts import Acts
from holdfast.admin.protocol import Peer, Request
from holdfast.answers import Answers
from holdfast.config.loading import load_settings
from holdfast.config.settings import InstrumentRules, Log
from holdfast.conflicts import conflicts
from holdfast.logs import NodeLog
from holdfast.pace import Pace
from holdfast.parts import Parts, gather
from holdfast.replay import replay_command, verify_everything
from holdfast.staging import StagedNode
from messages.codec import decode
from messages.node import Command, CommandReceived, ConfigurationChanged, Mark, OperatorCommanded, StateHashed
from messages.reconciliation import Reconciled
from persistence.reader import JournalReader
from supervision import Crashed
from tests.actors.values import commanded
from tests.endurance.nodes import ROOT

pytestmark = pytest.mark.slow
PEER = Peer(uid=0, pid=1, user="op")
OVERRIDES = ("feed.speed=max", "journal.snapshot_every=1000000")


@pytest.fixture
def config(tmp_path: Path) -> Path:
    """Return a configuration file that says nothing yet."""
    path = tmp_path / "config.toml"
    path.write_text("")
    return path


@pytest.fixture
def parts(config: Path) -> Parts:
    settings = load_settings(config, environ={}, overrides=OVERRIDES).settings
    return msgspec.structs.replace(gather(settings, folder=ROOT), source=SampleMarket(days=1))


@pytest.fixture
def home(tmp_path: Path) -> Path:
    return tmp_path / "home"


@pytest.fixture
def said() -> list[str]:
    """Return what goes on in the log, by the names of its lines."""
    return []


@pytest.fixture
def node(parts: Parts, home: Path, said: list[str]) -> Iterator[StagedNode]:
    with StagedNode(parts, home, seed=1, log=lambda level, event, **values: said.append(event)) as node:
        node.run(lambda: node.counted("OfferAnswered") >= 4)
        yield node


@pytest.fixture
def acts(node: StagedNode, config: Path, home: Path) -> Iterator[Acts]:
    with closing(NodeLog(Log(level="error", file=False), home)) as log:
        yield acts_of(node, config, log)


def acts_of(node: StagedNode, config: Path, log: NodeLog, end: Callable[[str], None] = lambda reason: None) -> Acts:
    return Acts(
        system=node.system,
        current=node.current,
        log=log,
        pace=Pace("max"),
        config_path=config,
        overrides=OVERRIDES,
        record=lambda event: node.switchboard.record("node", [event]),
        end=end,
    )


def recorded(home: Path, kind: str) -> list[object]:
    with JournalReader(home) as reader:
        return [decode(record.kind, record.version, record.payload) for record in reader.read(kinds=[kind])]


def epochs(node: StagedNode) -> dict[str, int]:
    return {each.name: each.epoch for each in node.switchboard.vitals()}


LIMIT_THAT_CANNOT_BE = "[risk]\nprice_collar_pct = 100\nexposure_max = 0.5\n"
"""Each number is within its bounds; a collar of the whole price is none."""


def test_a_limit_that_cannot_be_is_refused_with_all_that_came_with_it_and_recorded(
    node: StagedNode, acts: Acts, config: Path, home: Path
) -> None:
    before, lives = node.current.parts, epochs(node)
    config.write_text(LIMIT_THAT_CANNOT_BE + "[strategies.ema_cross.parameters]\nfast = 5\n[health]\nheartbeat_s = 1\n")

    ok, detail = acts.reload({})
    node.run(lambda: node.counted("OfferAnswered") >= 6)
    node.commit()

    (refused,) = recorded(home, "ConfigurationChanged")
    assert not ok
    assert "price_collar must be above 0 and below 1, was 1" in detail
    assert refused == ConfigurationChanged(applied=False, changes={}, problems=(detail,))
    assert node.current.parts is before
    assert epochs(node) == lives


def test_a_strategy_that_would_decide_at_other_bars_is_refused_until_a_restart(
    node: StagedNode, acts: Acts, config: Path
) -> None:
    before = node.current.parts
    config.write_text('[strategies.ema_cross.parameters]\ntimeframe = "1h"\n[risk]\nexposure_max = 0.5\n')

    ok, detail = acts.reload({})

    assert (ok, detail) == (
        False,
        "strategies.ema_cross: expected a strategy with parameters it takes, found one of 1h bars instead of 15m, "
        "which needs a restart of the node (the class)",
    )
    assert node.current.parts is before


def test_rules_that_a_venue_has_told_are_no_change_of_the_configuration(node: StagedNode, acts: Acts) -> None:
    parts = node.current.parts
    told = {symbol: InstrumentRules(tick=Decimal("0.5")) for symbol in parts.shape.instruments}
    node.current.parts = msgspec.structs.replace(
        parts,
        settings=msgspec.structs.replace(parts.settings, instruments=told),
        instruments_given=parts.settings.instruments,
    )

    assert acts.reload({}) == (True, "nothing has changed")
    assert node.current.parts.settings.instruments == told


class Careless(EmaCross):
    """A strategy of the user's own, which does not look at what it is given."""

    def __init__(self, symbols: Sequence[str], parameters: Mapping[str, Any]) -> None:
        if parameters.get("fast", 5) < 1:
            raise ValueError("fast must be above 0")
        super().__init__(symbols, parameters)


def test_whatever_a_strategy_raises_over_its_parameters_refuses_the_reload(
    node: StagedNode, acts: Acts, config: Path, home: Path
) -> None:
    shape = node.current.parts.shape
    careless = tuple(
        msgspec.structs.replace(part, kind=Careless) if part.name == "ema_cross" else part for part in shape.strategies
    )
    before = node.current.parts = msgspec.structs.replace(
        node.current.parts, shape=msgspec.structs.replace(shape, strategies=careless)
    )
    config.write_text('[strategies.ema_cross.parameters]\nfast = "many"\n')

    ok, detail = acts.reload({})
    node.commit()

    assert not ok
    expected = "strategies.ema_cross: expected a strategy with parameters it takes"
    assert detail == f"{expected}, found TypeError: '<' not supported between instances of 'str' and 'int' (the class)"
    assert node.current.parts is before
    assert [change.applied for change in recorded(home, "ConfigurationChanged")] == [False]  # type: ignore[attr-defined]


def test_what_was_refused_once_is_applied_when_it_is_mended(
    node: StagedNode, acts: Acts, config: Path, home: Path
) -> None:
    config.write_text(LIMIT_THAT_CANNOT_BE)
    acts.reload({})
    config.write_text(LIMIT_THAT_CANNOT_BE.replace("100", "3"))

    ok, _ = acts.reload({})
    node.run(lambda: node.counted("OfferAnswered") >= 6)
    node.commit()

    assert ok
    assert [change.applied for change in recorded(home, "ConfigurationChanged")] == [False, True]  # type: ignore[attr-defined]
    assert str(node.current.parts.limits.exposure_max) == "0.5"
    assert epochs(node)["breaker"] > epochs(node)["executor"]


def test_a_changed_limit_of_the_health_watcher_holds_at_once(
    node: StagedNode, acts: Acts, config: Path, said: list[str]
) -> None:
    node.run()
    config.write_text("[health]\nheartbeat_s = 1\n")

    ok, _ = acts.reload({})
    began = node.stage.clock.monotonic()
    node.stage.run_until(lambda: node.stage.clock.monotonic() >= began + 60)

    assert ok
    assert 58 <= said.count("heartbeat") <= 66


CHANGED = "[strategies.confidence.parameters]\n[strategies.ema_cross.parameters]\nfast = 5\n"


def test_markers_from_before_amid_and_after_a_reload_of_a_strategy_are_accepted(
    parts: Parts, tmp_path: Path, config: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A marker set right after the reload may still be answered by a strategy's old life, and then says nothing."""
    old_answers = 0
    for seed in range(40):
        if old_answers > 0 and seed >= 6:
            break
        home = tmp_path / f"home-{seed}"
        config.write_text("")
        with StagedNode(parts, home, seed=seed) as node, closing(NodeLog(Log(level="error", file=False), home)) as log:
            node.run(lambda: node.counted("OfferAnswered") >= 4)
            mark(node)
            config.write_text(CHANGED)
            assert acts_of(node, config, log).reload({}) == (True, "applied: strategies.ema_cross.parameters.fast")
            mark(node)
            mark(node)
            node.commit()
        old_answers += amid(home)

        checks = {check.name: check for check in verify_everything(home)}
        assert [problem for check in checks.values() for problem in check.problems] == []
        assert checks["states"].checked == 2
        assert (checks["states"].passed_over, checks["states"].reason) == (1, "under earlier configurations")
        replay_command(home, to=None, verify=True, as_json=False)
        assert "2 checked  0 problems (1 more under earlier configurations)\n" in capsys.readouterr().out
    assert old_answers > 0, "no seed has the old life answer after the reload"


def mark(node: StagedNode) -> None:
    """Have all states told, and wait until they are hashed."""
    before = node.counted("StateHashed")
    node.system.tell("archivist", Mark("a test"))
    node.run(lambda: node.counted("StateHashed") > before)


def amid(home: Path) -> int:
    """Return how many markers after the reload were answered by the old life of the strategy."""
    hashed = [event for event in recorded(home, "StateHashed") if isinstance(event, StateHashed)]
    versions = [event.versions["strategy.ema_cross"] for event in hashed]
    return sum(before == after for before, after in itertools.pairwise(versions[:2]))


STOPPING = (True, "stopping")
CUT_SHORT = (False, "cut short: whether it was done is not known")


@pytest.mark.parametrize(
    ("point", "answer"), [("operator.before_release", CUT_SHORT), ("operator.after_release", STOPPING)]
)
def test_a_stop_ends_the_node_although_the_clerk_dies_over_it_and_is_answered_when_it_is_repeated(
    parts: Parts, home: Path, config: Path, point: str, answer: tuple[bool, str]
) -> None:
    ends: list[str] = []
    answers: list[tuple[bool, str]] = []
    performed: list[str] = []
    deaths: list[str] = []
    acts: list[Acts] = []

    def act(command: OperatorCommanded) -> tuple[bool, str]:
        performed.append(command.command)
        return acts[0](command)

    def cue(passed: str) -> None:
        if passed == point and performed and not deaths:
            deaths.append(passed)
            raise Crashed(f"on cue at {passed}")

    stop = CommandReceived(commanded("stop"), lambda ok, detail: answers.append((ok, detail)))
    with (
        closing(NodeLog(Log(level="error", file=False), home)) as log,
        StagedNode(parts, home, seed=1, cue=cue, act=act) as node,
    ):
        acts.append(acts_of(node, config, log, ends.append))
        node.run()
        node.system.tell("operator", stop)
        node.stage.run_until(lambda: bool(deaths) and node.switchboard.is_up("operator"))
        before = list(answers)
        node.system.tell("operator", stop)
        node.stage.run_until(lambda: bool(answers))
        too_early = list(ends)
        node.stage.run_until(lambda: bool(ends))

    assert (before, too_early) == ([], [])
    assert ends == ["stopped by an operator"]
    assert answers == [answer]
    assert performed == ["stop"]


def until_quiet(node: StagedNode, name: str) -> None:
    """Let a node live until an actor is up and has no ordinary message waiting."""

    def is_quiet() -> bool:
        vitals = next(each for each in node.switchboard.vitals() if each.name == name)
        return vitals.up and vitals.mailbox_depth == 0

    node.stage.run_until(is_quiet)


# -- differences -----------------------------------------------------------------------------------------------------


def test_a_symbol_that_is_halted_for_a_difference_is_shown_with_why_and_resumed_with_a_reason_only(
    node: StagedNode,
) -> None:
    extra = Finding("position_extra", "BTCUSDT", "BTC", Decimal(1), Decimal(2), "halt")
    node.switchboard.record("reconciler", [Reconciled("interval", (extra,), 2)])
    until_quiet(node, "breaker")

    status = answers_of(node).answer(Request("status", {}, PEER))
    ok, detail = asked(node, "resume", {"request_id": "r1", "reason": ""})

    why = "position_extra: expected 1 BTC, found 2 at the venue"
    assert (status["state"], status["blocked"]) == ("active", {"BTCUSDT": why})
    assert (ok, detail) == (False, "entries are halted in BTCUSDT; resume it with --reason")


def test_an_order_that_halts_a_symbol_is_told_as_one_until_somebody_resumes(node: StagedNode) -> None:
    foreign = Finding("order_foreign", "BTCUSDT", "BTC", Decimal(0), Decimal("0.4146"), "halt", "h01elsewhere1234e0")
    node.switchboard.record("reconciler", [Reconciled("interval", (foreign,), 2)])
    until_quiet(node, "breaker")
    answers = answers_of(node)

    (why,) = answers.answer(Request("status", {}, PEER))["blocked"].values()
    (before,) = found_in(node)
    node.switchboard.record("operator", [commanded("resume")])
    (after,) = found_in(node)

    assert why == (
        "order_foreign: expected no open order of another home, found h01elsewhere1234e0 for 0.4146 BTC at the venue"
    )
    assert (before["in_force"], after["in_force"]) == ("yes", "no: resumed")


def test_a_status_before_any_verdict_says_that_entries_wait_for_it() -> None:
    seen = views.breaker_view(BreakerState(Book("USDT"), awaits_verdict=True))

    assert (seen["state"], list(seen["reasons"])) == ("active", ["waits"])
    assert seen["reasons"]["waits"].startswith("no verdict yet")


def found_in(node: StagedNode) -> list[dict[str, Any]]:
    """Return the differences that the journal tells of, once all that was said is in it."""
    node.commit()
    return conflicts(node.home, 20)


# -- quarantine ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("command", ["quarantine-retry", "quarantine-drop"])
def test_what_waits_in_quarantine_is_delivered_or_dropped_by_a_command(
    node: StagedNode, acts: Acts, command: Command
) -> None:
    for _ in range(4):
        node.system.tell("health", "nonsense")
        until_quiet(node, "health")
    (case,) = views.quarantine_view(node.switchboard.quarantine.cases())
    target = f"{case['actor']} {case['fingerprint']}"

    answer = acts(commanded(command, target=target))
    again = acts(commanded(command, target=target))

    assert (case["actor"], case["message"], case["deaths"], case["waiting"]) == ("health", "'nonsense'", 2, 2)
    assert answer[0]
    assert answer[1].startswith(
        "2 that waited are delivered" if command == "quarantine-retry" else "2 that waited are dropped"
    )
    assert again == (False, f"no messages to health with the fingerprint {case['fingerprint']} are in quarantine")
    buried = views.dead_letters_view(node.switchboard.dead_letters)
    expected = {"to": "health", "type": "str", "why": "quarantined", "count": 2}
    assert (expected in buried) is (command == "quarantine-drop")


def test_a_request_that_was_done_is_answered_as_it_was_although_its_target_is_gone_since(node: StagedNode) -> None:
    for _ in range(4):
        node.system.tell("health", "nonsense")
        until_quiet(node, "health")
    (case,) = views.quarantine_view(node.switchboard.quarantine.cases())
    params = {"actor": case["actor"], "fingerprint": case["fingerprint"], "reason": ""}

    told = [asked(node, "quarantine-drop", params | {"request_id": name}) for name in ("r1", "r1", "r2")]

    assert [(ok, text.partition(" ")[0]) for ok, text in told] == [(True, "2"), (True, "2"), (False, "expected")]
    assert told[0] == told[1]
    assert node.counted("OperatorCommanded") == 1


class Ear:
    """Whoever is answered over the socket."""

    def __init__(self) -> None:
        self.heard: list[tuple[bool, str]] = []

    def __call__(self, result: Any) -> bool:
        self.heard.append((True, result["detail"]))
        return True

    def refuse(self, message: str, *, code: int = 0, data: Any = None) -> bool:
        self.heard.append((False, message))
        return True


def asked(node: StagedNode, method: str, params: dict[str, Any]) -> tuple[bool, str]:
    """Give a command as `holdfast ctl` does, and return its answer."""
    ear = Ear()
    answers = answers_of(node)
    answers._handle(Request(method, params, PEER), ear)  # type: ignore[arg-type]
    node.stage.run_until(lambda: bool(ear.heard))
    answers.close()
    return ear.heard[0]


def answers_of(node: StagedNode) -> Answers:
    return Answers(node.system, node.home, symbols=(), is_paper=True, durable_seq=lambda: node.durable_seq)
