"""The log: events with values, on standard error and in the home, never a secret.  The one door of structlog."""

import logging
import sys
from collections.abc import Callable, Sized
from logging.handlers import RotatingFileHandler
from pathlib import Path
from typing import Any

import structlog

from holdfast.config.settings import Log as LogSettings
from holdfast.secrets import install_excepthooks, scrub_event, scrubbed
from holdfast.shown import rounded, shown
from holdfast.streams import harmless, say_to

FILE_BYTES_MAX = 16 * 1024 * 1024
FILES_KEPT = 3
LEVELS = {"debug": logging.DEBUG, "info": logging.INFO, "warning": logging.WARNING, "error": logging.ERROR}

Render = Callable[..., str | bytes]


class NodeLog:
    """Says events: `log("info", "order.filled", symbol="BTCUSDT")`."""

    def __init__(self, settings: LogSettings, home: Path) -> None:
        self._level = LEVELS[settings.level]
        self._sinks: list[tuple[Callable[[str], None], Render]] = [
            (_to_stderr, scrubbed(_console() if settings.format == "console" else structlog.processors.JSONRenderer()))
        ]
        self._file: RotatingFileHandler | None = None
        if settings.file:
            folder = home / "logs"
            folder.mkdir(mode=0o700, exist_ok=True)
            self._file = RotatingFileHandler(
                folder / "holdfast.jsonl", maxBytes=FILE_BYTES_MAX, backupCount=FILES_KEPT, encoding="utf-8"
            )
            self._sinks.append((self._to_file, scrubbed(structlog.processors.JSONRenderer())))
        self._stamp = structlog.processors.TimeStamper(fmt="iso", utc=True)
        install_excepthooks()

    def __call__(self, level: str, event: str, **values: Any) -> None:
        """Say an event, unless its level is too low."""
        if LEVELS[level] < self._level:
            return
        said: Any = {"event": event, "level": level, **values}
        said = scrub_event(None, level, self._stamp(None, level, said))
        for write, render in self._sinks:
            line = render(None, level, dict(said))
            write(line.decode() if isinstance(line, bytes) else line)

    def set_level(self, level: str) -> None:
        """Say events of this level and above from now on."""
        self._level = LEVELS[level]

    def close(self) -> None:
        """Close the file."""
        if self._file is not None:
            self._file.close()

    def _to_file(self, line: str) -> None:
        assert self._file is not None
        # Not `emit`, which leaves the lock to `handle`: two who find the file full at once would each begin a new one.
        self._file.handle(logging.makeLogRecord({"msg": line}))


def _console() -> Render:
    render = structlog.dev.ConsoleRenderer(colors=sys.stderr.isatty(), sort_keys=False)

    def rendered(logger: Any, method: str, event: dict[str, Any]) -> str:
        # Before it is rendered, for colours are the renderer's own.
        said = {key: _for_people(key, value) for key, value in event.items() if _says(key, value)}
        return render(logger, method, said)

    return rendered


def _says(key: str, value: Any) -> bool:
    is_empty = isinstance(value, Sized) and not len(value)
    return value is not None and not is_empty and (key, value) != ("at", 0)  # Before the market has begun.


def _for_people(key: str, value: Any) -> str:
    # Texts stay as they are, a stack with its lines.
    return harmless(rounded(value) if isinstance(value, str) else shown(key, value))


def _to_stderr(line: str) -> None:
    # That nobody reads the log any more must not stop the trading.
    say_to(sys.stderr, line + "\n")
