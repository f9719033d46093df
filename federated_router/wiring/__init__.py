"""Puts the parts of a router together that several floors make up."""
