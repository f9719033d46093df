"""Whether what a round opened is published."""
