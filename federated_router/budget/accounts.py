"""An account's balance, and what may happen to it.

Decides the arithmetic of one account: hold, settle, renew, close, and what is free.
Refuses to know requests, databases and epsilon. Every amount is an integer number of
units, 10^-12 of the account's measure of loss (zCDP rho, or the Renyi loss at the one
order frozen in its terms), because a sum of floats is not the sum.

Accounts of data sets, of their blocks and of a federation's rounds carry the privacy
guarantee. Accounts of departments and users are quotas: they limit how fast somebody
learns, and promise nothing about the records.

    spent + reserved + free = limit      at every instant, in every window
    lifetime + reserved <= lifetime cap  across windows, where there is a cap

A renewal starts a new window: spent becomes 0, lifetime stays. What is reserved at
that moment stays reserved in the new window and is spent there. So a charge counts
against the old window while it is held and against the new one when it settles, and
neither window ever holds more than its limit.
"""

import math
from dataclasses import dataclass, replace
from enum import StrEnum
from functools import lru_cache
from typing import Final, NewType

from federated_router.kit.errors import FieldInvalid, Internal
from federated_router.kit.names import resource_id
from federated_router.privacy import charge
from federated_router.privacy.renewal import (
    RenewalPolicy,
    check_zone,
    next_renewal_s,
    window_start_s,
)

AccountName = NewType("AccountName", str)
"""`accounts/KIND-ID`, KIND one of AccountKind."""

UNITS_PER_RHO: Final = charge.UNITS_PER_RHO
UNITS_MAX: Final = charge.UNITS_MAX  # BIGINT; rho of about 9.2 million.
BUCKETS_MAX: Final = 1_000_000


class AccountKind(StrEnum):
    """What an account stands for; the prefix of its id."""

    DATASET = "dataset"
    BLOCK = "block"
    DEPARTMENT = "department"
    USER = "user"
    FEDERATION = "federation"

    @property
    def is_guarantee(self) -> bool:
        """Whether the limit bounds what is told about a record; else it is a quota.

        An account of a federation bounds what its rounds tell about a person whose
        requests one member counts.
        """
        return self not in (AccountKind.DEPARTMENT, AccountKind.USER)


class BlockScheme(StrEnum):
    """What makes a block of a data set."""

    RECORD = "record"
    BUCKET = "bucket"
    BATCH = "batch"


@dataclass(frozen=True, slots=True, kw_only=True)
class BlockTerms:
    """How a data set's records are divided, and what each block may spend.

    `bucket_count` belongs to BUCKET, and is 0 elsewhere. `order` as in AccountTerms.
    """

    scheme: BlockScheme
    limit_units: int
    bucket_count: int = 0
    order: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class AccountTerms:
    """What was agreed when the account was created; never changed by spending.

    `limit_units` is per window. `delta` is the one that reports convert with; the gate
    does not use it. `lifetime_cap_units` cannot be passed by any number of renewals.
    `order` is the Renyi order at which losses are added, None for zCDP. `blocks` says
    how a data set is divided, None for one that is not.
    """

    name: AccountName
    limit_units: int
    delta: float
    renewal: RenewalPolicy = RenewalPolicy.NONE
    zone: str = "UTC"
    lifetime_cap_units: int | None = None
    order: float | None = None
    blocks: BlockTerms | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Account:
    """The balance of one account in its current window."""

    terms: AccountTerms
    window_start_s: float
    spent_units: int = 0
    reserved_units: int = 0
    lifetime_units: int = 0
    closed_time_s: float | None = None

    @property
    def name(self) -> AccountName:
        """The resource name."""
        return self.terms.name

    @property
    def kind(self) -> AccountKind:
        """What the account stands for."""
        return account_kind(self.terms.name)

    @property
    def limit_units(self) -> int:
        """The most that one window may spend."""
        return self.terms.limit_units

    @property
    def free_units(self) -> int:
        """What can still be reserved: the rest of the window, or of the lifetime."""
        left_units = min(self._window_left_units, self._lifetime_left_units)
        return left_units - self.reserved_units

    @property
    def renews_s(self) -> float | None:
        """When the next window begins; None for an account that never renews."""
        terms = self.terms
        return next_renewal_s(terms.renewal, terms.zone, self.window_start_s)

    @property
    def lifetime_binds(self) -> bool:
        """Whether the lifetime cap leaves less than the window, so waiting is vain."""
        return self._lifetime_left_units < self._window_left_units

    @property
    def _window_left_units(self) -> int:
        return self.terms.limit_units - self.spent_units

    @property
    def _lifetime_left_units(self) -> int:
        # Without a cap the odometer still must fit its column.
        cap = self.terms.lifetime_cap_units
        return (UNITS_MAX if cap is None else cap) - self.lifetime_units


