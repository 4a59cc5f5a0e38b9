"""What every life of a node on a stage has, whichever the stage: files, a system with its tree, and an end."""

from contextlib import ExitStack
from types import TracebackType
from typing import Any, ClassVar, Self

from holdfast.ground import Past, first_events
from holdfast.imports.opening import Opening
from holdfast.parts import Parts
from holdfast.wiring import Current
from messages.node import NodeStopped
from persistence.journal import Journal
from supervision import Break, ChildSpec, Exit, Lane, Stage, StageRecorder, Switchboard, System

WALL_MS = 1_700_000_000_000
"""Where the virtual wall clock begins."""


class StageLife:
    """One life.  Leaving the context closes its files, however it came to its end.

    Who builds on it opens the journal and sets the stage: all that is named here without a value.
    """

    platform: ClassVar[str]
    stage: Stage
    system: System
    _journal: Journal
    _past: Past
    _opening: Opening | None
    _files: ExitStack
    _recorder: StageRecorder
    _tree: ChildSpec

    def __init__(self, parts: Parts, *, folder: str) -> None:
        """`folder` is where the configuration's relative paths start."""
        self.current = Current(parts)
        self.ended = False
        self.root_exit: Exit | None = None
        self._folder = folder

    def __enter__(self) -> Self:
        events = first_events(
            self.current.parts,
            self._past,
            self._journal,
            opening=self._opening,
            folder=self._folder,
            platform=self.platform,
            wall_ms=self.stage.clock.wall_ms(),
        )
        self.switchboard.record("node", events)
        self.system.start(self._tree)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._files.close()

    @property
    def switchboard(self) -> Switchboard:
        """Return what all that is said goes through."""
        return self.system.switchboard

    @property
    def last_seq(self) -> int:
        """Return the highest sequence given."""
        return self.switchboard.last_seq

    @property
    def head(self) -> str:
        """Return the hash that chains all that was written down, in hex."""
        return self._journal.last_hash.hex()

    def stop(self, reason: str) -> None:
        """End in order, and write down why."""
        self.system.stop()
        self.stage.run_until(lambda: self.root_exit is not None)
        self.switchboard.record("node", [NodeStopped(reason)])
        self._recorder.commit()

    def crash(self, name: str) -> bool:
        """Break an actor before its next message; say False where it is down."""
        return self.system.tell(name, Break("on cue"), Lane.SYSTEM)

    def ask(self, name: str, message: Any) -> Any:
        """Ask an actor from outside."""
        return self.system.ask(name, message, 60.0)

    def _root_ended(self, reason: Exit) -> None:
        self.root_exit = reason

    def _data_ended(self) -> None:
        self.ended = True
