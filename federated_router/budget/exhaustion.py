"""What is said where an account cannot cover a request, and what to do about it.

Decides the words and the facts of the refusal; refuses to decide who is refused
(`ledger`).
"""

from dataclasses import dataclass
from typing import Final

from federated_router.budget.accounts import Account, AccountKind
from federated_router.budget.reservation import RequestId
from federated_router.kit.errors import BudgetExhausted
from federated_router.privacy.renewal import rfc3339

HELD_BY_MAX: Final = 10
"""How many of the holds that take the rest an exhausted account names."""


@dataclass(frozen=True, slots=True)
class Shortfall:
    """An account that cannot cover the request at `now_s`."""

    account: Account
    needed_units: int


def exhausted(
    shortfall: Shortfall, *, held_by: tuple[RequestId, ...]
) -> BudgetExhausted:
    """Return the error that tells what is short, when it renews and what to do."""
    account = shortfall.account
    renews_s = None if account.lifetime_binds else account.renews_s
    renews = "never" if renews_s is None else rfc3339(renews_s)
    what = "budget" if account.kind.is_guarantee else "quota"
    return BudgetExhausted(
        f"The {what} {account.name} has {account.free_units} of "
        f"{account.limit_units} units free; this "
        f"{_what_asks(account)} needs up to "
        f"{shortfall.needed_units}. {_advice(shortfall, renews)}",
        metadata={
            "account": account.name,
            "needed_units": str(shortfall.needed_units),
            "free_units": str(account.free_units),
            "limit_units": str(account.limit_units),
            "renews": renews,
            "held_by": ",".join(held_by[:HELD_BY_MAX]),
        },
    )


def _what_asks(account: Account) -> str:
    return "round" if account.kind is AccountKind.FEDERATION else "request"


def _advice(shortfall: Shortfall, renews: str) -> str:
    account = shortfall.account
    if account.kind is AccountKind.FEDERATION:
        return _advice_for_rounds(shortfall, renews)
    if shortfall.needed_units > account.limit_units:
        return "It exceeds the whole limit: ask for fewer tokens or more noise."
    if shortfall.needed_units <= account.free_units + account.reserved_units:
        return (
            "Requests that still run hold the rest: try again when they have ended, "
            "or ask for fewer tokens."
        )
    if renews == "never":
        return "It does not renew: ask for fewer tokens, or the owner for a new budget."
    return f"It renews at {renews}: wait until then, or ask for fewer tokens."


def _advice_for_rounds(shortfall: Shortfall, renews: str) -> str:
    if shortfall.needed_units > shortfall.account.limit_units:
        return "It exceeds the whole limit: rounds need more noise or fewer blocks."
    if renews == "never":
        return "It does not renew: rounds are over until its owner opens a new account."
    return f"It renews at {renews}: wait until then."
