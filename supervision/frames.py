"""What a thread is doing at this moment.

Python 3.11 holds a lock of the interpreter's while it makes the frames.  A garbage collection that falls into that may
need the same lock, and hangs the process for good; so there is none meanwhile.
"""

import gc
import sys
import threading
from types import FrameType

_lock = threading.Lock()


def frame_of(thread_id: int) -> FrameType | None:
    """Return the innermost frame of a thread; None where it has ended."""
    with _lock:
        is_collecting = gc.isenabled()
        gc.disable()
        try:
            return sys._current_frames().get(thread_id)
        finally:
            if is_collecting:
                gc.enable()
