"""Laws of the command line: exit codes, sentences, JSON, and how little it loads."""

import json
import os
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from cyclopts import App

import holdfast
import persistence.errors
from holdfast.admin.methods import METHODS
from holdfast.admin.protocol import Code, Request
from holdfast.admin.responder import Responder
from holdfast.admin.server import AdminServer
from holdfast.cli.asking import default_home
from holdfast.cli.main import app, run_command_line
from holdfast.cli.quick import QUESTIONS, answer_quickly
from holdfast.config.watch import look_at
from holdfast.exit_codes import ExitCode, exit_code_of

ROOT = Path(__file__).resolve().parents[2]
POISON = ("feed", "0123456789ab")


@pytest.fixture(autouse=True)
def _alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Work in an empty folder with an empty home, and put the hooks for what nobody caught back."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOLDFAST_HOME", str(tmp_path))
    hooks = sys.excepthook, sys.unraisablehook, threading.excepthook
    yield
    sys.excepthook, sys.unraisablehook, threading.excepthook = hooks


class Node:
    """A node that remembers what it was asked and answers as it is told to."""

    def __init__(self, home: Path) -> None:
        self.asked: list[Request] = []
        self.answer: Any = {"state": "active"}
        self.refuses_with = Code.REFUSED
        home.chmod(0o700)
        self.server = AdminServer(home / "admin.sock", self._handle, report=self._fail)

    def _handle(self, request: Request, respond: Responder) -> None:
        self.asked.append(request)
        if isinstance(self.answer, str):
            respond.refuse(self.answer, code=self.refuses_with)
        elif request.method == "tail":
            for item in self.answer:
                respond.push(item)
            respond(None)
        else:
            respond(self.answer)

    def _fail(self, error: Exception) -> None:
        raise AssertionError from error


@pytest.fixture
def node(tmp_path: Path) -> Iterator[Node]:
    node = Node(tmp_path)
    node.server.start()
    yield node
    node.server.close()


def command(*tokens: str, **more: Any) -> subprocess.CompletedProcess[str]:
    environ = os.environ | {"PYTHONPATH": str(ROOT)}
    line = [sys.executable, "-m", "holdfast", *tokens]
    return subprocess.run(line, capture_output=True, text=True, timeout=30, env=environ, check=False, **more)


# --- exit codes


