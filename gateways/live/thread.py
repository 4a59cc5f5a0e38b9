"""The thread on which all of a venue's requests and streams live: one event loop, owned by nobody else."""

import asyncio
import threading
from collections.abc import Callable, Coroutine
from typing import Any

CLOSE_WITHIN_S = 5.0


class IoThread:
    """An event loop on a daemon thread of its own."""

    def __init__(self, name: str, *, on_error: Callable[[str], None] = lambda why: None) -> None:
        """`on_error` hears of what was raised where nobody waited for it, on this thread."""
        self._loop = asyncio.new_event_loop()
        self._loop.set_exception_handler(lambda loop, context: on_error(_why(context)))
        self._tasks: set[asyncio.Task[Any]] = set()
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)
        self._thread.start()

    @property
    def is_alive(self) -> bool:
        """Say whether something can still be begun here."""
        return self._thread.is_alive() and not self._loop.is_closed()

    def begin(self, work: Callable[[], Coroutine[Any, Any, None]]) -> bool:
        """Have something done here, begun from any thread; say False where the thread has ended."""
        try:
            self._loop.call_soon_threadsafe(self._start, work)
        except RuntimeError:  # The loop is closed.
            return False
        return True

    def wait(self, work: Coroutine[Any, Any, Any], timeout_s: float) -> Any:
        """Have something done here and wait for it on another thread.

        Raises:
            TimeoutError: it takes longer.
            RuntimeError: the thread has ended.
        """
        try:
            begun = asyncio.run_coroutine_threadsafe(work, self._loop)
        except RuntimeError:
            work.close()
            raise
        return begun.result(timeout_s)

    def close(self) -> None:
        """Cancel what is under way and end the thread."""
        if not self.is_alive:
            return
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(CLOSE_WITHIN_S)

    def _start(self, work: Callable[[], Coroutine[Any, Any, None]]) -> None:
        task = self._loop.create_task(work())
        # A loop holds its tasks weakly.
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    def _run(self) -> None:
        asyncio.set_event_loop(self._loop)
        try:
            self._loop.run_forever()
            pending = asyncio.all_tasks(self._loop)
            for task in pending:
                task.cancel()
            self._loop.run_until_complete(asyncio.gather(*pending, return_exceptions=True))
            self._loop.run_until_complete(self._loop.shutdown_asyncgens())
        finally:
            self._loop.close()


def _why(context: dict[str, Any]) -> str:
    error = context.get("exception")
    return f"{context.get('message', 'an error')}: {type(error).__name__}" if error else str(context.get("message"))
