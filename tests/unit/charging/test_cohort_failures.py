"""The delta that random cohorts take: from the budget, before any round opens."""

from decimal import Decimal

import pytest

from coordinator.charging.cohort_failures import NO_FAILURES, CohortFailures
from coordinator.charging.settings import RoundBudgetSettings
from coordinator.charging.wiring import grant
from federated_router.budget.memory_store import MemoryLedgerStore
from federated_router.kit.clock import ManualClock
from federated_router.kit.config import ConfigurationError
from federated_router.kit.errors import FieldInvalid
from federated_router.privacy.accountant import epsilon_of_units

ACCOUNT = RoundBudgetSettings(epsilon=Decimal(4))
UNITS = ACCOUNT.terms().limit_units
ROUNDS = 250
FAILURES = CohortFailures(probability=1e-9, round_units=UNITS // ROUNDS)


def test_certain_noise_leaves_the_budget_as_it_was_set() -> None:
    """One honest share is each member's own: there is no chance to account for."""
    none = CohortFailures(probability=0.0, round_units=1)

    assert ACCOUNT.terms(none) == ACCOUNT.terms(NO_FAILURES) == ACCOUNT.terms()


def test_all_rounds_that_the_limit_pays_keep_epsilon_at_the_whole_delta() -> None:
    """What is left for noise and what cohorts fail with are the delta that was set.

    The same limit at the whole delta would be larger: that is what was wrong without.
    """
    terms = ACCOUNT.terms(FAILURES)

    rounds = terms.limit_units // FAILURES.round_units
    failing = rounds * 1e-9

    assert 0 < rounds <= ROUNDS
    assert terms.delta + failing <= float(ACCOUNT.delta) * (1 + 1e-12)
    assert terms.delta == pytest.approx(1e-6 - ROUNDS * 1e-9)
    assert epsilon_of_units(terms.limit_units, delta=terms.delta) <= 4
    assert terms.limit_units < UNITS


def test_lifetime_of_many_windows_counts_all_of_its_rounds() -> None:
    """The larger of the two limits says how many rounds may fail."""
    lasting = RoundBudgetSettings(epsilon=Decimal(4), lifetime_epsilon=Decimal(8))
    rounds = (lasting.terms().lifetime_cap_units or 0) // FAILURES.round_units

    terms = lasting.terms(FAILURES)

    assert rounds > ROUNDS
    assert terms.delta == pytest.approx(1e-6 - rounds * 1e-9)


def test_failures_that_use_up_delta_are_refused_with_the_setting_to_change() -> None:
    """A thousand rounds at 1e-9 are a delta of 1e-6: nothing is left for the noise."""
    often = CohortFailures(probability=1e-9, round_units=UNITS // 1_000)

    with pytest.raises(FieldInvalid) as refused:
        ACCOUNT.terms(often)

    assert refused.value.metadata["field"] == "failure_probability"


async def test_account_of_before_cohorts_is_refused_and_one_with_room_is_kept() -> None:
    """Its limit was computed from a delta that cohorts now need a part of."""
    ledger = MemoryLedgerStore(clock=ManualClock())
    old = await grant(ledger, ACCOUNT.terms())
    kept = await grant(ledger, ACCOUNT.terms(FAILURES))

    assert kept == old
    with pytest.raises(ConfigurationError, match="opened for a delta of 1e-06"):
        FAILURES.refuse_without_room(kept, delta=ACCOUNT.delta)
    FAILURES.refuse_without_room(kept, delta=2 * ACCOUNT.delta)
    FAILURES.refuse_without_room(ACCOUNT.terms(FAILURES), delta=ACCOUNT.delta)
    NO_FAILURES.refuse_without_room(kept, delta=ACCOUNT.delta)
