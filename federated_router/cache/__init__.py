"""Public answers, kept to be served again to the same tenant."""
