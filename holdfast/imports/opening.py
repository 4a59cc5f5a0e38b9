"""How a home's account is opened: with what the configuration says, or with the state of another program.

A state is read on the first start alone, and whole or not at all.  What was read is in the journal; later starts only
look whether there is something that somebody may believe to be read.
"""

import os
from collections.abc import Iterator, Mapping, Sequence
from decimal import Decimal
from pathlib import Path

import msgspec

from domain.imported import PastTrade
from gateways.errors import SourceBroken, SourceMissing
from gateways.state_files import PARTS, WHOLE, StateFile, find_state, read_state
from holdfast.config.problems import ConfigurationError, Problem
from holdfast.config.settings import Settings
from holdfast.imports.document import read_document
from holdfast.imports.fitting import Taken, fit
from holdfast.parts import Parts
from messages.base import Event
from messages.codec import PAYLOAD_BYTES_MAX
from messages.imported import ImportedFile, Kept, PastImported, PositionImported, StateImported
from messages.positions import AccountOpened

ITEMS_PER_RECORD = 2_000
RECORD_BYTES = PAYLOAD_BYTES_MAX * 3 // 4
PIECE_LETTERS = 512 * 1024
"""Of at most four bytes each.  So many records as a file of the greatest size can make are one commit still."""


class Opening(msgspec.Struct, frozen=True):
    """What an account is opened with."""

    cash: dict[str, Decimal]
    files: tuple[ImportedFile, ...] = ()
    taken: Taken | None = None
    """What was taken over; None where nothing was."""
    namespace: str = ""
    """What client order ids carry; empty where no other home's orders can be in the account."""


def find_opening(parts: Parts, home: Path) -> Opening:
    """Return what the account of a new home is opened with.

    Raises:
        ConfigurationError: there is a state to be taken over, and something is wrong with it.
    """
    files = files_for(parts.settings, home)
    return read_opening(files, parts) if files else Opening(cash=dict(parts.settings.venue.balances))


def files_for(settings: Settings, home: Path) -> tuple[Path, ...]:
    """Return the files of the state that a first start takes over; the place that is configured comes first.

    Raises:
        ConfigurationError: there are none where the configuration says.
    """
    if named := settings.import_.path:
        return demand_files(find_state(Path(named)), "import.path", Path(named))
    # A home is made by the first start; until then it has no state.
    return find_state(home) if os.path.lexists(home) else ()


def demand_files(files: tuple[Path, ...], key: str, place: Path) -> tuple[Path, ...]:
    """Return the files found at a place that somebody has named.

    Raises:
        ConfigurationError: there are none.
    """
    if not files:
        expected = f"a folder with {WHOLE}, or with any of {', '.join(PARTS)}"
        raise ConfigurationError([Problem(key, expected, "none of them", str(place))])
    return files


def read_opening(files: Sequence[Path], parts: Parts) -> Opening:
    """Read the files of a state for this node's market and strategies.

    Raises:
        ConfigurationError: with every mistake that is in them.
    """
    if len(files) > 1 and files[0].name == WHOLE:
        found = " and ".join(path.name for path in files)
        expected = f"either {WHOLE} or {', '.join(PARTS)}"
        raise ConfigurationError([Problem("", expected, found, str(files[0].parent), "name one with import.path")])
    read = _read_all(files)
    document = read_document(read)
    taken = fit(document, parts)
    problems = [problem for walker in document.walkers for problem in walker.problems]
    if untold := sum(walker.count for walker in document.walkers) - len(problems):
        problems.append(Problem("", "a state without mistakes", f"{untold} more", str(files[0])))
    if problems:
        raise ConfigurationError(problems)
    return Opening(cash=taken.cash, files=tuple(map(_imported_file, read)), taken=taken)


def _imported_file(file: StateFile) -> ImportedFile:
    # A path may hold bytes that are no text, and the journal holds text only.
    path = str(file.path.absolute()).encode(errors="backslashreplace").decode()
    return ImportedFile(path, file.sha256, file.size)


def _read_all(files: Sequence[Path]) -> list[StateFile]:
    read: list[StateFile] = []
    problems: list[Problem] = []
    for path in files:
        try:
            read.append(read_state(path))
        except SourceMissing as error:
            problems.append(Problem("", error.expected, error.found, str(path)))
        except SourceBroken as error:
            origin = str(path) if error.line is None else f"{path}:{error.line}"
            problems.append(Problem("", error.expected, error.found, origin))
    if problems:
        raise ConfigurationError(problems)
    return read


def opening_events(opening: Opening, parts: Parts) -> list[Event]:
    """Return what is recorded of an opening, the account first and what was taken over right behind."""
    cash, quote, namespace = opening.cash, parts.shape.quote, opening.namespace
    events: list[Event] = [AccountOpened(cash=cash, quote=quote, namespace=namespace)]
    if (taken := opening.taken) is None:
        return events
    imported = StateImported(
        files=opening.files,
        symbols=tuple(parts.shape.instruments),
        positions=len(taken.positions),
        trades=len(taken.trades),
        entries=taken.entries,
        counters=taken.counters,
        notices=taken.notices,
    )
    return [*events, imported, *map(PositionImported, taken.positions), *_past(taken)]


def _past(taken: Taken) -> Iterator[PastImported]:
    """Yield what goes into no state, in records that the journal takes."""
    items: list[PastTrade | Kept] = [*_pieces(taken.kept), *taken.trades]
    start = size = 0
    for index, item in enumerate(items):
        item_size = len(msgspec.json.encode(item))
        if index > start and (size + item_size > RECORD_BYTES or index - start >= ITEMS_PER_RECORD):
            yield _record_of(items[start:index])
            start, size = index, 0
        size += item_size
    if items:
        yield _record_of(items[start:])


def _pieces(kept: Mapping[str, str]) -> Iterator[Kept]:
    for path, text in kept.items():
        for piece, start in enumerate(range(0, len(text), PIECE_LETTERS), 1):
            yield Kept(path, piece, text[start : start + PIECE_LETTERS])


def _record_of(items: Sequence[PastTrade | Kept]) -> PastImported:
    trades = tuple(item for item in items if isinstance(item, PastTrade))
    return PastImported(trades=trades, kept=tuple(item for item in items if isinstance(item, Kept)))
