"""Headlines that go with the generated market: generated too, and labelled so."""

from collections.abc import Iterator, Sequence
from typing import NamedTuple

from domain.market import DAY_MS, MINUTE_MS
from domain.sources import Headline
from gateways.sample_paths import stream
from gateways.sample_plan import BEGIN, day_plan

SOURCE = "generated"
LATE_MAX_MINUTES = 20
"""Headlines follow what happened by up to this much."""


class Story(NamedTuple):
    """A headline of a kind of day, about a subject; {day} is the number of the day."""

    minute: int
    subject: str
    title: str


BEFORE: tuple[Story, ...] = (
    Story(-1_900, "bitcoin", "Bitcoin recovers as sellers run out of steam"),
    Story(-1_150, "ethereum", "Ethereum developers ship upgrade ahead of schedule, network runs smoothly"),
    Story(-560, "altcoin", "Solana activity climbs for a third straight day"),
    Story(-240, "bitcoin", "Bitcoin holds its gains, analysts see room for a rally"),
    Story(-70, "blockchain", "Large funds add to crypto holdings as optimism returns"),
)
"""From before trading starts, so that the first decisions rest on news."""

STORIES: dict[str, tuple[Story, ...]] = {
    "trend up": (
        Story(45, "bitcoin", "Day {day}: Bitcoin rally gains strength as buyers return"),
        Story(380, "ethereum", "Day {day}: Ethereum climbs with strong inflows into funds"),
        Story(790, "altcoin", "Day {day}: Solana jumps, outperforming the market"),
        Story(1_180, "blockchain", "Day {day}: crypto market extends gains on bullish sentiment"),
    ),
    "quiet": (
        Story(420, "bitcoin", "Day {day}: Bitcoin trades sideways in a calm session"),
        Story(980, "blockchain", "Day {day}: conference season opens with talks on custody"),
    ),
    "chop": (
        Story(190, "bitcoin", "Day {day}: Bitcoin rises early, traders stay cautious"),
        Story(640, "ethereum", "Day {day}: Ethereum slips after failed breakout"),
        Story(1_060, "altcoin", "Day {day}: Solana swings while the market looks for direction"),
    ),
    "trend down": (
        Story(330, "bitcoin", "Day {day}: Bitcoin falls as sellers take over"),
        Story(700, "ethereum", "Day {day}: Ethereum drops on weak demand"),
        Story(1_010, "blockchain", "Day {day}: crypto market extends losses as fear grows"),
    ),
    "crash": (
        Story(240, "bitcoin", "Day {day}: Bitcoin edges higher before the weekend"),
        Story(700, "blockchain", "Day {day}: large lender halts withdrawals, insolvency feared"),
        Story(735, "bitcoin", "Day {day}: Bitcoin plunges as panic selling begins"),
        Story(790, "altcoin", "Day {day}: Solana crashes in wave of liquidations"),
        Story(840, "ethereum", "Day {day}: Ethereum collapses, exchanges report record liquidations"),
        Story(930, "bitcoin", "Day {day}: Bitcoin rebounds from the lows after brutal crash"),
        Story(1_250, "blockchain", "Day {day}: crypto market counts its losses, fear is extreme"),
    ),
    "outage": (
        Story(800, "blockchain", "Day {day}: large exchange suffers outage, trading halted"),
        Story(845, "blockchain", "Day {day}: exchange resumes trading after outage"),
        Story(1_200, "bitcoin", "Day {day}: Bitcoin steady after exchange outage"),
    ),
}


class SampleHeadlines:
    """Generated headlines, dated as the generated market goes."""

    def __init__(self, *, seed: int, days: int) -> None:
        self._seed = seed
        self._days = days

    def describe(self) -> str:
        """Say that the headlines are generated, and from which seed."""
        return f"generated headlines, seed {self._seed}, {self._days} days"

    def load(self) -> Sequence[Headline]:
        """Return all headlines, oldest first."""
        return tuple(sorted(self._generate(), key=lambda headline: (headline.published_at, headline.title)))

    def _generate(self) -> Iterator[Headline]:
        for story in BEFORE:
            yield self._publish(story, day=0)
        for day in range(self._days):
            for story in STORIES[day_plan(day).regime]:
                yield self._publish(story, day=day)

    def _publish(self, story: Story, *, day: int) -> Headline:
        late = int(stream(self._seed, "headline", day, story.minute).random() * LATE_MAX_MINUTES)
        published_at = BEGIN + day * DAY_MS + (story.minute + late) * MINUTE_MS
        return Headline(SOURCE, story.title.format(day=day + 1), published_at, story.subject)


def sample_headlines(*, seed: int = 7, days: int = 14) -> SampleHeadlines:
    """Return the headlines that go with the generated market of this seed and length."""
    return SampleHeadlines(seed=seed, days=days)
