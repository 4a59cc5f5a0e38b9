"""Laws of which backups stay: by what they tell, whatever the clock said when they were made."""

from pathlib import Path

import pytest

from holdfast.mending import backup
from holdfast.mending.backup import back_up
from holdfast.mending.manifest import NAME, read_manifest
from holdfast.mending.who import Mender, this_mender
from tests.holdfast.mended import QUIET, live, nothing

pytestmark = pytest.mark.slow
YEAR_MS = 365 * 86_400_000


def test_a_backup_that_is_made_while_the_clock_is_behind_stays_and_the_oldest_one_goes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    home, to = tmp_path / "home", tmp_path / "backups"
    now = this_mender()
    made: list[Path] = []
    for years in (2, 0, -1, -1):
        live(home, 60)
        mender = Mender(now.user, now.process, now.wall_ms + years * YEAR_MS + len(made))
        monkeypatch.setattr(backup, "this_mender", lambda mender=mender: mender)
        done = back_up(home, to, keep=2, progress=QUIET, cue=nothing)
        made.append(Path(done["backup"]))

        assert made[-1].is_dir()

    assert sorted(path for path in to.iterdir() if NAME.fullmatch(path.name)) == sorted(made[-2:])
    assert read_manifest(made[-1]).sequence > read_manifest(made[-2]).sequence
