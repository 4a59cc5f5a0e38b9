"""Laws of the whole process: exit codes, operators' commands over the real socket, secrets, and what survives a death.

One node runs for most of them, on the generated market at 600 times the wall's speed.
"""

import contextlib
import json
import os
import resource
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest

from holdfast.admin.client import AdminClient, NodeRefused, NodeUnreachable
from holdfast.exit_codes import ExitCode
from holdfast.torture.lives import durable_seq
from persistence.reader import JournalReader

pytestmark = pytest.mark.slow

ROOT = Path(__file__).resolve().parents[2]
WAIT_S = 30.0
KEY = "planted-key-8f31c6"
SECRET = "planted-secret-d04b77"
SUPERVISORS = ("root", "operations", "trading", "guard", "market", "strategies")
GUARD = ("positions", "venue", "executor", "breaker", "reconciler")
PARTS = ("health", "herald", "archivist", "watcher", "operator", "auditor", "keeper", *GUARD)
OUTER_PARTS = ("strategy.confidence", "strategy.ema_cross", "sentiment", "feed")

CONFIGURATION = (
    f"""
[venue.credentials]
api_key = "{KEY}"
api_secret = "env:PLANTED"

[risk]
exposure_max = 0.9
price_collar_pct = 2
"""
    # Every part is crashed in turn: no supervisor shall give up over that.
    + "".join(f"\n[supervision.{name}]\nintensity = 60\nperiod_s = 3600.0\n" for name in SUPERVISORS)
    + "\n[supervision.backoff]\nbase_s = 0.01\ncap_s = 0.05\n"
)


def command(*arguments: object) -> list[str]:
    """Return a command line of this checkout's `holdfast`."""
    return [sys.executable, "-m", "holdfast", *map(str, arguments)]


