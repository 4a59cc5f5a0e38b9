"""Who hears an event: most at once, onlookers only when it is durable."""

from collections.abc import Callable, Mapping, Sequence

from supervision.cells import Cell
from supervision.mailbox import Post

Hear = Callable[[Post], None]
"""Takes an event into a mailbox."""


class Hearers:
    """Finds who lives and hears a kind of event, and keeps what was found until somebody comes or goes."""

    def __init__(self, routes: Mapping[type, Sequence[str]], cells: Mapping[str, Cell]) -> None:
        self._routes = {kind: tuple(names) for kind, names in routes.items()}
        self._cells = cells
        self._found: dict[tuple[type, Cell, bool], tuple[tuple[Hear, ...], tuple[Cell, ...]]] = {}
        self.changes = 0
        """How often somebody has come or gone."""

    def of(self, kind: type, sender: Cell, with_sender: bool) -> tuple[tuple[Hear, ...], tuple[Cell, ...]]:
        """Return the ears of who lives and hears at once what a sender says of a kind, and who hears it late."""
        return self._found.get((kind, sender, with_sender)) or self._find(kind, sender, with_sender)

    def forget(self) -> None:
        """Look anew from now on: somebody has come or gone."""
        self._found.clear()
        self.changes += 1

    def _find(self, kind: type, sender: Cell, with_sender: bool) -> tuple[tuple[Hear, ...], tuple[Cell, ...]]:
        names = self._routes.get(kind, ())
        if sender.hears_itself and sender.name not in names:
            names = (*names, sender.name)
        cells = [self._cells[name] for name in names if name in self._cells]
        late = tuple(cell for cell in cells if cell.hears_late)
        at_once = (cell for cell in cells if cell.up and not cell.hears_late and (with_sender or cell is not sender))
        found = tuple(cell.mailbox.hear for cell in at_once), late
        if self._cells.get(sender.name) is sender:  # Who speaks from the edge has a cell for that one time.
            self._found[kind, sender, with_sender] = found
        return found
