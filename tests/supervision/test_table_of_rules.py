"""The table of rules in the documentation: each rule is there, and so is each file and each test that it names."""

import ast
import re
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
RULES = [*(f"S{number}" for number in range(1, 48)), "S34b"]
ROW = re.compile(r"^\| (S\d+b?) \| ([^|]+) \| ([^|]+) \| ([^|]+) \|$", re.MULTILINE)
NAMED = re.compile(r"`([^`]+)`")


def table() -> dict[str, tuple[str, str]]:
    """Return where each rule is, and what proves it."""
    text = (ROOT / "docs" / "supervision.md").read_text(encoding="utf-8")
    return {rule: (where, proof) for rule, _words, where, proof in ROW.findall(text)}


@cache
def known_tests() -> frozenset[str]:
    """Return the names of all tests that there are."""
    return frozenset(
        node.name
        for path in (ROOT / "tests").rglob("test_*.py")
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.FunctionDef) and node.name.startswith("test_")
    )


def test_the_table_has_every_rule_once() -> None:
    text = (ROOT / "docs" / "supervision.md").read_text(encoding="utf-8")

    assert sorted(rule for rule, *_ in ROW.findall(text)) == sorted(RULES)


@pytest.mark.parametrize("rule", RULES)
def test_a_rule_names_files_and_tests_that_are_there(rule: str) -> None:
    where, proof = table()[rule]
    named = [name for name in NAMED.findall(proof) if name.startswith("test_")]

    assert NAMED.findall(where)
    assert [name for name in NAMED.findall(where) if not (ROOT / name).is_file()] == []
    assert named
    assert sorted(set(named) - known_tests()) == []


def test_what_is_not_as_the_rule_says_has_a_reason() -> None:
    remarks = {rule: proof.rpartition("`")[2].strip(" .,") for rule, (_where, proof) in table().items()}

    assert [rule for rule, remark in remarks.items() if remark and "because" not in remark] == []
