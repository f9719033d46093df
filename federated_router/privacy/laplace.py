"""The loss of Laplace noise, from closed forms, bounded above in decimals.

Decides the Renyi and the concentrated loss for noise on the reals and on a lattice;
refuses to know steps, units and budgets.

Two centres lie `shift` apart and the noise's scale is 1, so `shift` is the pure
epsilon. On a lattice of `spacing` > 0 (noise of mass proportional to exp(-|x|) on its
points) the sum over all points is, with q = exp(-spacing), r = q^(2 order - 1):

    exp((order - 1) D) = w exp((order - 1) shift) + (1 - w) exp(-order shift)
    w = (1 - q r) / ((1 - r) (1 + q)),   and order / (2 order - 1) on the reals,

the latter being table II of Mironov 2017, "Renyi Differential Privacy". w grows with
the spacing: discrete noise loses more than continuous noise of the same scale. log of
the right side is convex in `shift` and 0 at 0, so that a change spread over several
coordinates loses at most what its L1 norm loses in one. D / order is largest at order
1, where D is the relative entropy, and that is the zCDP parameter:

    shift - (spacing / sinh(spacing)) (1 - exp(-shift))

For the reals that is Harrison and Manurangsi 2025, arXiv 2510.25746; for lattices the
tests compare it with D / order in exact decimals, over all scales and orders.
"""

import math
from decimal import Context, Decimal
from fractions import Fraction

REALS = Fraction(0)
"""The spacing of noise on numbers; what the lattice of the finest doubles, 2^-1074,
adds to the loss is far below the guard."""

# 80 digits; cancellation costs fewer than 30 for shifts above 10^-18, spacings above
# 10^-9 and orders above 1 + 10^-5. The guard is far above what is then left wrong.
_EXACT = Context(prec=80)
_GUARD = Decimal("1e-40")


def renyi_bound(*, shift: Fraction, spacing: Fraction, order: Fraction) -> Decimal:
    """Return the Renyi loss at `order` > 1 in nats, at least, within 10^-39 of it."""
    across = _decimal(shift)
    above = _decimal(order - 1)
    weight = _near_weight(_decimal(spacing), order)
    fading = _exp(_EXACT.multiply(_decimal(1 - 2 * order), across))
    rest = _EXACT.multiply(_EXACT.subtract(Decimal(1), weight), fading)
    logarithm = _EXACT.ln(_EXACT.add(weight, rest))
    return _raised(_EXACT.add(across, _EXACT.divide(logarithm, above)))


def concentrated_bound(*, shift: Fraction, spacing: Fraction) -> Decimal:
    """Return the zCDP loss rho, at least, within 10^-39 of it."""
    across = _decimal(shift)
    gap = _decimal(spacing)
    damping = Decimal(1)
    if spacing:
        # gap / sinh(gap), in powers that cannot overflow.
        twice_gap = _EXACT.multiply(Decimal(2), gap)
        rest = _EXACT.subtract(Decimal(1), _exp(-twice_gap))
        damping = _EXACT.divide(_EXACT.multiply(twice_gap, _exp(-gap)), rest)
    covered = _EXACT.subtract(Decimal(1), _exp(-across))
    return _raised(_EXACT.subtract(across, _EXACT.multiply(damping, covered)))


def renyi_estimate(*, shift: float, spacing: float, order: float) -> float:
    """Return the Renyi loss at `order` > 1 in doubles, for reports alone."""
    weight_left = (order - 1.0) / (2.0 * order - 1.0)
    if spacing:
        q, r = -math.expm1(-spacing), -math.expm1((1.0 - 2.0 * order) * spacing)
        weight_left = (r - q) / (r * (2.0 - q))
    fading = math.expm1((1.0 - 2.0 * order) * shift)
    return max(0.0, shift + math.log1p(weight_left * fading) / (order - 1.0))


def _near_weight(gap: Decimal, order: Fraction) -> Decimal:
    """Return w, the weight of the outcomes that favour the nearer centre."""
    if not gap:
        return _decimal(order / (2 * order - 1))
    one = Decimal(1)
    q = _exp(-gap)
    r = _exp(_EXACT.multiply(_decimal(1 - 2 * order), gap))
    below = _EXACT.multiply(_EXACT.subtract(one, r), _EXACT.add(one, q))
    return _EXACT.divide(_EXACT.subtract(one, _EXACT.multiply(q, r)), below)


def _exp(exponent: Decimal) -> Decimal:
    """Return e^exponent, correctly rounded; far below 10^-999999 it is 0."""
    return _EXACT.exp(exponent)


def _decimal(value: Fraction) -> Decimal:
    return _EXACT.divide(Decimal(value.numerator), Decimal(value.denominator))


def _raised(value: Decimal) -> Decimal:
    """Return a figure certain to lie above the exact one."""
    return _EXACT.add(
        value, _EXACT.multiply(_GUARD, _EXACT.add(Decimal(1), abs(value)))
    )
