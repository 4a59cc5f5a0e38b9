"""Words for people and JSON for programs, without secrets."""

import json
import sys
from typing import Any

from holdfast.secrets import scrub
from holdfast.streams import harmless


def say(text: str) -> None:
    """Write a line, or several, to standard output."""
    sys.stdout.write(harmless(scrub(text)) + "\n")
    sys.stdout.flush()


def say_json(value: Any) -> None:
    """Write a value as one line of JSON to standard output."""
    say(json.dumps(value, ensure_ascii=False, default=str))


def complain(text: str) -> None:
    """Write what went wrong to standard error."""
    sys.stderr.write(harmless(scrub(text)) + "\n")
    sys.stderr.flush()
