"""Whole nodes on the stage, with faults drawn from a seed, under the eyes of checkers."""
