"""How a daemon is built: life cycle, identity, errors, limits. No domain words."""
