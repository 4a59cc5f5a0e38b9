"""How long supervisors are patient with actors, the same for all of them."""

from typing import TypedDict

from holdfast.config.settings import Settings
from supervision import Backoff


class Patience(TypedDict):
    """What all actors have in common."""

    hang_after_s: float
    backoff: Backoff


def patience_of(settings: Settings) -> Patience:
    """Return what the configuration says of it."""
    supervision = settings.supervision
    backoff = Backoff(base_s=supervision.backoff.base_s, cap_s=supervision.backoff.cap_s)
    return {"hang_after_s": supervision.hang_after_s, "backoff": backoff}
