"""A model split by layers over several nodes: shards, and the engine that leads."""
