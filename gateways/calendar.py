"""Calendar jobs as APScheduler's cron triggers, asked for their next time: the one door of apscheduler.

The triggers are pure functions of time, so that recorded data, the stage and a live node ask the same ones.
"""

from datetime import UTC, datetime
from typing import Any

from domain.market import Instant


class Calendar:
    """When a cron expression is due next, in UTC."""

    def __init__(self, expression: str) -> None:
        """Read the expression; raise ValueError for one that is none."""
        from apscheduler.triggers.cron import CronTrigger

        self._trigger: Any = CronTrigger.from_crontab(expression, timezone=UTC)

    def after(self, at: Instant) -> Instant:
        """Return the first due instant after this one."""
        moment = datetime.fromtimestamp((at + 1) / 1000, tz=UTC)
        due = self._trigger.get_next_fire_time(None, moment)
        return int(due.timestamp() * 1000)
