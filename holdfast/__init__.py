"""Holdfast: an unattended, headless crypto trading node.

The packages beside this one (`domain`, `messages`, `supervision`, ...) are imported plainly.  An installed wheel
carries them in `holdfast/_app`, which comes first on the path: packages of the same names elsewhere do no harm.
"""

import sys
from pathlib import Path

__version__ = "0.1.0"

PACKAGES = ("domain", "messages", "supervision", "persistence", "gateways", "actors")
_HERE = Path(__file__).resolve().parent
_APP = _HERE / "_app"
HOUSE = _APP if _APP.is_dir() else _HERE.parent
"""The folder our packages are imported from."""

if HOUSE == _APP and str(_APP) not in sys.path:
    sys.path.insert(0, str(_APP))


class ForeignPackage(ImportError):
    """A package of somebody else would be imported in place of ours."""


def require_own_packages() -> None:
    """Make sure that every package of ours is the one that Python would import.

    Raises:
        ForeignPackage: another package has the name of one of ours and comes first on the path, or ours is missing.
    """
    for name in PACKAGES:
        found = _origin_of(name)
        if found is None or not found.is_relative_to(HOUSE):
            raise ForeignPackage(f"package `{name}` must be the one in {HOUSE}, found {found or 'none'}")


def _origin_of(name: str) -> Path | None:
    import importlib.util

    specification = importlib.util.find_spec(name)
    if specification is None:
        return None
    places = [specification.origin] if specification.origin else list(specification.submodule_search_locations or [])
    return Path(places[0]).resolve() if places else None
