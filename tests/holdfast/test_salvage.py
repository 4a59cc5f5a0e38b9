"""Laws of `holdfast journal salvage`: what is proven stays, what is damaged is kept apart, and nobody trades on it."""

import json
import os
import random
import shutil
import subprocess
import sys
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import apsw
import msgspec
import pytest

from holdfast.cli.main import run_command_line
from holdfast.exit_codes import ExitCode
from holdfast.mending.salvage import salvage
from holdfast.replay import verify_everything
from holdfast.staging import StagedNode
from holdfast.why.chain import explain
from persistence.errors import JournalDamaged, JournalError, JournalLocked, JournalMissing
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
    copy_of_living,
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

EVENTS = 900


@pytest.fixture(scope="module")
def sound(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a home whose node has died in peace."""
    return live(tmp_path_factory.mktemp("sound") / "home", EVENTS)


@pytest.fixture(scope="module")
def cut_off(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a home whose node was killed: most of the journal is in its log."""
    folder = tmp_path_factory.mktemp("cut_off")
    return copy_of_living(folder / "home", folder / "copy", EVENTS)


@pytest.fixture
def home(sound: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(sound, tmp_path / "home"))


def mend(home: Path, *, only_plan: bool = False, cue: Callable[[str], None] = nothing) -> dict[str, Any]:
    return salvage(home, only_plan=only_plan, progress=QUIET, cue=cue)


def change(home: Path, *statements: str) -> None:
    with closing(apsw.Connection(str(home / "journal.db"))) as database:
        for statement in statements:
            database.execute(statement).fetchall()


def flip(path: Path, place: int) -> None:
    content = bytearray(path.read_bytes())
    content[place] ^= 1 << place % 8
    path.write_bytes(content)


def page_of(home: Path, table: str) -> int:
    """Return the number of a page somewhere within a table."""
    with closing(apsw.Connection(str(home / "journal.db"), flags=apsw.SQLITE_OPEN_READONLY)) as database:
        pages = database.execute(
            "SELECT pageno FROM dbstat WHERE name = ? AND pagetype = 'leaf' ORDER BY pageno", (table,)
        ).fetchall()
    (page,) = pages[len(pages) // 2]
    assert isinstance(page, int)
    return page


def destroy_page(home: Path, page: int) -> None:
    with (home / "journal.db").open("r+b") as file:
        file.seek((page - 1) * 4096)
        file.write(random.Random(page).randbytes(4096))


def cut_in_half(home: Path) -> None:
    os.truncate(home / "journal.db", (home / "journal.db").stat().st_size // 2 + 100)


def change_a_row(home: Path) -> None:
    change(home, "UPDATE events SET wall = wall + 1 WHERE seq = 700")


def lose_the_tail(home: Path) -> None:
    change(home, "DELETE FROM events WHERE seq > 850")


def destroy_a_page(home: Path) -> None:
    destroy_page(home, page_of(home, "events"))


def destroy_the_first_page(home: Path) -> None:
    destroy_page(home, 1)


def destroy_the_watermark(home: Path) -> None:
    (home / "journal.watermark").write_bytes(b"\xff" * 4096)


def lose_the_watermark(home: Path) -> None:
    (home / "journal.watermark").unlink()


def change_the_identity(home: Path) -> None:
    change(home, "UPDATE identity SET boot = boot + 1")


def change_a_snapshot(home: Path) -> None:
    change(home, "UPDATE snapshots SET state = x'00' WHERE seq = (SELECT max(seq) FROM snapshots)")


def change_the_tables(home: Path) -> None:
    change(home, "UPDATE orders SET quantity = '77'", "DELETE FROM fills WHERE rowid % 2 = 0")


LOSING: tuple[Callable[[Path], None], ...] = (
    change_a_row,
    lose_the_tail,
    destroy_a_page,
    destroy_the_first_page,
    cut_in_half,
)
LOSSLESS: tuple[Callable[[Path], None], ...] = (destroy_the_watermark, lose_the_watermark, change_the_identity)


@pytest.mark.parametrize("damage", LOSING, ids=lambda damage: damage.__name__)
def test_of_a_damaged_journal_the_longest_proven_part_is_kept_and_the_node_comes_up_halted(
    home: Path, sound: Path, damage: Callable[[Path], None]
) -> None:
    damage(home)
    damaged = bytes_of(home)
    with pytest.raises(JournalError):
        Journal.open(home)

    done = mend(home)

    kept = done["kept"]
    assert done["outcome"] == "salvaged"
    assert verify(home).is_sound
    assert hashes(home, kept) == hashes(sound, kept)
    assert len(hashes(home)) == kept + 1
    if damage is not destroy_the_first_page:
        assert done["lost_from"] == kept + 1 <= done["lost_to"]
        assert done["lost_to"] >= EVENTS
    quarantine = home / done["quarantine"]
    assert {name: (quarantine / name).read_bytes() for name in damaged if name.startswith("journal")} == {
        name: content for name, content in damaged.items() if name.startswith("journal")
    }
    mode, why = mode_at_start(home)
    assert mode == "halted"
    assert f"salvaged up to sequence {kept}" in why
    assert not any(check.problems for check in verify_everything(home))


@pytest.mark.parametrize("damage", LOSSLESS, ids=lambda damage: damage.__name__)
def test_what_only_vouches_for_a_journal_can_be_lost_without_a_record(
    home: Path, sound: Path, damage: Callable[[Path], None]
) -> None:
    damage(home)

    done = mend(home)

    assert (done["outcome"], done["lost_from"], done["generation"]) == ("salvaged", 0, 2)
    assert hashes(home)[:-1] == hashes(sound)
    assert mode_at_start(home)[0] == "halted"
    assert generations_of(client_ids(home)) <= {1, 2}


@pytest.mark.parametrize("damage", [change_a_snapshot, change_the_tables], ids=lambda damage: damage.__name__)
def test_damaged_caches_are_made_anew_where_they_are_and_nobody_is_halted(
    home: Path, sound: Path, damage: Callable[[Path], None]
) -> None:
    damage(home)
    assert not verify(home).is_sound
    assert mend(home, only_plan=True)["outcome"] == "caches"
    assert not verify(home).is_sound

    done = mend(home)

    assert done["outcome"] == "caches"
    assert verify(home).is_sound
    assert hashes(home) == hashes(sound)
    assert not (home / "quarantine").exists()
    assert mode_at_start(home)[0] == "active"


@pytest.mark.parametrize("table", ["snapshots", "equity"])
def test_a_destroyed_page_of_a_cache_costs_no_record(home: Path, sound: Path, table: str) -> None:
    destroy_page(home, page_of(home, table))

    done = mend(home)

    assert done["outcome"] in ("salvaged", "caches")
    assert verify(home).is_sound
    assert hashes(home)[: len(hashes(sound))] == hashes(sound)


def test_a_log_that_is_gone_is_told_from_a_torn_end_and_what_it_held_is_named(cut_off: Path, tmp_path: Path) -> None:
    home = Path(shutil.copytree(cut_off, tmp_path / "home"))
    log = home / "journal.db-wal"
    os.truncate(log, 600_000)

    done = mend(home)

    assert done["outcome"] == "salvaged"
    assert done["lost_from"] == done["kept"] + 1
    assert done["lost_to"] >= EVENTS
    assert hashes(home, done["kept"]) == hashes(cut_off, done["kept"])
    assert (home / done["quarantine"] / "journal.db-wal").stat().st_size == 600_000
    assert mode_at_start(home)[0] == "halted"


def test_a_database_that_was_emptied_costs_nothing_of_what_its_log_holds(tmp_path: Path) -> None:
    home = copy_of_living(tmp_path / "home", tmp_path / "copy", 300)
    before = hashes(home)
    os.truncate(home / "journal.db", 0)
    assert not verify(home).is_sound

    done = mend(home)

    assert (done["outcome"], done["lost_from"]) == ("salvaged", 0)
    assert hashes(home)[:-1] == before
    assert mode_at_start(home)[0] == "halted"


def test_a_sound_journal_is_not_touched(home: Path, cut_off: Path, tmp_path: Path) -> None:
    killed = Path(shutil.copytree(cut_off, tmp_path / "killed"))
    for each in (home, killed):
        before = bytes_of(each)

        assert mend(each)["outcome"] == "sound"
        assert mend(each, only_plan=True)["outcome"] == "sound"

        assert bytes_of(each) == before
        assert not (each / "quarantine").exists()


def test_what_would_be_done_is_said_and_then_done(home: Path) -> None:
    change_a_row(home)
    before = bytes_of(home)

    said = mend(home, only_plan=True)

    assert bytes_of(home) == before
    assert not (home / "quarantine").exists()
    assert said["outcome"] == "damaged"
    done = mend(home)
    for key in ("kept", "lost_from", "lost_to", "readable_beyond", "reason"):
        assert done[key] == said[key]
    assert "keep the records up to sequence 699" in said["would"]


def test_what_can_be_read_behind_the_damage_is_kept_apart_and_marked(home: Path, sound: Path) -> None:
    destroy_a_page(home)

    done = mend(home)

    lines = [json.loads(line) for line in (home / done["quarantine"] / "beyond.jsonl").read_text().splitlines()]
    assert len(lines) == done["readable_beyond"] > (done["lost_to"] - done["kept"]) // 2
    assert all(line["unverified"] is True for line in lines)
    original = {hash_.hex() for hash_ in hashes(sound)}
    assert all(line["hash"] in original for line in lines)
    assert lines[-1]["seq"] == done["lost_to"]
    assert [line["seq"] for line in lines] == sorted({line["seq"] for line in lines})


def test_a_salvaged_journal_goes_on_and_no_client_id_is_used_twice(home: Path) -> None:
    change(home, "UPDATE events SET wall = wall + 1 WHERE seq = 300")
    mend(home)

    with StagedNode(parts(), home, seed=3) as node:
        wanted = node.last_seq + 100
        node.run(lambda: node.last_seq >= wanted)
        assert breaker_of(node).mode == "halted"
        resume(node)
        node.run(lambda: node.last_seq >= wanted + 900)
        assert breaker_of(node).mode == "active"
        node.commit()

    ids = client_ids(home)
    assert len(ids) == len(set(ids))
    assert generations_of(ids) == {1, 2}
    states, balances = book_of(home)
    assert set(ids) <= states.keys()
    assert all(state != "accepted" for client_id, state in states.items() if client_id not in ids)
    cash = rebuilt(home).positions.state.book.cash
    assert {asset: amount for asset, amount in cash.items() if amount} == balances
    assert not any(check.problems for check in verify_everything(home))
    with JournalReader(home) as reader:
        for client_id in ids:
            assert explain(reader, client_id).name == client_id


def test_every_salvage_begins_a_generation_that_was_never_there(home: Path) -> None:
    generations = []
    for seq in (800, 700, 600):
        change(home, f"UPDATE events SET wall = wall + 1 WHERE seq = {seq}")
        generations.append(mend(home)["generation"])
    # The row that says so is gone, and so is every record of the generations before: the quarantine knows them.
    change_the_identity(home)
    change(home, "UPDATE events SET wall = wall + 1 WHERE seq = 500", "DELETE FROM events WHERE seq > 500")
    generations.append(mend(home)["generation"])

    assert generations == [2, 3, 4, 5]


@pytest.mark.parametrize(
    ("point", "nth"),
    [
        ("salvage.written", 1),
        ("mending.prepared", 1),
        ("mending.begun", 1),
        *(("mending.moved", nth) for nth in (1, 2)),
        *(("mending.placed", nth) for nth in (1, 2, 3)),
        ("mending.finished", 1),
    ],
)
def test_a_salvage_that_is_killed_at_any_instant_is_finished_by_the_next_or_never_began(
    home: Path, sound: Path, point: str, nth: int
) -> None:
    change_a_row(home)
    damaged = bytes_of(home)

    with pytest.raises(Killed):
        mend(home, cue=killed_at(point, nth))

    finished = point == "mending.finished"
    if not finished:
        with pytest.raises(JournalDamaged):
            Journal.open(home)
    mend(home)
    assert mend(home)["outcome"] == "sound"
    assert verify(home).is_sound
    assert hashes(home)[:-1] == hashes(sound, 699)
    with JournalReader(home) as reader:
        assert reader.generation == 2
    kept = sorted((home / "quarantine").iterdir())
    assert [(folder / "journal.db").read_bytes() for folder in kept] == [damaged["journal.db"]]
    assert not list(home.glob("journal.mending*"))


@pytest.mark.parametrize("seed", range(4))
def test_random_damage_anywhere_is_mended_and_the_node_starts_halted(
    sound: Path, cut_off: Path, tmp_path: Path, seed: int
) -> None:
    draw = random.Random(seed)
    outcomes = []
    for number in range(12):
        home = Path(shutil.copytree(draw.choice([sound, cut_off]), tmp_path / f"home{number}"))
        names = [name for name in ("journal.db", "journal.db-wal") if (home / name).exists()]
        path = home / draw.choice(names)
        if path.stat().st_size < 100_000:
            path = max((home / name for name in names), key=lambda each: each.stat().st_size)
        for _ in range(draw.choice([1, 1, 3])):
            flip(path, draw.randrange(4096, min(path.stat().st_size, 1_500_000)))

        done = mend(home)

        outcomes.append(done["outcome"])
        assert verify(home).is_sound
        if done["outcome"] == "salvaged" and number % 4 == 0:
            assert mode_at_start(home)[0] == "halted"
        shutil.rmtree(home)
    assert "salvaged" in outcomes


def test_where_nothing_can_be_proven_nothing_is_changed_and_a_backup_is_asked_for(home: Path) -> None:
    change(home, "UPDATE events SET wall = wall + 1 WHERE seq = 1")
    before = bytes_of(home)

    with pytest.raises(JournalDamaged, match=r"first record cannot be proven; nothing was changed: restore a backup"):
        mend(home)

    assert bytes_of(home) == before
    assert not list(home.glob("journal.mending*"))
    (home / "journal.db").unlink()
    with pytest.raises(JournalDamaged, match=r"there is no journal.db"):
        mend(home)


def test_a_journal_that_breaks_before_its_account_was_opened_is_not_salvaged(home: Path) -> None:
    change(home, "UPDATE events SET wall = wall + 1 WHERE kind = 'AccountOpened'")

    with pytest.raises(JournalDamaged, match="before the account was opened"):
        mend(home)


@pytest.mark.skipif(shutil.which("strace") is None, reason="errors of the disk are injected by strace")
def test_a_file_that_the_disk_does_not_give_back_is_not_salvaged_in_place(home: Path) -> None:
    (home / "journal.watermark").unlink()
    before = bytes_of(home)
    traced = ["strace", "-f", "-o", "/dev/null", "-P", str(home / "journal.db"), "-e", "trace=read"]
    command = [sys.executable, "-m", "holdfast", "journal", "salvage", "--home", str(home)]

    done = subprocess.run(
        [*traced, "-e", "inject=read:error=EIO:when=1", *command], capture_output=True, text=True, check=False
    )
    if "PTRACE" in done.stderr or "ptrace" in done.stderr:
        pytest.skip("strace may not trace here")

    assert done.returncode == ExitCode.IO_ERROR
    assert "copy the home to another disk" in done.stderr
    assert bytes_of(home) == before
    assert not (home / "quarantine").exists()


def test_a_journal_that_a_node_writes_is_not_salvaged(home: Path, tmp_path: Path) -> None:
    change_a_row(home)
    lock = Lock(home / "journal.lock")

    with pytest.raises(JournalLocked):
        mend(home)

    lock.release()
    with pytest.raises(JournalMissing):
        mend(tmp_path / "nowhere")


def test_the_command_says_what_it_did_and_its_exit_codes_are_stable(
    home: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run_command_line(["journal", "salvage", "--home", str(home)]) == ExitCode.OK
    assert "is sound up to sequence" in capsys.readouterr().out
    change_a_row(home)

    assert run_command_line(["journal", "salvage", "--plan", "--home", str(home)]) == ExitCode.OK
    assert "salvage would keep the records up to sequence 699" in capsys.readouterr().out
    assert run_command_line(["journal", "salvage", "--home", str(home), "--json"]) == ExitCode.OK
    done = msgspec.json.decode(capsys.readouterr().out)

    assert (done["outcome"], done["kept"], done["lost_from"]) == ("salvaged", 699, 700)
    change(home, "UPDATE events SET wall = wall + 1 WHERE seq = 1")
    assert run_command_line(["journal", "salvage", "--home", str(home)]) == ExitCode.DAMAGED
    assert "restore a backup" in capsys.readouterr().err
