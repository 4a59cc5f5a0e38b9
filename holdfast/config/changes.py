"""What a changed configuration changes: at once, or only after a restart."""

from fnmatch import fnmatchcase
from typing import Any

import msgspec

from holdfast.config.settings import Settings
from holdfast.config.view import flatten
from holdfast.secrets import MASK, Secret, is_secret_name, scrub

LIVE_KEYS = ("risk.*", "strategies.*.parameters*", "log.level", "feed.speed", "health.*", "audit.*", "backup.*")
"""What can change while the node runs.  A strategy that is new or gone needs a restart."""

UNSET = "not set"


class Change(msgspec.Struct, frozen=True):
    """A value that differs, as text, secrets hidden."""

    before: str
    after: str


class Changes(msgspec.Struct, frozen=True):
    """What differs between two configurations, by key; and the settings that hold from now on."""

    applied: dict[str, Change]
    needs_restart: dict[str, Change]
    effective: Settings

    @property
    def is_empty(self) -> bool:
        """Say whether nothing differs."""
        return not (self.applied or self.needs_restart)

    def public_view(self) -> dict[str, Any]:
        """Return the changes as JSON values for the journal."""
        return {
            "applied": {key: [change.before, change.after] for key, change in self.applied.items()},
            "needs_restart": {key: [change.before, change.after] for key, change in self.needs_restart.items()},
        }


def compare(old: Settings, new: Settings) -> Changes:
    """Tell what differs, what of it can hold at once, and what waits for a restart."""
    before, after = flatten(old), flatten(new)
    applied: dict[str, Change] = {}
    needs_restart: dict[str, Change] = {}
    for key in sorted(before.keys() | after.keys()):
        if before.get(key, _UNSET) != after.get(key, _UNSET):
            change = Change(before=_shown(key, before), after=_shown(key, after))
            (applied if _is_live(key, old, new) else needs_restart)[key] = change
    return Changes(applied=applied, needs_restart=needs_restart, effective=_effective(old, new))


_UNSET: Any = object()


def _shown(key: str, values: dict[str, Any]) -> str:
    value = values.get(key, _UNSET)
    if value is _UNSET or value is None:
        return UNSET
    hidden = isinstance(value, Secret) or is_secret_name(key.rpartition(".")[2])
    return MASK if hidden else scrub(", ".join(map(str, value)) if isinstance(value, tuple) else str(value))


def _is_live(key: str, old: Settings, new: Settings) -> bool:
    if key.startswith("strategies."):
        name = key.split(".")[1]
        if name not in old.strategies or name not in new.strategies:
            return False
    return any(fnmatchcase(key, pattern) for pattern in LIVE_KEYS)


def _effective(old: Settings, new: Settings) -> Settings:
    """Return the old settings with those parts of the new ones that can change while running."""
    replace = msgspec.structs.replace
    strategies = {
        name: replace(strategy, parameters=new.strategies[name].parameters) if name in new.strategies else strategy
        for name, strategy in old.strategies.items()
    }
    return replace(
        old,
        risk=new.risk,
        health=new.health,
        audit=new.audit,
        backup=new.backup,
        strategies=strategies,
        feed=replace(old.feed, speed=new.feed.speed),
        log=replace(old.log, level=new.log.level),
    )
