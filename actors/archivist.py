"""The archivist: has all states told at a marker, hashes them, and keeps them as snapshots."""

from collections.abc import Callable, Mapping, Sequence
from hashlib import blake2b
from typing import Any

from messages.node import Beat, Mark, Marked, StateAt, StateHashed, StateMarked, StateTooLarge
from messages.positions import EquityMarked
from supervision import Actor, Recorded, Seat, System, Vitals

Keep = Callable[[int, Mapping[str, tuple[int, bytes]]], None]
"""Keeps states, as version and bytes by actor, as of a sequence."""
HEALTH = "health"


class Archivist(Actor):
    """Marks the journal every so many events."""

    def __init__(
        self,
        system: System,
        seat: Seat,
        *,
        names: Sequence[str],
        keep: Keep,
        every: int,
        state_bytes_max: int,
        beat_s: float = 1.0,
    ) -> None:
        super().__init__(system, seat)
        self._names = tuple(names)
        self._keep = keep
        self._every = every
        self._state_bytes_max = state_bytes_max
        self._beat_s = beat_s
        self._marked_at = self._joined
        self._asked: list[Mark] = []
        self._sequence = 0
        self._states: dict[str, tuple[int, bytes]] = {}
        self._is_open = False
        """The marker at this sequence is not answered by all."""
        self._newest_epoch = 0
        """No incarnation was newer when it was set."""

    def started(self) -> None:
        """Begin to look how much was remembered."""
        self.after(self._beat_s, Beat())

    def receive(self, message: Any) -> None:
        """Take a state, or look whether it is time for a marker."""
        match message:
            case StateAt(sequence=sequence, actor=actor, version=version, state=state):
                self._take_state(sequence, actor, version, state)
            case Mark():
                if message.reply_to:
                    self._asked.append(message)
                self._mark(message.why)
            case Beat():
                self.after(self._beat_s, Beat())
                self._look_after_marker()
                self._mark_if_due()
            case Recorded(event=EquityMarked()):
                self._look_after_marker()
                self._mark_if_due()
            case _:
                super().receive(message)

    def _take_state(self, sequence: int, actor: str, version: int, state: bytes) -> None:
        """Keep a state as of the newest marker; the first state tells of a marker, which is itself not heard here."""
        if self._is_open and sequence > self._sequence:
            self._sequence, self._states = sequence, {}
        if self._is_open and sequence == self._sequence:
            self._states[actor] = (version, state)
            self._finish_if_complete()

    def _mark_if_due(self) -> None:
        if self._system.switchboard.last_seq - self._marked_at >= self._every:
            self._mark("so many events since the last one")

    def _mark(self, why: str) -> None:
        self._marked_at = self._system.switchboard.last_seq
        self._newest_epoch = max(each.epoch for each in self._system.switchboard.vitals())
        self._is_open = True
        self.record(StateMarked(why))

    def _look_after_marker(self) -> None:
        """Finish where who is missing was given up since; set it again where it was missed by one who just started."""
        if self._is_open:
            self._finish_if_complete()
        if self._is_open and not self.has_recorded() and any(map(self._has_missed, self._system.switchboard.vitals())):
            self._mark("the last one was missed by a part that just started")

    def _has_missed(self, part: Vitals) -> bool:
        # What an incarnation finds as its past it folds without a word.
        is_awaited = part.name in self._names and part.name not in self._states
        return is_awaited and part.up and part.epoch > self._newest_epoch

    def _finish_if_complete(self) -> None:
        vitals = self._system.switchboard.vitals()
        # One that cannot fold its past may stay aside for weeks, and the others need their snapshots meanwhile.
        gone = {each.name for each in vitals if not each.up and (each.retired or each.is_poisoned)}
        if not self._states or not set(self._states) >= set(self._names) - gone:
            return
        parts = hash_states({name: state for name, (_, state) in self._states.items()})
        state_hash = hash_parts(parts)
        self._keep(self._sequence, self._fitting_states())
        versions = {name: version for name, (version, _) in sorted(self._states.items())}
        self.record(StateHashed(sequence=self._sequence, state_hash=state_hash, parts=parts, versions=versions))
        for asked in self._asked:
            self.tell(asked.reply_to, Marked(asked.request_id, self._sequence, state_hash))
        self._asked, self._states, self._is_open = [], {}, False

    def _fitting_states(self) -> dict[str, tuple[int, bytes]]:
        fitting = {}
        for name, (version, state) in self._states.items():
            if len(state) <= self._state_bytes_max:
                fitting[name] = (version, state)
            else:
                self.tell(HEALTH, StateTooLarge(name, len(state), self._state_bytes_max))
        return fitting


def hash_states(states: Mapping[str, bytes]) -> dict[str, str]:
    """Return the hash of each actor's encoded state, by name in order."""
    return {name: blake2b(states[name], digest_size=16).hexdigest() for name in sorted(states)}


def hash_parts(parts: Mapping[str, str]) -> str:
    """Return one hash over the hashes of all states."""
    text = "\n".join(f"{name} {parts[name]}" for name in sorted(parts))
    return blake2b(text.encode(), digest_size=16).hexdigest()
