"""Publish what rounds learnt."""
