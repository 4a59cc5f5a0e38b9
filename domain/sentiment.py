"""What the news says: headlines scored by an explainable word list, and scores that fade and add up to a level.

The rules are those of VADER (Hutto and Gilbert, 2014): intensifiers, negation, contrast, capitals, exclamation marks.
On top of them, headlines are not trusted: a repeated word counts once, an event such as a hack bounds the score from
above whatever else is said, and text that speaks to a machine is believed only where it warns.
"""

from bisect import insort
from collections.abc import Mapping, Sequence
from itertools import pairwise
from math import copysign, fsum, isfinite, sqrt

import msgspec

from domain.lexicon import Entry, Lexicon, find_entry, normalise_text, plain_word, split_words, text_hash
from domain.market import Instant
from domain.sources import Headline
from domain.strategies.base import Score

REACH = 3
"""How many words before a word may change it."""
INTENSITY = 0.3
INTENSITY_BY_DISTANCE = (1.0, 0.95, 0.9)
NEGATION_FACTOR = -0.75
CAPITALS = 0.7
BEFORE_CONTRAST, AFTER_CONTRAST = 0.5, 1.5
CONCESSION_FACTOR = 0.5
EXCLAMATION = 0.3
EXCLAMATIONS_MAX = 3
FLATNESS = 15.0
"""A sum of weights x becomes x / sqrt(x * x + FLATNESS)."""
SENTENCE_ENDS = frozenset(";:.!?")
PUNCTUATION = SENTENCE_ENDS | {","}


class Reading(msgspec.Struct, frozen=True):
    """How a text was scored: what each word weighed after the rules, and which events bound the score."""

    value: float
    parts: tuple[tuple[str, float], ...]
    bounds: tuple[tuple[str, float], ...]
    """Event class and the score it allows at most."""


def score_headline(
    headline: Headline,
    *,
    lexicon: Lexicon,
    arrived_at: Instant,
    half_life_ms: int,
    aliases: Mapping[str, Sequence[str]],
) -> Score:
    """Return the score of a headline; `aliases` are the names of each traded symbol (see `aliases_of`).

    Raises:
        ValueError: the half-life is not above 0 ms.
    """
    if half_life_ms <= 0:
        raise ValueError(f"half_life_ms must be above 0, was {half_life_ms}")
    text = normalise_text(headline.title)
    return Score(
        source=headline.source,
        text_hash=text_hash(text),
        model=lexicon.model,
        value=_read_normalised(text, lexicon).value,
        half_life_ms=half_life_ms,
        published_at=headline.published_at,
        arrived_at=arrived_at,
        symbols=named_symbols(text, aliases),
    )


def explain(text: str, lexicon: Lexicon) -> list[tuple[str, float]]:
    """Return what each word or phrase of a text weighed after the rules, in reading order, events first."""
    return list(read_text(text, lexicon).parts)


def read_text(text: str, lexicon: Lexicon) -> Reading:
    """Score any text.  The value is finite and in -1..1, whatever the text."""
    return _read_normalised(normalise_text(text), lexicon)


def aliases_of(bases: Mapping[str, str], lexicon: Lexicon) -> dict[str, tuple[str, ...]]:
    """Return the names of each symbol, given its base asset: those of the lexicon, else the asset's code as written."""
    return {symbol: lexicon.assets.get(base, (base,)) for symbol, base in bases.items()}


def named_symbols(normalised: str, aliases: Mapping[str, Sequence[str]]) -> tuple[str, ...]:
    """Return the symbols a normalised text names, sorted.  An alias with capitals counts only as written."""
    written = f" {' '.join(split_words(normalised))} "
    lowered = written.lower()
    return tuple(sorted(symbol for symbol, names in aliases.items() if _is_named(names, written, lowered)))


def _is_named(names: Sequence[str], written: str, lowered: str) -> bool:
    return any(f" {name} " in (lowered if name.islower() else written) for name in names)


