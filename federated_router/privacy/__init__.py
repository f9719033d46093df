"""What a release costs, and the only door to the noise library."""
