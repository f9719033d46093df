"""The decisions of the ledger: may this be reserved, and what does a settlement move.

Decides over several accounts at once, all or nothing, on balances that the caller has
read and locked. Refuses to know where they are stored and what time it is. Both stores
call these functions and nothing else, so that there is one rule and not two.

The gate is one comparison of integers per account. It is sound for requests, mechanisms
and parameters chosen from earlier answers, because the sum of zCDP costs is the same
stopping rule at every order (privacy.md 2.3).
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from operator import attrgetter
from typing import Final

from federated_router.budget.accounts import (
    UNITS_MAX,
    Account,
    AccountKind,
    AccountName,
    AccountTerms,
    account_kind,
    hold,
    open_account,
    renew,
    settle,
)
from federated_router.budget.exhaustion import Shortfall
from federated_router.budget.reservation import (
    Charge,
    Owner,
    RequestId,
    Reservation,
)
from federated_router.kit.errors import (
    AccountClosed,
    AccountUnknown,
    BlockUnknown,
    FieldInvalid,
    NotFound,
    Unavailable,
)
from federated_router.privacy.renewal import rfc3339

REQUEST_ID_LENGTH_MAX: Final = 200
DIGEST_BYTES: Final = 32
CHARGES_MAX: Final = 1027  # 1,024 blocks, data set, department and user.
EVENT_BYTES_MAX: Final = 4096
LEASE_S_MAX: Final = 86_400.0

Balances = Mapping[AccountName, Account]
_BY_ACCOUNT: Final = attrgetter("account")


@dataclass(frozen=True, slots=True, kw_only=True)
class ReserveRequest:
    """What a private request may cost at most, asked before its first step.

    `opens` are terms of accounts among the charged ones that are opened by this request
    if nobody did before: users, departments and blocks. `steps_bound` is how many steps
    may be taken before the bound is moved; None is all of them.
    """

    request_id: RequestId
    body_digest: bytes
    owner: Owner
    charges: tuple[Charge, ...]
    steps_max: int
    lease_s: float
    event: str
    opens: tuple[AccountTerms, ...] = ()
    steps_bound: int | None = None


@dataclass(frozen=True, slots=True)
class Admitted:
    """A reservation to store, accounts to open, and the balances that it leaves."""

    reservation: Reservation
    opened: Balances
    accounts: Balances


def check_request(request: ReserveRequest) -> None:
    """Raise FieldInvalid for a request that no account could ever cover rightly.

    A charge of nothing, of less than one unit, or beyond BIGINT is refused here: it
    would be lost in the sum.
    """
    _check(0 < len(request.request_id) <= REQUEST_ID_LENGTH_MAX, "request_id")
    _check(len(request.body_digest) == DIGEST_BYTES, "body_digest")
    _check(bool(request.owner.instance and request.owner.boot), "owner")
    _check(0 < request.lease_s <= LEASE_S_MAX, "lease_s")
    _check(_is_count(request.steps_max), "steps_max")
    if request.steps_bound is not None:
        _check(_is_count(request.steps_bound), "steps_bound")
        _check(request.steps_bound <= request.steps_max, "steps_bound")
    _check(0 < len(request.charges) <= CHARGES_MAX, "charges")
    names = {charge.account for charge in request.charges}
    _check(len(names) == len(request.charges), "charges")
    for charge in request.charges:
        account_kind(charge.account)
        _check(_is_count(charge.units_per_step), "units_per_step")
        _check(charge.units_per_step * request.steps_max <= UNITS_MAX, "charges")
    _check(_is_event(request.event), "event")


def reserve(
    request: ReserveRequest, accounts: Balances, *, now_s: float
) -> Admitted | Shortfall:
    """Hold the worst case on every account of the request, or tell what is short.

    `accounts` holds what exists of the accounts charged; renewals that are due are
    applied first. Raises AccountUnknown or BlockUnknown for one that is missing and not
    to be opened, AccountClosed for one that was closed.
    """
    charges = tuple(sorted(request.charges, key=_BY_ACCOUNT))
    opened = _opened(request, accounts, now_s=now_s)
    held: dict[AccountName, Account] = {}
    for charge in charges:
        found = opened.get(charge.account) or existing(accounts, charge.account)
        account = renew(found, now_s=now_s)
        check_open(account)
        needed_units = charge.units_per_step * request.steps_max
        if needed_units > account.free_units:
            return Shortfall(account, needed_units)
        held[account.name] = hold(account, needed_units)
    reservation = Reservation(
        request_id=request.request_id,
        body_digest=request.body_digest,
        owner=request.owner,
        charges=charges,
        steps_max=request.steps_max,
        steps_bound=request.steps_bound or request.steps_max,
        event=request.event,
        reserved_time_s=now_s,
        lease_expires_s=now_s + request.lease_s,
    )
    return Admitted(reservation, opened, held)


def _opened(
    request: ReserveRequest, accounts: Balances, *, now_s: float
) -> dict[AccountName, Account]:
    if not request.opens:
        return {}
    charged = {charge.account for charge in request.charges}
    for terms in request.opens:
        found = accounts.get(terms.name)
        if found is not None and found.terms.order != terms.order:
            # Opened by somebody else since the charge was computed for these terms.
            raise Unavailable(
                f"{terms.name} was opened with another measure meanwhile. Try again.",
                retry_after_s=0.0,
            )
    return {
        terms.name: open_account(terms, now_s=now_s)
        for terms in request.opens
        if terms.name in charged and terms.name not in accounts
    }


def check_open(account: Account) -> None:
    """Raise AccountClosed for an account that was closed."""
    if account.closed_time_s is not None:
        raise AccountClosed(
            f"{account.name} was closed; nothing new is charged to it.",
            metadata={
                "account": account.name,
                "closed": rfc3339(account.closed_time_s),
            },
        )


def settled_accounts(
    before: Reservation, after: Reservation, accounts: Balances, *, now_s: float
) -> Balances:
    """Return the balances after `before` became `after`: charged, and the rest freed.

    A renewal that is due comes first, so the charge falls into the window that holds
    `now_s`.
    """
    return {
        charge.account: settle(
            renew(existing(accounts, charge.account), now_s=now_s),
            held_units=before.held_units(charge),
            charged_units=after.charged_units(charge),
        )
        for charge in before.charges
    }


def existing(accounts: Balances, name: AccountName) -> Account:
    """Return the account; raise AccountUnknown, or BlockUnknown for a block."""
    try:
        return accounts[name]
    except KeyError:
        raise account_unknown(name) from None


def account_unknown(name: str) -> NotFound:
    """Return the error for an account that was never opened."""
    if account_kind(name) is AccountKind.BLOCK:
        return BlockUnknown(
            f"There is no block {name}. An operator opens each batch first.",
            metadata={"account": name},
        )
    return AccountUnknown(
        f"There is no account {name}. Create it, with its limit, first.",
        metadata={"account": name},
    )


def _is_count(number: int) -> bool:
    return type(number) is int and number >= 1


@lru_cache(maxsize=4096)
def _is_event(event: str) -> bool:
    if len(event.encode()) > EVENT_BYTES_MAX:
        return False
    try:
        return isinstance(json.loads(event), dict)
    except (ValueError, RecursionError):
        return False


_RULES: Final[Mapping[str, str]] = {
    "request_id": f"has 1 to {REQUEST_ID_LENGTH_MAX} characters",
    "body_digest": "is a SHA-256 digest of 32 bytes",
    "owner": "names an instance and a boot",
    "lease_s": f"is more than 0 and at most {LEASE_S_MAX:.0f} seconds",
    "steps_max": "is a whole number of at least 1",
    "steps_bound": "is a whole number of at least 1 and at most steps_max",
    "charges": f"are 1 to {CHARGES_MAX} different accounts within {UNITS_MAX} units",
    "units_per_step": "is a whole number of at least 1",
    "event": f"is a JSON object of at most {EVENT_BYTES_MAX} bytes",
}


def _check(holds: bool, field: str) -> None:  # noqa: FBT001 - a condition, not a mode.
    if not holds:
        raise FieldInvalid(f"{field} {_RULES[field]}.", field=field)
