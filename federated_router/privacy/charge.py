"""What private requests cost, in integer units of zero-concentrated loss.

Decides the charge of a token, a request and its worst case, and refuses a claimed
charge that does not follow; refuses to know accounts, balances and the wire.
"""

from fractions import Fraction

from federated_router.kit.errors import ChargeMismatch, FieldInvalid
from federated_router.privacy.measure import (
    TOKEN_UNITS_MIN,
    ZCDP,
    step_rho,
    step_units,
)
from federated_router.privacy.policy import PrivatePolicy
from federated_router.privacy.step import token_step
from federated_router.privacy.units import UNITS_MAX, UNITS_PER_RHO

__all__ = [
    "TOKEN_UNITS_MIN",
    "UNITS_MAX",
    "UNITS_PER_RHO",
    "charge_units",
    "require_token_charge",
    "token_charge_units",
    "token_rho",
    "worst_case_units",
]


def token_rho(policy: PrivatePolicy) -> Fraction:
    """Return the exact zCDP loss of one sampled token."""
    return step_rho(token_step(policy))


def token_charge_units(policy: PrivatePolicy) -> int:
    """Return the charge of one sampled token, rounded up to a whole unit.

    Raises:
        FieldInvalid: the charge lies outside [10^4 units, a ledger column].
    """
    units = step_units(token_step(policy), ZCDP)
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
    if not 0 <= tokens_sampled <= policy.tokens_max:
        raise FieldInvalid(
            "tokens must lie between 0 and the policy's tokens_max.", field="tokens"
        )
    return tokens_sampled * token_charge_units(policy)


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
