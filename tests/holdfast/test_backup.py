"""Laws of `holdfast journal backup` and `restore`: a proven copy, and a node that knows what it does not know."""

import os
import random
import shutil
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import msgspec
import pytest

from holdfast.cli.main import run_command_line
from holdfast.exit_codes import ExitCode
from holdfast.mending.backup import back_up
from holdfast.mending.books import find_strays
from holdfast.mending.errors import MendingRefused
from holdfast.mending.manifest import read_manifest
from holdfast.mending.restore import restore
from holdfast.mending.salvage import salvage
from holdfast.replay import verify_everything
from holdfast.staging import StagedNode
from persistence.errors import JournalDamaged, JournalError, JournalLocked, JournalMissing, JournalUnwritable
from persistence.home import Lock
from persistence.journal import Journal
from persistence.reader import JournalReader
from persistence.verify import verify
from tests.holdfast.mended import (
    QUIET,
    Killed,
    book_of,
    breaker_of,
    bytes_of,
    client_ids,
    generations_of,
    hashes,
    killed_at,
    live,
    mode_at_start,
    nothing,
    parts,
    rebuilt,
    resume,
)

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def lived(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a home whose node has died, with a backup beside it that is of an earlier moment."""
    folder = tmp_path_factory.mktemp("lived")
    live(folder / "home", 700)
    save(folder / "home", folder / "backups")
    live(folder / "home", 500)
    return folder


@pytest.fixture
def place(lived: Path, tmp_path: Path) -> Path:
    """Return a folder with `home` and `backups`, for one test only."""
    for name in ("home", "backups"):
        shutil.copytree(lived / name, tmp_path / name)
    return tmp_path


def save(home: Path, to: Path, *, keep: int = 7, cue: Callable[[str], None] = nothing) -> dict[str, Any]:
    return back_up(home, to, keep=keep, progress=QUIET, cue=cue)


def put_back(
    source: Path, home: Path, *, replace: bool = False, cue: Callable[[str], None] = nothing
) -> dict[str, Any]:
    return restore(source, home, replace=replace, progress=QUIET, cue=cue)


def backup_in(place: Path) -> Path:
    (found,) = sorted((place / "backups").iterdir(), key=lambda path: path.name)[-1:]
    return found


def names_in(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir() if path.name != ".backup.lock")


# -- backup ----------------------------------------------------------------------------------------------------------


def test_a_backup_is_the_journal_up_to_its_name_proven_and_readable_where_nothing_can_be_written(
    place: Path, lived: Path
) -> None:
    backup = backup_in(place)
    manifest = read_manifest(backup)
    for file in (*backup.iterdir(), backup):
        file.chmod(0o500 if file.is_dir() else 0o400)

    assert backup.name.endswith(f"-{manifest.sequence:012d}")
    assert verify(backup).is_sound
    assert hashes(backup) == hashes(lived / "home", manifest.sequence)
    assert names_in(backup) == ["backup.json", "journal.db", "journal.watermark", "venue.db"]
    assert {file.stat().st_mode & 0o077 for file in backup.iterdir()} == {0}


def test_whatever_the_journal_of_a_backup_has_heard_of_the_venue_is_in_the_book_beside_it(
    tmp_path: Path,
) -> None:
    home, found = tmp_path / "home", []
    with StagedNode(parts(), home, seed=1) as node:
        for _ in range(12):
            wanted = node.last_seq + 41

            def trade_on(point: str) -> None:
                """Between the copies of the journal and of the book, the node trades on."""
                if point == "backup.journal_copied":
                    until = node.last_seq + 60
                    node.run(lambda: node.last_seq >= until)
                    node.commit()

            node.run(lambda wanted=wanted: node.last_seq >= wanted)  # type: ignore[misc]
            node.commit()
            done = save(home, tmp_path / "backups", cue=trade_on)
            states, _ = book_of(Path(done["backup"]))
            found.append(set(client_ids(Path(done["backup"]))) - states.keys())
            assert done["seq"] < node.last_seq

    # What was intended and not sent yet is all that a book may not have.
    assert all(len(missing) <= 2 for missing in found)


def test_only_so_many_backups_of_one_journal_stay_and_those_of_others_are_let_alone(
    place: Path, tmp_path: Path
) -> None:
    other = live(tmp_path / "other", 60, folder="elsewhere")
    save(other, place / "backups")
    strange = place / "backups" / "20200101T000000.000Z-000000000001"
    strange.mkdir()
    first = [name for name in names_in(place / "backups") if name != strange.name]
    assert len(first) == 2

    done = [save(place / "home", place / "backups", keep=2) for _ in range(3)]

    assert [each["dropped"] for each in done] == [[], first[:1], [Path(done[0]["backup"]).name]]
    assert done[-1]["not_understood"] == [strange.name]
    mine = [Path(each["backup"]).name for each in done[1:]]
    assert names_in(place / "backups") == sorted([strange.name, first[1], *mine])


def test_no_backup_is_put_into_the_home_itself(place: Path) -> None:
    home = place / "home"
    (place / "link").symlink_to(home, target_is_directory=True)

    for inside in (home, home / "backups", place / "link" / "logs", place / "backups" / ".." / "home"):
        with pytest.raises(MendingRefused, match="outside of the home"):
            save(home, inside)
    assert run_command_line(["journal", "backup", "--to", str(home), "--home", str(home)]) == ExitCode.USAGE


def test_a_damaged_journal_or_book_is_not_backed_up_and_nothing_is_left(place: Path) -> None:
    home, before = place / "home", names_in(place / "backups")
    content = bytearray((home / "journal.db").read_bytes())
    content[len(content) // 2] ^= 1
    (home / "journal.db").write_bytes(content)

    with pytest.raises(JournalDamaged):
        save(home, place / "backups")

    assert names_in(place / "backups") == before
    put_back(backup_in(place), home, replace=True)
    book = bytearray((home / "venue.db").read_bytes())
    book[4096 * 3 : 4096 * 4] = random.Random(1).randbytes(4096)
    (home / "venue.db").write_bytes(book)
    with pytest.raises(JournalDamaged, match="book"):
        save(home, place / "backups")
    assert names_in(place / "backups") == before
    with pytest.raises(JournalMissing):
        save(place / "nowhere", place / "backups")


@pytest.mark.parametrize("point", ["backup.journal_copied", "backup.proven", "backup.written", "backup.in_place"])
def test_a_backup_that_is_killed_leaves_whole_ones_only_and_the_next_clears_up(place: Path, point: str) -> None:
    to, before = place / "backups", names_in(place / "backups")
    environment = {**os.environ, "HOLDFAST_DIE_AT": point}
    command = ["-m", "holdfast", "journal", "backup", "--home", str(place / "home"), "--to", str(to)]

    died = subprocess.run([sys.executable, *command], env=environment, check=False)

    assert died.returncode == -9
    whole = [name for name in names_in(to) if not name.startswith(".")]
    assert len(whole) == len(before) + (point == "backup.in_place")
    assert all(verify(to / name).is_sound for name in whole)
    done = save(place / "home", to)
    assert names_in(to) == sorted([*whole, Path(done["backup"]).name])


def test_two_backups_to_one_folder_wait_for_nobody_the_second_is_refused(place: Path) -> None:
    lock = Lock(place / "backups" / ".backup.lock")

    with closing(Releasing(lock)), pytest.raises(JournalLocked):
        save(place / "home", place / "backups")


class Releasing:
    """A lock that can be closed."""

    def __init__(self, lock: Lock) -> None:
        self._lock = lock

    def close(self) -> None:
        self._lock.release()


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """Mount a disk of 300 kB; skip where that takes rights that this process does not have."""
    disk = tmp_path / "disk"
    disk.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=300k", "tmpfs", str(disk)], capture_output=True, check=False
    )
    if mounted.returncode != 0:
        pytest.skip("a small disk can only be mounted by root")
    yield disk
    subprocess.run(["umount", str(disk)], check=True)


def test_a_full_disk_leaves_nothing_half_and_the_node_alone(place: Path, small_disk: Path) -> None:
    before = bytes_of(place / "home")

    with pytest.raises(JournalUnwritable):
        save(place / "home", small_disk)
    with pytest.raises(JournalUnwritable):
        put_back(backup_in(place), small_disk / "home")

    assert names_in(small_disk) == ["home"]
    assert [path.name for path in (small_disk / "home").iterdir()] == ["journal.lock"]
    assert bytes_of(place / "home") == before


# -- restore ---------------------------------------------------------------------------------------------------------


def test_a_restored_node_comes_up_halted_knows_all_up_to_the_backup_and_goes_on_once_it_is_resumed(
    place: Path, lived: Path, tmp_path: Path
) -> None:
    backup, home = backup_in(place), tmp_path / "restored"
    seq = read_manifest(backup).sequence

    done = put_back(backup, home)

    assert (done["seq"], done["generation"], done["book"]) == (seq, 2, "backup")
    assert hashes(home, seq) == hashes(lived / "home", seq)
    assert rebuilt(home, seq).state_hash() == rebuilt(lived / "home", seq).state_hash()
    assert rebuilt(home).mode == "halted"
    assert not any(check.problems for check in verify_everything(home))
    with StagedNode(parts(), home, seed=4) as node:
        node.run(lambda: node.last_seq >= seq + 150)
        assert breaker_of(node).mode == "halted"
        assert f"restored up to sequence {seq}: what came after it is not known" in breaker_of(node).halted
        resume(node)
        node.run(lambda: node.last_seq >= seq + 900)
        assert breaker_of(node).mode == "active"
        node.commit()
    ids = client_ids(home)
    assert len(ids) == len(set(ids))
    assert generations_of(ids) == {1, 2}
    states, balances = book_of(home)
    assert set(ids) == states.keys()
    cash = rebuilt(home).positions.state.book.cash
    assert {asset: amount for asset, amount in cash.items() if amount} == balances


def test_the_exchange_does_not_go_back_in_time_what_it_knows_beyond_is_named_and_cancelled_first(
    place: Path, lived: Path
) -> None:
    home, said = place / "home", []
    beyond = set(client_ids(home)) - set(client_ids(backup_in(place)))
    book = (home / "venue.db").read_bytes()

    done = put_back(backup_in(place), home, replace=True)

    assert (home / "venue.db").read_bytes() == book
    assert {stray["client_id"] for stray in done["unknown_orders"]} == beyond
    assert len(beyond) > 3
    log: Any = lambda level, event, **values: said.append((event, values))  # noqa: E731
    with StagedNode(parts(), home, seed=5, log=log) as node:
        node.run(lambda: node.last_seq >= done["seq"] + 60)
        resume(node)
        node.run(lambda: node.last_seq >= done["seq"] + 900)
        node.commit()
    ids, (states, balances) = client_ids(home), book_of(home)
    assert {values["order"] for event, values in said if event == "order.foreign"} == beyond
    assert {states[client_id] for client_id in beyond} == {"canceled"}
    assert beyond.isdisjoint(ids)
    assert len(ids) == len(set(ids))
    cash = rebuilt(home).positions.state.book.cash
    assert {asset: amount for asset, amount in cash.items() if amount} == balances
    assert find_strays(home, now=2**62) == ()


def test_what_was_in_the_home_is_refused_or_moved_never_lost(place: Path) -> None:
    home, before = place / "home", bytes_of(place / "home")

    with pytest.raises(MendingRefused, match="--replace moves what is there to its quarantine"):
        put_back(backup_in(place), home)
    assert bytes_of(home) == before
    done = put_back(backup_in(place), home, replace=True)

    quarantine = home / done["quarantine"]
    assert {name: (quarantine / name).read_bytes() for name in before if name.startswith("journal")} == {
        name: content for name, content in before.items() if name.startswith("journal")
    }


def test_the_book_of_another_account_is_refused_or_moved(place: Path, tmp_path: Path) -> None:
    other = live(tmp_path / "other", 300, seed=8)
    for name in ("journal.db", "journal.watermark"):
        (other / name).unlink()
    with closing(Journal.open(tmp_path / "empty")):
        pass
    book = (place / "home" / "venue.db").read_bytes()
    shutil.copy(other / "venue.db", place / "home" / "venue.db")
    strange = bytearray((other / "venue.db").read_bytes())
    (place / "home" / "venue.db").write_bytes(strange.replace(b"confidence", b"confidenze"))
    del book

    for name in ("journal.db", "journal.db-wal", "journal.watermark"):
        (place / "home" / name).unlink(missing_ok=True)
    with pytest.raises(MendingRefused, match="another account"):
        put_back(backup_in(place), place / "home")

    done = put_back(backup_in(place), place / "home", replace=True)

    assert done["book"] == "backup"
    assert (place / "home" / done["quarantine"] / "venue.db").exists()
    assert mode_at_start(place / "home")[0] == "halted"


def test_nothing_is_restored_where_a_node_runs(place: Path) -> None:
    before = bytes_of(place / "home")
    lock = Lock(place / "home" / "journal.lock")

    with closing(Releasing(lock)):
        assert (
            run_command_line(["journal", "restore", str(backup_in(place)), "--home", str(place / "home"), "--replace"])
            == ExitCode.LOCKED
        )

    assert bytes_of(place / "home") == before


@pytest.mark.parametrize("name", ["journal.db", "journal.watermark", "venue.db", "backup.json"])
def test_a_damaged_backup_is_not_restored(place: Path, name: str) -> None:
    backup, before = backup_in(place), bytes_of(place / "home")
    content = (backup / name).read_bytes()
    draw = random.Random(3)
    for _ in range(10):
        damaged = bytearray(content)
        damaged[draw.randrange(len(damaged))] ^= 255
        (backup / name).write_bytes(damaged)

        with pytest.raises(JournalDamaged):
            put_back(backup, place / "home", replace=True)
        (backup / name).write_bytes(content[:-1] if name != "backup.json" else content[: len(content) // 2])
        with pytest.raises(JournalDamaged):
            put_back(backup, place / "home", replace=True)

    (backup / name).unlink()
    with pytest.raises(JournalError):
        put_back(backup, place / "home", replace=True)
    assert bytes_of(place / "home") == before


def test_what_a_backup_says_of_itself_is_believed_only_as_it_was_written(place: Path) -> None:
    backup = backup_in(place)
    words = (backup / "backup.json").read_text()
    assert '"generation": 1,' in words
    (backup / "backup.json").write_text(words.replace('"generation": 1,', '"generation": 0,'))

    with pytest.raises(JournalDamaged, match="checksum"):
        put_back(backup, place / "home", replace=True)


def test_a_backup_that_is_restored_twice_begins_two_generations(place: Path, tmp_path: Path) -> None:
    homes = [tmp_path / "one", tmp_path / "two", tmp_path / "one"]

    found = [put_back(backup_in(place), home, replace=True)["generation"] for home in homes]

    assert found == [2, 3, 4]
    backup = backup_in(place)
    assert verify(backup).is_sound


@pytest.mark.parametrize(
    ("point", "nth"),
    [
        ("restore.written", 1),
        ("mending.prepared", 1),
        ("mending.begun", 1),
        *(("mending.moved", nth) for nth in (1, 2)),
        *(("mending.placed", nth) for nth in (1, 2)),
        ("mending.finished", 1),
    ],
)
@pytest.mark.parametrize("again", ["restore", "salvage"])
def test_a_restore_that_is_killed_at_any_instant_is_finished_by_the_next_or_never_began(
    place: Path, point: str, nth: int, again: str
) -> None:
    home, backup = place / "home", backup_in(place)
    seq, old = read_manifest(backup).sequence, hashes(home)

    with pytest.raises(Killed):
        put_back(backup, home, replace=True, cue=killed_at(point, nth))

    began = point not in ("restore.written", "mending.prepared")
    if not began:
        assert hashes(home) == old
        Journal.open(home).close()
    elif point != "mending.finished":
        with pytest.raises(JournalDamaged, match="salvage` finishes it"):
            Journal.open(home)
    if again == "salvage":
        salvage(home, only_plan=False, progress=QUIET, cue=nothing)
    if again == "restore" or not began:
        put_back(backup, home, replace=True)
    assert hashes(home, seq) == hashes(backup, seq)
    assert len(hashes(home)) == seq + 1
    assert verify(home).is_sound
    assert not list(home.glob("journal.mending*"))
    assert len(list((home / "quarantine").iterdir())) == (1 if point != "mending.finished" or again == "salvage" else 2)
    with JournalReader(home) as reader:
        assert reader.generation >= 2
    assert salvage(home, only_plan=False, progress=QUIET, cue=nothing)["outcome"] == "sound"


def test_a_restore_that_is_killed_at_random_moments_ends_whole(place: Path) -> None:
    home, backup, draw = place / "home", backup_in(place), random.Random(6)
    seq = read_manifest(backup).sequence
    command = ["-m", "holdfast", "journal", "restore", str(backup), "--home", str(home), "--replace"]
    deaths = 0
    for _ in range(12):
        process = subprocess.Popen([sys.executable, *command], stdout=subprocess.DEVNULL)
        killer = threading.Timer(draw.uniform(0.05, 0.45), process.kill)
        killer.start()
        deaths += process.wait() == -9
        killer.cancel()

        salvage(home, only_plan=False, progress=QUIET, cue=nothing)
        assert verify(home).is_sound
        assert hashes(home, seq) == hashes(backup, seq)
    assert deaths > 3


def test_the_commands_say_what_they_did(place: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    arguments = ["--home", str(place / "home"), "--to", str(place / "backups")]

    assert run_command_line(["journal", "backup", *arguments, "--json"]) == ExitCode.OK
    made = msgspec.json.decode(capsys.readouterr().out)
    assert run_command_line(["journal", "backup", *arguments]) == ExitCode.OK
    assert "proven" in capsys.readouterr().out
    restored = ["journal", "restore", made["backup"], "--home", str(tmp_path / "new")]
    assert run_command_line([*restored, "--json"]) == ExitCode.OK
    done = msgspec.json.decode(capsys.readouterr().out)

    assert (done["seq"], done["generation"]) == (made["seq"], made["generation"] + 1)
    assert run_command_line(restored) == ExitCode.USAGE
    assert run_command_line(["journal", "restore", str(tmp_path), "--home", str(tmp_path / "x")]) == ExitCode.IO_ERROR
    assert run_command_line([*restored, "--replace"]) == ExitCode.OK
    assert "the node comes up halted" in capsys.readouterr().out
