"""One file per concern: a memory that folds events, and a thin actor that reacts to what it remembers.

Actors import messages, domain and the bases of supervision; never each other, a gateway or the journal.
"""
