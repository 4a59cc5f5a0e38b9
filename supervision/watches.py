"""Who is told of whose end: one `Down` for each incarnation that is watched, to each who watches it.

OTP's monitors.  Under the switchboard's lock, so that no end falls between a look and a watch.
"""

import itertools
import threading
from collections.abc import Callable, Mapping
from typing import NamedTuple

from supervision.cells import Cell
from supervision.signals import Down, Exit


class Watch(NamedTuple):
    """One watcher of one incarnation, or of a name as long as it may come back (`epoch` 0)."""

    ref: int
    watcher: str
    watcher_epoch: int
    name: str
    epoch: int


class Watches:
    """Keeps who watches whom, and has them told.  `ended` and `gone` are called with the switchboard's lock held."""

    def __init__(
        self,
        lock: threading.RLock,
        cells: Mapping[str, Cell],
        tell: Callable[[Watch, Down], object],
    ) -> None:
        self._lock = lock
        self._cells = cells
        self._tell = tell
        self._refs = itertools.count(1)
        self._watches: dict[str, dict[int, Watch]] = {}
        """By the name that is watched, and their number."""
        self._begun: dict[tuple[str, int], dict[int, str]] = {}
        """The names that an incarnation watches, by number."""

    def begin(self, watcher: str, watcher_epoch: int, name: str, *, until_gone: bool) -> int:
        """Watch who lives now, or a name until it will not come back; tell at once where there is nobody to watch."""
        with self._lock:
            cell = self._cells.get(name)
            epoch = cell.epoch if cell is not None else 0
            watch = Watch(next(self._refs), watcher, watcher_epoch, name, 0 if until_gone else epoch)
            if cell is not None and (cell.up or (until_gone and not cell.retired)):
                self._watches.setdefault(name, {})[watch.ref] = watch
                self._begun.setdefault((watcher, watcher_epoch), {})[watch.ref] = name
            else:
                self._tell(watch, Down(watch.ref, name, epoch, Exit("noproc")))
            return watch.ref

    def end(self, name: str, ref: int) -> None:
        """Watch no more."""
        with self._lock:
            self._take_out(name, ref)

    def ended(self, cell: Cell, epoch: int, reason: Exit) -> None:
        """Tell that an incarnation has ended, and drop what it had watched itself."""
        for ref, name in tuple(self._begun.get((cell.name, epoch), {}).items()):
            self._take_out(name, ref)
        self._tell_all(cell.name, epoch, epoch, reason)
        if cell.retired:
            self.gone(cell)

    def gone(self, cell: Cell) -> None:
        """Tell that a name will not come back."""
        self._tell_all(cell.name, 0, cell.epoch, cell.last_exit or Exit("noproc"))

    def _tell_all(self, name: str, watched: int, epoch: int, reason: Exit) -> None:
        for watch in tuple(self._watches.get(name, {}).values()):
            if watch.epoch == watched:
                self._take_out(name, watch.ref)
                self._tell(watch, Down(watch.ref, name, epoch, reason))

    def _take_out(self, name: str, ref: int) -> None:
        watches = self._watches.get(name, {})
        if (watch := watches.pop(ref, None)) is None:
            return
        if not watches:
            del self._watches[name]
        begun = self._begun[watch.watcher, watch.watcher_epoch]
        del begun[ref]
        if not begun:
            del self._begun[watch.watcher, watch.watcher_epoch]
