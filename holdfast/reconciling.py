"""What the configuration says of differences between the books and the venue's account."""

import msgspec

from domain.reconciliation import Policies
from holdfast.config.settings import Settings


def policies_of(settings: Settings) -> Policies:
    """Return what becomes of each kind of difference."""
    return Policies(**msgspec.structs.asdict(settings.reconcile))
