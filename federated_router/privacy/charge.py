"""What a release costs, in integer units of zero-concentrated differential privacy.

Decides every charge, always rounded up, and every limit, always rounded down;
refuses to know accounts, balances and the wire. Integers make 100 charges of 0.005
equal 0.5 exactly, where floating point refuses the hundredth.
"""

import math
from decimal import Decimal
from fractions import Fraction

from federated_router.kit.errors import ChargeMismatch, FieldInvalid
from federated_router.privacy.event import (
    Composed,
    Event,
    NoisedSum,
    PureRelease,
    TokensSampled,
)
from federated_router.privacy.policy import PrivatePolicy

UNITS_PER_RHO = 10**12
UNITS_MAX = 2**63 - 1  # A ledger column.
TOKEN_UNITS_MIN = 10_000


def token_rho(policy: PrivatePolicy) -> Fraction:
    """Return the exact zCDP loss of one sampled token.

    The exponential mechanism on utilities of sensitivity C/B at temperature tau is
    (C/B)^2 / (2 tau^2)-zCDP: Cesar and Rogers 2021, "Bounding, Concentrating, and
    Truncating", for bounded range 2C/(B tau); InvisibleInk, arXiv 2507.02974.
    """
    per_slot = policy.clip_exact / (policy.slots * policy.temperature_exact)
    replacements = policy.multiplier * policy.records_per_subject**2
    return replacements * per_slot**2 / 2


def token_charge_units(policy: PrivatePolicy) -> int:
    """Return the charge of one sampled token, rounded up to a whole unit.

    Raises:
        FieldInvalid: the charge lies outside [10^4 units, a ledger column]. Below it
            the sampler's rounding (relative error 2^-46 of a weight) would no longer
            vanish in the slack between this bound and the exact loss.
    """
    units = math.ceil(token_rho(policy) * UNITS_PER_RHO)
    if units < TOKEN_UNITS_MIN:
        raise FieldInvalid(
            f"A token of this policy costs {units} units; at least {TOKEN_UNITS_MIN} "
            "are needed. Use fewer slots, a larger clip or a lower temperature.",
            field="clip",
        )
    if units * policy.tokens_max > UNITS_MAX:
        raise FieldInvalid(
            "A request of this policy costs more than a ledger can hold. Use more "
            "slots, a smaller clip or a higher temperature.",
            field="clip",
        )
    return units


def worst_case_units(policy: PrivatePolicy) -> int:
    """Return what a request may cost at most: the hold to place at admission."""
    return charge_units(policy, tokens_sampled=policy.tokens_max)


def charge_units(policy: PrivatePolicy, *, tokens_sampled: int) -> int:
    """Return the charge of `tokens_sampled` tokens, the end token included.

    Raises:
        FieldInvalid: negative, or more tokens than the policy lets anyone sample.
    """
    event = TokensSampled(policy=policy, tokens=tokens_sampled)
    return event.tokens * token_charge_units(policy)


def require_token_charge(policy: PrivatePolicy, *, claimed_units: int) -> None:
    """Raise ChargeMismatch unless a token costs exactly `claimed_units` here too."""
    derived_units = token_charge_units(policy)
    if claimed_units != derived_units:
        raise ChargeMismatch(
            "The charge per token does not follow from the policy's parameters; "
            "router and node must hold the same policy.",
            field="token_charge_units",
            metadata={
                "policy": policy.name,
                "claimed_units": str(claimed_units),
                "derived_units": str(derived_units),
            },
        )


def event_units(event: Event) -> int:
    """Return the zCDP charge of what was released, rounded up; sums are adaptive."""
    match event:
        case TokensSampled(policy=policy, tokens=tokens):
            return charge_units(policy, tokens_sampled=tokens)
        case NoisedSum():
            return cost_units(_noised_sum_rho(event))
        case PureRelease(epsilon=epsilon):
            # Bun and Steinke 2016, proposition 1.4.
            return cost_units(Fraction(epsilon) ** 2 / 2)
        case Composed(parts=parts):
            return sum(event_units(part) for part in parts)


def cost_units(rho: Fraction | Decimal) -> int:
    """Return `rho` in units, rounded up; refuse 0, negative, NaN and under a unit."""
    scaled = _scaled(rho)
    return _in_ledger(math.ceil(scaled))


def limit_units(rho: Fraction | Decimal) -> int:
    """Return a budget of `rho` in units, rounded down; refusals as for costs."""
    scaled = _scaled(rho)
    return _in_ledger(math.floor(scaled))


def _scaled(rho: Fraction | Decimal) -> Fraction:
    if isinstance(rho, Decimal) and not rho.is_finite():
        raise FieldInvalid("rho must be a finite number.", field="rho")
    if not isinstance(rho, Decimal | Fraction):
        raise FieldInvalid("rho must be exact: a decimal or a fraction.", field="rho")
    if rho * UNITS_PER_RHO < 1:
        raise FieldInvalid(
            "rho must be at least one unit, 10^-12; less could be spent unseen.",
            field="rho",
        )
    return Fraction(rho) * UNITS_PER_RHO


def _in_ledger(units: int) -> int:
    if units > UNITS_MAX:
        raise FieldInvalid("rho is more than a ledger can hold.", field="rho")
    return units


def _noised_sum_rho(event: NoisedSum) -> Fraction:
    """Bound the loss of a sum of discrete Gaussians, which is nearly a Gaussian's.

    Kairouz, Liu and Steinke 2021, "The Distributed Discrete Gaussian Mechanism",
    theorem 1: loss Delta^2 / (2 n sigma^2) + tau d / 4 with
    tau = 10 sum_k exp(-2 pi^2 sigma^2 k / (k+1)) <= 10 (n-1) exp(-pi^2 sigma^2).
    """
    variance = event.shares_min * Fraction(event.share_sigma) ** 2
    decay = math.exp(-(math.pi**2) * event.share_sigma**2)
    tau = 10 * (event.shares_min - 1) * Fraction(math.nextafter(decay * 1.000001, 1.0))
    return event.sensitivity_squared / (2 * variance) + tau * event.length / 4
