"""The `federated-router` command, for people and for scripts."""
