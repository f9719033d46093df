"""Words for tests of the ledger: accounts, requests, and the journal read back."""

import hashlib
import json
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass

from federated_router.budget.accounts import Account, AccountName, AccountTerms
from federated_router.budget.entries import EntryKind, NumberedEntry
from federated_router.budget.ledger import ReserveRequest
from federated_router.budget.port import PAGE_SIZE_MAX, LedgerStore
from federated_router.budget.renewal import RenewalPolicy
from federated_router.budget.reservation import Charge, Owner, RequestId

DATASET = AccountName("accounts/dataset-ward")
USER = AccountName("accounts/user-ada")
OWNER = Owner("router-1", "boot-1")
LEASE_S = 60.0


def terms(  # noqa: D103 - the name says it.
    name: AccountName = DATASET,
    *,
    limit_units: int = 1000,
    renewal: RenewalPolicy = RenewalPolicy.NONE,
    zone: str = "UTC",
    lifetime_cap_units: int | None = None,
) -> AccountTerms:
    return AccountTerms(
        name=name,
        limit_units=limit_units,
        delta=1e-6,
        renewal=renewal,
        zone=zone,
        lifetime_cap_units=lifetime_cap_units,
    )


def request(
    request_id: str = "request-1",
    *,
    charges: tuple[tuple[AccountName, int], ...] = ((DATASET, 2),),
    tokens_max: int = 100,
    owner: Owner = OWNER,
    body: str = "body",
    lease_s: float = LEASE_S,
    event: str = '{"mechanism":"token","rho_units":2}',
) -> ReserveRequest:
    """Return a request that costs at most 200 units of DATASET unless told else."""
    return ReserveRequest(
        request_id=RequestId(request_id),
        body_digest=hashlib.sha256(body.encode()).digest(),
        owner=owner,
        charges=tuple(Charge(account, units) for account, units in charges),
        tokens_max=tokens_max,
        lease_s=lease_s,
        event=event,
    )


@dataclass(frozen=True)
class Balance:
    """What moves in an account."""

    spent_units: int = 0
    reserved_units: int = 0
    lifetime_units: int = 0

    @classmethod
    def of(cls, account: Account) -> "Balance":
        """Return the part of an account that moves."""
        return cls(account.spent_units, account.reserved_units, account.lifetime_units)


async def balance(store: LedgerStore, name: AccountName = DATASET) -> Balance:
    """Return what the store says of an account now."""
    return Balance.of(await store.get_account(name))


async def journal(store: LedgerStore) -> list[NumberedEntry]:
    """Return the whole journal."""
    found: list[NumberedEntry] = []
    while True:
        after = found[-1].sequence if found else 0
        page = await store.list_entries(after=after, page_size=PAGE_SIZE_MAX)
        found.extend(page)
        if len(page) < PAGE_SIZE_MAX:
            return found


def balances_told_by(entries: Iterable[NumberedEntry]) -> dict[str, Balance]:
    """Compute every balance from the journal alone, as an auditor would."""
    spent: dict[str, int] = defaultdict(int)
    lifetime: dict[str, int] = defaultdict(int)
    held: dict[str, dict[str, int]] = {}
    accounts: list[str] = []
    for entry in (numbered.entry for numbered in entries):
        detail = json.loads(entry.detail)
        if entry.kind is EntryKind.ACCOUNT_CREATED:
            accounts.append(str(entry.account))
        elif entry.kind is EntryKind.ACCOUNT_RENEWED:
            assert spent.pop(str(entry.account), 0) == detail["spent_units"]
        elif entry.kind is EntryKind.RESERVED:
            held[str(entry.request_id)] = detail["held_units"]
        else:
            assert set(held.pop(str(entry.request_id))) == set(detail["charged_units"])
            for account, units in detail["charged_units"].items():
                spent[account] += units
                lifetime[account] += units
    return {
        account: Balance(
            spent[account],
            sum(units.get(account, 0) for units in held.values()),
            lifetime[account],
        )
        for account in accounts
    }
