"""What the log says of an opening: what was taken over, and what somebody may believe to be read and is not."""

from collections.abc import Iterator, Sequence
from contextlib import suppress
from pathlib import Path

from actors.base import Log
from gateways.state_files import find_state, is_same
from holdfast.config.problems import ConfigurationError
from holdfast.config.settings import Settings
from holdfast.imports.opening import Opening, files_for
from messages.imported import ImportedFile


def say_opening(
    log: Log, opening: Opening | None, imported: Sequence[ImportedFile], settings: Settings, home: Path
) -> None:
    """Say what was taken over, and which files of a state are not read, or not again."""
    if opening is not None and (taken := opening.taken) is not None:
        imported = opening.files
        files = [file.path for file in imported]
        log("info", "state.imported", files=files, positions=len(taken.positions), trades=len(taken.trades))
        for notice in taken.notices:
            log("warning", "state.notice", said=notice)
    for path, why in unread_files(settings, home, imported):
        log("warning", "state.not_read", file=str(path), why=why)


def unread_files(settings: Settings, home: Path, imported: Sequence[ImportedFile]) -> Iterator[tuple[Path, str]]:
    """Yield the files of a state that are passed over once the account is open, and why."""
    with suppress(ConfigurationError):
        for path in files_for(settings, home):
            is_known = any(Path(file.path).name == path.name for file in imported)
            if not _was_read(path, imported):
                yield path, "it has changed since it was imported" if is_known else "the account was open already"
    if settings.import_.path:
        for path in find_state(home):
            if not _was_read(path, imported):
                yield path, "import.path names another place"


def _was_read(path: Path, imported: Sequence[ImportedFile]) -> bool:
    """Say whether a file was read as it is now; of one that cannot be read, nothing can be said."""
    known = [file for file in imported if Path(file.path).name == path.name]
    try:
        return any(is_same(path, sha256=file.sha256, size=file.size) for file in known)
    except OSError:
        return True
