"""A ledger in memory whose accounts are charged for steps, and reported on."""

import hashlib
from decimal import Decimal
from fractions import Fraction

from federated_router.api.v1 import budget_pb2 as pb
from federated_router.budget.accounts import AccountName, AccountTerms
from federated_router.budget.ledger import ReserveRequest
from federated_router.budget.memory_store import MemoryLedgerStore
from federated_router.budget.reporting import report_account
from federated_router.budget.reservation import Charge, Owner, RequestId
from federated_router.kit.clock import ManualClock
from federated_router.privacy.measure import (
    Measure,
    limit_units,
    step_units,
)
from federated_router.privacy.step import GaussianStep, LaplaceStep, Step, TokenStep
from federated_router.privacy.step_text import step_text

WARD = AccountName("accounts/dataset-ward")
ALICE = AccountName("accounts/user-alice")
OWNER = Owner("router-1", "boot-1")
EPSILON, DELTA = Decimal(6), Decimal("1e-6")
TOKEN = TokenStep(
    slots=32,
    clip=Decimal(1),
    temperature=Decimal(1),
    multiplier=1,
    records_per_subject=1,
)
GAUSSIAN = GaussianStep(sensitivity_squared=Fraction(1), scale=Fraction(20))
LAPLACE = LaplaceStep(sensitivity=Fraction(1), scale=Fraction(20))
STRANGE = '{"mechanism":"telepathy"}'


class World:
    """A ledger in memory with one data set and one user."""

    def __init__(self, **terms: object) -> None:
        self.clock = ManualClock()
        self.ledger = MemoryLedgerStore(clock=self.clock)
        order = terms.pop("order", None)
        self.measure = Measure(order if isinstance(order, float) else None)
        self.terms = AccountTerms(
            name=WARD,
            limit_units=limit_units(epsilon=EPSILON, delta=DELTA, measure=self.measure),
            delta=float(DELTA),
            order=self.measure.order,
            **terms,  # type: ignore[arg-type]
        )

    async def open(self) -> None:
        """Create both accounts."""
        await self.ledger.create_account(self.terms)
        limit = limit_units(epsilon=EPSILON, delta=DELTA, measure=Measure())
        await self.ledger.create_account(
            AccountTerms(name=ALICE, limit_units=limit, delta=float(DELTA))
        )

    async def charge(self, request_id: str, step: Step, steps: int) -> None:
        """Charge both accounts for so many steps."""
        charges = (
            Charge(WARD, step_units(step, self.measure)),
            Charge(ALICE, step_units(step, Measure())),
        )
        await self.charge_event(request_id, step_text(step), charges, steps)

    async def charge_event(
        self, request_id: str, event: str, charges: tuple[Charge, ...], steps: int
    ) -> None:
        """Charge for steps of an event, whatever it says."""
        await self.ledger.reserve(
            ReserveRequest(
                request_id=RequestId(request_id),
                body_digest=hashlib.sha256(request_id.encode()).digest(),
                owner=OWNER,
                charges=charges,
                steps_max=steps,
                lease_s=60.0,
                event=event,
            )
        )
        await self.ledger.commit(RequestId(request_id), owner=OWNER, steps=steps)

    async def report(
        self, name: AccountName = WARD, *, lifetime: bool = False
    ) -> pb.ReportAccountResponse:
        """Ask for a report."""
        return await report_account(
            self.ledger, pb.ReportAccountRequest(name=name, lifetime=lifetime)
        )


async def opened(**terms: object) -> World:
    """Return a world whose accounts are open."""
    world = World(**terms)
    await world.open()
    return world


def row(response: pb.ReportAccountResponse, method: str) -> pb.Composition:
    """Return the row of a method."""
    found: pb.Composition = next(
        one for one in response.compositions if one.method == method
    )
    return found
