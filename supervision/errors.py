"""What can go wrong in this package."""


class SupervisionError(Exception):
    """The base of every error of this package."""


class SpecError(SupervisionError):
    """A child or supervisor specification cannot be; nothing was started."""


class Ignore(SupervisionError):
    """Raised in `started` by an actor that has nothing to do: it does not run, and that is no failure."""


class Fenced(SupervisionError):
    """An incarnation that was replaced tried to act; nothing of what it said was delivered."""


class Interrupted(SupervisionError):
    """Raised in an incarnation that was given up and still computes, so that its thread ends."""


class Poisoned(SupervisionError):
    """A remembered event cannot be folded: whoever starts anew would meet it again, until it is excused."""


class Crashed(SupervisionError):
    """An actor was ended by something that is no ordinary exception, or broken on purpose."""


class ActorDown(SupervisionError):
    """The actor that was asked is down, or went down before it answered."""


SAID_CHARS_MAX = 2_000
"""More than anybody keeps: who writes it down takes out what nobody may see, and only then cuts it to its size."""


def said_of(error: BaseException) -> str:
    """Return an error's type and text, cut to a limit; also of one whose text cannot be had."""
    return said_whole(error)[:SAID_CHARS_MAX]


def said_whole(error: BaseException) -> str:
    """Return an error's type and text, however long."""
    try:
        return f"{type(error).__name__}: {error}"
    except Exception:  # noqa: BLE001  whatever its text raises, that it happened must be known
        return f"{type(error).__name__}: it has no text"
