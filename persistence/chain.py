"""The chain: each record's hash covers the record before it and all of its own columns."""

from collections.abc import Iterable, Sequence
from hashlib import blake2b
from typing import Any

import msgspec
from msgspec.structs import astuple

from messages.codec import PAYLOAD_BYTES_MAX
from persistence.errors import DraftRefused, JournalDamaged
from persistence.records import Draft

HASH_BYTES = 16
GENESIS = bytes(HASH_BYTES)
"""What the first record is chained to."""

Row = tuple[Any, ...]
"""A record as the database has it: its columns in the order of `Record`'s fields, the hash last."""

# A row is hashed as the MessagePack array of its columns without the hash: every column with its type and length, so
# that no two rows can have the same bytes.
_pack = msgspec.msgpack.Encoder().encode


def digest(content: bytes) -> bytes:
    """Return the 16-byte BLAKE2b hash of some bytes."""
    return blake2b(content, digest_size=HASH_BYTES).digest()


def seal(drafts: Sequence[Draft], *, after: int, previous: bytes) -> list[Row]:
    """Return the rows that continue the chain after a sequence with the hash `previous`.

    Raises:
        DraftRefused: a draft is out of sequence, too large, or holds what cannot be written.
    """
    rows: list[Row] = []
    for seq, draft in enumerate(drafts, after + 1):
        if draft.seq != seq:
            raise DraftRefused(f"expected a draft with sequence {seq}, found {draft.seq}")
        if len(draft.payload) > PAYLOAD_BYTES_MAX:
            size = len(draft.payload)
            raise DraftRefused(
                f"the payload of {draft.kind} {seq} must have {PAYLOAD_BYTES_MAX} bytes or less, had {size}"
            )
        columns = astuple(draft)[:-1]
        try:
            previous = blake2b(previous + _pack(columns), digest_size=HASH_BYTES).digest()
        except (OverflowError, TypeError, ValueError) as error:
            raise DraftRefused(f"expected plain columns in {draft.kind} {seq}, found that {error}") from error
        rows.append((*columns, previous))
    return rows


def check_rows(rows: Iterable[Row], *, after: int, previous: bytes) -> tuple[int, bytes]:
    """Return the sequence and hash of the last row, having checked that all rows continue the chain.

    Raises:
        JournalDamaged: a row is missing or was changed; `after` is the last one that is sound.
    """
    seq = after
    for row in rows:
        seq += 1
        if row[0] != seq:
            raise JournalDamaged(f"expected sequence {seq} in the journal, found {row[0]}", sequence=seq)
        kept = row[-1]
        if blake2b(previous + _pack(row[:-1]), digest_size=HASH_BYTES).digest() != kept:
            raise JournalDamaged(f"the record of sequence {seq} does not continue the chain of hashes", sequence=seq)
        previous = kept
    return seq, previous
