"""Who takes part in rounds: enrolment, conduct, revocation, renewal."""
