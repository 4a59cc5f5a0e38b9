"""A share of the bytes of a journal's files, and that a reader that checks nothing is found out."""

from collections import Counter
from pathlib import Path

import pytest

from tests.endurance.flipped_bytes import control, every_place, flip_all, make

pytestmark = pytest.mark.slow


def test_a_flipped_byte_of_any_file_is_found_out_or_changes_nothing_that_is_read(tmp_path: Path) -> None:
    tally: Counter[str] = Counter()
    killed, closed = make(tmp_path)
    written = {"journal.db-wal": range(0, 60_000, 997), "journal.watermark": range(30)}
    flip_all(killed, written, tally)
    flip_all(closed, every_place(closed, 499), tally)

    assert tally["journal.db told"] > 5
    assert tally["journal.db-wal told"] > 20
    assert tally["journal.watermark harmless"] > 20


def test_a_reader_that_checks_nothing_is_found_out(tmp_path: Path) -> None:
    killed, _ = make(tmp_path)

    assert "nothing tells" in control(killed, 97)
