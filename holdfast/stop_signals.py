"""The signals that end a node in order, SIGTERM and SIGINT."""

import signal
import threading
from collections.abc import Callable
from queue import SimpleQueue


def hear_stop_signals(end: Callable[[str], None]) -> None:
    """Call `end` with the reason once a signal to stop has come, on a thread of its own.

    A handler runs between two steps of the main thread, whatever that has in hand.  Where it waits for the event that
    `end` sets, it may hold that event's lock just then, and would wait for itself for ever.  So the handler takes no
    lock: it puts the name into a queue that is made for that.
    """
    caught: SimpleQueue[str] = SimpleQueue()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda came, _frame: caught.put(signal.Signals(came).name))
    threading.Thread(target=lambda: end(f"signal {caught.get()}"), name="stop-signals", daemon=True).start()
