"""The newest events of the journal, and those that follow."""

import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec

from holdfast.admin.responder import Responder
from persistence.reader import JournalReader
from persistence.records import Record

LOOK_S = 0.2


def tail(home: Path, responder: Responder, *, n: int, follow: bool) -> None:
    """Push the newest `n` durable events, then, if asked, each that follows for as long as somebody listens."""
    with JournalReader(home) as reader:
        last = reader.last()[0]
        for event in events(reader, after=max(0, last - n)):
            responder.push(event)
            last = event["seq"]
        if follow:
            responder.keep_open()
        while follow and not responder.is_done:
            for event in events(reader, after=last):
                if not responder.push(event):
                    return
                last = event["seq"]
            time.sleep(LOOK_S)
    responder(None)


def events(reader: JournalReader, *, after: int) -> Iterator[dict[str, Any]]:
    """Yield the records after a sequence as JSON values."""
    for record in reader.read(after=after):
        yield event_view(record)


def event_view(record: Record) -> dict[str, Any]:
    """Return a record as JSON values."""
    return {
        "seq": record.seq,
        "at": record.at,
        "wall": record.wall,
        "kind": record.kind,
        "actor": record.actor,
        "epoch": record.epoch,
        "payload": msgspec.json.decode(record.payload),
    }
