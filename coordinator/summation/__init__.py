"""Add what cannot be read, and release what may be known: the sum."""
