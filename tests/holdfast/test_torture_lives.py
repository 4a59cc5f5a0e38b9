"""What a torture is made of: lives that are forked, moments, weather, and the plan of its rounds."""

import json
import os
import random
import re
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import apsw
import msgspec
import pytest

from gateways.exchange.scenario import read_scenario
from holdfast.cues import HANG_VARIABLE
from holdfast.torture.deaths import Lived, Recovery, look_at_deaths
from holdfast.torture.exchange import ExchangeProcess
from holdfast.torture.liar import Liar
from holdfast.torture.line import Line
from holdfast.torture.lives import Life, durable_seq
from holdfast.torture.moments import Injection, Tampering, has_strace, wait_until_stopped
from holdfast.torture.wanted import SCENARIO, Plan, Wanted, has_strangers, plans_for, scenario_for
from holdfast.torture.warm import Warm
from persistence.reader import JournalReader

pytestmark = [pytest.mark.slow, pytest.mark.timeout(120)]

PAPER = ("--set", "feed.source=sample", "--set", "feed.speed=600", "--set", "log.level=error")
"""A node on the paper venue that has enough to do for a while."""


@pytest.fixture(scope="module")
def warm() -> Iterator[Warm]:
    with Warm() as process:
        yield process


@pytest.fixture
def begin(warm: Warm, tmp_path: Path) -> Iterator[Callable[..., Life]]:
    lives: list[Life] = []

    def start(*words: str, **given: object) -> Life:
        life = Life(tmp_path / "home", [*PAPER, *words], said=tmp_path / "said", warm=warm, **given)  # type: ignore[arg-type]
        lives.append(life)
        return life

    yield start
    for life in lives:
        life.kill()


# -- forked lives ----------------------------------------------------------------------------------------------------


def test_a_forked_life_ends_as_a_command_does_and_says_why(begin: Callable[..., Life]) -> None:
    life = begin("--set", "nonsense=1")

    assert life.wait_for_end(20.0)
    assert life.exit_code == 78
    assert "nonsense" in life.last_words()


def test_a_forked_life_is_reaped_by_who_asked_for_it_and_leaves_a_journal_behind(begin: Callable[..., Life]) -> None:
    life = begin()
    assert life.wait_for_events(20, limit_s=20.0)

    life.kill()

    assert life.process.poll() == -signal.SIGKILL
    assert not Path(f"/proc/{life.process.pid}").exists()
    following = begin()
    assert following.first_seq >= 20
    assert following.wait_for_events(20, limit_s=20.0)


def test_a_forked_life_has_no_file_of_the_warm_process_and_a_session_of_its_own(begin: Callable[..., Life]) -> None:
    life = begin(waits=True)
    wait_until_stopped(life)

    files = {str(link.readlink()) for link in Path(f"/proc/{life.process.pid}/fd").iterdir()}
    assert not [file for file in files if file.startswith(("socket:", "pipe:"))]
    assert os.getsid(life.process.pid) == life.process.pid


def test_a_wall_clock_is_set_for_a_forked_life_alone(begin: Callable[..., Life], tmp_path: Path) -> None:
    life = begin(wall_steps=[(0.0, 86_400.0)])
    assert life.wait_for_events(1, limit_s=20.0)
    life.kill()

    with JournalReader(tmp_path / "home") as reader:
        first = next(iter(reader.read(kinds=["NodeStarted"])))
    assert abs(first.wall / 1000 - (time.time() + 86_400)) < 60


def test_a_life_that_left_nothing_is_not_given_the_recovery_of_the_next(
    begin: Callable[..., Life], tmp_path: Path
) -> None:
    began_ms = time.time_ns() // 1_000_000
    life = begin("--set", "feed.speed=5000")
    home = tmp_path / "home"
    deadline = time.monotonic() + 30.0
    while not (found := recoveries(home, [Lived(0, began_ms)])) and time.monotonic() < deadline:
        time.sleep(0.2)
    life.kill()

    assert len(found) == 1
    assert 0 < found[0].ready_s <= found[0].trading_s < 30
    assert recoveries(home, [Lived(0, began_ms), Lived(0, began_ms, is_timely=False)]) == []


def recoveries(home: Path, lives: list[Lived]) -> list[Recovery]:
    if not durable_seq(home):
        return []
    return look_at_deaths(home, lives).recoveries


# -- what befalls a life ---------------------------------------------------------------------------------------------


def test_a_part_that_hangs_on_cue_is_replaced(begin: Callable[..., Life], tmp_path: Path) -> None:
    life = begin("--set", "supervision.hang_after_s=1", environment={HANG_VARIABLE: "breaker.before_release:5"})
    crashes: list[object] = []
    deadline = time.monotonic() + 30.0
    while not crashes and time.monotonic() < deadline and not life.is_over():
        time.sleep(0.2)
        if life.wait_for_events(1, limit_s=1.0):
            with JournalReader(tmp_path / "home") as reader:
                crashes = [json.loads(record.payload) for record in reader.read(kinds=["PartCrashed"])]

    assert crashes
    assert "breaker" in json.dumps(crashes[0])
    assert not life.is_over()