def _read_normalised(text: str, lexicon: Lexicon) -> Reading:
    words = split_words(text)
    reading = _read_words(words, lexicon)
    instructions = _instruction_places(words, lexicon)
    if not instructions:
        return reading
    cuts = {*instructions, *(place for place, word in enumerate(words) if word in SENTENCE_ENDS)}
    sentences = (
        _read_words(words[start:end], lexicon).value for start, end in pairwise([0, *sorted(cuts), len(words)])
    )
    bounds = (*reading.bounds, ("instruction", 0.0))
    return Reading(value=min(0.0, reading.value, *sentences), parts=reading.parts, bounds=bounds)


def _instruction_places(words: list[str], lexicon: Lexicon) -> list[int]:
    plain = [plain_word(word) for word in words]
    return [place for place in range(len(plain)) if find_entry(lexicon.instructions, plain, place)]


def _read_words(written: list[str], lexicon: Lexicon) -> Reading:
    plain = [plain_word(word) for word in written]
    events, kept = _take_events(plain, lexicon)
    parts = [(" ".join(event.words), event.weight) for event in events]
    parts += _weigh([written[place] for place in kept], [plain[place] for place in kept], lexicon)
    total = fsum(weight for _, weight in parts)
    if total and (marks := min(written.count("!"), EXCLAMATIONS_MAX)):
        parts.append(("!" * marks, copysign(EXCLAMATION * marks, total)))
        total = fsum(weight for _, weight in parts)
    bounds = tuple((event.event, lexicon.score_max[event.event]) for event in events)
    value = total / sqrt(total * total + FLATNESS) + 0.0  # never -0.0
    return Reading(value=min((value, *(bound for _, bound in bounds))), parts=tuple(parts), bounds=bounds)


def _take_events(words: list[str], lexicon: Lexicon) -> tuple[list[Entry], list[int]]:
    """Return one event of each class, and the places of all words that belong to none.

    Events leave the text before any rule is applied, so that putting one in can only lower the score: it moves no
    word out of the reach of another.
    """
    events: dict[str, Entry] = {}
    kept: list[int] = []
    place = 0
    while place < len(words):
        event = find_entry(lexicon.events, words, place)
        if event is None:
            kept.append(place)
            place += 1
        else:
            events.setdefault(event.event, event)
            place += len(event.words)
    return list(events.values()), kept


def _weigh(written: list[str], words: list[str], lexicon: Lexicon) -> list[tuple[str, float]]:
    parts: dict[str, float] = {}
    has_lower_case = any(word != word.upper() for word in written)
    contrast = next((place for place, word in enumerate(words) if word in lexicon.contrasts), None)
    concession_end = -1
    place = 0
    while place < len(words):
        if words[place] in lexicon.concessions:
            concession_end = _clause_end(words, place)
        entry = find_entry(lexicon.words, words, place)
        if entry is None:
            place += 1
            continue
        weight = entry.weight
        if has_lower_case and written[place].isupper() and words[place] not in lexicon.acronyms:
            weight += copysign(CAPITALS, weight) if weight else 0.0
        weight = _modified(weight, words, place, lexicon)
        if contrast is not None:
            weight *= BEFORE_CONTRAST if place < contrast else AFTER_CONTRAST
        if place < concession_end:
            weight *= CONCESSION_FACTOR
        parts.setdefault(" ".join(entry.words), weight)
        place += len(entry.words)
    return list(parts.items())


def _clause_end(words: list[str], place: int) -> int:
    return next((end for end in range(place, len(words)) if words[end] in PUNCTUATION), len(words))


def _modified(weight: float, words: list[str], place: int, lexicon: Lexicon) -> float:
    """Apply the intensifiers and negations among the last words before a place, within its clause."""
    strength, factor = abs(weight), 1.0
    for distance in range(1, min(REACH, place) + 1):
        word = words[place - distance]
        if word in PUNCTUATION:
            break
        if word in lexicon.boosters:
            strength += INTENSITY * INTENSITY_BY_DISTANCE[distance - 1]
        elif word in lexicon.dampeners:
            strength -= INTENSITY * INTENSITY_BY_DISTANCE[distance - 1]
        if word.endswith("n't") or find_entry(lexicon.negations, words, place - distance):
            factor = NEGATION_FACTOR
    return copysign(max(strength, 0.0), weight) * factor if weight else 0.0


