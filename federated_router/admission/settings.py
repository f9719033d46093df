"""Limits of admission; every one has a test that reaches it."""

from enum import StrEnum
from typing import Literal, Self

from pydantic import Field, model_validator

from federated_router.admission.ask import Priority
from federated_router.kit.config import DatabaseUrl, Settings

PriorityName = Literal["low", "normal", "high"]
_GLOB = "^[a-z0-9._*?-]{1,63}$"


class ShedSettings(Settings):
    """How likely a request is refused by how full the nodes are.

    The probability is `min(1, factor * saturation ** power)`, with the factor of the
    request's priority; 0 sheds none of that priority.
    """

    enabled: bool = True
    power: float = Field(default=5.0, gt=0, le=64)
    low: float = Field(default=0.1, ge=0)
    normal: float = Field(default=0.0, ge=0)
    high: float = Field(default=0.0, ge=0)

    @model_validator(mode="after")
    def _lower_first(self) -> Self:
        if not self.low >= self.normal >= self.high:
            raise ValueError("a higher priority must not be shed before a lower one")
        return self

    def factor(self, priority: Priority) -> float:
        """Return the factor of this priority."""
        return (self.low, self.normal, self.high)[priority - Priority.LOW]


class TenantSettings(Settings):
    """What tenants get whose id matches `match`, where `*` and `?` stand for others.

    A request's own priority holds up to `priority_max`. Where requests wait, a tenant's
    part of the tokens is as its `weight` to the others'. No rate is no limit.
    """

    match: str = Field(default="*", pattern=_GLOB)
    priority_max: PriorityName = "normal"
    weight: float = Field(default=1.0, ge=0.01, le=100.0)
    requests_per_minute: int | None = Field(default=None, ge=1, le=10_000_000)
    tokens_per_minute: int | None = Field(default=None, ge=1, le=10_000_000_000)

    @property
    def priority(self) -> Priority:
        """Return the highest priority that these tenants may use."""
        return Priority[self.priority_max.upper()]

    @property
    def has_rate(self) -> bool:
        """Return whether these tenants have any rate."""
        return self.requests_per_minute is not None or (
            self.tokens_per_minute is not None
        )


class WhenUnavailable(StrEnum):
    """What becomes of requests with a rate while the shared table is away.

    REFUSE lets none in. LOCAL counts in each router alone, so that a tenant may take
    its rate as many times as there are routers.
    """

    REFUSE = "refuse"
    LOCAL = "local"


class RateSettings(Settings):
    """How tenants' rates are counted over all routers with the same `url`.

    Without `url` this router counts alone. A tenant saves up at most `burst_s` of its
    rate. A router takes at most `slice_s` of a rate at once, and gives back what it has
    not spent `slice_s` later.
    """

    url: DatabaseUrl | None = None
    burst_s: float = Field(default=60.0, ge=1, le=3600)
    slice_s: float = Field(default=2.0, gt=0, le=60)
    timeout_s: float = Field(default=1.0, gt=0)
    retry_s: float = Field(default=1.0, gt=0)
    tenants_max: int = Field(default=10_000, ge=1)
    tidy_interval_s: float = Field(default=600.0, gt=0)
    when_unavailable: WhenUnavailable = WhenUnavailable.REFUSE


class AdmissionSettings(Settings):
    """How many run, how many wait, and who goes first.

    `capacity_factor` times the nodes' slots run at once; what is above 1 waits at the
    nodes. At most `waiting_max` requests wait here, `tenant_waiting_max` of one tenant.
    A priority of which some wait has one let in at least every `promote_after_s`, as
    long as anything is let in. The first of `tenants` that matches an id holds.
    """

    capacity_factor: float = Field(default=1.25, gt=0, le=1000)
    waiting_max: int = Field(default=1024, ge=0)
    tenant_waiting_max: int = Field(default=256, ge=0)
    promote_after_s: float = Field(default=5.0, gt=0)
    look_interval_s: float = Field(default=0.1, gt=0)
    shed: ShedSettings = ShedSettings()
    tenants: tuple[TenantSettings, ...] = ()
    rates: RateSettings = RateSettings()