@pytest.mark.parametrize(
    "tokens",
    [
        ["nonsense"],
        [],
        ["ctl"],
        ["ctl", "nonsense"],
        ["ctl", "status", "--nonsense"],
        ["ctl", "status", "extra"],
        ["ctl", "halt"],
        ["ctl", "halt", "because"],
        ["ctl", "restart"],
        ["ctl", "loglevel", "loud"],
        ["ctl", "tail", "-n", "many"],
        ["ctl", "tail", "-n", "5000"],
        ["ctl", "crashes", "-n", "0"],
        ["ctl", "violations", "-n", "0"],
        ["ctl", "quarantine", "retry", "feed"],
        ["ctl", "quarantine", "forget", "feed", "0123456789ab"],
        ["journal", "tail", "-n", "-1"],
        ["journal", "export", "--after", "x"],
        ["replay", "--to", "yesterday"],
        ["replay", "--to", "²"],
        ["run", "extra"],
        ["run", "--set"],
        ["config"],
        ["version", "--home"],
    ],
)
def test_a_line_that_makes_no_sense_is_64(tokens: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert run_command_line(tokens) == ExitCode.USAGE
    written = capsys.readouterr()
    assert written.err or "Usage" in written.out


@pytest.mark.parametrize(
    "tokens", [["--help"], ["-h"], ["--version"], ["ctl", "--help"], ["run", "--help"], ["version"]]
)
def test_asking_for_help_is_no_mistake(tokens: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert run_command_line(tokens) == ExitCode.OK
    assert capsys.readouterr().out


@pytest.mark.parametrize("tokens", [["run"], ["config", "check"], ["config", "show"]])
def test_a_wrong_configuration_is_78_with_every_mistake_on_a_line(
    tokens: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "config.toml").write_text(
        "[risk]\ndrawdown_max = 3\n[feed]\nsped = 1\n"
        "[strategies.ema_cross]\nenabled = 5\n[strategies.ema_cross.parameters]\nfst = 3\n"
        "[strategies.confidence.parameters]\nenter_fro = 1\n"
    )

    code = run_command_line([*tokens, "--set", "log.level=loud"])

    lines = capsys.readouterr().err.splitlines()
    assert code == ExitCode.CONFIGURATION
    assert len(lines) == 5
    assert any(line.startswith("holdfast: risk.drawdown_max: expected") for line in lines)
    assert any("enter_fro must be one of" in line for line in lines)
    assert not any("fst" in line for line in lines), "of a strategy with a wrong key nothing more is judged"


def test_mistakes_are_json_where_that_is_asked_for(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "config.toml").write_text("[risk]\ndrawdown_max = 3")

    code = run_command_line(["config", "check", "--json"])

    written = json.loads(capsys.readouterr().out)
    assert code == written["error"]["exit_code"] == 78
    assert written["problems"] == [
        {
            "key": "risk.drawdown_max",
            "expected": "a number above 0 and at most 1",
            "found": "3",
            "origin": "config.toml:2",
            "hint": "",
        }
    ]


def test_a_configuration_file_that_was_named_and_is_not_there_is_78() -> None:
    assert run_command_line(["config", "check", "--config", "nowhere.toml"]) == ExitCode.CONFIGURATION


@pytest.mark.parametrize("tokens", [["ctl", "status"], ["ctl", "pause"], ["ctl", "tail"], ["ctl", "status", "--json"]])
def test_where_no_node_answers_the_code_is_69_and_the_sentence_says_what_to_do(
    tokens: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    code = run_command_line(tokens)

    written = "".join(capsys.readouterr())
    assert code == ExitCode.UNAVAILABLE
    assert f"{tmp_path}/admin.sock" in written
    assert "holdfast run --home" in written


def test_a_node_that_refuses_is_1_and_its_sentence_is_passed_on(node: Node, capsys: pytest.CaptureFixture[str]) -> None:
    node.answer = "resume needs a reason after a halt"

    assert run_command_line(["ctl", "resume"]) == ExitCode.FAILED
    assert capsys.readouterr().err == "holdfast: resume needs a reason after a halt\n"


def test_a_home_without_a_journal_is_74(capsys: pytest.CaptureFixture[str]) -> None:
    assert run_command_line(["journal", "stats"]) == ExitCode.IO_ERROR
    assert "expected a journal" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (persistence.errors.JournalLocked("x"), 75),
        (persistence.errors.JournalDamaged("x"), 65),
        (persistence.errors.JournalUnwritable("x"), 74),
        (persistence.errors.JournalMissing("x"), 74),
        (persistence.errors.JournalTooNew("x"), 78),
        (persistence.errors.SqliteUnfit("x"), 78),
        (holdfast.ForeignPackage("x"), 78),
        (PermissionError("x"), 74),
        (KeyboardInterrupt(), 130),
        (ZeroDivisionError(), None),
        (ImportError(), None),
    ],
)
def test_every_error_that_can_be_named_has_its_code(error: BaseException, code: int | None) -> None:
    assert exit_code_of(error) == code


def test_a_fault_of_ours_is_70_with_a_traceback_and_no_secret(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def fail(*_: Any, **__: Any) -> int:
        raise ZeroDivisionError("canary-of-a-fault")

    monkeypatch.setitem(sys.modules, "holdfast.node", SimpleNamespace(run_node=fail))
    monkeypatch.setenv("HOLDFAST__VENUE__CREDENTIALS__API_KEY", "canary-of-a-fault")

    assert run_command_line(["run"]) == ExitCode.GAVE_UP
    written = capsys.readouterr().err
    assert "Traceback" in written
    assert "ZeroDivisionError: ***" in written


@pytest.mark.parametrize("way", [run_command_line, answer_quickly])
def test_run_hands_over_what_it_was_told_and_returns_the_nodes_code(
    way: Callable[[list[str]], int | None], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls: list[tuple[tuple[Any, ...], dict[str, Any]]] = []

    def run_node(*args: Any, **named: Any) -> int:
        calls.append((args, named))
        return 75

    monkeypatch.setitem(sys.modules, "holdfast.node", SimpleNamespace(run_node=run_node))
    (tmp_path / "my.toml").write_text('[node]\nname = "mine"')

    code = way(["run", "--config", "my.toml", "--set", "feed.speed=max", "--set", "log.level=debug"])

    ((settings, home), named) = calls[0]
    assert code == 75
    assert (settings.node.name, settings.feed.speed, settings.log.level) == ("mine", "max", "debug")
    assert home == tmp_path
    assert named["config_path"] == Path("my.toml")
    assert named["config_seen"] == look_at(tmp_path / "my.toml")
    assert named["overrides"] == ("feed.speed=max", "log.level=debug")
    assert (named["progress"], named["as_json"]) == (False, False)


# --- what the node is asked


@pytest.mark.parametrize(
    ("tokens", "params"),
    [
        (["status"], {}),
        (["tree"], {}),
        (["positions"], {}),
        (["orders"], {"all": False}),
        (["orders", "--all"], {"all": True}),
        (["performance"], {}),
        (["pause"], {"reason": ""}),
        (["pause", "--reason", "news"], {"reason": "news"}),
        (["resume", "--reason", "calm"], {"reason": "calm"}),
        (["halt", "--reason", "no"], {"reason": "no"}),
        (["flatten"], {"symbol": "", "reason": ""}),
        (["flatten", "--symbol", "btcusdt"], {"symbol": "BTCUSDT", "reason": ""}),
        (["cancel-all"], {"reason": ""}),
        (["settle", "h01", "--reason", "gone"], {"client_id": "h01", "reason": "gone"}),
        (["restart", "feed"], {"actor": "feed", "reason": ""}),
        (["crash", "executor"], {"actor": "executor", "reason": ""}),
        (["excuse", "feed", "7", "--reason", "no"], {"actor": "feed", "sequence": 7, "reason": "no"}),
        (["hang", "feed"], {"actor": "feed", "reason": ""}),
        (["crashes"], {"n": 10}),
        (["crashes", "-n", "3"], {"n": 3}),
        (["violations"], {"n": 10}),
        (["violations", "-n", "3"], {"n": 3}),
        (["dead-letters"], {}),
        (["quarantine"], {}),
        (["quarantine", "retry", *POISON], {"actor": "feed", "fingerprint": POISON[1], "reason": ""}),
        (["quarantine", "drop", *POISON], {"actor": "feed", "fingerprint": POISON[1], "reason": ""}),
        (["reload"], {"reason": ""}),
        (["loglevel", "debug"], {"level": "debug", "reason": ""}),
        (["snapshot"], {"reason": ""}),
        (["stop"], {"reason": ""}),
    ],
)
def test_every_command_asks_what_it_says(node: Node, tokens: list[str], params: dict[str, Any]) -> None:
    code = run_command_line(["ctl", *tokens])

    (request,) = node.asked
    given = {key: value for key, value in request.params.items() if key != "request_id"}
    assert code == ExitCode.OK
    words = "-".join(tokens[:2])
    assert (request.method, given) == (words if words in METHODS else tokens[0], params)


def test_every_method_of_the_socket_has_a_command() -> None:
    assert set(METHODS) == {"-".join(path) for path in _paths_below(_resolved("ctl"), [])}


def test_what_changes_something_has_a_request_id_of_its_own_or_the_one_that_was_given(node: Node) -> None:
    for tokens in (["pause"], ["pause"], ["pause", "--request-id", "mine"]):
        run_command_line(["ctl", *tokens])

    first, second, third = (request.params["request_id"] for request in node.asked)
    assert first != second
    assert len(first) == 36
    assert third == "mine"


@pytest.mark.parametrize("named", [[], ["--request-id", "mine"]])
def test_a_command_whose_answer_does_not_come_in_time_may_be_done_and_can_be_repeated_by_its_name(
    node: Node, named: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    node.refuses_with = Code.TIMED_OUT
    node.answer = "the node did not answer within 5 s"

    assert run_command_line(["ctl", "flatten", *named]) == ExitCode.UNAVAILABLE

    (asked,) = node.asked
    written = capsys.readouterr().err
    assert "whether it took the request is not known" in written
    assert f"--request-id {asked.params['request_id']}" in written


def test_a_symbol_that_was_to_be_named_and_is_empty_flattens_nothing(
    node: Node, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run_command_line(["ctl", "flatten", "--symbol", ""]) == ExitCode.USAGE

    assert node.asked == []
    assert "a symbol such as BTCUSDT" in capsys.readouterr().err


def test_json_is_the_answer_as_it_came(node: Node, capsys: pytest.CaptureFixture[str]) -> None:
    node.answer = {"state": "active", "equity": "10000.50", "actors": [{"name": "feed", "depth": 0}]}

    run_command_line(["ctl", "status", "--json"])

    assert json.loads(capsys.readouterr().out) == node.answer


def test_people_get_a_table(node: Node, capsys: pytest.CaptureFixture[str]) -> None:
    node.answer = {
        "state": "active",
        "uptime_s": 3_723.2,
        "actors": [
            {"name": "feed", "depth": 12, "at": 1_623_326_400_000},
            {"name": "executor", "depth": 3, "at": None},
        ],
    }

    run_command_line(["ctl", "status"])

    assert capsys.readouterr().out.splitlines() == [
        "state     active",
        "uptime_s  1 h 2 min",
        "",
        "actors",
        "  name      depth  at",
        "  feed         12  2021-06-10 12:00:00",
        "  executor      3  -",
    ]


def test_what_came_of_a_command_is_one_line(node: Node, capsys: pytest.CaptureFixture[str]) -> None:
    node.answer = {"command": "pause", "ok": True, "detail": "", "request_id": "x"}
    run_command_line(["ctl", "pause"])
    node.answer = {"command": "snapshot", "ok": True, "detail": "at 17", "request_id": "x"}
    run_command_line(["ctl", "snapshot"])

    assert capsys.readouterr().out.splitlines() == ["pause: done", "snapshot: at 17"]


CRASH = {
    "actor": "feed",
    "at": 1_623_326_400_000,
    "seq": 812,
    "restarts_in_window": 2,
    "up_again_at": 1_623_326_400_250,
    "epoch": 1_000_021,
    "reason": "crash(ValueError: no)",
    "stack": "Traceback\n  line 1\n",
    "message": "Poke()",
    "last_messages": ["Wake", "BarsClosed"],
    "mailbox_depth": 3,
    "mailbox_types": [],
    "uptime_s": 4.5,
    "ancestors": ["market"],
}


VIOLATION = {
    "seq": 815,
    "at": 1_623_326_400_000,
    "code": "P1",
    "law": "what is told of a position is the sum of its fills",
    "subject": "confidence|BTCUSDT",
    "expected": "0.5, the sum of its fills",
    "found": "0.7",
    "sequences": [812, 815],
    "advice": "Compare the position at the venue.",
    "reduces": True,
}


def test_violations_are_told_in_paragraphs_with_what_to_do(node: Node, capsys: pytest.CaptureFixture[str]) -> None:
    node.answer = [VIOLATION, VIOLATION | {"reduces": False}]

    run_command_line(["ctl", "violations"])

    first, second = capsys.readouterr().out.split("\n\n")
    assert first.splitlines() == [
        "P1  confidence|BTCUSDT  2021-06-10 12:00:00  sequence 815",
        "  law        what is told of a position is the sum of its fills",
        "  expected   0.5, the sum of its fills",
        "  found      0.7",
        "  records    812, 815",
        "  entries    denied until a resume",
        "  to do      Compare the position at the venue.",
    ]
    assert "go on: this is a notice" in second


def test_crashes_are_told_in_paragraphs_with_their_stacks(node: Node, capsys: pytest.CaptureFixture[str]) -> None:
    node.answer = [CRASH, CRASH | {"up_again_at": None, "last_messages": []}]

    run_command_line(["ctl", "crashes"])

    first, second = capsys.readouterr().out.split("\n\n")
    assert first.splitlines() == [
        "feed  2021-06-10 12:00:00  crash(ValueError: no)",
        "  in hand    Poke()",
        "  before     Wake, BarsClosed",
        "  waiting    3 messages",
        "  had lived  4.5 s, epoch 1000021, sequence 812",
        "  restarts   2 within its supervisor's period",
        "  up again   after 0.25 s",
        "    Traceback",
        "      line 1",
    ]
    assert "  before     -" in second
    assert "  up again   no" in second


def test_a_tree_is_drawn_as_one(node: Node, capsys: pytest.CaptureFixture[str]) -> None:
    leaf = {"name": "executor", "restarts": 2, "children": []}
    node.answer = {
        "name": "root",
        "children": [{"name": "guard", "state": "up", "children": [leaf]}, {"name": "health"}],
    }

    run_command_line(["ctl", "tree"])

    assert capsys.readouterr().out.splitlines() == [
        "root",
        "  guard  state=up",
        "    executor  restarts=2",
        "  health",
    ]


@pytest.mark.parametrize("answer", [None, [], {}, 7, "text", [1, "a"], {"a": {"b": {"c": 1}}}, {"a": {"x": {"q": 1}}}])
@pytest.mark.parametrize("method", ["positions", "tree"])
def test_no_answer_is_too_strange_to_be_shown(
    node: Node, answer: Any, method: str, capsys: pytest.CaptureFixture[str]
) -> None:
    node.answer = [answer] if isinstance(answer, str) else answer

    assert run_command_line(["ctl", method]) == ExitCode.OK
    assert capsys.readouterr().out.strip()


def test_tail_writes_an_event_a_line(node: Node, capsys: pytest.CaptureFixture[str]) -> None:
    event = {"seq": 7, "at": 1_623_326_400_000, "actor": "executor", "kind": "OrderSent", "payload": {"id": "h1"}}
    node.answer = [event, event | {"seq": 8, "payload": {}}]

    run_command_line(["ctl", "tail", "-n", "2"])
    for_people = capsys.readouterr().out.splitlines()
    run_command_line(["ctl", "tail", "-n", "2", "--json"])
    for_programs = capsys.readouterr().out.splitlines()

    assert for_people[0].split() == ["7", "2021-06-10", "12:00:00", "executor", "OrderSent", "id=h1"]
    assert [json.loads(line)["seq"] for line in for_programs] == [7, 8]
    assert node.asked[0].params == {"n": 2, "follow": False}


# --- the quick way


def test_the_quick_way_and_the_long_way_say_the_same(node: Node, capsys: pytest.CaptureFixture[str]) -> None:
    node.answer = {"name": "x", "rows": [{"a": 1}]}

    for question in sorted(QUESTIONS):
        for options in ([], ["--json"]):
            quickly = answer_quickly(["ctl", question, *options]), capsys.readouterr()
            at_length = run_command_line(["ctl", question, *options]), capsys.readouterr()
            assert quickly == at_length
            assert quickly[0] == ExitCode.OK
    assert len({(request.method, str(request.params)) for request in node.asked}) == len(QUESTIONS)


def test_the_quick_way_takes_the_home_that_is_named(
    node: Node, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOLDFAST_HOME", "/nowhere")

    assert answer_quickly(["ctl", "status", "--home", str(tmp_path), "--json"]) == ExitCode.OK


@pytest.mark.parametrize(
    "tokens",
    [
        [],
        ["ctl"],
        ["ctl", "pause"],
        ["run", "--nonsense"],
        ["run", "extra"],
        ["run", "--set"],
        ["run", "--set", "--json"],
        ["run", "--config"],
        ["run", "--no-progress"],
        ["run", "--help"],
        ["run", "--home=x"],
        ["run", "--home", "x", "--home", "y"],
        ["ctl", "status", "--help"],
        ["ctl", "status", "--home"],
        ["ctl", "status", "--home", "--json"],
        ["ctl", "status", "x"],
        ["ctl", "orders", "--all"],
    ],
)
def test_what_is_not_plain_goes_the_long_way(tokens: list[str]) -> None:
    assert answer_quickly(tokens) is None


WATCHED = ("ccxt", "peewee", "apsw", "pykka", "structlog", "rich", "msgspec", "apscheduler", "psutil", "asyncio")


@pytest.mark.parametrize("tokens", [["ctl", "status"], ["ctl", "pause"], ["ctl", "tail"]])
def test_steering_loads_nothing_that_trades(tokens: list[str], tmp_path: Path) -> None:
    program = (
        "import sys\nfrom holdfast.__main__ import main\n"
        f"sys.argv = {['holdfast', *tokens]!r}\nmain()\n"
        f"print([name for name in {WATCHED!r} if name in sys.modules])"
    )

    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, timeout=30, cwd=ROOT, check=True
    )

    assert done.stdout.strip() == "[]"


def test_a_question_is_answered_in_less_than_three_tenths_of_a_second(node: Node) -> None:
    def seconds() -> float:
        began = time.perf_counter()
        assert command("ctl", "status", "--json").returncode == 0
        return time.perf_counter() - began

    assert min(seconds() for _ in range(5)) < 0.3


# --- configuration


def test_check_sums_up_in_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    assert run_command_line(["config", "check", "--set", "feed.speed=max"]) == ExitCode.OK
    assert capsys.readouterr().out.count("\n") == 1


def test_check_tries_what_the_configuration_names(capsys: pytest.CaptureFixture[str]) -> None:
    code = run_command_line(["config", "check", "--set", "strategies.confidence.parameters.enter_fro=0.7"])

    assert code == ExitCode.CONFIGURATION
    assert "enter_from" in capsys.readouterr().err


def test_what_show_writes_is_a_configuration(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run_command_line(["config", "show", "--set", "risk.drawdown_max=0.123"])
    (tmp_path / "shown.toml").write_text(capsys.readouterr().out)

    run_command_line(["config", "show", "--config", "shown.toml", "--json"])

    assert json.loads(capsys.readouterr().out)["risk"]["drawdown_max"] == "0.123"


def test_show_hides_secrets(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setenv("HOLDFAST__VENUE__CREDENTIALS__API_KEY", "canary-that-is-shown")

    run_command_line(["config", "show"])

    written = capsys.readouterr().out
    assert 'api_key = "***"' in written
    assert "canary" not in written


# --- as a program


def test_the_program_says_its_version_and_returns_its_codes(tmp_path: Path) -> None:
    outcomes = [
        command("version", "--json"),
        command("nonsense"),
        command("run", "--set", "feed.speed=0"),
        command("ctl", "status"),
        command("ctl", "pause", "--json"),
    ]

    assert [done.returncode for done in outcomes] == [0, 64, 78, 69, 69]
    assert json.loads(outcomes[0].stdout)["holdfast"] == holdfast.__version__
    assert json.loads(outcomes[4].stdout)["error"]["exit_code"] == 69
    assert not any("Traceback" in done.stderr for done in outcomes)


def test_a_reader_that_leaves_early_is_no_error(node: Node) -> None:
    node.answer = [{"seq": number, "payload": {"x": "y" * 1_000}} for number in range(1_000)]
    environ = os.environ | {"PYTHONPATH": str(ROOT)}
    line = f"{sys.executable} -m holdfast ctl tail -n 1000 --json; echo $? >&2"

    with subprocess.Popen(
        ["bash", "-c", f"({line}) | head -1"], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environ
    ) as process:
        out, err = process.communicate(timeout=30)

    assert json.loads(out)["seq"] == 0
    assert err.strip() == "0"


# --- the house


def test_our_own_packages_are_the_ones_that_are_imported() -> None:
    holdfast.require_own_packages()


def test_a_package_of_somebody_else_under_our_name_stops_the_start(tmp_path: Path) -> None:
    (tmp_path / "supervision").mkdir()
    (tmp_path / "supervision" / "__init__.py").write_text("")
    program = (
        f"import sys; sys.path.insert(0, {str(ROOT)!r}); import holdfast; sys.path.insert(0, {str(tmp_path)!r})\n"
        "holdfast.require_own_packages()"
    )

    died = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=30, check=False)

    assert died.returncode == 1
    assert f"package `supervision` must be the one in {ROOT}" in died.stderr


def test_the_home_is_the_xdg_state_folder_where_none_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", "/var/state")
    with_xdg = default_home()
    monkeypatch.setenv("XDG_STATE_HOME", "relative/is/ignored")
    monkeypatch.setenv("HOME", "/home/someone")
    without = default_home()

    assert with_xdg == Path("/var/state/holdfast")
    assert without == Path("/home/someone/.local/state/holdfast")


def _resolved(name: str) -> App:
    found = app[name]
    assert isinstance(found, App)
    return found


def _commands_of(group: App) -> set[str]:
    return {name for name in group if not name.startswith("-")}


def _all_commands() -> list[list[str]]:
    return sorted(_paths_below(app, []))


def _paths_below(group: App, path: list[str]) -> Iterator[list[str]]:
    for name in _commands_of(group):
        inner = group[name]
        assert isinstance(inner, App)
        yield [*path, name]
        yield from _paths_below(inner, [*path, name])


def test_every_command_says_in_a_sentence_what_it_does(capsys: pytest.CaptureFixture[str]) -> None:
    silent = []
    for path in _all_commands():
        run_command_line([*path, "--help"])
        _usage, _, rest = capsys.readouterr().out.partition("\n\n")
        sentence = " ".join(rest.split("╭")[0].split())
        if not sentence.endswith(".") or len(sentence.split()) < 4:
            silent.append((path, sentence))

    assert len(_all_commands()) > 25
    assert silent == []


def test_every_command_takes_home_and_json(capsys: pytest.CaptureFixture[str]) -> None:
    groups = [["ctl"], ["journal"], ["config"], ["venue"], ["venue", "scenario"]]
    for path in _all_commands():
        if list(path) not in groups:
            run_command_line([*path, "--help"])
            shown = capsys.readouterr().out
            # These have no node's home: they make their own.
            assert ("--home" in shown) is (
                path[0] not in {"backtest", "simulate", "torture"} and "scenario" not in path
            ), path
            assert "--json" in shown, path


def test_a_socket_that_nobody_serves_is_69_too(tmp_path: Path) -> None:
    with closing(socket.socket(socket.AF_UNIX)) as dead:
        dead.bind(str(tmp_path / "admin.sock"))

    assert run_command_line(["ctl", "status"]) == ExitCode.UNAVAILABLE
