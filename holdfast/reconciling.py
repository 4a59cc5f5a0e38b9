"""What the configuration says of differences between the books and the venue's account."""

from domain.reconciliation import Policies
from holdfast.config.settings import Settings


def policies_of(settings: Settings) -> Policies:
    """Return what becomes of each kind of difference."""
    return Policies(**{name: getattr(settings.reconcile, name) for name in Policies.__struct_fields__})
