"""Everything a coordinator can be told."""

from pydantic import Field

from coordinator.newest import WatchLimits
from coordinator.rounds.terms import Durations, Terms
from federated_router.crypto.packed_shamir import ROSTER_SIZE_MAX, ROSTER_SIZE_MIN
from federated_router.kit.config import (
    DaemonSettings,
    DatabaseUrl,
    ResourceId,
    Settings,
)
from federated_router.kit.names import resource_name
from federated_router.priors.catalogue import (
    LATENCY_BOUNDS_MS,
    SENSITIVITY_SQUARED,
    Catalogue,
)


class StoreSettings(Settings):
    """Where rounds and priors are kept: SQLite (one file) or PostgreSQL.

    `url` is `sqlite+aiosqlite:////absolute/path` or `postgresql+psycopg://...`.
    """

    url: DatabaseUrl
    timeout_s: float = Field(default=5.0, gt=0)


class CatalogueSettings(Settings):
    """What rounds count. `version` grows with every change of the others."""

    version: int = Field(default=1, ge=1)
    models: tuple[ResourceId, ...] = Field(min_length=1)
    regions: tuple[ResourceId, ...] = Field(min_length=1)
    latency_bounds_ms: tuple[float, ...] = LATENCY_BOUNDS_MS
    slot_max: int = Field(default=10_000, ge=1)

    def catalogue(self) -> Catalogue:
        """Return the layout; raise FieldInvalid for one that is no layout."""
        return Catalogue(
            version=self.version,
            models=tuple(resource_name("models", name) for name in self.models),
            regions=self.regions,
            latency_bounds_ms=self.latency_bounds_ms,
            slot_max=self.slot_max,
        )


class RoundSettings(Settings):
    """How rounds run. `interval_s` is from start to start; 0 opens none by itself.

    `noise_scale` is the standard deviation, in requests, that the guaranteed honest
    members' noise adds to every count; it has no default because it is the promise.
    `colluders_max` is a third of the roster where it is absent.
    """

    noise_scale: float = Field(gt=0)
    interval_s: float = Field(default=0.0, ge=0)
    participation_min: float = Field(default=0.8, gt=0, le=1)
    members_min: int = Field(default=ROSTER_SIZE_MIN, ge=ROSTER_SIZE_MIN)
    members_max: int = Field(default=200, ge=ROSTER_SIZE_MIN, le=ROSTER_SIZE_MAX)
    colluders_max: int | None = Field(default=None, ge=0)
    joining_s: float = Field(default=60.0, gt=0)
    revealing_s: float = Field(default=30.0, gt=0)
    collecting_s: float = Field(default=120.0, gt=0)
    summing_s: float = Field(default=120.0, gt=0)
    opening_s: float = Field(default=120.0, gt=0)
    validating_s: float = Field(default=60.0, gt=0)
    resume_grace_s: float = Field(default=15.0, ge=0)
    uploads_max: int = Field(default=64, ge=1)

    def durations(self) -> Durations:
        """Return the longest stay in each state."""
        return Durations(
            joining_s=self.joining_s,
            revealing_s=self.revealing_s,
            collecting_s=self.collecting_s,
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
    watch: WatchSettings = WatchSettings()

    def terms(self) -> Terms:
        """Return the terms of rounds that wait for their deadline to join."""
        return Terms(
            catalogue=self.catalogue.catalogue(),
            participation_min=self.rounds.participation_min,
            members_min=self.rounds.members_min,
            members_max=self.rounds.members_max,
            members_expected=0,
            noise_scale=self.rounds.noise_scale,
            sensitivity_squared=SENSITIVITY_SQUARED,
            colluders_max=self.rounds.colluders_max,
            durations=self.rounds.durations(),
        )
