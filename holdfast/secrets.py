"""Secrets: values that show themselves to nobody, and the scrubber that keeps them out of all output."""

import os
import re
import stat
import sys
import threading
from collections.abc import Callable, Mapping, MutableMapping
from pathlib import Path
from types import TracebackType
from typing import Any, NoReturn

from holdfast.streams import harmless, say_to

MASK = "***"
LENGTH_MIN = 8
"""Shorter values would take harmless words out of every log line."""
FILE_BYTES_MAX = 65_536
FIRST_MAX = 50
"""Secrets that are known for good, from the first on: keys that a node was started with are in use until it ends."""
NEWEST_MAX = 50
"""Of those that came later, with new configurations, the newest are known: each further one makes every line slower."""

_NAMES = frozenset(
    {"secret", "password", "passphrase", "passwd", "token", "authorization", "credentials", "signature", "cookie"}
)
_NAME_ENDINGS = ("_secret", "_password", "_passphrase", "_token", "_signature", "api_key", "apikey", "private_key")


class SecretRefused(ValueError):
    """A secret cannot be taken: the sentence says why and shows nothing of it."""

    def __init__(self, expected: str, found: str = "one that cannot be used") -> None:
        super().__init__(f"expected {expected}, found {found}")
        self.expected, self.found = expected, found


class Secret:
    """A text that prints as `***`, cannot be pickled or encoded, and is scrubbed from all output once it exists.

    Raises:
        SecretRefused: the text is too short to be told from ordinary words.
    """

    __slots__ = ("_text",)

    def __init__(self, text: str) -> None:
        if len(text) < LENGTH_MIN:
            raise SecretRefused(f"a secret of at least {LENGTH_MIN} characters", "a shorter one")
        self._text = text
        remember(text)

    def reveal(self) -> str:
        """Return the text itself, for the one call that needs it."""
        return self._text

    def __repr__(self) -> str:
        return MASK

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Secret) and other._text == self._text

    def __hash__(self) -> int:
        return hash(self._text)

    def __reduce__(self) -> NoReturn:
        raise TypeError("a secret cannot be pickled or copied")


def resolve(reference: str, environ: Mapping[str, str]) -> Secret:
    """Return the secret that `file:PATH`, `env:NAME` or the text itself stands for.

    Raises:
        SecretRefused: there is none, or it is kept where others can read it.
    """
    kind, colon, rest = reference.partition(":")
    if colon and kind == "file":
        return Secret(_read_private(Path(os.path.expandvars(rest)).expanduser()))
    if colon and kind == "env":
        if rest not in environ:
            raise SecretRefused(f"environment variable {rest} to be set", "that it is not")
        return Secret(environ[rest])
    return Secret(reference)


def _read_private(path: Path) -> str:
    try:
        with path.open("rb") as file:
            _require_private(path, os.fstat(file.fileno()))
            content = file.read(FILE_BYTES_MAX)
    except OSError as error:
        raise SecretRefused(f"a readable file at {path}", str(error.strerror)) from None
    try:
        return content.decode().strip()
    except UnicodeDecodeError:
        raise SecretRefused(f"a UTF-8 text in {path}", "other bytes") from None


def _require_private(path: Path, status: os.stat_result) -> None:
    if not stat.S_ISREG(status.st_mode):
        raise SecretRefused(f"a regular file at {path}", "something else")
    if status.st_mode & 0o077:
        mode = stat.S_IMODE(status.st_mode)
        raise SecretRefused(f"{path} to be readable by its owner only (chmod 600)", f"mode {mode:04o}")
    if status.st_uid not in (0, os.geteuid()):
        raise SecretRefused(f"{path} to belong to uid {os.geteuid()} or root", f"that it belongs to {status.st_uid}")


_lock = threading.Lock()
_first: dict[str, set[str]] = {}
"""Spellings by secret."""
_newest: dict[str, set[str]] = {}
"""The same, in the order in which they were last told."""
_pattern: re.Pattern[str] | None = None