@lru_cache(maxsize=65_536)
def account_kind(name: str) -> AccountKind:
    """Return what `name` stands for; raise FieldInvalid for any other shape."""
    prefix, dash, rest = resource_id(name, "accounts").partition("-")
    if not dash or not rest or prefix not in set(AccountKind):
        kinds = ", ".join(f"'accounts/{kind}-ID'" for kind in AccountKind)
        raise FieldInvalid(f"Expected one of {kinds}.", field="name")
    return AccountKind(prefix)


def open_account(terms: AccountTerms, *, now_s: float) -> Account:
    """Return a new account with nothing spent; raise FieldInvalid for bad terms."""
    kind = account_kind(terms.name)
    check_zone(terms.zone)
    _check_units(terms.limit_units, field="limit_units")
    if terms.lifetime_cap_units is not None:
        _check_units(terms.lifetime_cap_units, field="lifetime_cap_units")
    if not (math.isfinite(terms.delta) and 0 < terms.delta < 1):
        raise FieldInvalid("delta lies strictly between 0 and 1.", field="delta")
    _check_order(terms.order)
    _check_blocks(terms, kind)
    start_s = window_start_s(terms.renewal, terms.zone, now_s)
    return Account(terms=terms, window_start_s=start_s)


def renew(account: Account, *, now_s: float) -> Account:
    """Return the account in the window that holds `now_s`; unchanged if that is this.

    A clock that goes back renews nothing.
    """
    if account.terms.renewal is RenewalPolicy.NONE:
        return account
    renews_s = account.renews_s
    if renews_s is None or now_s < renews_s:
        return account
    start_s = window_start_s(account.terms.renewal, account.terms.zone, now_s)
    return replace(account, window_start_s=start_s, spent_units=0)


def begin_window(account: Account, *, now_s: float) -> Account:
    """Return the account in a new window that begins now, whatever its calendar.

    Lifetime and cap stay. The next window of a calendar begins when it would have.
    """
    return replace(account, window_start_s=now_s, spent_units=0)


def close(account: Account, *, now_s: float) -> Account:
    """Return the account closed for ever; one that is closed stays as it is."""
    if account.closed_time_s is not None:
        return account
    return replace(account, closed_time_s=now_s)


def hold(account: Account, units: int) -> Account:
    """Reserve `units`, which must be free: the caller has compared."""
    if not 0 < units <= account.free_units:
        raise Internal("A hold takes more than nothing and at most what is free.")
    return _moved(account, reserved_units=account.reserved_units + units)


def settle(account: Account, *, held_units: int, charged_units: int) -> Account:
    """End a hold of `held_units`: spend `charged_units` of it, free the rest."""
    if not 0 <= charged_units <= held_units <= account.reserved_units:
        raise Internal("A settlement charges at most what its hold reserved.")
    return _moved(
        account,
        reserved_units=account.reserved_units - held_units,
        charged_units=charged_units,
    )


def _moved(account: Account, *, reserved_units: int, charged_units: int = 0) -> Account:
    # Each request passes here for each account; `replace` costs four times as much.
    return Account(
        terms=account.terms,
        window_start_s=account.window_start_s,
        spent_units=account.spent_units + charged_units,
        reserved_units=reserved_units,
        lifetime_units=account.lifetime_units + charged_units,
        closed_time_s=account.closed_time_s,
    )


def _check_units(units: int, *, field: str) -> None:
    if type(units) is not int or not 0 <= units <= UNITS_MAX:
        raise FieldInvalid(
            f"Give {field} as a whole number of units (zCDP rho times 10^12) from 0 "
            f"to {UNITS_MAX}.",
            field=field,
        )


def _check_order(order: float | None) -> None:
    if order is not None and not (math.isfinite(order) and order > 1):
        raise FieldInvalid("A Renyi order is finite and above 1.", field="order")


def _check_blocks(terms: AccountTerms, kind: AccountKind) -> None:
    blocks = terms.blocks
    on_new_data = terms.renewal is RenewalPolicy.ON_NEW_DATA
    in_batches = blocks is not None and blocks.scheme is BlockScheme.BATCH
    if on_new_data and not in_batches:
        raise FieldInvalid(
            "Only a data set whose blocks are batches renews on new data.",
            field="renewal",
        )
    if blocks is None:
        return
    if kind is not AccountKind.DATASET:
        raise FieldInvalid("Only a data set has blocks.", field="blocks")
    _check_units(blocks.limit_units, field="blocks.limit_units")
    _check_order(blocks.order)
    hashed = blocks.scheme is BlockScheme.BUCKET
    if hashed != (1 <= blocks.bucket_count <= BUCKETS_MAX):
        raise FieldInvalid(
            f"Buckets are 1 to {BUCKETS_MAX}; other schemes have none.",
            field="blocks.bucket_count",
        )
