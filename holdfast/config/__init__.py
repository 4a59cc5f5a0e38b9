"""Settings: what can be set, how it is loaded and checked, and what a change of it means."""

from holdfast.config.changes import Change, Changes, compare
from holdfast.config.instruments import instrument_for
from holdfast.config.loading import Loaded, load_settings
from holdfast.config.problems import ConfigurationError, Problem
from holdfast.config.settings import Settings
from holdfast.config.view import public_view
from holdfast.config.watch import ConfigWatcher, FileStamp, look_at

__all__ = [
    "Change",
    "Changes",
    "ConfigWatcher",
    "ConfigurationError",
    "FileStamp",
    "Loaded",
    "Problem",
    "Settings",
    "compare",
    "instrument_for",
    "load_settings",
    "look_at",
    "public_view",
]
