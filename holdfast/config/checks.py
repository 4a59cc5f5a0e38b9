"""Mistakes that no single key shows: settings that do not fit each other."""

from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import msgspec

from domain.market import TIMEFRAMES_MS
from gateways.exchange.settings import LOOPBACK
from holdfast.config.instruments import instrument_for
from holdfast.config.problems import nearest, show
from holdfast.config.settings import Intensity, Settings, Supervision


class Misfit(msgspec.Struct, frozen=True):
    """A key whose value does not fit; `with_` are the keys it was judged by."""

    key: str
    expected: str
    found: str
    with_: tuple[str, ...] = ()
    hint: str = ""


def misfits(settings: Settings) -> Iterator[Misfit]:
    """Find everything that does not fit together."""
    yield from _paths(settings)
    yield from _venue(settings)
    yield from _times(settings)
    yield from _symbols(settings)
    yield from _strategies(settings)
    yield from _risk(settings)
    yield from _supervision(settings.supervision)


def _paths(settings: Settings) -> Iterator[Misfit]:
    feed, sentiment = settings.feed, settings.sentiment
    if feed.source == "files" and not (feed.path and Path(feed.path).exists()):
        yield _no_path("feed", "a file or folder that exists", feed.path)
    if sentiment.source == "files" and not (sentiment.path and Path(sentiment.path).is_file()):
        yield _no_path("sentiment", "a file that exists", sentiment.path)


def _no_path(section: str, expected: str, path: str) -> Misfit:
    where = "a folder" if path and Path(path).is_dir() else f"nothing at {path}"
    return Misfit(
        key=f"{section}.path",
        expected=f'{expected}, since {section}.source is "files"',
        found=where if path else "none",
        with_=(f"{section}.source",),
    )


def _venue(settings: Settings) -> Iterator[Misfit]:
    venue, feed = settings.venue, settings.feed
    is_real = venue.kind != "paper"
    if is_real != (feed.source == "venue"):
        expected = '"venue"' if is_real else '"sample" or "files"'
        because = f'{expected}, since venue.kind is "{venue.kind}"'
        yield Misfit(key="feed.source", expected=because, found=show(feed.source), with_=("venue.kind",))
    if not is_real:
        return
    if venue.url:
        if urlsplit(venue.url).hostname not in LOOPBACK:
            expected = "an exchange on this machine, as `holdfast venue` starts one, or none for the venue's own place"
            yield Misfit(key="venue.url", expected=expected, found=show(venue.url), with_=("venue.kind",))
        if venue.testnet:
            expected = "false, since venue.url says where the venue is"
            yield Misfit(key="venue.testnet", expected=expected, found="true", with_=("venue.url",))
    elif not venue.allow_elsewhere:
        expected = (
            "an exchange on this machine, as `holdfast venue` starts one; or none, with venue.allow_elsewhere = true: "
            "nothing of this was ever tried at an exchange elsewhere"
        )
        yield Misfit(key="venue.url", expected=expected, found="none", with_=("venue.kind",))
    for name in ("api_key", "api_secret"):
        if getattr(venue.credentials, name) is None:
            yield Misfit(key=f"venue.credentials.{name}", expected="a key of the account", found="none")
    if not feed.symbols:
        expected = "the symbols to trade, since a venue has too many"
        yield Misfit(key="feed.symbols", expected=expected, found="none", with_=("feed.source",))


def _times(settings: Settings) -> Iterator[Misfit]:
    feed = settings.feed
    if not feed.frames:
        yield Misfit(key="feed.frames", expected="at least one time frame", found="none")
    base = TIMEFRAMES_MS.get(feed.timeframe, 1)
    for frame in feed.frames:
        if TIMEFRAMES_MS[frame] > base and TIMEFRAMES_MS[frame] % base:
            expected = f"time frames that bars of feed.timeframe {feed.timeframe} add up to"
            yield Misfit(key="feed.frames", expected=expected, found=frame, with_=("feed.timeframe",))
    if feed.start is not None and feed.end is not None and feed.end <= feed.start:
        yield Misfit(
            key="feed.end", expected="an instant after feed.start", found="an earlier one", with_=("feed.start",)
        )


def _symbols(settings: Settings) -> Iterator[Misfit]:
    for symbol in sorted({*settings.feed.symbols, *settings.instruments}):
        try:
            instrument_for(symbol, settings.instruments.get(symbol))
        except ValueError:
            key = f"instruments.{symbol}"
            yield Misfit(key=key, expected="its base and quote, which the name does not show", found="none")
    wanted = {"risk.symbols_allowed": settings.risk.symbols_allowed} | {
        f"strategies.{name}.symbols": strategy.symbols for name, strategy in settings.strategies.items()
    }
    for key, symbols in wanted.items():
        for symbol in symbols:
            if settings.feed.symbols and symbol not in settings.feed.symbols:
                meant = nearest(symbol, settings.feed.symbols)
                yield Misfit(
                    key=key,
                    expected="symbols among feed.symbols",
                    found=show(symbol),
                    with_=("feed.symbols",),
                    hint=f"did you mean {meant}?" if meant else "",
                )


def _strategies(settings: Settings) -> Iterator[Misfit]:
    for name, strategy in settings.strategies.items():
        if not strategy.implementation:
            yield Misfit(
                key=f"strategies.{name}.class",
                expected='"confidence", "ema_cross", a dotted path or file.py:Class',
                found="none",
            )


def _risk(settings: Settings) -> Iterator[Misfit]:
    risk = settings.risk
    if risk.symbol_exposure_max > risk.exposure_max:
        yield Misfit(
            key="risk.symbol_exposure_max",
            expected=f"at most risk.exposure_max {risk.exposure_max}",
            found=str(risk.symbol_exposure_max),
            with_=("risk.exposure_max",),
        )


def _supervision(supervision: Supervision) -> Iterator[Misfit]:
    backoff = supervision.backoff
    if backoff.base_s > backoff.cap_s:
        yield Misfit(
            key="supervision.backoff.base_s",
            expected=f"at most supervision.backoff.cap_s {backoff.cap_s:g}",
            found=f"{backoff.base_s:g}",
            with_=("supervision.backoff.cap_s",),
        )
    for name in ("root", "operations", "trading", "guard", "market", "strategies"):
        patience: Intensity = getattr(supervision, name)
        waited_s = _waits_s(patience.intensity, base_s=backoff.base_s, cap_s=backoff.cap_s)
        if waited_s >= patience.period_s:
            yield Misfit(
                key=f"supervision.{name}.period_s",
                expected=f"more than the {waited_s:g} s that {patience.intensity} restarts are waited for, "
                "or it never gives up",
                found=f"{patience.period_s:g}",
                with_=(f"supervision.{name}.intensity", "supervision.backoff.base_s", "supervision.backoff.cap_s"),
            )


def _waits_s(intensity: int, *, base_s: float, cap_s: float) -> float:
    """Return the sum of the waits before the restart that would be one too many."""
    doubling = [min(cap_s, base_s * 2.0**n) for n in range(min(intensity + 1, 64))]
    return sum(doubling) + max(intensity + 1 - len(doubling), 0) * cap_s
