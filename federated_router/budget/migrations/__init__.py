"""The ledger's schema, revision by revision; only ever forward."""
