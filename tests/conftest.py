"""What holds for all tests."""

import pytest


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Measure no coverage in slow tests: they run whole nodes, which the measuring makes three times as slow."""
    for item in items:
        if item.get_closest_marker("slow"):
            item.add_marker("no_cover")
