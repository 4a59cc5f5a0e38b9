"""`holdfast why`: the chain of an order, as lines for people or JSON for programs."""

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import msgspec

from holdfast.cli.output import say, say_json
from holdfast.exit_codes import ExitCode
from holdfast.journal_tools import check_chain
from holdfast.why.chain import Link, Why, explain
from persistence.reader import JournalReader

QUIET = ("client_id", "strategy", "symbol", "base", "entry", "proposal_id", "offer_at")
"""Fields that every line would repeat."""
WIDTH = 9


def why_command(home: Path, name: str, *, as_json: bool) -> int:
    """Print why an order is what it is; return the exit code.

    Raises:
        NoSuchOrder: there is no such order, or more than one.
        JournalMissing, JournalDamaged: the journal cannot be read, or is not what was written.
    """
    with JournalReader(home) as reader:
        check_chain(home, until=reader.last()[0], is_over=lambda: False)
        found = explain(reader, name)
    if as_json:
        say_json({"order": found.name, "symbol": found.symbol, "chain": [_as_json(link) for link in found.links]})
    else:
        say(_as_text(found))
    return ExitCode.OK


def _as_json(link: Link) -> dict[str, Any]:
    record = link.record
    return {
        "step": link.step,
        "seq": record.seq,
        "at": record.at,
        "wall": record.wall,
        "actor": record.actor,
        "kind": record.kind,
        "causation": record.causation,
        "correlation": record.correlation,
        "about": _plain(link.about),
    }


def _as_text(found: Why) -> str:
    lines = [f"{found.name}  {found.symbol}", ""]
    lines.append(f"{'':<{WIDTH}} {'seq':>8}  {'market time':<19}  {'wall clock':<23}")
    for link in found.links:
        record = link.record
        wall = _moment(record.wall, "milliseconds")
        head = f"{link.step:<{WIDTH}} {record.seq:>8}  {_moment(record.at):<19}  {wall:<23}"
        lines.append(f"{head}  {record.kind}  {_details(link.about)}".rstrip())
    return "\n".join(lines)


def _details(about: Any) -> str:
    fields: dict[str, Any] = _plain(about)
    for inner in ("terms", "fill"):
        fields |= fields.pop(inner, {})
    told = {key: value for key, value in fields.items() if key not in QUIET and value not in (None, "", [], {})}
    return "  ".join(f"{key}={_value(key, value)}" for key, value in told.items())


def _plain(value: Any) -> Any:
    """Return a value as JSON has it, each Struct with the names of its fields."""
    if isinstance(value, msgspec.Struct):
        return {field: _plain(getattr(value, field)) for field in value.__struct_fields__}
    return msgspec.to_builtins(value)


def _value(key: str, value: Any) -> str:
    if isinstance(value, dict):
        return " ".join(str(each) for each in value.values())
    is_moment = key in ("at", "good_until", "valid_until", "opened_at", "closed_at", "published_at", "arrived_at")
    if is_moment and isinstance(value, int):
        return _moment(value)
    text = str(value)
    return f"'{text}'" if " " in text else text


def _moment(ms: int, precision: str = "seconds") -> str:
    moment = datetime.fromtimestamp(ms / 1000, UTC).replace(tzinfo=None)
    return moment.isoformat(sep=" ", timespec=precision)
