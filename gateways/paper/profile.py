"""The manners of a paper venue, as whoever trades there must know them."""

from domain.venue import VenueProfile
from gateways.paper.settings import MARKET_BUFFER, PaperSettings


def profile_of(settings: PaperSettings, quote: str) -> VenueProfile:
    """Return what is known of a paper venue with these terms, whose symbols are all traded against one quote asset.

    It shows what it has taken at once, and nothing is under way that a death would not end with everything else.
    """
    return VenueProfile(
        enforces_deadline=True,
        in_flight_outlives_us=False,
        visibility_lag_ms=0,
        skew_ms=0,
        negatives_needed=1,
        answer_within_s=30.0,
        look_again_s=1.0,
        market_lock=MARKET_BUFFER,
        fee_lock=settings.buy_fee_max(quote),
        base_fee=settings.base_fee_max,
    )
