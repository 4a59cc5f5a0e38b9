"""The journal: append, read, verify, snapshot, project.

One process writes a journal, on one connection; any number read it.  What `append` returned from survives a death at
any instant, every record is chained to the one before, and a watermark beside the database tells a torn tail from loss.
"""
