"""What is said to standard output and standard error, and what becomes of it where nobody listens any more.

A terminal that was closed, a pipe whose reader has left and a disk that is full take no word.  A node that trades must
neither stop over that nor end with another exit code than its own.
"""

import os
import re
import sys
from contextlib import suppress
from typing import TextIO

UNHEARD = (OSError, ValueError)
"""What writing to a stream raises that takes nothing any more, or that was closed."""

_ACTED_ON = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ud800-\udfff]")
"""What a terminal acts on instead of showing it, but for tabs and ends of lines; and what no stream takes."""


def harmless(text: str) -> str:
    """Return a text with whatever a terminal would act on written out, as JSON would write it.

    Much of what is said was written by others: a venue's reasons, the names in a file, an operator's words.
    """
    return _ACTED_ON.sub(lambda found: f"\\u{ord(found[0]):04x}", text)


def is_watched(stream: TextIO | None) -> bool:
    """Say whether a person looks on, as far as a terminal tells."""
    return stream is not None and stream.isatty()


def say_to(stream: TextIO | None, text: str) -> bool:
    """Write a text and say whether it was taken."""
    if stream is None:
        return False
    try:
        stream.write(text)
        stream.flush()
    except UNHEARD:
        return False
    return True


def let_go_of_streams() -> None:
    """Drop what was said and never taken: the interpreter tries once more when it ends, and then exits with 120."""
    for stream in (sys.stdout, sys.stderr):
        try:
            if stream is not None:
                stream.flush()
        except UNHEARD:
            with suppress(*UNHEARD):
                os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())
