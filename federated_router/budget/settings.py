"""Budget configuration of a router: store, quotas, audit log, stored answers."""

from collections import Counter
from collections.abc import Iterable
from decimal import Decimal
from enum import StrEnum
from pathlib import Path
from typing import Final, Self

from pydantic import Field, field_validator, model_validator

from federated_router.kit.config import DatabaseUrl, ResourceId, Settings
from federated_router.kit.errors import FieldInvalid
from federated_router.privacy.renewal import RenewalPolicy, check_zone

MEBIBYTE: Final = 1 << 20
DELTA: Final = Decimal("1e-6")


class QuotaSettings(Settings):
    """A quota, of a department together or of each person in a role."""

    name: ResourceId
    epsilon: Decimal
    delta: Decimal = DELTA
    renewal: RenewalPolicy = RenewalPolicy.NONE
    zone: str = "UTC"
    lifetime_epsilon: Decimal | None = None

    @field_validator("renewal")
    @classmethod
    def _by_calendar(cls, renewal: RenewalPolicy) -> RenewalPolicy:
        if renewal is RenewalPolicy.ON_NEW_DATA:
            raise ValueError("only a data set renews on new data")
        return renewal

    @field_validator("zone")
    @classmethod
    def _known_zone(cls, zone: str) -> str:
        try:
            check_zone(zone)
        except FieldInvalid as error:
            raise ValueError(error.message) from error
        return zone


class MemberSettings(Settings):
    """Which department and role a user belongs to; the user is a certificate's id."""

    user: ResourceId
    department: ResourceId | None = None
    role: ResourceId | None = None


class AnswerScope(StrEnum):
    """Who may be served an answer that another request paid for."""

    USER = "user"
    DATASET = "dataset"


class AnswerSettings(Settings):
    """How long and how much of what private requests published is kept.

    An answer that is served to somebody else tells that the question was asked before,
    so only its own user gets it unless `scope` is "dataset".
    """

    lifetime_s: float = Field(default=30 * 86_400.0, gt=0)
    bytes_max: int = Field(default=256 * MEBIBYTE, ge=0)
    answer_bytes_max: int = Field(default=MEBIBYTE, ge=0)
    scope: AnswerScope = AnswerScope.USER
    delete_interval_s: float = Field(default=60.0, gt=0)


def _departments() -> tuple[QuotaSettings, ...]:
    limits = {
        "emergency": 20,
        "cardiology": 15,
        "oncology": 15,
        "radiology": 10,
        "neurology": 10,
        "general": 5,
        "research": 2,
    }
    return tuple(
        QuotaSettings(name=name, epsilon=Decimal(epsilon))
        for name, epsilon in limits.items()
    )


class BudgetSettings(Settings):
    """Where budgets are kept, and what each department and user may learn.

    A user who is listed in no department is charged to none.
    """

    url: DatabaseUrl = "sqlite+aiosqlite:///build/router/ledger.sqlite"
    timeout_s: float = Field(default=5.0, gt=0)
    queue_max: int = Field(default=4096, ge=1)
    batch_max: int = Field(default=128, ge=1)
    user_epsilon: Decimal = Decimal(20)
    user_delta: Decimal = DELTA
    departments: tuple[QuotaSettings, ...] = Field(default_factory=_departments)
    roles: tuple[QuotaSettings, ...] = ()
    members: tuple[MemberSettings, ...] = ()
    lease_margin_s: float = Field(default=30.0, gt=0)
    expire_interval_s: float = Field(default=5.0, gt=0)
    proposal_lifetime_s: float = Field(default=86_400.0, gt=0)
    audit_key: Path = Path("build/router/audit-key.pem")
    checkpoint_interval_s: float = Field(default=60.0, gt=0)
    answers: AnswerSettings = AnswerSettings()

    @model_validator(mode="after")
    def _members_fit(self) -> Self:
        _refuse_twice("departments", (one.name for one in self.departments))
        _refuse_twice("roles", (one.name for one in self.roles))
        _refuse_twice("members", (one.user for one in self.members))
        departments = {one.name for one in self.departments}
        roles = {one.name for one in self.roles}
        for member in self.members:
            if member.department is not None and member.department not in departments:
                raise ValueError(f"{member.user}: no department {member.department}")
            if member.role is not None and member.role not in roles:
                raise ValueError(f"{member.user}: no role {member.role}")
        return self


def _refuse_twice(field: str, names: Iterable[str]) -> None:
    twice = sorted(name for name, count in Counter(names).items() if count > 1)
    if twice:
        raise ValueError(f"{field} name {', '.join(twice)} more than once")
