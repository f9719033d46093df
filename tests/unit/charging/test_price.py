"""What a round costs, how its hold is named, and what becomes of a hold."""

from dataclasses import replace
from decimal import Decimal
from pathlib import Path

import pytest
from pydantic import ValidationError

from coordinator.charging import price
from coordinator.charging.price import HoldFate
from coordinator.charging.settings import LedgerSettings, RoundBudgetSettings
from coordinator.charging.wiring import grant
from coordinator.rounds.round import Round, RoundName
from coordinator.rounds.state import State
from federated_router.budget.accounts import AccountKind, AccountName, account_kind
from federated_router.budget.memory_store import MemoryLedgerStore
from federated_router.kit.clock import ManualClock
from federated_router.privacy.measure import ZCDP
from federated_router.privacy.renewal import RenewalPolicy
from tests.support import round_script as script

ACCOUNT = AccountName("accounts/federation-rounds")


def held(state: State) -> Round:
    """Return a round in a state, with the reservation that it would have."""
    round_ = script.round_in(state)
    if state in (State.JOINING, State.REVEALING):
        return round_
    hold = price.hold_id(round_.name, price.price_of(round_, ZCDP))
    return replace(round_, reservation=price.reservation_name(ACCOUNT, hold))


OWN = price.held_by(held(State.COLLECTING).reservation)
OTHER = price.hold_id(script.NAME, price.price_of(script.round_in(State.JOINING), ZCDP))


def test_larger_sensitivity_costs_more_and_more_noise_costs_less() -> None:
    """The price follows from the terms in the direction that it must."""
    terms = script.TERMS
    usual = price.least_price(terms, ZCDP).units
    protected = replace(terms.catalogue, requests_per_user_max=3)

    louder = price.least_price(replace(terms, noise_scale=8.0), ZCDP).units
    dearer = price.least_price(replace(terms, catalogue=protected), ZCDP).units

    assert louder * 4 == pytest.approx(usual, rel=1e-6)
    assert dearer == pytest.approx(usual * 9, rel=1e-6)


def test_cohorts_are_charged_for_the_honest_of_one_cohort() -> None:
    """Each cohort's sum opens by itself, so its own noise must carry the promise."""
    terms = replace(script.TERMS, members_min=8, members_max=8, members_expected=8)
    cohorts = replace(
        terms, cohort_size=4, cohort_survivors_min=3, cohort_colluders_max=1
    )

    whole = price.least_price(terms, ZCDP).step
    part = price.least_price(cohorts, ZCDP).step

    assert part.shares_min == 2 < whole.shares_min
    assert part.share_sigma > whole.share_sigma


def test_a_hold_is_named_after_its_round_and_its_price() -> None:
    """Another roster, which costs something else, gets a hold of its own."""
    assert price.round_of(OWN) == script.NAME == price.round_of(OTHER)
    assert OWN != OTHER
    assert price.held_by(f"{ACCOUNT}/reservations/{OWN}") == OWN


@pytest.mark.parametrize(
    ("state", "own", "other"),
    [
        (State.JOINING, HoldFate.KEEP, HoldFate.KEEP),
        (State.REVEALING, HoldFate.KEEP, HoldFate.KEEP),
        (State.COLLECTING, HoldFate.KEEP, HoldFate.RELEASE),
        (State.CHECKING, HoldFate.KEEP, HoldFate.RELEASE),
        (State.SUMMING, HoldFate.KEEP, HoldFate.RELEASE),
        (State.OPENING, HoldFate.CHARGE, HoldFate.RELEASE),
        (State.VALIDATING, HoldFate.CHARGE, HoldFate.RELEASE),
        (State.PUBLISHED, HoldFate.CHARGE, HoldFate.RELEASE),
        (State.REJECTED, HoldFate.CHARGE, HoldFate.RELEASE),
        (State.ABORTED, HoldFate.RELEASE, HoldFate.RELEASE),
    ],
)
def test_fate_of_a_hold_follows_from_its_round(
    state: State, own: HoldFate, other: HoldFate
) -> None:
    """Charged whatever may have been opened; released what surely was not."""
    assert price.fate_of(OWN, held(state)) is own
    assert price.fate_of(OTHER, held(state)) is other


def test_hold_of_an_unknown_round_is_left_to_its_lease() -> None:
    """Nobody can prove that it was not opened, and nobody that it was."""
    assert price.fate_of(OWN, None) is HoldFate.LEAVE


@pytest.mark.parametrize(
    "fields",
    [
        {},
        {"epsilon": "0"},
        {"epsilon": "-1"},
        {"epsilon": "1", "delta": "0"},
        {"epsilon": "1", "renewal": "on_new_data"},
        {"epsilon": "1", "zone": "Mars/Base"},
        {"epsilon": "1", "account": "no spaces"},
        {"epsilon": "1", "lifetime_epsilon": "0"},
    ],
)
def test_budgets_that_are_none_are_refused_at_the_start(
    fields: dict[str, str],
) -> None:
    """A promise that cannot be kept, or was forgotten, is no configuration."""
    with pytest.raises(ValidationError):
        RoundBudgetSettings.model_validate(fields)


def test_configured_budget_becomes_an_account_of_its_kind() -> None:
    """Its limits are rounded down, its name says what it is."""
    settings = RoundBudgetSettings(
        epsilon=Decimal(3), renewal=RenewalPolicy.MONTHLY, lifetime_epsilon=Decimal(9)
    )
    terms = settings.terms()

    assert account_kind(terms.name) is AccountKind.FEDERATION
    assert account_kind(terms.name).is_guarantee
    assert terms.lifetime_cap_units is not None
    assert 0 < terms.limit_units < terms.lifetime_cap_units


def test_the_coordinators_ledger_has_no_departments(tmp_path: Path) -> None:
    """Nobody's requests are charged there."""
    budget = LedgerSettings(audit_key=tmp_path / "key").budget()

    assert budget.departments == ()
    assert budget.audit_key == tmp_path / "key"


async def test_granting_again_changes_nothing() -> None:
    """Every start grants; an account that is there keeps its own terms."""
    ledger = MemoryLedgerStore(clock=ManualClock())
    first = RoundBudgetSettings(epsilon=Decimal(3)).terms()

    for epsilon in (3, 3, 300):
        await grant(ledger, RoundBudgetSettings(epsilon=Decimal(epsilon)).terms())

    page = await ledger.list_accounts(page_size=10)
    assert [account.terms for account in page.accounts] == [first]


def test_rounds_of_other_names_have_other_holds() -> None:
    """Two rounds of the same roster are two charges."""
    cost = price.price_of(script.round_in(State.COLLECTING), ZCDP)

    names = {price.hold_id(RoundName(f"rounds/r{index}"), cost) for index in range(9)}

    assert len(names) == 9
