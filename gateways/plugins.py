"""Finds a strategy's class: one that ships with Holdfast, one that is installed, or one in a file of your own."""

import importlib
import importlib.util
import sys
from collections.abc import Mapping, Sequence
from hashlib import sha256
from pathlib import Path
from types import ModuleType
from typing import Any, Protocol, cast

import msgspec

from domain.market import TIMEFRAMES_MS
from domain.strategies.base import Strategy
from domain.strategies.confidence import Confidence
from domain.strategies.ema_cross import EmaCross


class StrategyClass(Protocol):
    """What makes a strategy."""

    __name__: str
    __qualname__: str

    def __call__(self, symbols: Sequence[str], parameters: Mapping[str, Any], /) -> Strategy:
        """Make a strategy; raise ValueError for a setting that cannot be."""


ENTRY_POINTS = "holdfast.strategies"
BUILT_IN: dict[str, StrategyClass] = {"confidence": Confidence, "ema_cross": EmaCross}
_ERRORS = (
    ImportError,
    SyntaxError,
    OSError,
    NameError,
    AttributeError,
    TypeError,
    ValueError,
    LookupError,
    ArithmeticError,
    RuntimeError,
    AssertionError,
)
"""What the user's own code may raise while it is imported, or over the parameters that it is given."""
METHODS = ("on_bar", "on_score", "propose", "save", "restore")


class StrategyNotFound(ValueError):
    """A strategy's class is not where the configuration says, or is no strategy."""

    def __init__(self, place: str, *, expected: str, found: str) -> None:
        super().__init__(f"{place}: expected {expected}, found {found}")
        self.place, self.expected, self.found = place, expected, found


def find_strategy(place: str, *, folder: Path) -> StrategyClass:
    """Return the class at `package.module:Class`, at `path/to/file.py:Class`, or of a short name.

    Short names are those of BUILT_IN, then those of installed entry points in the group `holdfast.strategies`.  A
    path that is not absolute starts at `folder`.  A file is loaded once in the life of the process.

    Raises:
        StrategyNotFound: there is no such file, module or class, it cannot be imported, or it is not a strategy.
    """
    if place in BUILT_IN:
        return BUILT_IN[place]
    module_place, colon, name = place.rpartition(":")
    if not colon:
        return _check(place, _load_entry_point(place))
    if module_place.endswith(".py") or "/" in module_place:
        return _check(place, _take(place, _load_file(place, folder / Path(module_place).expanduser()), name))
    return _check(place, _take(place, _load_module(place, module_place), name))


def make_strategy(kind: StrategyClass, symbols: Sequence[str], parameters: Mapping[str, Any]) -> Strategy:
    """Return a new strategy with these parameters.

    Raises:
        ValueError: they cannot be, as its class says or stumbles over, or it lives on no time frames that there are.
    """
    try:
        made = kind(symbols, dict(parameters))
        _demand_timeframes(made.timeframes)
    except ValueError:
        raise
    except _ERRORS as error:
        raise ValueError(f"{type(error).__name__}: {error}") from error
    return made


def _demand_timeframes(timeframes: object) -> None:
    # A text is a sequence too, of letters.
    frames = [timeframes] if isinstance(timeframes, str) else list(cast(Sequence[object], timeframes))
    strange = [frame for frame in frames if frame not in TIMEFRAMES_MS]
    if isinstance(timeframes, str) or strange or not frames:
        found = repr(timeframes) if isinstance(timeframes, str) else ", ".join(map(repr, strange)) or "none"
        raise ValueError(f"timeframes must be a tuple of some of {', '.join(TIMEFRAMES_MS)}; found {found}")


def parameters_of(strategy: StrategyClass) -> type[msgspec.Struct] | None:
    """Return the Struct a strategy reads its parameters into, its attribute `Parameters`; None where it has none."""
    parameters = getattr(strategy, "Parameters", None)
    return parameters if isinstance(parameters, type) and issubclass(parameters, msgspec.Struct) else None


def _load_entry_point(name: str) -> object:
    # Strategies that ship with us need no entry point, and a start without this import takes 20 ms less.
    from importlib.metadata import entry_points

    points = entry_points(group=ENTRY_POINTS)
    chosen = [point for point in points if point.name == name]
    if len(chosen) != 1:
        known = ", ".join(sorted({*BUILT_IN, *points.names}))
        found = f"{len(chosen)} installed packages with that name" if chosen else "no such name"
        raise StrategyNotFound(name, expected=f"one of {known}, package.module:Class or file.py:Class", found=found)
    try:
        return chosen[0].load()
    except _ERRORS as error:
        raise _not_importable(name, error) from error


def _load_module(place: str, module: str) -> ModuleType:
    try:
        return importlib.import_module(module)
    except _ERRORS as error:
        raise _not_importable(place, error) from error


def _load_file(place: str, path: Path) -> ModuleType:
    path = path.resolve()
    # A name that no other module has: classes look their own module up by it, and `my.py` may exist in two folders.
    name = f"holdfast_strategy_{path.stem}_{sha256(bytes(path)).hexdigest()[:12]}"
    if name in sys.modules:
        return sys.modules[name]
    spec = importlib.util.spec_from_file_location(name, path)
    if spec is None or spec.loader is None or not path.is_file():
        raise StrategyNotFound(place, expected="a Python file", found=f"none at {path}")
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    try:
        spec.loader.exec_module(module)
    except _ERRORS as error:
        del sys.modules[name]
        raise _not_importable(place, error) from error
    return module


def _take(place: str, module: ModuleType, name: str) -> object:
    if not hasattr(module, name):
        classes = [each for each, value in vars(module).items() if _is_defined_in(module, value)]
        raise StrategyNotFound(place, expected=f"a class {name}", found=", ".join(classes) or "no class")
    return getattr(module, name)


def _is_defined_in(module: ModuleType, value: object) -> bool:
    return isinstance(value, type) and value.__module__ == module.__name__


def _check(place: str, found: object) -> StrategyClass:
    if not isinstance(found, type):
        raise StrategyNotFound(place, expected="a class", found=f"a {type(found).__name__}")
    missing = [method for method in METHODS if not callable(getattr(found, method, None))]
    if missing:
        raise StrategyNotFound(
            place, expected=f"a strategy, with {', '.join(METHODS)}", found=f"a class without {', '.join(missing)}"
        )
    return cast(StrategyClass, found)


def _not_importable(place: str, error: BaseException) -> StrategyNotFound:
    return StrategyNotFound(place, expected="a module that can be imported", found=f"{type(error).__name__}: {error}")
