"""Whether the exchange serves anybody now, and whether the account's key is good."""

from domain.market import Instant

FOR_EVER: Instant = 2**62


class Gate:
    """Open, until something befalls the exchange."""

    def __init__(self, began_at: Instant = 0) -> None:
        self.began_at = began_at
        """When this life of the exchange began."""
        self.forgot_at: Instant = 0
        """When it forgot, within this life, which orders had ended."""
        self.maintained_until: Instant = 0
        self.revoked_until: Instant = 0

    def is_maintained(self, now: Instant) -> bool:
        """Say whether every request is turned away."""
        return now < self.maintained_until

    def is_revoked(self, now: Instant) -> bool:
        """Say whether the key is not good."""
        return now < self.revoked_until
