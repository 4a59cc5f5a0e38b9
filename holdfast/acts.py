"""What operators' commands do to the process; those that only need to be remembered act by being remembered."""

import os
import threading
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import msgspec

from domain.limits import Limits
from holdfast.config.changes import compare
from holdfast.config.loading import load_settings
from holdfast.config.problems import ConfigurationError, refused_parameters
from holdfast.config.settings import Settings
from holdfast.config.view import public_view
from holdfast.logs import NodeLog
from holdfast.pace import Pace
from holdfast.part_acts import ANSWER_FIRST_S, PartActs
from holdfast.parts import Parts, StrategyPart, limits_of
from holdfast.routes import AUDITOR
from holdfast.secrets import scrub
from holdfast.wiring import Current
from messages.base import Event
from messages.node import ConfigurationChanged, OperatorCommanded
from supervision import System


class Acts:
    """Carries out commands; called by the clerk once they are durable."""

    def __init__(
        self,
        *,
        system: System,
        current: Current,
        log: NodeLog,
        pace: Pace,
        config_path: Path | None,
        overrides: Sequence[str],
        record: Callable[[Event], object],
        end: Callable[[str], None],
    ) -> None:
        self._system = system
        self._parts = PartActs(system)
        self._current = current
        self._log = log
        self.pace = pace
        self._config_path = config_path
        self._overrides = tuple(overrides)
        self._record = record
        self._end = end
        self._reloading = threading.Lock()
        """Who saw the file change and who was told to reload are two threads: the older text must not come last."""

    def __call__(self, command: OperatorCommanded) -> tuple[bool, str]:
        """Do what a command orders; say whether it was done, and what came of it."""
        match command.command:
            case "reload":
                return self.reload()
            case "loglevel":
                self._log.set_level(command.target)
                return True, f"logging from {command.target} on"
            case "stop":
                self._system.runtime.after(ANSWER_FIRST_S, lambda: self._end("stopped by an operator"))
                return True, "stopping"
            case _:
                return self._parts(command)

    def reload(self, environ: Mapping[str, str] = os.environ) -> tuple[bool, str]:
        """Load the configuration again; apply all of what can change, or refuse it as a whole."""
        with self._reloading:
            return self._reload(environ)

    def _reload(self, environ: Mapping[str, str]) -> tuple[bool, str]:
        parts = self._current.parts
        old = parts.settings
        try:
            new = load_settings(self._config_path, environ=environ, overrides=self._overrides).settings
            changes = compare(_as_configured(parts), new)
            effective = msgspec.structs.replace(changes.effective, instruments=old.instruments)
            strategies = self._strategies(effective)
            limits = limits_of(effective, tuple(parts.source.symbols()), parts.profile)
        except (ConfigurationError, ValueError) as error:
            # A secret under a wrong key would be shown as what was found there; the journal never forgets.
            problems = tuple(scrub(str(error)).splitlines())
            self._record(ConfigurationChanged(applied=False, changes={}, problems=problems))
            return False, "; ".join(problems)
        if changes.is_empty:
            return True, "nothing has changed"
        self._apply(effective, strategies, limits, old)
        view = public_view(effective)
        self._record(ConfigurationChanged(applied=True, changes=changes.public_view(), configuration=view))
        kept = f"; needs a restart of the node: {', '.join(changes.needs_restart)}" if changes.needs_restart else ""
        return True, f"applied: {', '.join(changes.applied) or 'nothing'}{kept}"

    def _strategies(self, settings: Settings) -> tuple[StrategyPart, ...]:
        """Return the strategies with their new parameters, each tried; raise ConfigurationError where one refuses."""
        parts, problems = [], []
        for part in self._current.parts.shape.strategies:
            changed = msgspec.structs.replace(part, parameters=settings.strategies[part.name].parameters)
            try:
                _require_same_frames(part, tuple(changed.make().timeframes))
            except ValueError as error:
                problems.append(refused_parameters(part.name, error))
            parts.append(changed)
        if problems:
            raise ConfigurationError(problems)
        return tuple(parts)

    def _apply(self, settings: Settings, strategies: tuple[StrategyPart, ...], limits: Limits, old: Settings) -> None:
        before = self._current.parts
        self._current.parts = msgspec.structs.replace(
            before,
            settings=settings,
            shape=msgspec.structs.replace(before.shape, strategies=strategies),
            limits=limits,
        )
        if settings.log.level != old.log.level:
            self._log.set_level(settings.log.level)
        if settings.feed.speed != old.feed.speed:
            self.pace.set_speed(settings.feed.speed)
        for name in self._touched(before.shape.strategies, strategies, settings, old):
            self._parts.restart(name, "its configuration has changed")

    def _touched(
        self,
        before: tuple[StrategyPart, ...],
        after: tuple[StrategyPart, ...],
        settings: Settings,
        old: Settings,
    ) -> list[str]:
        touched = [f"strategy.{new.name}" for was, new in zip(before, after, strict=True) if was != new]
        touched += ["breaker"] if settings.risk != old.risk else []
        touched += ["health"] if settings.health != old.health else []
        is_schedule = (settings.audit, settings.feed.speed) != (old.audit, old.feed.speed)
        return touched + ([AUDITOR] if is_schedule and AUDITOR in self._system.names() else [])


def _as_configured(parts: Parts) -> Settings:
    """Return the settings without what a venue or the journal has told: nobody has changed that in a file."""
    given = parts.instruments_given
    return parts.settings if given is None else msgspec.structs.replace(parts.settings, instruments=given)


def _require_same_frames(part: StrategyPart, found: tuple[str, ...]) -> None:
    """Refuse other time frames: the feed would go on to ask the strategy when bars of the old ones have closed."""
    if found != part.timeframes:
        raise ValueError(
            f"one of {', '.join(found)} bars instead of {', '.join(part.timeframes)}, which needs a restart of the node"
        )
