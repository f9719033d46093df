"""Whole units of privacy loss, 10^-12 each: costs rounded up, limits rounded down.

Decides both roundings, and which amounts a ledger can hold; refuses to know what was
lost and by which measure. Integers make 100 charges of 0.005 equal 0.5 exactly, where
floating point refuses the hundredth.
"""

import math
from decimal import Decimal
from fractions import Fraction

from federated_router.kit.errors import FieldInvalid

UNITS_PER_RHO = 10**12  # And units per nat of a Renyi loss.
UNITS_MAX = 2**63 - 1  # A ledger column.


def units_up(loss: Fraction | Decimal) -> int:
    """Return `loss` in units, rounded up; refuse 0, negative, NaN and under a unit.

    Raises:
        FieldInvalid: as above, or more than a ledger can hold.
    """
    return _in_ledger(math.ceil(_scaled(loss)))


def units_down(loss: Fraction | Decimal) -> int:
    """Return a budget of `loss` in units, rounded down; refusals as for costs."""
    return _in_ledger(math.floor(_scaled(loss)))


def _scaled(loss: object) -> Fraction:
    if isinstance(loss, Decimal) and not loss.is_finite():
        raise FieldInvalid("A loss must be a finite number.", field="rho")
    if not isinstance(loss, Decimal | Fraction):
        raise FieldInvalid("A loss must be exact: decimal or fraction.", field="rho")
    scaled = Fraction(loss) * UNITS_PER_RHO
    if scaled < 1:
        raise FieldInvalid(
            "A loss must be at least one unit, 10^-12; less could be spent unseen.",
            field="rho",
        )
    return scaled


def _in_ledger(units: int) -> int:
    if units > UNITS_MAX:
        raise FieldInvalid("The loss is more than a ledger can hold.", field="rho")
    return units
