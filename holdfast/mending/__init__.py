"""Backups of a journal, and what becomes of one that is restored or damaged: a new generation, and a halted node."""
