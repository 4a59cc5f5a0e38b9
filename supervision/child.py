"""One child as its supervisor has it: what is specified, how it is, and who waits for what becomes of it."""

from collections.abc import Callable
from typing import Any, Literal

from supervision.requests import ChildInfo, Reply
from supervision.signals import Offender
from supervision.spec import ChildSpec

Status = Literal["down", "waiting", "starting", "up", "stopping", "stopped"]
"""`down`: to be started as soon as it is its turn.  `waiting`: its backoff runs.  `stopped`: not to be started."""
Need = Literal["patience", "stop", "start", "time"]
"""What has to come next: the end of a start or stop that is under way, a stop, a start, or the end of its backoff."""


class Child:
    """A child, wanted or not, up or not."""

    def __init__(self, spec: ChildSpec, arguments: tuple[Any, ...] = (), *, asked_by: Reply | None = None) -> None:
        self.spec = spec
        self.arguments = arguments
        self.rank = 0
        """Its place in the order of start."""
        self.on_change: Callable[[Child], object] = lambda child: None
        """Hears that its need may be another."""
        self.placed: Need | None = None
        """The need under which it is found."""
        self._status: Status = "down"
        self._wanted = True
        self._recycle = False
        self.epoch = 0
        self.failures = 0
        self.is_new = asked_by is not None
        """It was asked for and has not run yet: if it does not start, it is forgotten."""
        self.starts = [asked_by] if asked_by is not None else []
        """Who waits for it to run, or for its failure."""
        self.stops: list[Reply] = []
        """Who waits for it to have ended."""

    @property
    def name(self) -> str:
        """Return its name."""
        return self.spec.name

    @property
    def status(self) -> Status:
        """Return how it is."""
        return self._status

    @status.setter
    def status(self, status: Status) -> None:
        self._status = status
        self.on_change(self)

    @property
    def wanted(self) -> bool:
        """Say whether it is to run."""
        return self._wanted

    @wanted.setter
    def wanted(self, wanted: bool) -> None:
        self._wanted = wanted
        self.on_change(self)

    @property
    def recycle(self) -> bool:
        """Say whether what runs of it is to be replaced."""
        return self._recycle

    @recycle.setter
    def recycle(self, recycle: bool) -> None:
        self._recycle = recycle
        self.on_change(self)

    @property
    def need(self) -> Need | None:
        """Return what has to come next; None where it is as it is wanted."""
        match self._status:
            case "starting" | "stopping":
                return "patience"
            case "up":
                return "stop" if self._recycle or not self._wanted else None
            case "down":
                return "start" if self._wanted else None
            case "waiting":
                return "time"
            case "stopped":
                return None

    @property
    def runs(self) -> bool:
        """Say whether it is up, or on its way out."""
        return self.status in ("up", "stopping")

    @property
    def is_restarting(self) -> bool:
        """Say whether it is to run and does not yet."""
        return self.status in ("down", "waiting", "starting")

    def info(self) -> ChildInfo:
        """Return what `which_children` tells of it."""
        if self.runs:
            return ChildInfo(self.name, self.epoch, self.spec.type)
        return ChildInfo(self.name, "restarting" if self.is_restarting else "none", self.spec.type)

    def offender(self, *, restarts_in_window: int) -> Offender:
        """Return what a report tells of it."""
        spec = self.spec
        return Offender(
            name=spec.name,
            epoch=self.epoch,
            restart=spec.restart,
            significant=spec.significant,
            shutdown_s=spec.shutdown_s,
            type=spec.type,
            restarts_in_window=restarts_in_window,
        )

    def answer_starts(self, answer: Any) -> None:
        """Tell who waits for it to run."""
        _answer(self.starts, answer)

    def answer_stops(self, answer: Any) -> None:
        """Tell who waits for its end."""
        _answer(self.stops, answer)


def _answer(replies: list[Reply], answer: Any) -> None:
    waiting = list(replies)
    replies.clear()
    for reply in waiting:
        reply(answer)
