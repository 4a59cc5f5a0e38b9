"""The tree as it is specified now: who is below whom, also what was added and taken away while it runs."""

from dataclasses import replace

from supervision.spec import ChildSpec
from supervision.switchboard import Switchboard


class Tree:
    """Keeps the specification of every name and the supervisor above it, and makes names known to the switchboard."""

    def __init__(self, switchboard: Switchboard) -> None:
        self._switchboard = switchboard
        self._specs: dict[str, tuple[ChildSpec, str]] = {}
        """Each after its own supervisor."""
        self._children: dict[str, dict[str, None]] = {}
        """The names below each supervisor that has children, in order."""
        self._made = 0

    def names(self) -> tuple[str, ...]:
        """Return the names of all parts, each after its own supervisor."""
        return tuple(self._specs)

    def knows(self, name: str) -> bool:
        """Say whether there is a part of that name."""
        return name in self._specs

    def spec_of(self, name: str) -> ChildSpec:
        """Return the specification of a part; raise KeyError for a name that is not known."""
        return self._specs[name][0]

    def find_spec(self, name: str) -> ChildSpec | None:
        """Return the specification of a part; None for a name that is not known, or no more."""
        found = self._specs.get(name)
        return found[0] if found is not None else None

    def parent_of(self, name: str) -> str:
        """Return the supervisor of a part: empty for the root, and for a name that is not known any more."""
        return self._specs[name][1] if name in self._specs else ""

    def ancestors(self, name: str) -> tuple[str, ...]:
        """Return the supervisor of a part, and those above."""
        found = []
        while name := self.parent_of(name):
            found.append(name)
        return tuple(found)

    def below(self, name: str) -> list[str]:
        """Return the names of all that is below a supervisor, each after its own."""
        found: list[str] = []
        for child in tuple(self._children.get(name, ())):
            found += (child, *self.below(child))
        return found

    def adopt(self, spec: ChildSpec, parent: str) -> None:
        """Know a child, and what is below it, under a supervisor; a specification known before is replaced."""
        for below, above in spec.walk(parent):
            self._know(below, above)

    def disown(self, name: str) -> None:
        """Forget a child that does not run, and all that was below it."""
        for below in (*reversed(self.below(name)), name):
            _spec, parent = self._specs.pop(below, (None, ""))
            if siblings := self._children.get(parent):
                siblings.pop(below, None)
            self._children.pop(below, None)
            self._switchboard.forget(below)

    def settle_in(self, spec: ChildSpec) -> None:
        """Have below a supervisor that starts anew what is specified there, and nothing of before."""
        specified = {below.name for below, _parent in spec.walk()}
        for name in self.below(spec.name):
            if name not in specified:
                self.disown(name)
        for below, parent in list(spec.walk())[1:]:
            if below.name not in self._specs:
                self._know(below, parent)
            self._switchboard.expect(below.name)

    def one_more(self, template: ChildSpec) -> ChildSpec:
        """Return a template under a name that nobody ever had."""
        self._made += 1
        return replace(template, name=f"{template.name}.{self._made}")

    def _know(self, spec: ChildSpec, parent: str) -> None:
        self._specs[spec.name] = (spec, parent)
        if parent:
            self._children.setdefault(parent, {})[spec.name] = None
        self._switchboard.declare(
            spec.name, settles=spec.settles, parent=parent, hears_late=spec.hears_late, mailbox=spec.mailbox
        )
