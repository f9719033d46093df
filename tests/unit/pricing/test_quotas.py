"""Which department and user accounts a request is charged to."""

from decimal import Decimal

import pytest
from pydantic import ValidationError

from federated_router.budget.accounts import AccountKind
from federated_router.budget.quotas import Quotas
from federated_router.budget.settings import (
    BudgetSettings,
    MemberSettings,
    QuotaSettings,
)
from federated_router.privacy.accountant import budget_units
from federated_router.privacy.renewal import RenewalPolicy

DELTA = Decimal("1e-6")


def units(epsilon: int) -> int:
    """Return a limit in units."""
    return budget_units(epsilon=Decimal(epsilon), delta=DELTA)


def settings(**fields: object) -> BudgetSettings:
    """Return budget settings."""
    return BudgetSettings.model_validate(fields)


def test_departments_begin_with_the_published_defaults() -> None:
    """A new router has limits that somebody has thought about."""
    limits = {one.name: one.epsilon for one in BudgetSettings().departments}

    assert limits == {
        "emergency": 20,
        "cardiology": 15,
        "oncology": 15,
        "radiology": 10,
        "neurology": 10,
        "general": 5,
        "research": 2,
    }
    assert {one.delta for one in BudgetSettings().departments} == {DELTA}


def test_member_is_charged_with_the_department() -> None:
    """One person cannot use up what a department may learn together, nor more."""
    quotas = Quotas(settings(members=({"user": "ada", "department": "cardiology"},)))

    department, user = quotas.of("ada")

    assert department.name == "accounts/department-cardiology"
    assert department.limit_units == units(15)
    assert (user.name, user.limit_units) == ("accounts/user-ada", units(20))


def test_user_whom_nobody_listed_has_a_quota_of_their_own_alone() -> None:
    """Unknown people do not spend a department's quota."""
    (user,) = Quotas(settings(user_epsilon="3")).of("eve")

    assert (user.name, user.limit_units) == ("accounts/user-eve", units(3))


def test_role_sets_what_each_of_its_people_may_learn() -> None:
    """A role is a limit for each person, not one that they share."""
    roles = (
        QuotaSettings(
            name="researcher",
            epsilon=Decimal(2),
            renewal=RenewalPolicy.WEEKLY,
            zone="Europe/Paris",
            lifetime_epsilon=Decimal(6),
        ),
    )
    members = tuple(MemberSettings(user=user, role="researcher") for user in "ab")
    quotas = Quotas(BudgetSettings(roles=roles, members=members))

    (one,), (other,) = quotas.of("a"), quotas.of("b")

    assert one.name != other.name
    assert (one.limit_units, one.lifetime_cap_units) == (units(2), units(6))
    assert (one.renewal, one.zone) == (RenewalPolicy.WEEKLY, "Europe/Paris")


def test_quotas_are_not_called_guarantees() -> None:
    """No per-person accounting bounds what is told about a record."""
    assert [kind for kind in AccountKind if kind.is_guarantee] == [
        AccountKind.DATASET,
        AccountKind.BLOCK,
        AccountKind.FEDERATION,
    ]


@pytest.mark.parametrize(
    "wrong",
    [
        {"members": [{"user": "ada", "department": "magic"}]},
        {"members": [{"user": "ada", "role": "magic"}]},
        {"members": [{"user": "ada"}, {"user": "ada"}]},
        {"roles": [{"name": "r", "epsilon": "1"}, {"name": "r", "epsilon": "2"}]},
        {"roles": [{"name": "r", "epsilon": "1", "renewal": "on_new_data"}]},
        {"roles": [{"name": "r", "epsilon": "1", "zone": "Mars/Olympus"}]},
    ],
)
def test_configuration_that_cannot_be_meant_is_refused(
    wrong: dict[str, object],
) -> None:
    """A router does not start on quotas that it would have to guess."""
    with pytest.raises(ValidationError):
        settings(**wrong)
