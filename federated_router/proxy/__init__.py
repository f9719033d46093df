"""The router as a proxy of its own contract: choose, charge, relay, retry."""
