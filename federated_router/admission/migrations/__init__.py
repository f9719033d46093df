"""The table of tenants' buckets, step by step."""
