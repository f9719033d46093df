"""Which quotas a user's requests are charged to, by configuration.

Decides the terms of department and user accounts. They are quotas: they limit how fast
somebody learns, and bound nothing about a record, because answers to one user shape the
questions of another (Big Bird, 2025).
"""

from functools import lru_cache

from federated_router.budget.accounts import AccountName, AccountTerms
from federated_router.budget.settings import (
    BudgetSettings,
    MemberSettings,
    QuotaSettings,
)
from federated_router.privacy.accountant import budget_units


class Quotas:
    """Terms of the quota accounts of each user."""

    def __init__(self, settings: BudgetSettings) -> None:
        self._members = {member.user: member for member in settings.members}
        self._departments = {
            one.name: _terms(f"department-{one.name}", one)
            for one in settings.departments
        }
        self._roles = {one.name: one for one in settings.roles}
        self._unlisted = QuotaSettings(
            name="user", epsilon=settings.user_epsilon, delta=settings.user_delta
        )

    def of(self, user: str) -> tuple[AccountTerms, ...]:
        """Return the terms of the user's account, and of the department's if listed."""
        member = self._members.get(user, MemberSettings(user=user))
        role = self._roles.get(member.role or "", self._unlisted)
        own = _terms(f"user-{user}", role)
        if member.department is None:
            return (own,)
        return (self._departments[member.department], own)


@lru_cache(maxsize=4096)
def _terms(account_id: str, quota: QuotaSettings) -> AccountTerms:
    lifetime = quota.lifetime_epsilon
    return AccountTerms(
        name=AccountName(f"accounts/{account_id}"),
        limit_units=budget_units(epsilon=quota.epsilon, delta=quota.delta),
        delta=float(quota.delta),
        renewal=quota.renewal,
        zone=quota.zone,
        lifetime_cap_units=None
        if lifetime is None
        else budget_units(epsilon=lifetime, delta=quota.delta),
    )
