"""Backups of a ledger: written online, read back, restored."""
