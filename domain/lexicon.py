"""The word list of the offline headline scorer, and the text it reads: normalised, split into words, looked up."""

import re
import unicodedata
from collections.abc import Iterable, Mapping, Sequence
from hashlib import blake2b
from math import isfinite

import msgspec

RULES_VERSION = 1
"""Rises whenever the rules in `domain.sentiment` would score the same words differently."""
TEXT_LENGTH_MAX = 1_000
"""Characters of a text that are read; the rest is ignored."""
WEIGHT_MAX = 4.0

Phrase = tuple[str, ...]


class Entry(msgspec.Struct, frozen=True):
    """A word or phrase with its weight; `event` names the class it belongs to, if any."""

    words: Phrase
    weight: float
    event: str = ""


class Lexicon(msgspec.Struct, frozen=True):
    """A checked word list, ready for look-up.  Entries are found by their first word, longest first."""

    model: str
    """Rules version and hash of the content: two lists of the same name score alike."""
    words: Mapping[str, tuple[Entry, ...]]
    events: Mapping[str, tuple[Entry, ...]]
    instructions: Mapping[str, tuple[Entry, ...]]
    negations: Mapping[str, tuple[Entry, ...]]
    score_max: Mapping[str, float]
    """By event class: what a headline that names it scores at most."""
    boosters: frozenset[str]
    dampeners: frozenset[str]
    contrasts: frozenset[str]
    concessions: frozenset[str]
    acronyms: frozenset[str]
    assets: Mapping[str, tuple[str, ...]]


class _Words(msgspec.Struct, forbid_unknown_fields=True):
    weight: float
    forms: str


class _Event(msgspec.Struct, forbid_unknown_fields=True):
    name: str
    weight: float
    score_max: float
    forms: str


class _Modifiers(msgspec.Struct, forbid_unknown_fields=True):
    boosters: str
    dampeners: str
    negations: str
    contrasts: str
    concessions: str
    acronyms: str


class _Instructions(msgspec.Struct, forbid_unknown_fields=True):
    forms: str


class _Table(msgspec.Struct, forbid_unknown_fields=True):
    words: list[_Words]
    modifiers: _Modifiers
    events: list[_Event]
    instructions: _Instructions
    assets: dict[str, str]


def build_lexicon(table: Mapping[str, object]) -> Lexicon:
    """Return the lexicon that a table (as in the shipped TOML file) describes.

    Raises:
        ValueError: a key is missing or unknown, a weight is out of range, or a form is listed twice or has no words.
    """
    parsed = msgspec.convert(table, _Table)
    modifiers = parsed.modifiers
    lexicon = Lexicon(
        model="",
        words=_index(entry for group in parsed.words for entry in _word_entries(group)),
        events=_index(entry for event in parsed.events for entry in _event_entries(event)),
        instructions=_index(Entry(words=form, weight=0.0) for form in _forms(parsed.instructions.forms)),
        negations=_index(Entry(words=form, weight=0.0) for form in _forms(modifiers.negations)),
        score_max={event.name: event.score_max for event in parsed.events},
        boosters=_single_words(modifiers.boosters),
        dampeners=_single_words(modifiers.dampeners),
        contrasts=_single_words(modifiers.contrasts),
        concessions=_single_words(modifiers.concessions),
        acronyms=_single_words(modifiers.acronyms),
        assets={base: _split(names) for base, names in parsed.assets.items()},
    )
    return msgspec.structs.replace(lexicon, model=f"holdfast-lexicon/{RULES_VERSION}+{_content_hash(lexicon)}")


def find_entry(index: Mapping[str, tuple[Entry, ...]], words: Sequence[str], place: int) -> Entry | None:
    """Return the longest entry that begins at a place, if any.  `words` must be a tuple or a list of plain words."""
    for entry in index.get(words[place], ()):
        length = len(entry.words)
        if length == 1 or tuple(words[place : place + length]) == entry.words:
            return entry
    return None


_SPOKEN = re.compile(r"[0-9]++(?:[.,][0-9]++)*+%?+(?![A-Za-z0-9])|[A-Za-z0-9]++(?:'[A-Za-z]++)?+|[,;:.!?]")


def split_words(text: str) -> list[str]:
    """Return the words, numbers and punctuation marks of a normalised text as they are written; `'s` is dropped."""
    return [word[:-2] if word.endswith(("'s", "'S")) else word for word in _SPOKEN.findall(text)]


def plain_word(word: str) -> str:
    """Return a word as the list has it: in lower case, numbers as `#`, percentages as `#%`."""
    if word[0].isdigit():
        if word[-1] == "%":
            return "#%"
        if word.replace(",", "").replace(".", "").isdigit():
            return "#"
    return word.lower()


