"""What actors say to each other, by subject.

`Event`s are remembered: numbered, journaled, heard in sequence.  `Message`s are not: they carry requests, answers and
reports that can be asked for again.
"""
