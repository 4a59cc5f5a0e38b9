"""What must hold of a node's own records while it runs, each law with arithmetic of its own.

Nothing here is shared with the actors that are judged by it: a law that used their sums would share their mistakes.
"""
