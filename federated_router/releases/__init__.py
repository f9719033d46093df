"""Statistics of a data set, published with noise under its privacy budget."""
