"""How headlines are scored: with the lexicon that ships with Holdfast."""

from collections.abc import Mapping

from domain.market import Instrument
from domain.sentiment import aliases_of, score_headline
from domain.sources import Headline
from domain.strategies import Score
from gateways.lexicon import load_lexicon
from holdfast.config.settings import Settings


class Scorer:
    """Scores headlines with the lexicon that ships with Holdfast; loads it when first needed."""

    def __init__(self, settings: Settings, instruments: Mapping[str, Instrument]) -> None:
        self._half_life_ms = int(settings.sentiment.half_life_hours * 3_600_000)
        self._bases = {symbol: instrument.base for symbol, instrument in instruments.items()}
        self._lexicon = None if settings.sentiment.source == "none" else load_lexicon()
        self._aliases = aliases_of(self._bases, self._lexicon) if self._lexicon is not None else {}

    def __call__(self, headline: Headline, arrived_at: int) -> Score:
        """Return the score of a headline that arrived at this instant."""
        assert self._lexicon is not None
        return score_headline(
            headline,
            lexicon=self._lexicon,
            arrived_at=arrived_at,
            half_life_ms=self._half_life_ms,
            aliases=self._aliases,
        )
