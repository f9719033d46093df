"""The federation's privacy budget: what rounds charge, and the coordinator's ledger."""
