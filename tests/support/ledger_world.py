"""Words for tests of the ledger: accounts, requests, and the journal read back."""

import hashlib
import json
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field

from federated_router.budget.accounts import (
    Account,
    AccountName,
    AccountTerms,
    BlockTerms,
)
from federated_router.budget.chain import ChainedEntry, genesis, head_after, link
from federated_router.budget.entries import Entry, EntryKind
from federated_router.budget.ledger import ReserveRequest
from federated_router.budget.port import PAGE_SIZE_MAX, LedgerStore
from federated_router.budget.reservation import (
    Charge,
    Owner,
    ReleaseCause,
    RequestId,
)
from federated_router.privacy.renewal import RenewalPolicy

DATASET = AccountName("accounts/dataset-ward")
USER = AccountName("accounts/user-ada")
OWNER = Owner("router-1", "boot-1")
REQUEST = RequestId("request-1")
CAUSE = ReleaseCause.NO_NODE_AVAILABLE
BOTH = ((DATASET, 2), (USER, 3))
LEASE_S = 60.0
DAY_S = 86_400.0
NOON_S = 1_767_268_800.0  # 2026-01-01T12:00:00Z, a Thursday.
SETTLED = {EntryKind.COMMITTED, EntryKind.RELEASED, EntryKind.EXPIRED}


def terms(  # noqa: D103 - the name says it.
    name: AccountName = DATASET,
    *,
    limit_units: int = 1000,
    renewal: RenewalPolicy = RenewalPolicy.NONE,
    zone: str = "UTC",
    lifetime_cap_units: int | None = None,
    order: float | None = None,
    blocks: BlockTerms | None = None,
) -> AccountTerms:
    return AccountTerms(
        name=name,
        limit_units=limit_units,
        delta=1e-6,
        renewal=renewal,
        zone=zone,
        lifetime_cap_units=lifetime_cap_units,
        order=order,
        blocks=blocks,
    )


def request(
    request_id: str = "request-1",
    *,
    charges: tuple[tuple[AccountName, int], ...] = ((DATASET, 2),),
    steps_max: int = 100,
    owner: Owner = OWNER,
    body: str = "body",
    lease_s: float = LEASE_S,
    event: str = '{"mechanism":"token","rho_units":2}',
    opens: tuple[AccountTerms, ...] = (),
    steps_bound: int | None = None,
) -> ReserveRequest:
    """Return a request that costs at most 200 units of DATASET unless told else."""
    return ReserveRequest(
        request_id=RequestId(request_id),
        body_digest=hashlib.sha256(body.encode()).digest(),
        owner=owner,
        charges=tuple(Charge(account, units) for account, units in charges),
        steps_max=steps_max,
        lease_s=lease_s,
        event=event,
        opens=opens,
        steps_bound=steps_bound,
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


async def journal(store: LedgerStore) -> list[ChainedEntry]:
    """Return the whole journal."""
    found: list[ChainedEntry] = []
    while True:
        after = found[-1].sequence if found else 0
        page = await store.list_entries(after=after, page_size=PAGE_SIZE_MAX)
        found.extend(page)
        if len(page) < PAGE_SIZE_MAX:
            return found


async def assert_chained(store: LedgerStore) -> None:
    """Compute the whole chain again, from the ledger's identity to its head."""
    head = await store.head()
    computed = genesis(head.ledger_id)
    for found in await journal(store):
        expected = link(computed, found.entry)
        assert found == expected, f"the chain breaks at entry {found.sequence}"
        computed = head_after(computed, found)
    assert computed == head


def balances_told_by(entries: Iterable[ChainedEntry]) -> dict[str, Balance]:
    """Compute every balance from the journal alone, as an auditor would."""
    told = Told()
    for chained in entries:
        told.add(chained.entry)
    return {name: told.balance(name) for name in told.accounts}


@dataclass
class Told:
    """Balances as the entries so far tell them."""

    accounts: list[str] = field(default_factory=list)
    limits: dict[str, int] = field(default_factory=dict)
    spent: dict[str, int] = field(default_factory=lambda: defaultdict(int))
    lifetime: dict[str, int] = field(default_factory=lambda: defaultdict(int))
    held: dict[str, dict[str, int]] = field(default_factory=dict)

    def add(self, entry: Entry) -> None:
        """Follow one entry."""
        detail = json.loads(entry.detail)
        if entry.kind is EntryKind.ACCOUNT_CREATED:
            self.accounts.append(str(entry.account))
            self.limits[str(entry.account)] = detail["limit_units"]
        elif entry.kind is EntryKind.ACCOUNT_RENEWED:
            assert self.spent.pop(str(entry.account), 0) == detail["spent_units"]
        elif entry.kind is EntryKind.RESERVED:
            self.held[str(entry.request_id)] = detail["held_units"]
        elif entry.kind in SETTLED:
            charged = detail["charged_units"]
            assert set(self.held.pop(str(entry.request_id))) == set(charged)
            for account, units in charged.items():
                self.spent[account] += units
                self.lifetime[account] += units

    def within_limits(self) -> bool:
        """Return whether no account has spent and holds more than its limit."""
        return all(
            balance.spent_units + balance.reserved_units <= limit_units
            for name, limit_units in self.limits.items()
            for balance in (self.balance(name),)
        )

    def balance(self, name: str) -> Balance:
        """Return an account's balance."""
        held = sum(units.get(name, 0) for units in self.held.values())
        return Balance(self.spent[name], held, self.lifetime[name])
