"""What the machine gives this process: the one door of psutil."""

from pathlib import Path
from typing import NamedTuple

import psutil

MEGABYTE = 1024 * 1024


class Readings(NamedTuple):
    """One look at process and disk."""

    cpu_percent: float
    """Of one core, since the last look."""
    memory_mb: float
    disk_free_mb: float
    threads: int
    files: int


class MachineWatch:
    """Looks at this process and at the disk a folder is on."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._process = psutil.Process()
        self._process.cpu_percent()

    def __call__(self) -> Readings:
        """Return what is used now."""
        process = self._process
        with process.oneshot():
            return Readings(
                cpu_percent=process.cpu_percent(),
                memory_mb=round(process.memory_info().rss / MEGABYTE, 1),
                disk_free_mb=round(psutil.disk_usage(str(self._folder)).free / MEGABYTE, 1),
                threads=process.num_threads(),
                files=process.num_fds(),
            )
