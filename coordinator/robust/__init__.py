"""What a poisoned minority can do to the sums of a round, and who looks like one."""
