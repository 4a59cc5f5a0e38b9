"""What goes wrong with what is read from outside: each says where, what was expected and what was found."""

from pathlib import Path


class SourceMissing(OSError):
    """A file or folder is not there, or cannot be read."""

    def __init__(self, path: Path, expected: str, found: str) -> None:
        super().__init__(f"{path}: expected {expected}, found {found}")
        self.path, self.expected, self.found, self.place = path, expected, found, str(path)


class SourceBroken(ValueError):
    """A file is not what it should be, as a whole or at a line."""

    def __init__(self, path: Path, expected: str, found: str, *, line: int | None = None) -> None:
        place = f"{path}, line {line}" if line is not None else f"{path}"
        super().__init__(f"{place}: expected {expected}, found {found}")
        self.path, self.expected, self.found, self.line, self.place = path, expected, found, line, place
