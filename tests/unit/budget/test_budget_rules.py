"""The pure rules: what an account, a reservation and a request may be."""

import json
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from federated_router.budget.accounts import (
    UNITS_MAX,
    Account,
    AccountKind,
    AccountName,
    hold,
    open_account,
    renew,
    settle,
)
from federated_router.budget.exhaustion import Shortfall, exhausted
from federated_router.budget.ledger import (
    CHARGES_MAX,
    Admitted,
    ReserveRequest,
    check_request,
    reserve,
)
from federated_router.budget.reservation import Charge, Owner, RequestId
from federated_router.kit.errors import FieldInvalid, Internal
from federated_router.privacy.renewal import RenewalPolicy
from tests.support.ledger_world import DATASET, USER, request, terms

UNITS = st.integers(min_value=0, max_value=UNITS_MAX)


def account(**fields: int) -> Account:
    """Return an account with a limit of 1000 units."""
    return replace(open_account(terms(), now_s=0.0), **fields)  # type: ignore[arg-type]


def test_kind_is_the_prefix_of_the_name() -> None:
    """An account's name tells whether it is a guarantee or a quota."""
    assert open_account(terms(DATASET), now_s=0.0).kind is AccountKind.DATASET
    assert open_account(terms(USER), now_s=0.0).kind is AccountKind.USER


@pytest.mark.parametrize("delta", [0.0, 1.0, -1e-6, float("nan"), float("inf")])
def test_delta_lies_between_nothing_and_certainty(delta: float) -> None:
    """An epsilon without a delta that can be, is no statement."""
    with pytest.raises(FieldInvalid):
        open_account(replace(terms(), delta=delta), now_s=0.0)


@given(UNITS, st.data())
def test_hold_and_settlement_conserve_the_limit(
    limit_units: int, data: st.DataObject
) -> None:
    """Spent, reserved and free make the limit: before, while and after."""
    held_units = data.draw(st.integers(min_value=1, max_value=max(1, limit_units)))
    charged_units = data.draw(st.integers(min_value=0, max_value=held_units))
    empty = open_account(terms(limit_units=max(1, limit_units)), now_s=0.0)

    held = hold(empty, held_units)
    settled = settle(held, held_units=held_units, charged_units=charged_units)

    for one in (empty, held, settled):
        parts = one.spent_units + one.reserved_units + one.free_units
        assert parts == one.limit_units
    assert settled.lifetime_units == settled.spent_units == charged_units


@pytest.mark.parametrize("units", [-1, 0, 901])
def test_hold_of_nothing_or_of_too_much_is_a_defect(units: int) -> None:
    """The account guards itself against a caller that did not compare."""
    with pytest.raises(Internal):
        hold(account(spent_units=50, reserved_units=50), units)


@pytest.mark.parametrize(("held", "charged"), [(101, 0), (50, 51), (50, -1)])
def test_settlement_beyond_its_hold_is_a_defect(held: int, charged: int) -> None:
    """What was not reserved cannot be charged."""
    with pytest.raises(Internal):
        settle(account(reserved_units=100), held_units=held, charged_units=charged)


def test_odometer_without_a_cap_still_fits_its_column() -> None:
    """Renewals cannot make an integer overflow where it is stored."""
    worn = account(lifetime_units=UNITS_MAX - 10)

    assert worn.free_units == 10


def test_renewal_skips_windows_in_which_nothing_happened() -> None:
    """An account that slept for a year wakes in the window of today."""
    daily = open_account(terms(renewal=RenewalPolicy.DAILY), now_s=0.0)
    used = settle(hold(daily, 10), held_units=10, charged_units=10)

    woken = renew(used, now_s=365 * 86_400 + 5)

    assert (woken.spent_units, woken.lifetime_units) == (0, 10)
    assert woken.window_start_s == 365 * 86_400


