"""How personal a request is, and who is trusted with it."""
