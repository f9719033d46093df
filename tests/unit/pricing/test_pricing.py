"""Which accounts a release charges, and how much of each one's measure."""

import json
from decimal import Decimal
from fractions import Fraction

import pytest

from federated_router.budget.accounts import (
    AccountName,
    AccountTerms,
    BlockScheme,
    BlockTerms,
)
from federated_router.budget.blocks import RecordKey
from federated_router.budget.memory_store import MemoryLedgerStore
from federated_router.budget.pricing import BLOCKS_MAX, Price, Pricer, Release
from federated_router.budget.quotas import Quotas
from federated_router.budget.settings import BudgetSettings
from federated_router.kit.clock import ManualClock
from federated_router.kit.errors import (
    DatasetUnknown,
    FieldInvalid,
    NotPrivatelyServable,
)
from federated_router.privacy.measure import Measure, measure_for, step_units
from federated_router.privacy.step import GaussianStep, LaplaceStep
from federated_router.privacy.step_text import step_of

GAUSSIAN = GaussianStep(sensitivity_squared=Fraction(1), scale=Fraction(10))
LAPLACE = LaplaceStep(sensitivity=Fraction(1), scale=Fraction(2))
WARD = AccountName("accounts/dataset-ward")


@pytest.fixture
def ledger() -> MemoryLedgerStore:
    """Return an empty ledger."""
    return MemoryLedgerStore(clock=ManualClock(1_767_268_800.0))


@pytest.fixture
def pricer(ledger: MemoryLedgerStore) -> Pricer:
    """Return a pricer for people of whom one is in a department."""
    settings = BudgetSettings.model_validate(
        {"members": [{"user": "ada", "department": "cardiology"}]}
    )
    return Pricer(ledger, Quotas(settings))


async def open_ward(
    ledger: MemoryLedgerStore,
    *,
    blocks: BlockTerms | None = None,
    order: float | None = None,
) -> None:
    """Open the data set's account."""
    await ledger.create_account(
        AccountTerms(
            name=WARD, limit_units=10**12, delta=1e-6, blocks=blocks, order=order
        )
    )


def release(**fields: object) -> Release:
    """Return a Gaussian release by ada unless told else."""
    told: dict[str, object] = {
        "dataset": "ward",
        "step": GAUSSIAN,
        "user": "ada",
        "records": (RecordKey("a"), RecordKey("b")),
    }
    return Release(**(told | fields))  # type: ignore[arg-type]


def charges(price: Price) -> dict[str, int]:
    """Return units per account, without the prefix."""
    return {
        charge.account.removeprefix("accounts/"): charge.units_per_step
        for charge in price.charges
    }


async def test_release_charges_every_account_that_it_touches(
    ledger: MemoryLedgerStore, pricer: Pricer
) -> None:
    """Data set, blocks, department and user, each with what the step costs."""
    await open_ward(
        ledger, blocks=BlockTerms(scheme=BlockScheme.RECORD, limit_units=10**12)
    )
    units = 5_000_000_000  # 1 / (2 * 10^2) rho.

    price = await pricer.price(release())

    assert charges(price) == {
        "dataset-ward": units,
        "block-ward.a": units,
        "block-ward.b": units,
        "department-cardiology": units,
        "user-ada": units,
    }
    assert {terms.name.removeprefix("accounts/") for terms in price.opens} == (
        set(charges(price)) - {"dataset-ward"}
    )


async def test_each_account_is_charged_in_its_own_measure(
    ledger: MemoryLedgerStore, pricer: Pricer
) -> None:
    """A Laplace release costs a Renyi account less than rho would say."""
    order = measure_for(epsilon=Decimal(3), delta=Decimal("1e-6")).order
    assert order is not None
    await open_ward(ledger, order=order)

    price = charges(await pricer.price(release(step=LAPLACE)))

    assert price["dataset-ward"] == step_units(LAPLACE, Measure(order))
    assert price["user-ada"] == step_units(LAPLACE, Measure())
    assert price["dataset-ward"] < order * price["user-ada"]


async def test_stored_event_tells_what_the_charge_followed_from(
    ledger: MemoryLedgerStore, pricer: Pricer
) -> None:
    """An auditor computes the cost again from it."""
    await open_ward(ledger)

    price = await pricer.price(release(policy="policies/p"))

    assert step_of(price.event) == GAUSSIAN
    told = json.loads(price.event)
    assert (told["dataset"], told["policy"]) == ("datasets/ward", "policies/p")


async def test_account_opened_with_other_terms_is_charged_by_those(
    ledger: MemoryLedgerStore, pricer: Pricer
) -> None:
    """An operator's word counts more than the configuration's default."""
    await open_ward(ledger)
    own = AccountTerms(
        name=AccountName("accounts/user-ada"), limit_units=7, delta=1e-6, order=5.0
    )
    await ledger.create_account(own)

    price = await pricer.price(release())

    assert own in price.opens
    assert charges(price)["user-ada"] == step_units(GAUSSIAN, Measure(5.0))


async def test_batches_are_never_opened_by_a_request(
    ledger: MemoryLedgerStore, pricer: Pricer
) -> None:
    """Else a client could name its records anew and begin with a fresh limit."""
    await open_ward(
        ledger, blocks=BlockTerms(scheme=BlockScheme.BATCH, limit_units=10**12)
    )

    price = await pricer.price(release(records=(RecordKey("a", "may"),)))

    assert "block-ward.may" in charges(price)
    assert not [one for one in price.opens if "block" in one.name]


async def test_search_cannot_be_charged_by_blocks(
    ledger: MemoryLedgerStore, pricer: Pricer
) -> None:
    """Which blocks it touched is told by content, and it may touch every one."""
    await open_ward(
        ledger, blocks=BlockTerms(scheme=BlockScheme.RECORD, limit_units=10**12)
    )

    with pytest.raises(NotPrivatelyServable):
        await pricer.price(release(records=None))


@pytest.mark.parametrize(
    "records", [(), tuple(RecordKey(f"r{n}") for n in range(BLOCKS_MAX + 1))]
)
async def test_blocks_are_named_and_not_too_many(
    ledger: MemoryLedgerStore, pricer: Pricer, records: tuple[RecordKey, ...]
) -> None:
    """A release that names nothing would charge nobody; a huge one would stall all."""
    await open_ward(
        ledger, blocks=BlockTerms(scheme=BlockScheme.RECORD, limit_units=10**12)
    )

    with pytest.raises(FieldInvalid):
        await pricer.price(release(records=records))


async def test_data_set_without_an_account_is_unknown(pricer: Pricer) -> None:
    """A private answer without a budget is refused, not free."""
    with pytest.raises(DatasetUnknown):
        await pricer.price(release())