def holdfast(*arguments: object, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run a command to its end."""
    return subprocess.run(
        command(*arguments),
        cwd=ROOT,
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        timeout=2 * WAIT_S,
        check=False,
    )


class Node:
    """A node that runs, and everything it has said to anybody."""

    def __init__(self, home: Path, *arguments: object) -> None:
        self.home = home
        self.answers: list[str] = []
        self.output = home.with_suffix(".output")
        with self.output.open("ab") as output:
            self.process = subprocess.Popen(
                command("run", "--home", home, *arguments),
                cwd=ROOT,
                env={**os.environ, "PLANTED": SECRET},
                stdout=output,
                stderr=subprocess.STDOUT,
            )

    def call(self, method: str, **params: Any) -> Any:
        """Ask over the socket."""
        answer = AdminClient(self.home / "admin.sock").call(method, params)
        self.answers.append(json.dumps(answer))
        return answer

    def order(self, method: str, **params: Any) -> dict[str, Any]:
        """Command over the socket and return the answer, refused or not."""
        named = {"request_id": str(uuid4())} | params
        try:
            answer = self.call(method, **named)
        except NodeRefused as refused:
            self.answers.append(f"{refused} {refused.data}")
            return {"ok": False, "detail": str(refused)}
        assert isinstance(answer, dict)
        return answer

    def status(self) -> Any:
        """Return the node's status."""
        return self.call("status")

    def wait_until(self, is_so: Callable[[], Any], what: str) -> Any:
        """Wait until something holds, and return what it says."""
        deadline = time.monotonic() + WAIT_S
        while time.monotonic() < deadline:
            assert self.process.poll() is None, f"ended with {self.process.returncode}: {self.said()[-3000:]}"
            with contextlib.suppress(NodeUnreachable, NodeRefused):
                if found := is_so():
                    return found
            time.sleep(0.05)
        raise AssertionError(f"expected {what} within {WAIT_S} s: {self.said()[-3000:]}")

    def wait_until_trading(self) -> None:
        """Wait until everything is up and the market moves."""
        self.wait_until(lambda: not self.status()["down"] and self.status()["seq"] > 20, "a node that trades")

    def said(self) -> str:
        """Return what it wrote to standard output and error."""
        return self.output.read_text(errors="replace")

    def end(self, number: signal.Signals | None = None) -> int:
        """Send a signal, if any, and return the exit code."""
        if number is not None and self.process.poll() is None:
            self.process.send_signal(number)
        return self.process.wait(WAIT_S)


@contextlib.contextmanager
def running(home: Path, *arguments: object) -> Iterator[Node]:
    """Run a node that does not outlive the test."""
    node = Node(home, *arguments)
    try:
        node.wait_until_trading()
        yield node
    finally:
        node.process.kill()
        node.process.wait()


@pytest.fixture(scope="module")
def config(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("configuration") / "config.toml"
    path.write_text(CONFIGURATION)
    return path


@pytest.fixture(scope="module")
def shared(config: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Node]:
    with running(tmp_path_factory.mktemp("shared") / "home", "--config", config) as node:
        yield node


@pytest.fixture
def node(shared: Node) -> Node:
    assert shared.process.poll() is None, shared.said()[-3000:]
    return shared


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the home of a short run that came to the end of its data."""
    home = tmp_path_factory.mktemp("finished") / "home"
    done = holdfast("run", "--home", home, "--set", "feed.speed=max", "--set", "feed.end=2024-01-02T00:00:00Z")
    assert done.returncode == ExitCode.OK, done.stderr[-3000:]
    assert "end of data" in done.stdout
    return home


def copied(home: Path, to: Path) -> Path:
    """Return a copy of a home at rest."""
    to.mkdir(mode=0o700)
    for name in ("journal.db", "journal.watermark", "venue.db"):
        (to / name).write_bytes((home / name).read_bytes())
        (to / name).chmod(0o600)
    return to


def stamps_of(home: Path) -> dict[str, tuple[int, bytes]]:
    """Return the time and content of the venue's book and the journal."""
    files = sorted([*home.glob("venue.db*"), *home.glob("journal.db*")])
    return {path.name: (path.stat().st_mtime_ns, path.read_bytes()) for path in files if path.suffix != ".db-shm"}


def journal_of(home: Path, kind: str) -> list[dict[str, Any]]:
    """Return the payloads of a kind of event."""
    with JournalReader(home) as reader:
        return [json.loads(record.payload) for record in reader.read(kinds=[kind])]


# -- operators -----------------------------------------------------------------------------------------------------


def test_status_tells_how_the_node_is(node: Node) -> None:
    status = node.status()

    assert status["state"] == "active"
    assert status["seq"] >= status["durable_seq"] > 0
    assert status["uptime_s"] > 0
    assert float(status["equity"]) > 0
    assert status["headlines"] == "available"
    assert status["down"] == []
    assert set(status["actors"]) == {*SUPERVISORS, *PARTS, *OUTER_PARTS}
    for actor in status["actors"].values():
        assert actor["status"] == "up"
        assert {"restarts", "handled", "mailbox_depth", "message_age_s"} <= set(actor)


def test_the_market_goes_on_while_the_node_answers(node: Node) -> None:
    before = node.status()

    after = node.wait_until(lambda: (now := node.status())["seq"] > before["seq"] and now, "new events")

    assert after["market_time"] > before["market_time"]
    assert after["uptime_s"] > before["uptime_s"]


def test_a_pause_lasts_until_it_is_resumed(node: Node) -> None:
    paused = node.order("pause", reason="a test")
    state_then = node.status()["state"]
    resumed = node.order("resume")

    assert (paused["ok"], resumed["ok"]) == (True, True)
    assert state_then == "paused"
    assert node.status()["state"] == "active"


def test_flatten_leaves_every_position(node: Node) -> None:
    def held() -> list[str]:
        positions = node.call("positions")["positions"]
        return [symbol for symbol, each in positions.items() if float(each["quantity"])]

    node.wait_until(held, "a position")

    node.order("pause")
    answer = node.order("flatten", reason="a test")

    assert answer["ok"]
    node.wait_until(lambda: not held(), "no position")
    assert not [order for order in node.call("orders") if order["leg"] == "entry"]
    node.order("resume")


def test_a_symbol_that_is_not_traded_is_not_flattened(node: Node) -> None:
    answer = node.order("flatten", symbol="NOPEUSDT")

    assert not answer["ok"]
    assert answer["detail"] == "expected one of BTCUSDT, ETHUSDT, SOLUSDT, found 'NOPEUSDT'"
    assert "NOPEUSDT" not in [each["target"] for each in journal_of(node.home, "OperatorCommanded")]


def test_nobody_vouches_for_the_end_of_an_order_that_is_not_open(node: Node) -> None:
    answer = node.order("settle", client_id="h0000", reason="a test")

    assert not answer["ok"]
    assert answer["detail"].startswith("expected one of ") or "there is none" in answer["detail"]
    assert answer["detail"].endswith("found 'h0000'")


def test_a_request_id_that_named_another_command_is_refused(node: Node) -> None:
    request_id = str(uuid4())

    paused = node.order("pause", request_id=request_id)
    halted = node.order("halt", request_id=request_id, reason="a test")
    state_then = node.status()["state"]
    node.order("resume")

    assert paused["ok"]
    assert not halted["ok"]
    assert "names another command, pause" in halted["detail"]
    assert state_then == "paused"


def test_cancel_all_leaves_no_entry_order_open(node: Node) -> None:
    node.order("pause")

    answer = node.order("cancel-all")

    assert answer["ok"]
    node.wait_until(lambda: not [o for o in node.call("orders") if o["leg"] == "entry"], "no open entry order")
    node.order("resume")


def test_a_request_repeated_with_its_id_is_done_once(node: Node) -> None:
    request_id = str(uuid4())

    answers = [node.order("snapshot", request_id=request_id) for _ in range(3)]

    assert answers[0]["ok"]
    assert answers[0]["detail"]
    assert answers[1:] == answers[:1] * 2
    commanded = journal_of(node.home, "OperatorCommanded")
    assert [each["request_id"] for each in commanded].count(request_id) == 1


def test_a_snapshot_names_the_sequence_it_was_taken_at(node: Node) -> None:
    before = node.status()["seq"]

    sequence, state_hash = node.order("snapshot")["detail"].split()

    assert before < int(sequence) <= node.status()["seq"]
    marks = {each["sequence"]: each["state_hash"] for each in journal_of(node.home, "StateHashed")}
    assert marks[int(sequence)] == state_hash


def test_a_log_level_holds_from_now_on(node: Node) -> None:
    def debug_lines() -> int:
        return (node.home / "logs" / "holdfast.jsonl").read_text().count('"level": "debug"')

    before = debug_lines()
    node.order("loglevel", level="debug")
    node.order("restart", actor="herald")

    node.wait_until(lambda: debug_lines() > before, "a line of level debug")
    assert node.order("loglevel", level="info")["ok"]


def test_a_changed_configuration_is_applied(node: Node, config: Path) -> None:
    config.write_text(CONFIGURATION.replace("exposure_max = 0.9", "exposure_max = 0.5"))

    answer = node.order("reload")

    assert answer["ok"]
    changes = [each for each in journal_of(node.home, "ConfigurationChanged") if each["applied"]]
    assert changes[-1]["changes"]["applied"] == {"risk.exposure_max": ["0.9", "0.5"]}
    assert changes[-1]["configuration"]["risk"]["exposure_max"] == "0.5"


def test_a_broken_configuration_is_refused_as_a_whole(node: Node, config: Path) -> None:
    node.order("reload")
    good = config.read_text()
    config.write_text(good.replace("price_collar_pct = 2", f'price_collar_pct = 1\ndrawdown_max = "{KEY}"\nbad = 1'))

    refused = node.order("reload")
    config.write_text(good)
    after = node.order("reload")

    assert not refused["ok"]
    assert "risk.drawdown_max" in refused["detail"]
    assert "risk.bad" in refused["detail"]
    assert after == after | {"ok": True, "detail": "nothing has changed"}, "part of the broken one was applied"
    assert not journal_of(node.home, "ConfigurationChanged")[-1]["applied"]


def test_tail_tells_the_newest_events_and_those_that_follow(node: Node) -> None:
    client = AdminClient(node.home / "admin.sock")

    newest = list(client.stream("tail", {"n": 5}))
    following = client.stream("tail", {"n": 2, "follow": True})
    followed = [next(following) for _ in range(6)]
    following.close()  # type: ignore[attr-defined]

    node.answers += [json.dumps(newest), json.dumps(followed)]
    for events, count in ((newest, 5), (followed, 6)):
        first = events[0]["seq"]
        assert [event["seq"] for event in events] == list(range(first, first + count))


@pytest.mark.parametrize("name", [*PARTS, *OUTER_PARTS, *(name for name in SUPERVISORS if name != "root")])
def test_a_crashed_part_comes_back(node: Node, name: str) -> None:
    before = node.status()["actors"][name]

    answer = node.order("crash", actor=name, reason=f"a test that knows {SECRET}")

    assert answer["ok"], answer
    node.wait_until(
        lambda: (now := node.status())["actors"][name]["epoch"] > before["epoch"] and not now["down"],
        f"a new incarnation of {name}, and everything up",
    )
    assert node.status()["actors"][name]["restarts"] > before["restarts"]


@pytest.mark.parametrize("name", ["feed", "breaker", "operator", "operations"])
def test_a_part_is_restarted_by_hand(node: Node, name: str) -> None:
    before = node.status()["actors"][name]["epoch"]

    answer = node.order("restart", actor=name)

    assert answer["ok"], answer
    node.wait_until(
        lambda: (now := node.status())["actors"][name]["epoch"] > before and not now["down"],
        f"a new incarnation of {name}, and everything up",
    )


def test_crashes_are_told_with_what_was_in_hand_and_the_stack_newest_first(node: Node) -> None:
    for name in ("herald", "breaker"):
        assert node.order("crash", actor=name, reason=f"to be told of {name}")["ok"]
        node.wait_until(
            lambda name=name: [each["actor"] for each in node.call("crashes", n=1)] == [name],  # type: ignore[misc]
            f"word of the crash of {name}",
        )

    def told() -> Any:
        crashes = node.call("crashes", n=2)
        return crashes if all(each["up_again_at"] for each in crashes) else None

    newest, before = node.wait_until(told, "word of both being up again")

    assert [(each["actor"], each["message"]) for each in (newest, before)] == [
        ("breaker", "Break(reason='to be told of breaker')"),
        ("herald", "Break(reason='to be told of herald')"),
    ]
    assert "Crashed: breaker was broken on purpose: to be told of breaker" in newest["reason"]
    assert newest["stack"].startswith("Traceback")
    assert newest["last_messages"]
    assert newest["up_again_at"] >= newest["at"] > before["at"]
    assert newest["restarts_in_window"] > 0


def test_what_is_not_in_quarantine_is_neither_delivered_nor_dropped(node: Node) -> None:
    answers = [
        node.order(command, actor="feed", fingerprint="0123456789ab")
        for command in ("quarantine-retry", "quarantine-drop")
    ]

    assert node.call("quarantine") == []
    for answer in answers:
        assert not answer["ok"]
        assert answer["detail"].endswith("found 'feed 0123456789ab'")


def test_a_part_that_is_not_there_is_not_crashed(node: Node) -> None:
    answer = node.order("crash", actor="nobody")

    assert not answer["ok"]
    assert "found 'nobody'" in answer["detail"]


def test_no_secret_is_in_anything_the_node_has_written_or_said(node: Node, config: Path) -> None:
    node.order("pause", reason=f"{KEY} {SECRET}")
    node.order("resume", reason=f"{KEY} {SECRET}")
    node.call("performance")
    node.answers += [json.dumps(item) for item in AdminClient(node.home / "admin.sock").stream("tail", {"n": 1000})]
    shown = holdfast("config", "show", "--config", config, PLANTED=SECRET)
    told = holdfast("ctl", "tail", "-n", "500", "--home", node.home)

    written = {str(path): path.read_bytes() for path in node.home.rglob("*") if path.is_file()}
    said = "".join([*node.answers, node.said(), shown.stdout, shown.stderr, told.stdout, told.stderr])
    cmdline = Path(f"/proc/{node.process.pid}/cmdline").read_bytes()

    assert shown.returncode == told.returncode == 0
    assert any(name.endswith("journal.db") for name in written)
    assert any(name.endswith("holdfast.jsonl") for name in written)
    for secret in (KEY, SECRET):
        assert not [name for name, content in written.items() if secret.encode() in content]
        assert secret not in said
        assert secret.encode() not in cmdline


# -- the command line ----------------------------------------------------------------------------------------------


def test_asking_for_the_status_costs_little_and_loads_no_exchange_library(node: Node) -> None:
    def cpu_s() -> float:
        used = resource.getrusage(resource.RUSAGE_CHILDREN)
        return used.ru_utime + used.ru_stime

    costs = []
    for _ in range(3):
        before = cpu_s()
        done = holdfast("ctl", "status", "--home", node.home, "--json")
        costs.append(cpu_s() - before)
    loaded = subprocess.run(
        [sys.executable, "-X", "importtime", *command("ctl", "status", "--home", node.home)[1:]],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    ).stderr

    assert done.returncode == 0
    assert json.loads(done.stdout)["state"] == "active"
    assert min(costs) < 0.3
    assert "holdfast.admin.client" in loaded
    assert not [name for name in ("ccxt", "peewee", "pykka", "apsw") if f" {name}\n" in loaded]


def test_a_refusal_leaves_with_1(node: Node) -> None:
    done = holdfast("ctl", "crash", "nobody", "--home", node.home)

    assert done.returncode == ExitCode.FAILED
    assert "found 'nobody'" in done.stderr


def test_nobody_at_the_socket_leaves_with_69(tmp_path: Path) -> None:
    done = holdfast("ctl", "status", "--home", tmp_path)

    assert done.returncode == ExitCode.UNAVAILABLE
    assert "no node answers" in done.stderr
    assert f"holdfast run --home {tmp_path}" in done.stderr


@pytest.mark.parametrize(
    "arguments", [("nonsense",), ("run", "--nonsense"), ("ctl", "crash"), ("ctl", "loglevel", "loud"), ("ctl", "halt")]
)
def test_a_command_line_that_makes_no_sense_leaves_with_64(arguments: tuple[str, ...], tmp_path: Path) -> None:
    done = holdfast(*arguments, HOLDFAST_HOME=str(tmp_path / "home"))

    assert done.returncode == ExitCode.USAGE, done.stderr
    assert "--help" in done.stderr
    assert not (tmp_path / "home").exists()


def test_a_bad_configuration_leaves_with_78_and_every_mistake(tmp_path: Path) -> None:
    config = tmp_path / "config.toml"
    config.write_text(
        '[risk]\ndrawdown_max = 7\nexposure_mx = 1\n[feed]\nspeed = "fast"\n[venue.credentials]\napi_key = "x"\n'
    )

    done = holdfast("run", "--config", config, "--home", tmp_path / "home", "--set", "log.level=loud")

    assert done.returncode == ExitCode.CONFIGURATION
    for key in ("risk.drawdown_max", "risk.exposure_mx", "feed.speed", "venue.credentials.api_key", "log.level"):
        assert f"{key}: expected" in done.stderr
    assert not (tmp_path / "home").exists()


def test_a_home_that_cannot_be_written_leaves_with_74(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")

    done = holdfast("run", "--home", tmp_path / "file" / "home")

    assert done.returncode == ExitCode.IO_ERROR
    assert str(tmp_path / "file") in done.stderr
    assert "Traceback" not in done.stderr


# -- lives ---------------------------------------------------------------------------------------------------------


def test_the_end_of_the_data_leaves_with_0(finished: Path) -> None:
    assert [each["reason"] for each in journal_of(finished, "NodeStopped")] == ["end of data"]


def test_a_damaged_journal_leaves_with_65_and_nothing_is_touched(finished: Path, tmp_path: Path) -> None:
    home = copied(finished, tmp_path / "home")
    with JournalReader(home) as reader:
        victim = list(reader.read(kinds=["NodeStopped"]))[-1]
    content = bytearray((home / "journal.db").read_bytes())
    content[content.rindex(victim.payload) + 5] ^= 1
    (home / "journal.db").write_bytes(content)
    before = stamps_of(home)["venue.db"]

    done = holdfast("run", "--home", home)

    assert done.returncode == ExitCode.DAMAGED, done.stderr
    assert str(victim.seq) in done.stderr
    assert "Traceback" not in done.stderr
    assert stamps_of(home)["venue.db"] == before
    assert holdfast("journal", "verify", "--home", home).returncode == ExitCode.DAMAGED


def test_a_second_node_in_a_home_leaves_with_75_and_touches_nothing(tmp_path: Path) -> None:
    with running(tmp_path / "home") as first:
        first.process.send_signal(signal.SIGSTOP)
        # The signal is sent, and some thread may still be writing: it stands still once the kernel says so.
        os.waitid(os.P_PID, first.process.pid, os.WSTOPPED)
        before = stamps_of(first.home)

        second = holdfast("run", "--home", first.home)

        after = stamps_of(first.home)
        first.process.send_signal(signal.SIGCONT)
        assert second.returncode == ExitCode.LOCKED, second.stderr
        assert "Traceback" not in second.stderr
        assert "venue.db" in before
        assert after == before
        assert first.status()["state"] == "active"
        assert first.end(signal.SIGTERM) == ExitCode.OK


def test_an_operator_stops_a_node_which_leaves_with_0(tmp_path: Path) -> None:
    with running(tmp_path / "home") as node:
        answer = node.order("stop", reason="a test")

        assert answer["ok"]
        assert node.end() == ExitCode.OK
        assert journal_of(node.home, "NodeStopped") == [{"reason": "stopped by an operator"}]
        assert not (node.home / "admin.sock").exists()


def test_a_stop_ends_a_node_although_its_clerk_is_crashed_meanwhile(tmp_path: Path) -> None:
    with running(tmp_path / "home") as node:
        crashed = node.order("crash", actor="operator", reason="a test")
        stopped = node.order("stop", reason="a test")

        assert crashed["ok"]
        assert stopped["ok"]
        assert node.end() == ExitCode.OK
        assert journal_of(node.home, "NodeStopped") == [{"reason": "stopped by an operator"}]


def test_a_broken_root_ends_the_node_with_70_and_the_answer_says_so(tmp_path: Path) -> None:
    with running(tmp_path / "home") as node:
        answer = node.order("crash", actor="root", reason="a test")

        assert answer["ok"]
        assert "the process ends with 70" in answer["detail"]
        assert node.end() == ExitCode.GAVE_UP
        assert [each["exit_code"] for each in journal_of(node.home, "NodeFailed")] == [ExitCode.GAVE_UP]


def test_a_guard_that_gives_up_ends_the_node_with_70_at_once(tmp_path: Path) -> None:
    with running(tmp_path / "home", "--set", "supervision.guard.intensity=0") as node:
        with contextlib.suppress(NodeUnreachable):  # It may be gone before it has answered.
            node.order("crash", actor="executor", reason="a test")

        assert node.end() == ExitCode.GAVE_UP
        (failed,) = journal_of(node.home, "NodeFailed")
        assert failed["exit_code"] == ExitCode.GAVE_UP
        assert "executor ended with crash(" in failed["reason"]
        assert [each["part"] for each in journal_of(node.home, "PartGaveUp")] == ["guard"]


def test_an_interrupt_ends_a_node_in_order(tmp_path: Path) -> None:
    with running(tmp_path / "home") as node:
        assert node.end(signal.SIGINT) == ExitCode.OK
        assert journal_of(node.home, "NodeStopped") == [{"reason": "signal SIGINT"}]
        assert holdfast("journal", "verify", "--home", node.home).returncode == ExitCode.OK


STALLING = """
import sys, time
from pathlib import Path
from holdfast import node, recovery
from holdfast.__main__ import main

stalls = Path(sys.argv.pop(1))

def cue(point):
    while point == "journal.before_commit" and stalls.exists():
        time.sleep(0.01)

node.cue_from_environment = lambda: cue
recovery.CATCH_UP_S = 1.0
sys.exit(main())
"""
"""A node whose disk takes nothing more once a file is there, and which waits for it a second instead of a minute."""


def test_a_journal_that_cannot_be_closed_in_time_leaves_with_74_and_says_so(tmp_path: Path) -> None:
    home, stalls = tmp_path / "home", tmp_path / "stalls"
    program = [sys.executable, "-c", STALLING, str(stalls), "run", "--home", str(home)]
    process = subprocess.Popen(program, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    try:
        wait_for(lambda: durable_seq(home) > 20, "a node that trades")
        stalls.touch()
        process.send_signal(signal.SIGTERM)
        _, said = process.communicate(timeout=WAIT_S)
    finally:
        process.kill()
    stalls.unlink()
    again = holdfast("run", "--home", home, "--set", "feed.speed=max", "--set", "feed.end=2024-01-02T00:00:00Z")

    assert process.returncode == ExitCode.IO_ERROR, said
    assert "the journal cannot be written: what was remembered could not be written in time" in said
    assert again.returncode == ExitCode.OK, again.stderr
    assert [each["reason"] for each in journal_of(home, "NodeStopped")] == ["end of data"]


def wait_for(is_so: Callable[[], bool], what: str) -> None:
    deadline = time.monotonic() + WAIT_S
    while not is_so():
        assert time.monotonic() < deadline, f"expected {what} within {WAIT_S} s"
        time.sleep(0.05)


def test_a_halt_survives_death_until_it_is_resumed_with_a_reason(tmp_path: Path) -> None:
    with running(tmp_path / "home") as node:
        assert node.order("halt", reason="enough")["ok"]
        node.end(signal.SIGKILL)

    with running(tmp_path / "home") as node:
        status = node.wait_until(lambda: node.status() if "reasons" in node.status() else None, "a breaker's answer")
        without_reason = node.order("resume")
        state_then = node.status()["state"]
        with_reason = node.order("resume", reason="looked into it")

        assert status["state"] == "halted"
        assert "enough" in status["reasons"]["halted"]
        assert not without_reason["ok"]
        assert "--reason" in without_reason["detail"]
        assert state_then == "halted"
        assert with_reason["ok"]
        assert node.status()["state"] == "active"
