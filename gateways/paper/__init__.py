"""An exchange on paper: a durable book of its own, matched against the bars that are shown to it."""

from gateways.paper.profile import profile_of
from gateways.paper.settings import PaperSettings
from gateways.paper.venue import PaperVenue

__all__ = ["PaperSettings", "PaperVenue", "profile_of"]
