"""What an operator decides about members."""

from enum import StrEnum

from pydantic import Field

from federated_router.kit.config import Settings


class Enrolment(StrEnum):
    """Who may call as a member."""

    OPEN = "open"
    REQUIRED = "required"


class MembersSettings(Settings):
    """Who takes part, and how much of a member is put up with.

    `enrolment` is "open" (every certificate of the authority) or "required" (those that
    an operator enrolled). Calls are counted for each member and group of methods; the
    first `calls_burst` of them may come at once. Who sends `malformed_per_hour_max`
    malformed messages within an hour is refused for `suspension_s` seconds.
    """

    enrolment: Enrolment = Enrolment.OPEN
    members_max: int = Field(default=4096, ge=3)
    calls_per_minute_max: float = Field(default=600.0, gt=0)
    calls_burst: int = Field(default=200, ge=1)
    malformed_per_hour_max: int = Field(default=60, ge=1, le=10_000)
    suspension_s: float = Field(default=600.0, gt=0)
    renewal_poll_s: float = Field(default=30.0, gt=0)
