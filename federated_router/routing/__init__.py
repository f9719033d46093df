"""Which node and model a request gets: filters, scorers in [0, 1], pickers."""
