"""How personal a request is. Pure."""

from enum import IntEnum


class Sensitivity(IntEnum):
    """Ordered: a node trusted with one level is trusted with all below it.

    PUBLIC may be seen by anybody, INTERNAL is about nobody in particular, SENSITIVE is
    about persons. The numbers are those of the contract.
    """

    PUBLIC = 1
    INTERNAL = 2
    SENSITIVE = 3
