"""Callers of a ledger, and what they ask of it."""

import hashlib
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import count
from typing import Final

from federated_router.budget.accounts import AccountName, AccountTerms
from federated_router.budget.ledger import ReserveRequest
from federated_router.budget.port import LedgerStore
from federated_router.budget.reservation import Charge, Owner, RequestId

ACCOUNTS: Final = 1000
NAMES: Final = tuple(AccountName(f"accounts/dataset-{n}") for n in range(ACCOUNTS))
OWNER: Final = Owner("bench", "boot")
STEPS_MAX, STEPS, STEP_UNITS = 32, 20, 2
LIMIT_UNITS: Final = 10**15


def terms(name: AccountName) -> AccountTerms:
    """Return the terms of an account that no run exhausts."""
    return AccountTerms(name=name, limit_units=LIMIT_UNITS, delta=1e-6)


def request(number: int, names: Sequence[AccountName]) -> ReserveRequest:
    """Return a request on one of the accounts."""
    return ReserveRequest(
        request_id=RequestId(f"request-{number}"),
        body_digest=hashlib.sha256(str(number).encode()).digest(),
        owner=OWNER,
        charges=(Charge(names[number % len(names)], STEP_UNITS),),
        steps_max=STEPS_MAX,
        lease_s=60.0,
        event='{"mechanism":"token","rho_units":2}',
    )


@dataclass
class Callers:
    """Makes requests, serves them at a ledger, and remembers what each cost."""

    store: LedgerStore
    numbers: Iterator[int] = field(default_factory=count)
    reserved: Counter[AccountName] = field(default_factory=Counter)
    committed: Counter[AccountName] = field(default_factory=Counter)

    async def reserve(self, names: Sequence[AccountName]) -> None:
        """Hold the worst case of one request."""
        asked = request(next(self.numbers), names)
        await self.store.reserve(asked)
        self.reserved[asked.charges[0].account] += 1

    async def pair(self, names: Sequence[AccountName]) -> None:
        """Hold the worst case of one request, and charge what it took."""
        asked = request(next(self.numbers), names)
        await self.store.reserve(asked)
        await self.store.commit(asked.request_id, owner=OWNER, steps=STEPS)
        self.committed[asked.charges[0].account] += 1

    async def check(self) -> None:
        """Raise RuntimeError unless every account says what was asked of it."""
        for name in NAMES:
            account = await self.store.get_account(name)
            expected = (
                self.committed[name] * STEPS * STEP_UNITS,
                self.reserved[name] * STEPS_MAX * STEP_UNITS,
            )
            if (account.spent_units, account.reserved_units) != expected:
                raise RuntimeError(f"{name} does not say what was asked of it.")
