"""Revisions of a member's vault."""
