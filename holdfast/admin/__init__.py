"""The admin socket: how a person steers the node, one JSON object a line."""