@pytest.mark.skipif(not has_strace(), reason="takes strace")
@pytest.mark.parametrize("call", ["pwrite64", "fdatasync"])
def test_a_life_whose_journal_cannot_be_written_leaves_with_74(
    begin: Callable[..., Life], tmp_path: Path, call: str
) -> None:
    life = begin(waits=True)
    wait_until_stopped(life)
    log = tmp_path / "home" / "journal.db-wal"
    tampering = Tampering(life, Injection(call, "error=EIO", 3), (log,), tmp_path / "notes")
    life.go_on()

    assert life.wait_for_end(30.0)
    tampering.end()
    assert tampering.has_struck
    assert life.exit_code == 74


@pytest.fixture
def echo() -> Iterator[int]:
    """An echo on a port of its own."""
    with socket.create_server(("127.0.0.1", 0)) as server:

        def serve() -> None:
            while True:
                try:
                    connection, _ = server.accept()
                except OSError:
                    return
                threading.Thread(target=answer, args=(connection,), daemon=True).start()

        def answer(connection: socket.socket) -> None:
            with connection, suppress(OSError):
                while said := connection.recv(100):
                    connection.sendall(said)

        threading.Thread(target=serve, daemon=True).start()
        yield server.getsockname()[1]
        server.shutdown(socket.SHUT_RDWR)


def port_of(line: Line) -> int:
    return int(line.url.rpartition(":")[2])


def test_a_line_that_is_cut_resets_and_refuses_until_it_is_joined(echo: int) -> None:
    with Line(echo) as line:
        with socket.create_connection(("127.0.0.1", port_of(line)), 5.0) as connection:
            connection.sendall(b"one")
            assert connection.recv(10) == b"one"
            line.cut()
            with pytest.raises(ConnectionResetError):
                connection.recv(10)
        with pytest.raises(ConnectionRefusedError):
            socket.create_connection(("127.0.0.1", port_of(line)), 5.0)
        line.join()
        with socket.create_connection(("127.0.0.1", port_of(line)), 5.0) as connection:
            connection.sendall(b"two")
            assert connection.recv(10) == b"two"


def test_nobody_gets_the_port_of_a_line_that_is_cut(echo: int) -> None:
    with Line(echo) as line:
        for _ in range(3):
            line.cut()
            with socket.socket() as other, pytest.raises(OSError, match="in use"):
                other.bind(("127.0.0.1", port_of(line)))
            line.join()
    with socket.socket() as other:
        other.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        other.bind(("127.0.0.1", port_of(line)))


def test_a_line_that_is_jammed_hands_on_later_what_it_took(echo: int) -> None:
    with Line(echo) as line, socket.create_connection(("127.0.0.1", port_of(line)), 0.5) as connection:
        line.jam()
        connection.sendall(b"late")
        with pytest.raises(TimeoutError):
            connection.recv(10)
        line.join()

        assert connection.recv(10) == b"late"


# -- the plan --------------------------------------------------------------------------------------------------------


