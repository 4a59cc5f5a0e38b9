"""The two bases: what is remembered, and what is only said."""

import msgspec


class Event(msgspec.Struct, frozen=True):
    """Something that happened and is remembered.  Its kind in the journal is the name of its class, for ever."""


class Message(msgspec.Struct, frozen=True):
    """Something said between actors that can be lost without losing the truth."""
