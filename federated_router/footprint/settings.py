"""What energy is worth in carbon, and how much is remembered: a section of a router."""

from pathlib import Path

from pydantic import Field, field_validator

from federated_router.kit.config import ResourceId, Settings


class CarbonSettings(Settings):
    """Where the carbon intensity of a region comes from, in grams of CO2e per kWh.

    A region's intensity is that of the file `feed`, else that of the table
    `intensities`, else what the federation's priors say. The file is looked at every
    `feed_interval_s` and read when it changed: CSV with a header or JSON, of at most
    `feed_bytes_max`, naming at most `regions_max` regions and no intensity above
    `intensity_max`. Of a file that is refused the values read before go on to hold; a
    file that nobody wrote for `feed_age_max_s` is not believed any more.
    """

    intensities: dict[ResourceId, float] = Field(default_factory=dict)
    feed: Path | None = None
    feed_interval_s: float = Field(default=60.0, gt=0)
    feed_timeout_s: float = Field(default=5.0, gt=0)
    feed_bytes_max: int = Field(default=1 << 20, ge=64)
    feed_age_max_s: float = Field(default=86_400.0, gt=0)
    regions_max: int = Field(default=1024, ge=1)
    intensity_max: float = Field(default=5000.0, gt=0, allow_inf_nan=False)

    @field_validator("intensities")
    @classmethod
    def _bounded(cls, table: dict[str, float]) -> dict[str, float]:
        if not all(0 <= intensity <= 5000.0 for intensity in table.values()):  # noqa: PLR2004
            raise ValueError("use 0 to 5000 grams per kWh")
        return table


class FootprintSettings(Settings):
    """How answers are reckoned and summed.

    Sums are kept for the `tenants_max` tenants that were active last; those of others
    are joined. `labels_max` bounds the pairs of model and region in metrics.
    """

    carbon: CarbonSettings = CarbonSettings()
    tenants_max: int = Field(default=1000, ge=1)
    labels_max: int = Field(default=1024, ge=1)