def remember(text: str) -> None:
    """Scrub a text, and the ways it is usually written, from now on."""
    global _pattern
    with _lock:
        if text in _first:
            return
        if text in _newest:
            _newest[text] = _newest.pop(text)
            return
        if len(_first) < FIRST_MAX:
            _first[text] = _spellings(text)
        else:
            _newest[text] = _spellings(text)
            if len(_newest) > NEWEST_MAX:
                del _newest[next(iter(_newest))]
        known = set[str]().union(*_first.values(), *_newest.values())
        longest_first = sorted(known, key=lambda spelling: (-len(spelling), spelling))
        _pattern = re.compile("|".join(map(re.escape, longest_first)))


def _spellings(text: str) -> set[str]:
    import base64
    import json
    from urllib.parse import quote, quote_plus

    raw = text.encode()
    spellings = {text, repr(text)[1:-1], json.dumps(text)[1:-1], json.dumps(text, ensure_ascii=False)[1:-1]}
    spellings |= {quote(text, safe=""), quote(text), quote_plus(text)}
    spellings |= {coder(raw).decode().rstrip("=") for coder in (base64.b64encode, base64.urlsafe_b64encode)}
    spellings |= {raw.hex()}
    return spellings | {line for line in text.splitlines() if len(line) >= LENGTH_MIN}


def scrub(text: str) -> str:
    """Return a text with every known secret replaced by `***`."""
    return text if _pattern is None else _pattern.sub(MASK, text)


def scrub_bytes(line: bytes) -> bytes:
    """Return UTF-8 bytes with every known secret replaced by `***`."""
    return line if _pattern is None else scrub(line.decode(errors="surrogateescape")).encode(errors="surrogateescape")


def is_secret_name(name: str) -> bool:
    """Say whether a key of this name is likely to hold a secret."""
    plain = name.lower().replace("-", "_")
    return plain in _NAMES or plain.endswith(_NAME_ENDINGS)


def scrub_value(value: Any) -> Any:
    """Return a value with secrets replaced by `***` at any depth: by value in texts, by key name in mappings."""
    match value:
        case str():
            return scrub(value)
        case bytes():
            return scrub_bytes(value)
        case Mapping():
            return {scrub_value(key): _scrub_entry(key, entry) for key, entry in value.items()}
        case list() | tuple() | set() | frozenset():
            return type(value)(map(scrub_value, value)) if type(value) in _PLAIN else scrub(repr(value))
        case None | bool() | int() | float():
            return value
        case _:
            return value if _pattern is None else _scrub_object(value)


_PLAIN = (list, tuple, set, frozenset)


def _scrub_entry(key: object, entry: Any) -> Any:
    return MASK if isinstance(key, str) and is_secret_name(key) and entry else scrub_value(entry)


def _scrub_object(value: Any) -> Any:
    shown = repr(value)
    return value if scrub(shown) == shown else scrub(shown)


def scrub_event(_logger: Any, _method: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    """Scrub a log event: a structlog processor, to stand after those that add or format anything."""
    for key, value in event.items():
        event[key] = _scrub_entry(key, value)
    return event


def scrubbed(renderer: Callable[..., str | bytes]) -> Callable[..., str | bytes]:
    """Wrap a structlog renderer so that no secret is in what it renders, wherever it came from."""

    def render(logger: Any, method: str, event: MutableMapping[str, Any]) -> str | bytes:
        line = renderer(logger, method, event)
        return scrub(line) if isinstance(line, str) else scrub_bytes(line)

    return render


def install_excepthooks() -> None:
    """Print what nobody caught, on any thread, without secrets."""
    sys.excepthook = lambda kind, error, trace: print_scrubbed(error, trace)
    sys.unraisablehook = lambda unraisable: print_scrubbed(unraisable.exc_value, unraisable.exc_traceback)
    threading.excepthook = lambda failed: print_scrubbed(failed.exc_value, failed.exc_traceback)


def print_scrubbed(error: BaseException | None, trace: TracebackType | None) -> None:
    """Print an error and where it came from, without secrets, where somebody listens."""
    import traceback

    if error is not None and not isinstance(error, SystemExit):
        say_to(sys.stderr, harmless(scrub("".join(traceback.format_exception(type(error), error, trace)))))