def test_all_kills_are_planned_and_one_in_a_hundred_is_real() -> None:
    plans = plans_for(Wanted(kills=10_000, seed=7))

    assert sum(plan.kills for plan in plans) == 10_000
    assert sum(plan.kills for plan in plans if plan.is_real) == 100
    assert len({plan.seed for plan in plans}) == len(plans)
    assert any(plan.is_real for plan in plans[: len(plans) // 5])


def test_a_torture_of_a_rounds_seed_and_kills_begins_with_that_round() -> None:
    for plan in plans_for(Wanted(kills=1_234, seed=7)):
        again = plans_for(Wanted(kills=plan.kills, seed=plan.seed, real=plan.kills if plan.is_real else 0))

        assert [(each.seed, each.kills, each.is_real) for each in again] == [(plan.seed, plan.kills, plan.is_real)]


def test_with_real_bounds_the_exchange_takes_longer_for_the_same_lies(tmp_path: Path) -> None:
    wanted = Wanted(kills=1, seed=4)
    scenarios = {}
    for is_real in (False, True):
        file = tmp_path / f"{is_real}.toml"
        file.write_text(scenario_for(wanted, Plan(1, 4, 1, is_real)))
        scenarios[is_real] = read_scenario(file)

    assert len(scenarios[True].faults) == len(scenarios[False].faults)
    assert "seconds = [1.66667, 20]" in scenario_for(wanted, Plan(1, 4, 1, is_real=True))
    assert re.search(r"seconds = \[0\.5, 6\.0\]", SCENARIO.read_text())


def test_in_some_rounds_of_forked_lives_somebody_else_uses_the_account(tmp_path: Path) -> None:
    wanted = Wanted(kills=40, seed=1)
    plans = [Plan(1, seed, 40, is_real=False) for seed in range(400)]
    chosen = [plan for plan in plans if has_strangers(wanted, plan)]
    file = tmp_path / "scenario.toml"
    file.write_text(scenario_for(wanted, chosen[0]))

    assert 60 < len(chosen) < 140
    kinds = {fault.kind for fault in read_scenario(file).faults}
    assert {"deposit", "withdraw", "manual_order"} <= kinds
    assert not has_strangers(wanted, msgspec.structs.replace(chosen[0], is_real=True))
    assert not has_strangers(msgspec.structs.replace(wanted, config=file), chosen[0])


@pytest.mark.timeout(240)
def test_a_torture_that_is_told_to_end_settles_and_is_judged() -> None:
    words = [sys.executable, "-m", "holdfast", "torture", "--kills", "500", "--real", "0", "--seed", "2", "--json"]
    with subprocess.Popen(words, stdout=subprocess.PIPE, text=True) as running:
        time.sleep(20.0)
        running.send_signal(signal.SIGTERM)
        out, _ = running.communicate(timeout=200.0)

    report = json.loads(out)
    assert running.returncode == 0
    assert report["is_partial"]
    assert report["kills"] < 500
    assert report["violations"] == []
    assert report["settled_s"] is not None


def test_no_life_outlives_a_torture_that_is_killed(tmp_path: Path) -> None:
    program = f"""if True:
        import time
        from pathlib import Path
        from holdfast.torture.lives import Life
        from holdfast.torture.warm import Warm
        with Warm() as warm:
            home = Path({str(tmp_path)!r})
            life = Life(home / "home", {PAPER!r}, said=home / "said", warm=warm)
            life.wait_for_events(20, limit_s=30.0)
            print(life.process.pid, flush=True)
            time.sleep(60)
    """
    with subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE, text=True) as torture:
        assert torture.stdout is not None
        life = int(torture.stdout.readline())
        assert is_running(life)
        torture.kill()
    deadline = time.monotonic() + 10.0
    while is_running(life) and time.monotonic() < deadline:
        time.sleep(0.01)

    assert not is_running(life)


def is_running(pid: int) -> bool:
    status = Path(f"/proc/{pid}/status")
    return status.exists() and "State:\tZ" not in status.read_text()


def test_the_warm_process_ends_with_the_torture() -> None:
    with Warm() as process:
        pid = process.pid
    assert not Path(f"/proc/{pid}").exists()


# -- a disk that lies ------------------------------------------------------------------------------------------------


def test_a_backup_is_restored_where_nothing_of_a_journal_can_be_proven(
    begin: Callable[..., Life], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    home, program = tmp_path / "home", (sys.executable, "-m", "holdfast")
    life = begin()
    assert life.wait_for_events(30, limit_s=60.0)
    life.kill()
    kept: list[tuple[int, int]] = []
    wrong: list[str] = []
    liar = Liar(
        home, draw=random.Random(1), begin=lambda moment: (begin(), None), settle=lambda: None, violate=wrong.append
    )
    monkeypatch.setattr(liar, "_live_on", lambda exchange, when, reached: kept.append(liar._since_mended()))

    backup = liar._back_up(program)
    forge_first_record(home)
    told = liar._mend(Unasked(), program, backup)

    assert (told, wrong) == ("told, and a backup restored", [])
    ((restored_upto, entries),) = kept
    assert restored_upto >= 30
    assert entries == 0


def test_what_neither_a_salvage_nor_a_backup_mends_is_a_violation(begin: Callable[..., Life], tmp_path: Path) -> None:
    home, program = tmp_path / "home", (sys.executable, "-m", "holdfast")
    life = begin()
    assert life.wait_for_events(5, limit_s=60.0)
    life.kill()
    wrong: list[str] = []
    liar = Liar(
        home, draw=random.Random(1), begin=lambda moment: (begin(), None), settle=lambda: None, violate=wrong.append
    )

    forge_first_record(home)
    liar._mend(Unasked(), program, None)

    (what,) = wrong
    assert what.startswith("after a lie: the salvage ended with 65")


def test_records_from_before_a_lie_that_are_gone_are_a_violation(begin: Callable[..., Life], tmp_path: Path) -> None:
    home, program = tmp_path / "home", (sys.executable, "-m", "holdfast")
    life = begin()
    assert life.wait_for_events(30, limit_s=60.0)
    life.kill()
    wrong: list[str] = []
    liar = Liar(
        home, draw=random.Random(1), begin=lambda moment: (begin(), None), settle=lambda: None, violate=wrong.append
    )

    backup = liar._back_up(program)
    kept = liar._safe_seq = durable_seq(home)
    forge_first_record(home)
    liar._mend(Unasked(), program, backup)
    assert wrong == []
    liar._safe_seq += 1
    liar._live_on(Unasked(), "again", kept + 1)

    (what,) = wrong
    assert what == f"again: expected the {kept + 1} records from before the lie, found {kept}"


class Unasked(ExchangeProcess):
    """An exchange at which nobody has ordered anything."""

    def __init__(self) -> None:
        """Start nothing."""

    def ledger(self) -> dict[str, Any]:
        """Return nothing but names."""
        return {"orders": [], "trades": [], "requests": []}


def forge_first_record(home: Path) -> None:
    """Have the first record be another than the chain was begun with."""
    connection = apsw.Connection(str(home / "journal.db"))
    connection.execute("UPDATE events SET payload = x'7b7d' WHERE seq = 1")
    connection.close()
