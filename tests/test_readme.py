"""The documents as laws: what they show is there, and what they say can be done can be done."""

import re
import shlex
import tomllib
from collections.abc import Iterator
from functools import cache
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from cyclopts import CycloptsError, MissingArgumentError

from holdfast.admin.methods import METHODS
from holdfast.cli.main import app
from holdfast.config.loading import load_settings
from holdfast.config.settings import Settings
from holdfast.config.view import public_view
from holdfast.exit_codes import ExitCode
from holdfast.parts import gather

ROOT = Path(__file__).resolve().parents[1]
PACKAGES = ("domain", "messages", "supervision", "persistence", "gateways", "actors", "holdfast")
FOLDERS = (*PACKAGES, "tests", "docs", "examples", "packaging", ".ci")
DOCUMENTS = sorted(
    str(path.relative_to(ROOT))
    for path in (ROOT / "README.md", ROOT / "ARCHITECTURE.md", ROOT / "CHANGELOG.md", *(ROOT / "docs").rglob("*.md"))
)
MISTAKE = "risk.drawdown=1"
"""Shown on purpose, with what the node says to it."""

FENCE = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
INLINE = re.compile(r"`([^`]+)`")
LINK = re.compile(r"\]\(([^)#]+)[^)]*\)")
PATH = re.compile(r"[\w.-]+/[\w./-]*")
KEY = re.compile(r"[a-z_]+(?:\.[a-z_]+)+")
NAME = re.compile(r"[A-Za-z_]\w*(?:\.[A-Za-z_]\w*)?")

every_document = pytest.mark.parametrize("name", DOCUMENTS)


def text_of(name: str) -> str:
    return (ROOT / name).read_text()


def blocks_of(name: str, language: str) -> list[str]:
    return [body for found, body in FENCE.findall(text_of(name)) if found == language]


def words_of(name: str) -> list[str]:
    """Return what is set as code within sentences."""
    return [" ".join(each.split()) for each in INLINE.findall(FENCE.sub("", text_of(name)))]


def commands_of(name: str) -> Iterator[list[str]]:
    """Find the command lines of Holdfast, in blocks and within sentences, without the `holdfast` they begin with."""
    lines = [line for body in blocks_of(name, "") for line in body.removeprefix("$ ").replace("\n$ ", "\n").split("\n")]
    parts = [part.strip() for line in (*lines, *words_of(name)) for part in line.split("&&")]
    for part in parts:
        shown = re.fullmatch(r"(?:[A-Z_]+=\S+ )?(?:\.venv/bin/)?holdfast ([a-z].*?)(?: \.\.\.)?", part)
        if shown:
            yield shlex.split(shown.group(1))


@cache
def source(*folders: str) -> str:
    files = [path for folder in folders for path in sorted((ROOT / folder).rglob("*.py")) if path != Path(__file__)]
    return "\n".join(path.read_text() for path in files)


@cache
def known_keys() -> frozenset[str]:
    views = (public_view(Settings()), tomllib.loads(text_of("config.toml")))
    return frozenset(key for view in views for key in _keys(view, ""))


def _keys(tree: dict[str, Any], path: str) -> Iterator[str]:
    for key, value in tree.items():
        yield path + key
        if isinstance(value, dict):
            yield from _keys(value, f"{path}{key}.")


def test_the_example_in_the_readme_is_the_one_that_ships() -> None:
    (shown,) = blocks_of("README.md", "python")

    assert shown == text_of("examples/breakout.py")


@every_document
def test_every_command_that_is_shown_exists_and_takes_what_it_is_given(name: str) -> None:
    for tokens in commands_of(name):
        numbered = ["1200" if token == "SEQUENCE" else token for token in tokens]
        try:
            app.parse_args(numbered, exit_on_error=False, print_error=False)
        except MissingArgumentError:
            # A sentence may name a command, or its last option, without what goes with it.
            assert shlex.join(tokens) in " ".join(words_of(name)), f"{name}: {shlex.join(tokens)}"
        except CycloptsError as error:
            raise AssertionError(f"{name}: {shlex.join(tokens)}: {error}") from error


