"""SSH to a machine: one connection, pinned host keys, commands at one round trip each, files as one stream."""
