"""Which nodes are there: leases, presence, and what each offers."""
