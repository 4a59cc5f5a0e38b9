"""What the log says of an opening: what was taken over, and what somebody may believe to be read and is not."""

from collections.abc import Iterator, Sequence
from contextlib import suppress
from pathlib import Path

from actors.base import Log
from gateways.state_files import is_same
from holdfast.config.problems import ConfigurationError
from holdfast.config.settings import Settings
from holdfast.imports.opening import Opening, files_for
from messages.imported import ImportedFile


def say_opening(
    log: Log, opening: Opening | None, imported: Sequence[ImportedFile], settings: Settings, home: Path
) -> None:
    """Say what was taken over; where the account was open already, which files are not read (again)."""
    if opening is None:
        for path, why in unread_files(settings, home, imported):
            log("warning", "state.not_read", file=str(path), why=why)
    elif (taken := opening.taken) is not None:
        files = [file.path for file in opening.files]
        log("info", "state.imported", files=files, positions=len(taken.positions), trades=len(taken.trades))
        for notice in taken.notices:
            log("warning", "state.notice", said=notice)


def unread_files(settings: Settings, home: Path, imported: Sequence[ImportedFile]) -> Iterator[tuple[Path, str]]:
    """Yield the files of a state that an account which is open already passes over, and why."""
    with suppress(ConfigurationError):
        for path in files_for(settings, home):
            known = [file for file in imported if Path(file.path).name == path.name]
            with suppress(OSError):
                if not any(is_same(path, sha256=file.sha256, size=file.size) for file in known):
                    yield path, "it has changed since it was imported" if known else "the account was open already"
