"""A member of rounds, run inside a router or a node."""
