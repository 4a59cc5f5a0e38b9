"""What the process says with its last byte: exit codes after sysexits.h, and which error means which."""

from enum import IntEnum


class ExitCode(IntEnum):
    """An exit code; service managers restart the node after 70 and 74, never after 64, 65, 75 or 78."""

    OK = 0
    """Stopped by the operator, the data has ended, or the command did what it was told."""
    FAILED = 1
    """The node answered, and refused."""
    PROVED_NOTHING = 2
    """A torture found nothing broken, and nothing had been tried: no node sent an order."""
    USAGE = 64
    """The command line makes no sense."""
    DAMAGED = 65
    """The journal is damaged; nothing was started."""
    UNAVAILABLE = 69
    """No node answers on the admin socket."""
    GAVE_UP = 70
    """The node gave itself up, or a fault of ours."""
    IO_ERROR = 74
    """A file could not be read or written."""
    LOCKED = 75
    """Another node, or another exchange, has this home."""
    CONFIGURATION = 78
    """The configuration has mistakes, or the installation has, or a state that is to be imported."""
    INTERRUPTED = 130
    """Interrupted from the keyboard."""


_BY_NAME: dict[str, ExitCode] = {
    "holdfast.ForeignPackage": ExitCode.CONFIGURATION,
    "holdfast.config.problems.ConfigurationError": ExitCode.CONFIGURATION,
    "holdfast.why.orders.NoSuchOrder": ExitCode.USAGE,
    "holdfast.mending.errors.MendingRefused": ExitCode.USAGE,
    "holdfast.audit.days.NoSuchDay": ExitCode.USAGE,
    "holdfast.replay.NoSuchSequence": ExitCode.USAGE,
    "holdfast.admin.client.NodeRefused": ExitCode.FAILED,
    "holdfast.admin.client.NodeUnreachable": ExitCode.UNAVAILABLE,
    "holdfast.admin.socket_file.SocketRefused": ExitCode.IO_ERROR,
    "gateways.errors.SourceBroken": ExitCode.IO_ERROR,
    "gateways.exchange.errors.HomeTaken": ExitCode.LOCKED,
    "gateways.exchange.scenario.ScenarioBroken": ExitCode.CONFIGURATION,
    "holdfast.torture.lives.NodeEnded": ExitCode.FAILED,
    "holdfast.venue.VenueMisused": ExitCode.USAGE,
    "holdfast.venue.VenueMisconfigured": ExitCode.CONFIGURATION,
    "persistence.errors.JournalMissing": ExitCode.IO_ERROR,
    "persistence.errors.JournalLocked": ExitCode.LOCKED,
    "persistence.errors.JournalTooNew": ExitCode.CONFIGURATION,
    "persistence.errors.JournalDamaged": ExitCode.DAMAGED,
    "persistence.errors.JournalUnwritable": ExitCode.IO_ERROR,
    "persistence.errors.SqliteUnfit": ExitCode.CONFIGURATION,
    "supervision.errors.SupervisionError": ExitCode.GAVE_UP,
    "builtins.KeyboardInterrupt": ExitCode.INTERRUPTED,
    "builtins.OSError": ExitCode.IO_ERROR,
}
"""By full name, so that finding the code of an error imports nothing."""


def exit_code_of(error: BaseException) -> ExitCode | None:
    """Return the exit code an error stands for, by the nearest class that has one; None where it is a fault of ours."""
    names = (f"{kind.__module__}.{kind.__qualname__}" for kind in type(error).__mro__)
    return next((_BY_NAME[name] for name in names if name in _BY_NAME), None)


def end_by_journal(error: BaseException, *, wanted: str) -> tuple[str, ExitCode]:
    """Return why a node ends whose journal let it down, and with which code; `wanted` is what it was to be: `read`.

    What the disk did not give or take says nothing of what is there: a new start tries again.
    """
    if exit_code_of(error) is ExitCode.DAMAGED:
        return f"the journal is damaged: {error}", ExitCode.DAMAGED
    return f"the journal cannot be {wanted}: {error}", ExitCode.IO_ERROR
