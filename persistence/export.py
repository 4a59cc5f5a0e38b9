"""The journal as text: one JSON object a line, for people and other programs."""

from typing import BinaryIO

import msgspec

from persistence.reader import JournalReader
from persistence.records import Record


def export_jsonl(reader: JournalReader, out: BinaryIO, *, after: int = 0, until: int | None = None) -> int:
    """Write records as one JSON object a line, payload decoded and hash in hexadecimal; return how many.

    Raises:
        JournalDamaged: a record is missing or was changed; the lines before it are written.
    """
    count = 0
    for record in reader.read(after, until):
        out.write(as_json(record) + b"\n")
        count += 1
    return count


def as_json(record: Record) -> bytes:
    """Return a record as a JSON object on one line."""
    values = {name: getattr(record, name) for name in Record.__struct_fields__}
    return msgspec.json.encode(values | {"payload": msgspec.Raw(record.payload), "hash": record.hash.hex()})
