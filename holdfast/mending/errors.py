"""What may be wrong with a wish to back up or to mend."""


class MendingRefused(Exception):
    """The command makes no sense here; nothing was changed."""
