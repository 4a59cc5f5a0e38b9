"""What is said to standard output and standard error, and what becomes of it where nobody listens any more.

A terminal that was closed, a pipe whose reader has left and a disk that is full take no word.  A node that trades must
neither stop over that nor end with another exit code than its own.
"""

import os
import sys
from contextlib import suppress
from typing import TextIO

UNHEARD = (OSError, ValueError)
"""What writing to a stream raises that takes nothing any more, or that was closed."""


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
