"""Loads a configuration: defaults, file, environment, `--set`; whole and without a mistake, or not at all."""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import msgspec

from holdfast.config.checks import misfits
from holdfast.config.layers import Layers, lay
from holdfast.config.problems import ConfigurationError, Problem
from holdfast.config.settings import BUILT_IN, Settings
from holdfast.config.walker import Walker
from holdfast.config.watch import FileStamp, look_at
from holdfast.secrets import LENGTH_MIN, is_secret_name, remember

DEFAULT_FILE = Path("config.toml")


LookOn = Callable[[Settings, Path], Sequence[Problem]]


def _see_nothing(settings: Settings, folder: Path) -> Sequence[Problem]:
    return ()


class Loaded(msgspec.Struct, frozen=True):
    """Settings without a mistake, the file they came from, and one line that sums them up."""

    settings: Settings
    file: Path | None
    seen: FileStamp | None
    """The file before it was read: who changes it from then on has changed what these settings are."""
    summary: str


def load_settings(
    file: Path | None, *, environ: Mapping[str, str], overrides: Sequence[str] = (), look_on: LookOn = _see_nothing
) -> Loaded:
    """Load a configuration; without a file named, `config.toml` of the working directory if there is one.

    Where a key is wrong, `look_on` is asked what else is, of settings in which a default stands in for each such key:
    it is told those and the folder where relative paths start, and what it finds of wrong keys is left out.

    Raises:
        ConfigurationError: with every mistake there is.
    """
    found = file or (DEFAULT_FILE if DEFAULT_FILE.is_file() else None)
    seen = look_at(found) if found is not None else None
    problems: list[Problem] = []
    layers = lay(found, environ, overrides, problems)
    _complete(layers)
    walker = Walker(layers, environ)
    settings = _with_classes(walker.read(Settings))
    problems += walker.problems
    _guard_parameters(settings)
    problems += _cross_problems(settings, layers, wrong={problem.key for problem in problems})
    if problems:
        folder = found.parent if found is not None else Path()
        wrong = {problem.key for problem in problems}
        more = (each for each in look_on(settings, folder) if not any(key.startswith(each.key) for key in wrong))
        raise ConfigurationError([*problems, *more])
    return Loaded(settings=settings, file=found, seen=seen, summary=_sum_up(settings, found, len(layers.origins)))


def _complete(layers: Layers) -> None:
    """Fill in defaults that depend on what was said elsewhere.

    Generated headlines tell of the generated market only; and a strategy named outside the file joins the default
    ones where the file names none.
    """
    match layers.tree:
        case {"feed": {"source": source}} if getattr(source, "value", source) in ("files", "venue"):
            sentiment = layers.tree.setdefault("sentiment", {})
            if isinstance(sentiment, dict):
                sentiment.setdefault("source", "none")
    strategies = layers.tree.get("strategies")
    if isinstance(strategies, dict) and not layers.is_in_file("strategies"):
        for name in BUILT_IN:
            strategies.setdefault(name, {})


def _with_classes(settings: Settings) -> Settings:
    return msgspec.structs.replace(
        settings,
        strategies={
            name: msgspec.structs.replace(strategy, implementation=name)
            if name in BUILT_IN and not strategy.implementation
            else strategy
            for name, strategy in settings.strategies.items()
        },
    )


def _guard_parameters(settings: Settings) -> None:
    """Scrub what a strategy of the user's own calls a secret; its table is all that we know of it."""
    for strategy in settings.strategies.values():
        for key, value in strategy.parameters.items():
            if is_secret_name(key) and isinstance(value, str) and len(value) >= LENGTH_MIN:
                remember(value)


def _cross_problems(settings: Settings, layers: Layers, *, wrong: set[str]) -> list[Problem]:
    """Judge only by keys that are right in themselves: a default that stands in for a mistake proves nothing."""
    return [
        Problem(
            key=misfit.key,
            expected=misfit.expected,
            found=misfit.found,
            origin=layers.origin(tuple(misfit.key.split("."))),
            hint=misfit.hint,
        )
        for misfit in misfits(settings)
        if wrong.isdisjoint({misfit.key, *misfit.with_})
    ]


def _sum_up(settings: Settings, file: Path | None, overrides: int) -> str:
    feed = settings.feed
    source = f"{file or 'defaults'}{f' and {overrides} values from outside' if overrides else ''}"
    speed = "at full speed" if feed.speed == "max" else f"at {feed.speed:f} times the speed of time"
    market = f"{feed.source} market of {', '.join(feed.symbols) or 'all symbols'}"
    if settings.venue.kind != "paper":
        # What is real has its own pace, and holds what it says.
        place = f"{settings.venue.kind} venue at {settings.venue.place}"
        return f"{source}: {market}; {_names(settings)}; {place}"
    cash = " and ".join(f"{amount:f} {asset}" for asset, amount in settings.venue.balances.items()) or "nothing"
    return f"{source}: {market} {speed}; {_names(settings)}; {settings.venue.kind} venue with {cash}"


def _names(settings: Settings) -> str:
    return ", ".join(name for name, each in settings.strategies.items() if each.enabled) or "no strategy"
