"""Everything a coordinator can be told."""

from pydantic import Field

from coordinator.charging.settings import LedgerSettings, RoundBudgetSettings
from coordinator.members.settings import MembersSettings
from coordinator.newest import WatchLimits
from coordinator.priors.settings import CatalogueSettings
from coordinator.robust.plan import CohortPlan, plan
from coordinator.robust.settings import RobustSettings
from coordinator.rounds.schedule import Schedule
from coordinator.rounds.terms import Durations, Terms
from coordinator.validation.settings import ValidationSettings
from federated_router.crypto.packed_shamir import ROSTER_SIZE_MAX, ROSTER_SIZE_MIN
from federated_router.kit.config import (
    DaemonSettings,
    DatabaseUrl,
    Settings,
)


class StoreSettings(Settings):
    """Where rounds and priors are kept: SQLite (one file) or PostgreSQL.

    `url` is `sqlite+aiosqlite:////absolute/path` or `postgresql+psycopg://...`.
    """

    url: DatabaseUrl
    timeout_s: float = Field(default=5.0, gt=0)


class RoundSettings(Settings):
    """How rounds run. `interval_s` is from start to start; 0 opens none by itself.

    After an aborted round the next scheduled one comes `retry_after_s` later, then
    twice as much, up to the interval; `jitter_s` are added at most. `budget` is the
    account that rounds charge; a daemon does not start without one.

    `noise_scale` is the standard deviation, in requests, that the guaranteed honest
    members' noise adds to every count; it has no default because it is the promise.
    `colluders_max` is a third of the roster where it is absent. `cohorts` says what is
    assumed of members who poison, and `validation` what is published.

    `uploads_max` contributions come in at the same time, and rosters and sealed shares
    of `answer_bytes_max` go out, and news of rounds of a quarter of that; a member
    waits `transfer_timeout_s` at most for its turn, and has as long to read its answer.
    """

    noise_scale: float = Field(gt=0)
    budget: RoundBudgetSettings | None = None
    interval_s: float = Field(default=0.0, ge=0)
    retry_after_s: float = Field(default=60.0, gt=0)
    jitter_s: float = Field(default=0.0, ge=0)
    participation_min: float = Field(default=0.8, gt=0, le=1)
    members_min: int = Field(default=ROSTER_SIZE_MIN, ge=ROSTER_SIZE_MIN)
    members_max: int = Field(default=200, ge=ROSTER_SIZE_MIN, le=ROSTER_SIZE_MAX)
    colluders_max: int | None = Field(default=None, ge=0)
    cohorts: RobustSettings = RobustSettings()
    validation: ValidationSettings = ValidationSettings()
    joining_s: float = Field(default=60.0, gt=0)
    revealing_s: float = Field(default=30.0, gt=0)
    collecting_s: float = Field(default=120.0, gt=0)
    checking_s: float = Field(default=120.0, gt=0)
    summing_s: float = Field(default=120.0, gt=0)
    opening_s: float = Field(default=120.0, gt=0)
    validating_s: float = Field(default=60.0, gt=0)
    resume_grace_s: float = Field(default=15.0, ge=0)
    uploads_max: int = Field(default=32, ge=1)
    answer_bytes_max: int = Field(default=4 * 1024 * 1024, ge=1)
    transfer_timeout_s: float = Field(default=30.0, gt=0)

    def durations(self) -> Durations:
        """Return the longest stay in each state."""
        return Durations(
            joining_s=self.joining_s,
            revealing_s=self.revealing_s,
            collecting_s=self.collecting_s,
            checking_s=self.checking_s,
            summing_s=self.summing_s,
            opening_s=self.opening_s,
            validating_s=self.validating_s,
            resume_grace_s=self.resume_grace_s,
        )


class WatchSettings(Settings):
    """How many watch rounds, and as many priors, and how often they hear something."""

    watchers_max: int = Field(default=2_000, ge=1)
    progress_s: float = Field(default=1.0, gt=0)
    sign_of_life_s: float = Field(default=15.0, gt=0, le=30.0)

    def limits(self) -> WatchLimits:
        """Return the limits as `Newest` takes them."""
        return WatchLimits(
            watchers_max=self.watchers_max,
            progress_s=self.progress_s,
            sign_of_life_s=self.sign_of_life_s,
        )


class CoordinatorSettings(DaemonSettings):
    """One coordinator daemon."""

    store: StoreSettings
    catalogue: CatalogueSettings
    rounds: RoundSettings
    budget: LedgerSettings = LedgerSettings()
    watch: WatchSettings = WatchSettings()
    members: MembersSettings = MembersSettings()

    def cohorts(self) -> CohortPlan:
        """Return the cohorts of every roster that rounds may have.

        Raises FieldInvalid for cohorts that keep neither poisoners nor colluders out.
        """
        return plan(
            self.rounds.cohorts,
            members_min=self.rounds.members_min,
            members_max=self.rounds.members_max,
        )

    def terms(self) -> Terms:
        """Return the terms of rounds that wait for their deadline to join.

        Raises FieldInvalid as `cohorts`.
        """
        cohorts = self.cohorts()
        return Terms(
            catalogue=self.catalogue.catalogue(),
            participation_min=self.rounds.participation_min,
            members_min=self.rounds.members_min,
            members_max=self.rounds.members_max,
            members_expected=0,
            noise_scale=self.rounds.noise_scale,
            colluders_max=self.rounds.colluders_max,
            durations=self.rounds.durations(),
            cohort_size=cohorts.size,
            cohort_survivors_min=cohorts.survivors_min,
            cohort_colluders_max=cohorts.colluders_max,
        )

    def schedule(self, terms: Terms) -> Schedule:
        """Return when rounds of these terms open by themselves."""
        return Schedule(
            self.rounds.interval_s,
            terms,
            retry_after_s=self.rounds.retry_after_s,
            jitter_s=self.rounds.jitter_s,
        )
