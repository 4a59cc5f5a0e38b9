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
        self._watches: dict[str, list[Watch]] = {}
        """By the name that is watched."""

    def begin(self, watcher: str, watcher_epoch: int, name: str, *, until_gone: bool) -> int:
        """Watch who lives now, or a name until it will not come back; tell at once where there is nobody to watch."""
        with self._lock:
            cell = self._cells.get(name)
            epoch = cell.epoch if cell is not None else 0
            watch = Watch(next(self._refs), watcher, watcher_epoch, name, 0 if until_gone else epoch)
            if cell is not None and (cell.up or (until_gone and not cell.retired)):
                self._watches.setdefault(name, []).append(watch)
            else:
                self._tell(watch, Down(watch.ref, name, epoch, Exit("noproc")))
            return watch.ref

    def end(self, name: str, ref: int) -> None:
        """Watch no more."""
        with self._lock:
            self._keep(name, [watch for watch in self._watches.get(name, ()) if watch.ref != ref])

    def ended(self, cell: Cell, epoch: int, reason: Exit) -> None:
        """Tell that an incarnation has ended, and drop what it had watched itself."""
        for name, watches in list(self._watches.items()):
            mine = (cell.name, epoch)
            self._keep(name, [each for each in watches if (each.watcher, each.watcher_epoch) != mine])
        self._tell_all(cell.name, epoch, epoch, reason)
        if cell.retired:
            self.gone(cell)

    def gone(self, cell: Cell) -> None:
        """Tell that a name will not come back."""
        self._tell_all(cell.name, 0, cell.epoch, cell.last_exit or Exit("noproc"))

    def _tell_all(self, name: str, watched: int, epoch: int, reason: Exit) -> None:
        due = [watch for watch in self._watches.get(name, ()) if watch.epoch == watched]
        self._keep(name, [watch for watch in self._watches.get(name, ()) if watch.epoch != watched])
        for watch in due:
            self._tell(watch, Down(watch.ref, name, epoch, reason))

    def _keep(self, name: str, watches: list[Watch]) -> None:
        if watches:
            self._watches[name] = watches
        else:
            self._watches.pop(name, None)
