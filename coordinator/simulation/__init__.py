"""Whole federations in one process, under a clock that nobody waits for.

The members, the coordinator and the cryptography are the product's own. What is
simulated is what lies between them and below them: time, the network, the disks, and
processes that die. See docs/simulation.md.
"""
