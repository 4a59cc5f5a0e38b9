"""What holds for all tests."""

from collections.abc import Iterator

import pytest


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_runtest_protocol(item: pytest.Item) -> Iterator[None]:
    """Measure no coverage in slow tests: they run whole nodes, which the measuring makes three times as slow."""
    plugin = item.config.pluginmanager.getplugin("_cov")
    controller = getattr(plugin, "cov_controller", None)
    if controller is None or not item.get_closest_marker("slow"):
        return (yield)
    controller.pause()
    try:
        return (yield)
    finally:
        controller.resume()