STALE_HALF_LIVES = 8
"""A score this many half-lives old is forgotten."""
QUORUM_WEIGHT = 3.0
"""Fresh scores needed for a level of full strength; below, the level shrinks towards neutral in proportion."""
SOURCE_WEIGHT_MAX = 1.5
"""What the scores of one source weigh together at most: half of a quorum."""
MARKS_PER_SOURCE_MAX = 16
MARKS_MAX = 128
"""Scores kept per symbol, and of those per source.  The newest stay."""
_EVERY_SYMBOL = ""


class Mark(msgspec.Struct, frozen=True, array_like=True, order=True, gc=False):
    """What the book keeps of a score.  Marks sort by arrival."""

    arrived_at: Instant
    source: str
    text_hash: str
    model: str
    fades_from: Instant
    half_life_ms: int
    value: float


class SentimentBook(msgspec.Struct):
    """The scores that still count, by symbol.  `msgspec.to_builtins` saves it, `msgspec.convert` restores it."""

    marks: dict[str, list[Mark]] = msgspec.field(default_factory=dict)

    def add(self, score: Score) -> None:
        """Take in a score.  The same text scored by the same model counts once; 0 says nothing and is not kept.

        Raises:
            ValueError: the value is not in -1..1 or the half-life not above 0 ms.
        """
        if not (isfinite(score.value) and -1 <= score.value <= 1 and score.half_life_ms > 0):
            raise ValueError(
                "a score must have a value in -1..1 and a half-life above 0 ms, "
                f"had {score.value} and {score.half_life_ms}"
            )
        if score.value == 0:
            return
        mark = Mark(
            arrived_at=score.arrived_at,
            source=score.source,
            text_hash=score.text_hash,
            model=score.model,
            # A headline dated ahead of its arrival must not stay fresh longer than others.
            fades_from=min(score.published_at, score.arrived_at),
            half_life_ms=score.half_life_ms,
            value=score.value,
        )
        for symbol in score.symbols or (_EVERY_SYMBOL,):
            _keep(self.marks.setdefault(symbol, []), mark)

    def level(self, symbol: str, at: Instant) -> float:
        """Return the mood about a symbol in -1..1: the mean of its scores, faded by age, weak while evidence is thin.

        Only what had arrived by `at` counts.  0.0 where there is nothing, or only what is stale.
        """
        weights: dict[str, list[float]] = {}
        values: dict[str, list[float]] = {}
        for mark in (*self.marks.get(symbol, ()), *self.marks.get(_EVERY_SYMBOL, ())):
            if weight := _weight(mark, at):
                weights.setdefault(mark.source, []).append(weight)
                values.setdefault(mark.source, []).append(weight * mark.value)
        shares = {source: fsum(weights[source]) for source in sorted(weights)}
        scales = {source: min(1.0, SOURCE_WEIGHT_MAX / share) for source, share in shares.items()}
        mood = fsum(scale * fsum(values[source]) for source, scale in scales.items())
        evidence = fsum(scale * shares[source] for source, scale in scales.items())
        return max(-1.0, min(1.0, mood / max(evidence, QUORUM_WEIGHT)))


def _weight(mark: Mark, at: Instant) -> float:
    half_lives = (at - mark.fades_from) / mark.half_life_ms
    if at < mark.arrived_at or half_lives >= STALE_HALF_LIVES:
        return 0.0
    return float(0.5**half_lives)


def _keep(marks: list[Mark], mark: Mark) -> None:
    twin = next((kept for kept in marks if (kept.text_hash, kept.model) == (mark.text_hash, mark.model)), None)
    if twin is not None:
        if twin <= mark:
            return
        marks.remove(twin)
    insort(marks, mark)
    newest = marks[-1].arrived_at
    marks[:] = [kept for kept in marks if _weight(kept, newest)]
    of_source = [kept for kept in marks if kept.source == mark.source]
    if len(of_source) > MARKS_PER_SOURCE_MAX:
        marks.remove(of_source[0])
    if len(marks) > MARKS_MAX:
        del marks[0]
