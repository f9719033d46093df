"""Rounds of aggregation: their life, their store and their service."""
