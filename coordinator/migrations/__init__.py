"""Revisions of the coordinator's schema, oldest first."""