def test_gate_takes_the_renewal_that_is_due_into_account() -> None:
    """A refusal a second after midnight would be wrong."""
    daily = open_account(terms(limit_units=200, renewal=RenewalPolicy.DAILY), now_s=0.0)
    full = settle(hold(daily, 200), held_units=200, charged_units=200)

    before = reserve(request(), {DATASET: full}, now_s=86_399.0)
    after = reserve(request(), {DATASET: full}, now_s=86_400.0)

    assert isinstance(before, Shortfall)
    assert isinstance(after, Admitted)


@pytest.mark.parametrize(
    "wrong",
    [
        request(""),
        request("x" * 201),
        replace(request(), body_digest=b"short"),
        request(owner=Owner("", "boot")),
        request(steps_max=0),
        request(steps_max=-1),
        request(steps_max=True),
        request(lease_s=0.0),
        request(lease_s=float("nan")),
        request(lease_s=float("inf")),
        request(charges=()),
        request(charges=((DATASET, 1), (DATASET, 1))),
        request(charges=((DATASET, 0),)),
        request(charges=((DATASET, -5),)),
        request(charges=((DATASET, UNITS_MAX),), steps_max=2),
        request(charges=((AccountName("accounts/ward"), 1),)),
        request(
            charges=tuple(
                (AccountName(f"accounts/user-{n}"), 1) for n in range(CHARGES_MAX + 1)
            )
        ),
        replace(request(), charges=(Charge(DATASET, 0.5),)),  # type: ignore[arg-type]
        replace(request(), charges=(Charge(DATASET, float("nan")),)),  # type: ignore[arg-type]
        request(event="[]"),
        request(event="not json"),
        request(event='{"a":' + "[" * 4000),
        request(event=json.dumps({"a": "x" * 4096})),
    ],
)
def test_request_that_no_account_could_cover_rightly_is_refused(
    wrong: ReserveRequest,
) -> None:
    """A charge of nothing, of a fraction or of too much would be lost in the sum."""
    with pytest.raises(FieldInvalid):
        check_request(wrong)


@pytest.mark.parametrize(
    ("short", "advice"),
    [
        (Shortfall(account(spent_units=900), 2000), "exceeds the whole limit"),
        (Shortfall(account(reserved_units=900), 200), "when they have ended"),
        (Shortfall(account(spent_units=900), 200), "does not renew"),
        (
            Shortfall(
                replace(
                    account(spent_units=900), terms=terms(renewal=RenewalPolicy.DAILY)
                ),
                200,
            ),
            "renews at 1970-01-02T00:00:00Z",
        ),
    ],
)
def test_exhausted_budget_tells_a_person_what_to_do(
    short: Shortfall, advice: str
) -> None:
    """A number without an advice makes people write to the operator."""
    error = exhausted(short, held_by=())

    assert advice in error.message
    assert "100 of 1000 units free" in error.message


FEDERATION = AccountName("accounts/federation-rounds")


@pytest.mark.parametrize(
    ("needed_units", "renewal", "advice"),
    [
        (2000, RenewalPolicy.NONE, "rounds need more noise or fewer blocks"),
        (200, RenewalPolicy.NONE, "rounds are over until its owner opens a new"),
        (200, RenewalPolicy.DAILY, "It renews at 1970-01-02T00:00:00Z"),
    ],
)
def test_exhausted_federation_is_told_about_rounds_and_not_about_tokens(
    needed_units: int, renewal: RenewalPolicy, advice: str
) -> None:
    """Nobody can ask a round for fewer tokens."""
    spent = replace(account(spent_units=900), terms=terms(FEDERATION, renewal=renewal))

    error = exhausted(Shortfall(spent, needed_units), held_by=())

    assert advice in error.message
    assert f"this round needs up to {needed_units}" in error.message
    assert "The budget accounts/federation-rounds has 100" in error.message


def test_quota_is_not_called_a_budget() -> None:
    """A user's account promises nothing about records, and must not sound like it."""
    quota = open_account(terms(USER, limit_units=1), now_s=0.0)

    error = exhausted(Shortfall(quota, 2), held_by=(RequestId("r"),))

    assert error.message.startswith("The quota accounts/user-ada")
