"""Running a journal's inputs again: the same node on the stage, and whether it decides the same."""
