"""Everything a node can be told."""

from pathlib import Path

from pydantic import Field, field_validator

from federated_router.federation.settings import MembershipSettings
from federated_router.federation.statistics_settings import StatisticsSettings
from federated_router.kit.config import DaemonSettings, ResourceId, Settings
from federated_router.priors.contents import PRIVATE_TIER, STANDARD_TIER
from federated_router.privacy.settings import PolicySettings


class ModelSettings(Settings):
    """One model: any Hugging Face directory of a causal language model.

    `record_template` places a private record before the last user message; it holds
    `{record}` and `{prompt}`. `device_memory` limits each device ("0", "cpu"), in the
    units of accelerate ("4GiB"); what does not fit goes to `offload_directory`.

    Statistics count its public answers at `tier`, with a cost of `token_price` (in the
    federation's currency) per output token and the energy of `power_w` watts for as
    long as a request runs: a model of energy, not a measurement.
    """

    name: ResourceId
    path: Path
    slots: int = Field(default=8, ge=1)
    private_slots: int = Field(default=1, ge=1)
    waiting_max: int = Field(default=64, ge=0)
    threads: int = Field(default=1, ge=1)
    record_template: str = "Note: {record}\n{prompt}"
    device_memory: dict[str, str] = Field(default_factory=dict)
    offload_directory: Path | None = None
    tier: ResourceId = STANDARD_TIER
    token_price: float = Field(default=0.0, ge=0, allow_inf_nan=False)
    power_w: float = Field(default=0.0, ge=0, allow_inf_nan=False)

    @field_validator("tier")
    @classmethod
    def _public(cls, tier: str) -> str:
        if tier == PRIVATE_TIER:
            raise ValueError(f"'{PRIVATE_TIER}' is the tier of private answers")
        return tier


class SamplingDefaults(Settings):
    """What applies where a request says nothing."""

    tokens_max: int = Field(default=64, ge=1)
    temperature: float = Field(default=0.0, ge=0, le=2)
    top_k: int = Field(default=0, ge=0)
    top_p: float = Field(default=1.0, gt=0, le=1)


class RegistrationSettings(Settings):
    """The router to register with; `advertised_address` where it differs."""

    router_address: str
    advertised_address: str | None = None
    retry_s: float = Field(default=0.5, gt=0)
    retry_max_s: float = Field(default=5.0, gt=0)
    call_timeout_s: float = Field(default=2.0, gt=0)


class NodeStatisticsSettings(StatisticsSettings):
    """How finished requests are counted at a node.

    `carbon_g_per_kwh` is the carbon intensity of the node's region, where it is known.
    `latency_samples_max` latencies per cell are kept to test them for several modes.
    """

    carbon_g_per_kwh: float | None = Field(default=None, ge=0, allow_inf_nan=False)
    latency_samples_max: int = Field(default=512, ge=50, le=1 << 16)


class NodeSettings(DaemonSettings):
    """One node daemon; `federation` is absent where it takes part in no rounds."""

    region: ResourceId
    models: tuple[ModelSettings, ...] = Field(min_length=1)
    registration: RegistrationSettings
    sampling: SamplingDefaults = SamplingDefaults()
    policies: tuple[PolicySettings, ...] = ()
    request_timeout_max_s: float = Field(default=600.0, gt=0)
    stream_window_s: float = Field(default=0.01, ge=0)
    statistics: NodeStatisticsSettings = NodeStatisticsSettings()
    federation: MembershipSettings | None = None
