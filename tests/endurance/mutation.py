"""Puts a bug into the running program, and takes it out again."""

from collections.abc import Callable
from typing import Any
from unittest.mock import patch

Put = Callable[[Any, str, Any], None]
"""Puts something into a class or module, in place of what is there under that name."""
Mutant = Callable[[Put], None]


class Mutated:
    """The program with a bug in it, as long as it lasts."""

    def __init__(self, mutant: Mutant) -> None:
        self._mutant = mutant
        self._patches: list[Any] = []

    def __enter__(self) -> None:
        def put(place: Any, name: str, value: Any) -> None:
            patched = patch.object(place, name, value)
            patched.start()
            self._patches.append(patched)

        self._mutant(put)

    def __exit__(self, *_: object) -> None:
        for patched in reversed(self._patches):
            patched.stop()
