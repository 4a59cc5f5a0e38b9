"""Laws of reading another program's files: whole or not at all, to the last digit, and never written to."""

import hashlib
import json
import os
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateways import state_files
from gateways.errors import SourceBroken, SourceMissing
from gateways.state_files import NoNumber, Numeral, Table, find_state, is_same, read_state

json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=12,
)


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "state.json"


def read(file: Path, content: bytes) -> Any:
    file.write_bytes(content)
    return read_state(file).tree


@pytest.mark.parametrize("written", ["0.1", "1.10", "1e-8", "-0", "123456789012345678901234567890.000000001", "1E+5"])
def test_a_number_stays_the_text_it_was_written_as(file: Path, written: str) -> None:
    tree = read(file, f'{{"a": {written}}}'.encode())

    assert type(tree["a"]) is Numeral
    assert tree["a"] == written


@given(json_values)
@settings(max_examples=80)
def test_whatever_is_json_is_read_as_it_is(tmp_path_factory: pytest.TempPathFactory, value: Any) -> None:
    file = tmp_path_factory.mktemp("any") / "state.json"
    text = json.dumps(value)

    tree = read(file, text.encode())

    assert as_json(tree) == text


def as_json(tree: Any) -> str:
    """Write a tree as `json` writes it."""
    match tree:
        case dict():
            return "{" + ", ".join(f"{json.dumps(key)}: {as_json(entry)}" for key, entry in tree.items()) + "}"
        case list():
            return "[" + ", ".join(map(as_json, tree)) + "]"
        case Numeral():
            return str(tree)
        case _:
            return json.dumps(tree)


def test_a_key_that_stands_twice_stays_known(file: Path) -> None:
    tree = read(file, b'{"a": 1, "b": {"c": 1, "d": 2, "c": 3, "c": 4}, "a": 2}')

    assert isinstance(tree, Table)
    assert tree.repeated == ("a",)
    assert tree["b"].repeated == ("c",)


def test_words_for_numbers_that_json_does_not_have_stay_known(file: Path) -> None:
    tree = read(file, b"[NaN, Infinity, -Infinity]")

    assert [type(each) for each in tree] == [NoNumber] * 3


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        (b"", "an empty file"),
        (b" \n", "an empty file"),
        (b"{", "line 1: expected JSON"),
        (b'{"a": 1,\n "b": }', "line 2: expected JSON"),
        (b"{} {}", "Extra data"),
        (b"{'a': 1}", "expected JSON"),
        (b'{"a": 01}', "expected JSON"),
        (b'{"a": "\xff"}', "line 1: expected UTF-8 text, found the byte ff"),
        ("{}".encode("utf-16"), "UTF-8"),
        (b"[" * 200_000, "reasonable depth"),
        (b'{"a":' * 200_000, "reasonable depth"),
        (b"\0", "expected JSON"),
    ],
)
def test_what_is_no_json_is_refused_with_the_place(file: Path, content: bytes, sentence: str) -> None:
    with pytest.raises(SourceBroken, match=sentence):
        read(file, content)


def test_a_mark_of_the_byte_order_is_passed_over(file: Path) -> None:
    assert read(file, b'\xef\xbb\xbf{"a": true}') == {"a": True}


def test_a_file_that_is_too_large_is_refused_and_not_taken_apart(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(state_files, "FILE_BYTES_MAX", 10)

    assert read(file, b"[1, 2, 34]") == ["1", "2", "34"]
    with pytest.raises(SourceBroken, match="at most 0 MiB"):
        read(file, b"[1, 2, 345]")


def test_the_hash_is_that_of_the_bytes_that_were_read(file: Path) -> None:
    content = b'{"a": 1}'
    file.write_bytes(content)

    found = read_state(file)

    assert (found.sha256, found.size) == (hashlib.sha256(content).hexdigest(), len(content))
    assert is_same(file, sha256=found.sha256, size=found.size)
    file.write_bytes(b'{"a": 2}')
    assert not is_same(file, sha256=found.sha256, size=found.size)
    file.write_bytes(content + b"\n")
    assert not is_same(file, sha256=found.sha256, size=found.size)


def test_reading_leaves_a_file_as_it_was(file: Path) -> None:
    file.write_bytes(b"{}")
    file.chmod(0o400)
    before = file.stat()

    read_state(file)

    after = file.stat()
    assert (after.st_mtime_ns, after.st_mode, after.st_ino) == (before.st_mtime_ns, before.st_mode, before.st_ino)


def test_what_is_no_regular_file_is_refused_and_not_waited_for(tmp_path: Path) -> None:
    pipe = tmp_path / "state.json"
    os.mkfifo(pipe)
    (tmp_path / "folder").mkdir()
    (tmp_path / "lost").symlink_to(tmp_path / "nowhere")

    for name in ("state.json", "folder", "lost", "nowhere"):
        with pytest.raises(SourceMissing):
            read_state(tmp_path / name)
    with pytest.raises(SourceMissing):
        is_same(pipe, sha256="", size=0)


@pytest.mark.parametrize(
    ("there", "found"),
    [
        ([], []),
        (["config.toml"], []),
        (["state.json"], ["state.json"]),
        (["trades.json", "positions.json"], ["positions.json", "trades.json"]),
        (["performance.json", "state.json"], ["state.json", "performance.json"]),
    ],
)
def test_the_files_of_a_folder_are_found_by_their_names(tmp_path: Path, there: list[str], found: list[str]) -> None:
    for name in there:
        (tmp_path / name).touch()

    assert [path.name for path in find_state(tmp_path)] == found


def test_a_file_of_a_folder_that_cannot_be_read_is_not_passed_over(tmp_path: Path) -> None:
    (tmp_path / "state.json").symlink_to(tmp_path / "nowhere")

    assert find_state(tmp_path) == (tmp_path / "state.json",)
    assert find_state(tmp_path / "old.json") == (tmp_path / "old.json",)
