"""Laws of a configuration that changes while the node runs."""

from decimal import Decimal
from pathlib import Path
from typing import Any

import msgspec
import pytest

from holdfast.config import Changes, ConfigWatcher, FileStamp, Settings, compare, load_settings, look_at
from holdfast.config.settings import StrategySettings


def loaded(*overrides: str, environ: dict[str, str] | None = None) -> Settings:
    return load_settings(Path("/dev/null"), environ=environ or {}, overrides=overrides).settings


def changes(*overrides: str) -> Changes:
    return compare(loaded(), loaded(*overrides))


def test_the_same_configuration_changes_nothing() -> None:
    found = changes()

    assert found.is_empty
    assert found.effective == Settings()


@pytest.mark.parametrize(
    "override",
    [
        "risk.drawdown_max=0.1",
        "risk.symbols_allowed=BTCUSDT",
        "strategies.confidence.parameters.enter_from=0.7",
        "strategies.confidence.parameters={}",
        "log.level=debug",
        "feed.speed=max",
        "health.heartbeat_s=1",
        "health.daily_summary='5 0 * * *'",
    ],
)
def test_these_keys_hold_at_once(override: str) -> None:
    found = changes(override)

    assert found.needs_restart == {}
    assert found.effective == loaded(override)


@pytest.mark.parametrize(
    "override",
    [
        "node.name=other",
        "feed.symbols=BTCUSDT",
        "feed.warmup_bars=7",
        "venue.fee_taker_bps=3",
        "venue.balances.USDT=5",
        "strategies.confidence.enabled=false",
        "strategies.confidence.symbols=BTCUSDT",
        "strategies.mine.class=confidence",
        "instruments.BTCUSDT.lot=1",
        "journal.linger_ms=5",
        "supervision.guard.intensity=2",
        "admin.enabled=false",
        "log.format=json",
    ],
)
def test_these_keys_wait_for_a_restart_and_say_so(override: str) -> None:
    found = changes(override)

    assert found.applied == {}
    assert override.split("=", maxsplit=1)[0].rsplit(".", 1)[0] in "".join(found.needs_restart)
    assert found.effective == Settings()


def test_a_change_says_what_was_and_what_is() -> None:
    found = changes("risk.drawdown_max=0.1", "log.format=json")

    assert found.public_view() == {
        "applied": {"risk.drawdown_max": ["0.2", "0.1"]},
        "needs_restart": {"log.format": ["console", "json"]},
    }


def test_a_strategy_that_is_gone_keeps_running_until_the_restart() -> None:
    old = loaded("strategies.confidence.parameters.enter_from=0.7")
    new = msgspec.structs.replace(old, strategies={"ema_cross": StrategySettings(implementation="ema_cross")})

    found = compare(old, new)

    assert found.applied == {}
    assert "strategies.confidence.class" in found.needs_restart
    assert found.effective == old


def test_what_needs_a_restart_does_not_keep_the_rest_from_holding() -> None:
    found = changes("node.name=other", "risk.drawdown_max=0.1")

    assert found.effective.node.name == "holdfast"
    assert found.effective.risk.drawdown_max == Decimal("0.1")


def test_a_change_of_a_secret_shows_neither_the_old_nor_the_new_one() -> None:
    first = loaded(environ={"HOLDFAST__VENUE__CREDENTIALS__API_KEY": "first-canary-1"})
    second = loaded(environ={"HOLDFAST__VENUE__CREDENTIALS__API_KEY": "second-canary-2"})
    table = loaded("strategies.confidence.parameters.api_key=third-canary-3")

    shown: Any = [compare(first, second).public_view(), compare(first, table).public_view()]

    assert "canary" not in str(shown)
    assert shown[0]["needs_restart"] == {"venue.credentials.api_key": ["***", "***"]}


# --- the watcher


def stamp(version: int, size: int = 10) -> FileStamp:
    return FileStamp(mtime_ns=version, size=size, inode=1)


def test_a_new_version_is_told_once_it_stands_still() -> None:
    watcher = ConfigWatcher(stamp(1))

    told = [watcher.observe(each) for each in (stamp(1), stamp(2), stamp(2), stamp(2), stamp(2))]

    assert told == [False, False, True, False, False]


def test_a_file_that_is_being_written_is_left_alone() -> None:
    watcher = ConfigWatcher(stamp(1))

    told = [watcher.observe(stamp(2, size)) for size in (0, 100, 200, 300, 300)]

    assert told == [False, False, False, False, True]


def test_a_file_that_is_gone_is_an_editor_at_work() -> None:
    watcher = ConfigWatcher(stamp(1))

    told = [watcher.observe(each) for each in (None, None, stamp(1), stamp(1), None, stamp(3), stamp(3))]

    assert told == [False, False, False, False, False, False, True]


def test_a_file_that_comes_into_being_is_a_new_version() -> None:
    watcher = ConfigWatcher(None)

    assert [watcher.observe(stamp(1)), watcher.observe(stamp(1))] == [False, True]


def test_an_atomic_replace_is_seen_even_with_the_same_size_and_time(tmp_path: Path) -> None:
    import os

    file, other = tmp_path / "config.toml", tmp_path / "other"
    for path in (file, other):
        path.write_text("same")
        os.utime(path, ns=(1, 1))
    before = look_at(file)
    other.rename(file)

    after = look_at(file)

    assert before is not None
    assert after is not None
    assert (before.size, before.mtime_ns) == (after.size, after.mtime_ns)
    assert before != after
    assert look_at(tmp_path / "nothing") is None
