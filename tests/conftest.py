"""What holds for all tests."""

from collections.abc import Iterator
from typing import Any

import pytest


def pytest_configure(config: pytest.Config) -> None:
    """End the coverage that a worker has begun as if it led the others, since it sees their `-n`.

    It would lie below the worker's own, be measured by nobody, and go on wherever that one is paused.
    """
    controller = _controller(config)
    if controller is not None and hasattr(config, "workerinput"):
        controller.cov.stop()


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_runtest_protocol(item: pytest.Item) -> Iterator[None]:
    """Measure no coverage in slow tests: they run whole nodes, which the measuring makes three times as slow."""
    controller = _controller(item.config)
    if controller is None or not item.get_closest_marker("slow"):
        return (yield)
    controller.pause()
    try:
        return (yield)
    finally:
        controller.resume()


def _controller(config: pytest.Config) -> Any:
    """Return what measures coverage here; None where nothing does."""
    return getattr(config.pluginmanager.getplugin("_cov"), "cov_controller", None)