def test_the_readme_shows_enough_commands_to_prove_something() -> None:
    commands = {" ".join(tokens[:2]) for tokens in commands_of("README.md")}

    assert {"run", "ctl crash", "ctl halt", "ctl resume", "replay --verify", "replay --to", "config check"} <= commands


@every_document
def test_every_configuration_that_is_shown_is_valid(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    bars = "".join(f"{1_704_067_200_000 + minute * 60_000},1,2,1,2,5\n" for minute in range(60 * 400))
    (tmp_path / "bars").mkdir()
    (tmp_path / "bars" / "BTCUSDT_1m.csv").write_text("ts,open,high,low,close,volume\n" + bars)
    (tmp_path / "examples").symlink_to(ROOT / "examples")
    monkeypatch.chdir(tmp_path)

    for number, body in enumerate(blocks_of(name, "toml")):
        file = tmp_path / f"{number}.toml"
        file.write_text(body)
        gather(load_settings(file, environ={}).settings, folder=tmp_path)
    for tokens in commands_of(name):
        overrides = [value for option, value in pairwise(tokens) if option == "--set" and value != MISTAKE]
        load_settings(None, environ={}, overrides=overrides)


@every_document
def test_every_key_that_is_named_can_be_set(name: str) -> None:
    sections = {key.partition(".")[0] for key in known_keys()}
    for word in words_of(name):
        key = re.split(r"[ =:]", word)[0]
        if KEY.fullmatch(key) and key.partition(".")[0] in sections:
            is_said_in_code = f'"{key}"' in source(*PACKAGES)
            assert key in known_keys() or is_said_in_code or word == f"{key}.toml", f"{name}: {word}"


@every_document
def test_every_file_that_is_named_is_there(name: str) -> None:
    for target in LINK.findall(text_of(name)):
        assert target.startswith("https://") or ((ROOT / name).parent / target).exists(), f"{name}: link to {target}"
    for word in words_of(name):
        if PATH.fullmatch(word) and word.split("/")[0] in FOLDERS and word != "holdfast/_app":
            assert (ROOT / word).exists(), f"{name}: {word}"


def test_every_name_in_the_architecture_is_in_the_code() -> None:
    for word in words_of("ARCHITECTURE.md"):
        if NAME.fullmatch(word) and word not in FOLDERS and not (ROOT / word).exists() and word not in known_keys():
            for part in word.split("."):
                assert re.search(rf"\b{part}\b", source(*PACKAGES, "tests")), word


@pytest.mark.parametrize("name", ["README.md", "docs/operations.md"])
def test_every_exit_code_is_told(name: str) -> None:
    told = [int(code) for code in re.findall(r"^\| (\d+) \|", text_of(name), re.MULTILINE)]

    assert told == [int(code) for code in ExitCode]


def test_every_command_that_asks_or_steers_a_node_is_described() -> None:
    lines = re.findall(
        r"^\| `holdfast ctl ([a-z-]+)(?: ([a-z]+))?[^|]* \| \w", text_of("docs/operations.md"), re.MULTILINE
    )
    described = [f"{word}-{second}" if f"{word}-{second}" in METHODS else word for word, second in lines]

    assert sorted(described) == sorted(METHODS)


def test_the_decisions_are_numbered_and_listed() -> None:
    files = sorted(path.name for path in (ROOT / "docs" / "decisions").glob("0*.md"))

    numbers = [int(file[:4]) for file in files]
    assert numbers == sorted(set(numbers)), "each number once; one may be taken by work that is not here yet"
    assert LINK.findall(text_of("docs/decisions/README.md")) == files
    assert all(text_of(f"docs/decisions/{file}").startswith(f"# {int(file[:4])}. ") for file in files)
