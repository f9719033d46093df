"""The audit log for outsiders: export, verification, signing."""
