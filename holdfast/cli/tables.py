"""Answers of the node as text: aligned columns and a tree.

Plain on purpose: a rich console costs a tenth of a second before its first letter, which is half of what the command
line may take in all.
"""

import sys
from collections.abc import Iterable, Mapping
from typing import Any

from holdfast.shown import instant, shown
from holdfast.streams import is_watched

CELL_MAX = 60


def as_text(answer: Any) -> str:
    """Return an answer as text: a mapping as a list of its entries, a list of mappings as a table."""
    match answer:
        case None | []:
            return "none"
        case Mapping() if not answer:
            return "none"
        case Mapping():
            return _record(answer)
        case [Mapping(), *_]:
            return _table(answer)
        case list():
            return "\n".join(cell("", entry, None) for entry in answer)
        case _:
            return cell("", answer, None)


def as_outcome(answer: Any) -> str:
    """Return what came of a command as a line."""
    if not isinstance(answer, Mapping) or "command" not in answer:
        return as_text(answer)
    return f"{answer['command']}: {answer.get('detail') or 'done'}"


def as_tree(node: Any, depth: int = 0) -> str:
    """Return nested mappings with `children` as an indented tree, a line for each."""
    if not isinstance(node, Mapping):
        return as_text(node)
    rest = {key: value for key, value in node.items() if key not in ("name", "children")}
    details = "  ".join(f"{key}={cell(key, value)}" for key, value in rest.items() if value not in ("", None, [], {}))
    line = f"{'  ' * depth}{node.get('name', '?')}  {details}".rstrip()
    return "\n".join([line, *(as_tree(child, depth + 1) for child in node.get("children") or ())])


def as_event(event: Any) -> str:
    """Return an event of the journal as one line."""
    if not isinstance(event, Mapping):
        return cell("", event)
    payload = event.get("payload") or {}
    details = "  ".join(f"{key}={cell(key, value)}" for key, value in payload.items())
    when = instant(event["at"]) if event.get("at") else "-"
    head = f"{event.get('seq', '-'):>8}  {when:<19}  {event.get('actor', '-'):<20}  {event.get('kind', '-'):<18}"
    return f"{head}  {details}".rstrip()


def as_performance(answer: Any) -> str:
    """Return what came of trading, with what it made under the name that it has everywhere else."""
    return as_text(_renamed(answer, "return_fraction", "return") if isinstance(answer, Mapping) else answer)


def as_conflicts(answer: Any) -> str:
    """Return differences as a table; JSON calls what resolved each a strategy, which others than these have."""
    if not isinstance(answer, list):
        return as_text(answer)
    return as_text([_renamed(each, "strategy", "resolved by") for each in answer])


def _renamed(row: Mapping[str, Any], name: str, said: str) -> dict[str, Any]:
    return {said if key == name else key: value for key, value in row.items()}


def as_crashes(crashes: Any) -> str:
    """Return crashes as paragraphs, each with its stack."""
    if not isinstance(crashes, list) or not crashes:
        return as_text(crashes)
    return "\n\n".join(map(_crash, crashes))


def _crash(crash: Mapping[str, Any]) -> str:
    up_again = crash["up_again_at"]
    facts = {
        "in hand": crash["message"],
        "before": ", ".join(crash["last_messages"]),
        "waiting": f"{crash['mailbox_depth']} messages",
        "had lived": f"{crash['uptime_s']:g} s, epoch {crash['epoch']}, sequence {crash['seq']}",
        "restarts": f"{crash['restarts_in_window']} within its supervisor's period",
        "up again": f"after {(up_again - crash['at']) / 1000:g} s" if up_again else "no",
    }
    head = f"{crash['actor']}  {instant(crash['at'])}  {crash['reason']}"
    lines = [f"  {name:<9}  {said or '-'}" for name, said in facts.items()]
    return "\n".join([head, *lines, _indented(crash["stack"].rstrip(), "    ")])


def as_violations(violations: Any) -> str:
    """Return violations as paragraphs, each with what to do."""
    if not isinstance(violations, list) or not violations:
        return as_text(violations)
    return "\n\n".join(map(_violation, violations))


def _violation(violation: Mapping[str, Any]) -> str:
    facts = {
        "law": violation["law"],
        "expected": violation["expected"],
        "found": violation["found"],
        "records": ", ".join(map(str, violation["sequences"])),
        "entries": "denied until a resume" if violation["reduces"] else "go on: this is a notice",
        "to do": violation["advice"],
    }
    head = f"{violation['code']}  {violation['subject']}  {instant(violation['at'])}  sequence {violation['seq']}"
    return "\n".join([head, *(f"  {name:<9}  {said or '-'}" for name, said in facts.items())])


def cell(key: str, value: Any, cut_at: int | None = CELL_MAX) -> str:
    """Return a single value as a person reads it, whole with None."""
    return _cut(shown(key, value), cut_at)


def _record(answer: Mapping[str, Any]) -> str:
    width = max(len(key) for key in answer)
    lines, sections = [], []
    for key, value in answer.items():
        match value:
            case [Mapping(), *_]:
                sections.append(f"\n{key}\n{_indented(_table(value))}")
            case Mapping() if any(isinstance(entry, Mapping) for entry in value.values()):
                rows = [{key: name} | _entries(entry) for name, entry in value.items()]
                sections.append(f"\n{_indented(_table(rows), '')}")
            case _:
                lines.append(f"{key:<{width}}  {cell(key, value, None)}")
    return "\n".join([*lines, *sections])


def _entries(value: Any) -> dict[str, Any]:
    return dict(value) if isinstance(value, Mapping) else {"": value}


def _table(rows: Iterable[Mapping[str, Any]]) -> str:
    listed = list(rows)
    keys = list(dict.fromkeys(key for row in listed for key in row))
    # Nothing stands behind the last column that it could push out of line.
    cells = [[cell(key, row.get(key), None if key == keys[-1] else CELL_MAX) for key in keys] for row in listed]
    widths = [max(len(key), *(len(line[index]) for line in cells)) for index, key in enumerate(keys)]
    is_number = [all(_is_number(line[index]) for line in cells) for index in range(len(keys))]
    return "\n".join(_line(line, widths, is_number) for line in [keys, *cells])


def _line(cells: list[str], widths: list[int], right: list[bool]) -> str:
    padded = (
        text.rjust(width) if is_right else text.ljust(width)
        for text, width, is_right in zip(cells, widths, right, strict=True)
    )
    return "  ".join(padded).rstrip()


def _is_number(text: str) -> bool:
    return text == "-" or text.lstrip("-").replace(".", "", 1).isdigit()


def _indented(text: str, margin: str = "  ") -> str:
    return "\n".join(margin + line for line in text.splitlines())


def _cut(text: str, cut_at: int | None) -> str:
    # Only a person wants columns that fit: whoever reads a pipe cannot ask for the rest.
    if cut_at is None or len(text) <= cut_at or not is_watched(sys.stdout):
        return text
    return text[: cut_at - 3] + "..."
