"""What an operator decides about a member of rounds.

Decides the names, the defaults and the limits of the section. Refuses to know the
daemon that it stands in.
"""

from pathlib import Path

from pydantic import Field

from federated_router.federation.backoff import Backoff
from federated_router.federation.odometer_settings import OdometerSettings
from federated_router.federation.terms_verification import (
    COHORT_FAILURE_PROBABILITY,
    Floor,
)
from federated_router.kit.config import Settings
from federated_router.privacy.step import SHARE_SIGMA_MIN

_DAY_S = 86_400.0


class MembershipSettings(Settings):
    """Where the coordinator is, and the weakest terms under which this member joins.

    `noise_scale_min` has no default: it is the promise made to those whose requests
    are counted, in counts of standard deviation.
    """

    coordinator: str
    vault: Path
    noise_scale_min: float = Field(ge=SHARE_SIGMA_MIN)
    participation_min: float = Field(default=0.8, gt=0, le=1)
    members_min: int = Field(default=3, ge=3)
    colluders_min: int | None = Field(default=None, ge=0)
    cohort_failure_probability: float = Field(
        default=COHORT_FAILURE_PROBABILITY, gt=0, lt=1
    )
    rounds_unfinished_max: int = Field(default=16, ge=1)
    key_lifetime_s: float = Field(default=_DAY_S, ge=60)
    call_timeout_s: float = Field(default=10.0, gt=0)
    silence_s_max: float = Field(default=75.0, gt=0)
    backoff_s_min: float = Field(default=0.2, gt=0)
    backoff_s_max: float = Field(default=10.0, gt=0)
    budget: OdometerSettings | None = None

    @property
    def floor(self) -> Floor:
        """The weakest terms, as verification takes them."""
        return Floor(
            noise_scale_min=self.noise_scale_min,
            participation_min=self.participation_min,
            members_min=self.members_min,
            colluders_min=self.colluders_min,
            cohort_failure_probability=self.cohort_failure_probability,
        )

    @property
    def backoff(self) -> Backoff:
        """Delays between attempts."""
        return Backoff(least_s=self.backoff_s_min, most_s=self.backoff_s_max)
