"""A journal that an older version of the program has written is run again like one of today's."""

import json
import tempfile
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from holdfast.rerun.command import rerun
from persistence.journal import Journal
from persistence.reader import JournalReader
from persistence.records import Draft
from tests.endurance.nodes import ROOT
from tests.holdfast.test_equivalence import live_through, parts_for
from tests.holdfast.test_rerun import demand_equal, first_at

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]

GOLDEN = ROOT / "tests" / "messages" / "golden" / "v1"
GREW = ("OfferAnswered", "OrderApproved")
"""Kinds whose version 1 does not tell what an entry's quantity was made of."""


@pytest.fixture(scope="module")
def lived() -> Iterator[Path]:
    """Return the home of a node of today that lived through."""
    with tempfile.TemporaryDirectory() as folder:
        live_through(parts_for(2), Path(folder) / "home", seed=5)
        yield Path(folder) / "home"


@pytest.fixture
def home(tmp_path: Path) -> Path:
    return tmp_path / "home"


def write_older(lived: Path, home: Path) -> int:
    """Write a home's journal as a program of version 1 wrote it; return how many records have that older form."""
    older = 0
    with JournalReader(lived) as reader, closing(Journal.open(home)) as journal:
        drafts = []
        for record in reader.read():
            version, payload = record.version, record.payload
            if record.kind in GREW:
                version, payload, older = 1, as_version_1(record.kind, payload), older + 1
            fields = {name: getattr(record, name) for name in record.__struct_fields__ if name != "hash"}
            drafts.append(Draft(**fields | {"version": version, "payload": payload}))
        for start in range(0, len(drafts), 500):
            journal.append(drafts[start : start + 500])
    return older


def as_version_1(kind: str, payload: bytes) -> bytes:
    """Return a payload with the very fields of the golden file of version 1, in its order."""
    values, golden = json.loads(payload), json.loads((GOLDEN / f"{kind}.json").read_bytes())
    if kind == "OfferAnswered":
        shapes = {each["type"]: each for each in golden["proposals"]}
        values["proposals"] = [{key: each[key] for key in shapes[each["type"]]} for each in values["proposals"]]
    else:
        values["entry"] = {key: values["entry"][key] for key in golden["entry"]}
    return json.dumps({key: values[key] for key in golden}).encode()


def test_a_journal_of_an_older_version_is_run_again_to_the_same_decisions(lived: Path, home: Path) -> None:
    older = write_older(lived, home)

    compared = rerun(home)

    assert older > 100
    with JournalReader(home) as reader:
        assert {record.version for record in reader.read(kinds=GREW)} == {1}
        assert b"sizing" not in b"".join(record.payload for record in reader.read(kinds=GREW))
    demand_equal(compared)
    assert compared.compared == rerun(lived).compared


def test_what_differs_from_a_journal_of_an_older_version_is_found_all_the_same(lived: Path, home: Path) -> None:
    write_older(lived, home)

    compared = rerun(home, what_if=["risk.order_notional_max=100"])

    assert compared.difference is not None
    assert compared.difference.journal is not None
    assert (compared.difference.journal.kind, compared.difference.at) == (
        "OrderApproved",
        first_at(lived, "OrderApproved"),
    )
