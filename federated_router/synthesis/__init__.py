"""Private texts from a whole data set, under one charge."""
