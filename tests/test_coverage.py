"""What is measured of the program while it is tested: not what slow tests do, which take as long as without."""

import sys

import pytest
from coverage import Coverage


@pytest.mark.slow
def test_nothing_is_measured_in_a_slow_test() -> None:
    assert Coverage.current() is None
    assert "coverage" not in repr(sys.gettrace())
