"""What a service manager hears: readiness, stopping, and that progress is being made (sd_notify(3))."""

import os
import socket


class ServiceManager:
    """Speaks to the socket named in NOTIFY_SOCKET; says nothing where there is none."""

    def __init__(self) -> None:
        name = os.environ.get("NOTIFY_SOCKET", "")
        self._address = "\0" + name[1:] if name.startswith("@") else name

    def ready(self) -> None:
        """Tell that the node is up."""
        self._say("READY=1")

    def stopping(self) -> None:
        """Tell that the node is going down."""
        self._say("STOPPING=1")

    def alive(self) -> None:
        """Tell that progress is being made."""
        self._say("WATCHDOG=1")

    def _say(self, line: str) -> None:
        if not self._address:
            return
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as speaker:
            try:
                speaker.sendto(line.encode(), self._address)
            except OSError:
                # The manager has gone, or is restarting itself; it will find out by other means.
                return
