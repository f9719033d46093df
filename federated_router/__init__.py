"""A router for LLM inference across organisations that may not pool their data."""