def normalise_text(text: str) -> str:
    """Return the text that is read and hashed: NFKC, no marks, nothing invisible, look-alikes as Latin letters.

    What it returned once, it leaves as it is.  At most `TEXT_LENGTH_MAX` characters of the text are considered.
    """
    text = text[:TEXT_LENGTH_MAX]
    if not text.isascii():
        decomposed = unicodedata.normalize("NFKD", text).translate(_LOOK_ALIKES)
        text = unicodedata.normalize("NFKC", "".join(filter(_is_kept, decomposed)))
    elif not text.isprintable():
        text = "".join(filter(_is_kept, text))
    return " ".join(text.split())[:TEXT_LENGTH_MAX].rstrip()


def text_hash(normalised: str) -> str:
    """Return the BLAKE2b-128 hash of a normalised text, as 32 hexadecimal digits."""
    return blake2b(normalised.encode(), digest_size=16).hexdigest()


_BLANKS = "\u115f\u1160\u2800"
"""Letters and symbols that show nothing; the other Hangul fillers decompose to these."""


def _is_kept(character: str) -> bool:
    # Controls, formats, surrogates and unassigned are C*, combining marks and variation selectors are M*.
    return character.isspace() or (unicodedata.category(character)[0] not in "CM" and character not in _BLANKS)


_CYRILLIC = ("АВЕЅЗІЈКМНОРСТУХҮԚԜЬаеѕіјкмнорсԁтухүһԛԝԍгѵ", "ABESZIJKMHOPCTYXYQWbaesijkmhopcdtyxyhqwgrv")
_GREEK = ("ΑΒΕΖΗΙΚΜΝΟΡΤΥΧαβεικνορτυχγϲ", "ABEZHIKMNOPTYXabeikvoptuxyc")
_LATIN = ("ıɑɡɩɪʟʀɴʜʙɢʏᴀᴄᴅᴇᴊᴋᴍᴏᴘꜱᴛᴜᴠᴡᴢƅɗɦ", "iagiilrnhbgyacdejkmopstuvwzbdh")
_QUOTES = ("‘’ʼ`´′＇", "'''''''")
_DASHES = ("‐‑‒–—―−", "-------")
_LOOK_ALIKES = {
    ord(look_alike): letter
    for look_alikes, letters in (_CYRILLIC, _GREEK, _LATIN, _QUOTES, _DASHES)
    for look_alike, letter in zip(look_alikes, letters, strict=True)
}


def _word_entries(group: _Words) -> Iterable[Entry]:
    if not (isfinite(group.weight) and abs(group.weight) <= WEIGHT_MAX):
        raise ValueError(f"a weight must be between -{WEIGHT_MAX} and {WEIGHT_MAX}, was {group.weight}")
    return [Entry(words=form, weight=group.weight) for form in _forms(group.forms)]


def _event_entries(event: _Event) -> Iterable[Entry]:
    # An event may warn but never praise, or a headline could be lifted by naming one.
    if not -WEIGHT_MAX <= event.weight <= 0 or not -1 <= event.score_max <= 0:
        raise ValueError(
            f"event {event.name} must have a weight in -{WEIGHT_MAX}..0 and a score_max in -1..0, "
            f"had {event.weight} and {event.score_max}"
        )
    return [Entry(words=form, weight=event.weight, event=event.name) for form in _forms(event.forms)]


def _index(entries: Iterable[Entry]) -> dict[str, tuple[Entry, ...]]:
    by_words: dict[Phrase, Entry] = {}
    for entry in entries:
        if entry.words in by_words:
            raise ValueError(f"a form must be listed once, '{' '.join(entry.words)}' is there again")
        by_words[entry.words] = entry
    index: dict[str, tuple[Entry, ...]] = {}
    for words, entry in sorted(by_words.items(), key=lambda item: (-len(item[0]), item[0])):
        index[words[0]] = (*index.get(words[0], ()), entry)
    return index


def _split(forms: str) -> tuple[str, ...]:
    return tuple(" ".join(form.split()) for form in forms.split(","))


def _forms(forms: str) -> list[Phrase]:
    phrases = [tuple(plain_word(word) for word in split_words(form)) for form in _split(forms)]
    if () in phrases:
        raise ValueError(f"a form must have at least one word, one of these has none: {forms.strip()[:60]!r}")
    return phrases


def _single_words(forms: str) -> frozenset[str]:
    return frozenset(word for phrase in _forms(forms) for word in phrase)


def _content_hash(lexicon: Lexicon) -> str:
    # Of what the list says, not of how the file is laid out.
    return blake2b(msgspec.json.encode(lexicon, order="sorted"), digest_size=4).hexdigest()
