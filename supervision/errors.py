"""What can go wrong in this package."""

from pykka import Timeout as Timeout  # an answer that did not come in time, for those who know no pykka


class SupervisionError(Exception):
    """The base of every error of this package."""


class SpecError(SupervisionError):
    """A child or supervisor specification cannot be; nothing was started."""


class Fenced(SupervisionError):
    """An incarnation that was replaced tried to act; nothing of what it said was delivered."""


class Crashed(SupervisionError):
    """An actor was ended by something that is no ordinary exception, or broken on purpose."""


class ActorDown(SupervisionError):
    """The actor that was asked is down, or went down before it answered."""
