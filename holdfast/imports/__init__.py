"""The state of another program, taken over once: what its files may say, what of it fits this node, what is recorded.

find and read    gateways/state_files.py: JSON, to the last digit
document         what the files say, key by key, with every mistake
fitting          what of that is a position of this node's market and strategies
opening          whether a home is opened with it, and what is recorded then
"""
