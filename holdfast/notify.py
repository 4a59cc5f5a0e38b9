"""What a service manager hears: readiness, stopping, and that progress is being made (sd_notify(3))."""

import contextlib
import os
import socket

PATIENCE_S = 5.0
"""How long a word that counts may wait for room; a manager that reads nothing must not keep the node from its end."""


class ServiceManager:
    """Speaks to the socket named in NOTIFY_SOCKET; says nothing where there is none."""

    def __init__(self) -> None:
        name = os.environ.get("NOTIFY_SOCKET", "")
        self._address = "\0" + name[1:] if name.startswith("@") else name

    def ready(self) -> None:
        """Tell that the node is up."""
        self._say("READY=1", PATIENCE_S)

    def stopping(self) -> None:
        """Tell that the node is going down."""
        self._say("STOPPING=1", PATIENCE_S)

    def alive(self) -> None:
        """Tell that progress is being made; where there is no room for it, those before were not even read."""
        self._say("WATCHDOG=1", 0.0)

    def _say(self, line: str, wait_s: float) -> None:
        if not self._address:
            return
        # It has gone, reads nothing or is restarting itself, or we have no file left: it finds out by other means.
        with (
            contextlib.suppress(OSError),
            socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as speaker,
        ):
            speaker.settimeout(wait_s)
            speaker.sendto(line.encode(), self._address)
