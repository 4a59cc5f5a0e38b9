"""The laws of the archivist: a marker is complete once all who live have told their states, and none waits in vain."""

from collections.abc import Mapping

from actors.archivist import Archivist, hash_parts, hash_states
from messages.node import Mark, Marked, StateAt, StateHashed, StateMarked, StateTooLarge
from messages.positions import EquityMarked
from tests.actors.alone import Alone
from tests.actors.values import T0, D

NAMES = ("positions", "venue")
EVERY = 10
LARGEST = 100
POSITIONS, VENUE = (1, b"positions"), (3, b"venue")


class Shelf:
    """What was kept, by sequence."""

    def __init__(self) -> None:
        self.kept: dict[int, dict[str, tuple[int, bytes]]] = {}

    def __call__(self, sequence: int, states: Mapping[str, tuple[int, bytes]]) -> None:
        self.kept[sequence] = dict(states)


def an_archivist(shelf: Shelf | None = None) -> Alone:
    keep = shelf or Shelf()
    alone = Alone(
        "archivist",
        lambda system, seat: Archivist(system, seat, names=NAMES, keep=keep, every=EVERY, state_bytes_max=LARGEST),
    )
    return alone.live()


def marker_of(alone: Alone) -> int:
    """Return the sequence of the newest marker."""
    return [record.seq for record in alone.everything() if record.kind == "StateMarked"][-1]


def told(alone: Alone, name: str, sequence: int, state: tuple[int, bytes]) -> None:
    alone.tell(StateAt(sequence, name, *state))


def worth_at(minute: int) -> EquityMarked:
    return EquityMarked(T0 + minute, D(1), D(1), D(0), D(0), D(0))


def test_a_marker_that_everyone_answered_is_hashed_kept_and_told_to_who_asked() -> None:
    shelf = Shelf()
    alone = an_archivist(shelf)

    alone.tell(Mark("a test", "health", "r1"))
    sequence = marker_of(alone)
    told(alone, "venue", sequence, VENUE)
    before = (alone.said_of(StateHashed), dict(shelf.kept))
    told(alone, "positions", sequence, POSITIONS)

    parts = hash_states({"positions": b"positions", "venue": b"venue"})
    assert before == ([], {})
    assert alone.said_of(StateHashed) == [StateHashed(sequence, hash_parts(parts), parts, {"positions": 1, "venue": 3})]
    assert shelf.kept == {sequence: {"positions": POSITIONS, "venue": VENUE}}
    assert alone.told == [("health", Marked("r1", sequence, hash_parts(parts)))]


def test_a_state_that_is_too_large_is_hashed_and_left_out_of_what_is_kept() -> None:
    shelf = Shelf()
    alone = an_archivist(shelf)

    alone.tell(Mark("a test"))
    sequence = marker_of(alone)
    told(alone, "venue", sequence, (3, b"v" * (LARGEST + 1)))
    told(alone, "positions", sequence, (1, b"p" * LARGEST))

    assert [sorted(hashed.parts) for hashed in alone.said_of(StateHashed)] == [["positions", "venue"]]
    assert [list(states) for states in shelf.kept.values()] == [["positions"]]
    assert alone.told == [("health", StateTooLarge("venue", LARGEST + 1, LARGEST))]


def test_a_state_as_of_another_marker_does_not_count() -> None:
    alone = an_archivist()

    alone.tell(Mark("a test"))
    early = marker_of(alone)
    told(alone, "venue", early, VENUE)
    alone.tell(Mark("a test"))
    newest = marker_of(alone)
    told(alone, "venue", newest, VENUE)
    told(alone, "positions", early, POSITIONS)
    before = alone.said_of(StateHashed)
    told(alone, "positions", newest, POSITIONS)

    assert before == []
    assert [hashed.sequence for hashed in alone.said_of(StateHashed)] == [newest]


def test_a_marker_is_set_after_so_many_events_and_not_before() -> None:
    alone = an_archivist()

    for minute in range(EVERY - 1):
        alone.happen(worth_at(minute))
    before = alone.said_of(StateMarked)
    alone.happen(worth_at(EVERY))

    assert before == []
    assert len(alone.said_of(StateMarked)) == 1


def test_a_part_that_was_given_up_before_a_marker_is_not_waited_for() -> None:
    alone = an_archivist()
    alone.lose("venue")

    alone.tell(Mark("a test", "health", "r1"))
    told(alone, "positions", marker_of(alone), POSITIONS)

    (hashed,) = alone.said_of(StateHashed)
    assert list(hashed.parts) == ["positions"]
    assert len(alone.told_of(Marked)) == 1


def test_a_part_that_was_set_aside_for_what_it_cannot_fold_keeps_nobody_from_being_kept() -> None:
    shelf = Shelf()
    alone = an_archivist(shelf)
    alone.poison("venue")

    alone.tell(Mark("a test", "health", "r1"))
    told(alone, "positions", sequence := marker_of(alone), POSITIONS)

    assert shelf.kept == {sequence: {"positions": POSITIONS}}
    assert len(alone.told_of(Marked)) == 1


def test_a_part_that_is_given_up_after_the_others_have_answered_is_not_waited_for_either() -> None:
    alone = an_archivist()
    alone.tell(Mark("a test", "health", "r1"))
    told(alone, "positions", marker_of(alone), POSITIONS)

    alone.lose("venue")
    alone.rest(2)

    assert [list(hashed.parts) for hashed in alone.said_of(StateHashed)] == [["positions"]]
    assert len(alone.told_of(Marked)) == 1


def test_a_marker_that_was_missed_by_a_part_that_was_just_starting_is_set_again_once() -> None:
    alone = an_archivist()
    alone.tell(Mark("a test", "health", "r1"))
    first = marker_of(alone)
    told(alone, "positions", first, POSITIONS)

    alone.crash("venue")
    alone.rest(5)
    again = marker_of(alone)
    told(alone, "positions", again, POSITIONS)
    told(alone, "venue", again, VENUE)
    alone.rest(5)

    assert again > first
    assert [event.why for event in alone.said_of(StateMarked)][1:] == [
        "the last one was missed by a part that just started"
    ]
    assert [(each.request_id, each.sequence) for each in alone.told_of(Marked)] == [("r1", again)]


def test_a_part_that_lives_and_has_not_answered_yet_is_waited_for() -> None:
    alone = an_archivist()
    alone.tell(Mark("a test"))
    told(alone, "positions", marker_of(alone), POSITIONS)

    alone.rest(60)
    told(alone, "venue", marker_of(alone), VENUE)

    assert len(alone.said_of(StateMarked)) == 1
    assert len(alone.said_of(StateHashed)) == 1
