"""What a salvage of a damaged journal would keep, and what it would lose."""

from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any, BinaryIO

import msgspec

from domain.order import generation_of
from holdfast.mending.progress import Progress
from persistence.chain import Row
from persistence.connection import unwritable
from persistence.errors import JournalDamaged
from persistence.home import Home
from persistence.installing import begin_copies
from persistence.mended_copy import has_log, mended_copies
from persistence.records import Record
from persistence.remains import Remains
from persistence.verify import Verification
from persistence.watermark import START, Mark

_FIELDS = Record.__struct_fields__
_KIND, _PAYLOAD, _SEQ = _FIELDS.index("kind"), _FIELDS.index("payload"), _FIELDS.index("seq")


class Examination(msgspec.Struct, frozen=True):
    """What is left of a journal."""

    source: Path
    """The home that it is read from."""
    kept: Mark
    lost_from: int
    lost_to: int
    readable_beyond: int
    reason: str
    boot: int
    generations: frozenset[int]

    def view(self) -> dict[str, Any]:
        """Return it as JSON values."""
        return {
            "kept": self.kept.seq,
            "lost_from": self.lost_from,
            "lost_to": self.lost_to,
            "readable_beyond": self.readable_beyond,
            "reason": self.reason,
        }

    def would(self) -> str:
        """Say what would be done."""
        lost = f"lose sequences {self.lost_from} to {self.lost_to}" if self.lost_from else "lose no record"
        return (
            f"keep the records up to sequence {self.kept.seq} in a new generation, {lost} "
            f"({self.readable_beyond} of them can be read and go to the quarantine, unproven), move the damaged files "
            "to the quarantine, and have the node come up halted"
        )


def examine(home: Home, found: Verification, *, progress: Progress) -> Examination:
    """Say what is left of a journal that was found to be damaged.

    Raises:
        JournalDamaged: nothing of it can be kept.
    """
    if not home.database.exists():
        raise _hopeless(home, f"there is no {home.database.name}")
    first = found.findings[0]
    reason, why_not = f"{first.place}: {first.sentence}", ""
    best: Examination | None = None
    try:
        best = _look_at(home.folder, reason, progress)
    except JournalDamaged as error:
        why_not = str(error)
    if best is None or (best.lost_from and has_log(home)):
        for found_in_copy in _look_at_copies(home, reason, progress):
            if best is None or found_in_copy.kept.seq > best.kept.seq:
                best = found_in_copy
    if best is None:
        raise _hopeless(home, why_not)
    return best


def _look_at_copies(home: Home, reason: str, progress: Progress) -> Iterator[Examination]:
    """Look at copies that are patched so that more of them can be read."""
    try:
        for copy in mended_copies(home, begin_copies(home)):
            with suppress(JournalDamaged):
                yield _look_at(copy, reason, progress)
    except OSError as error:
        raise unwritable(str(home.folder), error) from error


def _look_at(source: Path, reason: str, progress: Progress) -> Examination:
    with Remains(source) as remains:
        traces = _Traces()
        for rows in remains.proven():
            traces.take(rows)
            progress.show("reading", remains.kept.seq, 0)
        kept, identity, readable = remains.kept, remains.identity(), 0
        if kept == START:
            raise JournalDamaged("its first record cannot be proven")
        has_account = traces.has_account
        for row in remains.beyond():
            readable += 1
            traces.take([row])
        reach = remains.reach()
    is_short = reach > kept.seq
    if is_short and not has_account:
        raise JournalDamaged(f"it breaks at sequence {kept.seq + 1}, before the account was opened")
    return Examination(
        source=source,
        kept=kept,
        lost_from=kept.seq + 1 if is_short else 0,
        lost_to=reach if is_short else 0,
        readable_beyond=readable,
        reason=reason,
        boot=identity.boot if identity is not None else traces.boot,
        generations=frozenset({identity.generation} if identity is not None else traces.generations),
    )


def write_beyond(source: Path, target: Path, *, kept: Mark, progress: Progress) -> int:
    """Write the records behind the damage as JSON, one a line, marked as unverified; return how many."""
    count = 0
    with Remains(source) as remains, target.open("xb") as out:
        remains.kept = kept
        for row in remains.beyond():
            _write_line(out, row)
            count += 1
            progress.show("reading behind the damage", 0, 0)
    return count


class _Traces:
    """What records tell of the journal they are in, where its own row does not."""

    def __init__(self) -> None:
        self.has_account = False
        self.boot = 0
        self.generations: set[int] = {1}

    def take(self, rows: list[Row]) -> None:
        for row in rows:
            kind = row[_KIND]
            if kind == "AccountOpened":
                self.has_account = True
            elif kind in ("NodeStarted", "Restored", "Salvaged", "OrderIntended"):
                self._look_into(row[_PAYLOAD])

    def _look_into(self, payload: Any) -> None:
        try:
            values = msgspec.json.decode(payload, type=_Told)
        except (msgspec.DecodeError, UnicodeDecodeError, TypeError):
            return
        self.boot = max(self.boot, values.boot)
        made_in = generation_of(values.terms.client_id)
        self.generations |= {values.generation, made_in or 0}


class _Terms(msgspec.Struct, frozen=True):
    client_id: str = ""


class _Told(msgspec.Struct, frozen=True):
    boot: int = 0
    generation: int = 0
    terms: _Terms = _Terms()


def _hopeless(home: Home, why: str) -> JournalDamaged:
    return JournalDamaged(
        f"expected a journal of which something can be kept, found that {why}; nothing was changed: "
        f"restore a backup (`holdfast journal restore BACKUP --home {home.folder} --replace`)"
    )


def _write_line(out: BinaryIO, row: Row) -> None:
    values: dict[str, Any] = {"unverified": True}
    values |= dict(_plain(row))
    out.write(msgspec.json.encode(values) + b"\n")


def _plain(row: Row) -> Iterator[tuple[str, Any]]:
    for name, value in zip(_FIELDS, row, strict=True):
        if name == "payload" and isinstance(value, bytes):
            try:
                msgspec.json.decode(value)
                yield name, msgspec.Raw(value)
            except (msgspec.DecodeError, UnicodeDecodeError):
                yield "payload_hex", value.hex()
        else:
            yield name, value.hex() if isinstance(value, bytes) else value
