"""What a node can be told of itself; `model_settings` holds its models'."""

from enum import StrEnum
from pathlib import Path
from typing import Self

from pydantic import Field, model_validator

from federated_router.federation.settings import MembershipSettings
from federated_router.federation.statistics_settings import StatisticsSettings
from federated_router.kit.config import DaemonSettings, ResourceId, Settings
from federated_router.privacy.settings import PolicySettings
from node.model_settings import ModelSettings, ShardSettings


class SamplingDefaults(Settings):
    """What applies where a request says nothing."""

    tokens_max: int = Field(default=64, ge=1)
    temperature: float = Field(default=0.0, ge=0, le=2)
    top_k: int = Field(default=0, ge=0)
    top_p: float = Field(default=1.0, gt=0, le=1)


class RegistrationSettings(Settings):
    """The router to register with; `advertised_address` where it differs.

    Models that other servers or nodes run are probed every `probe_interval_s`: they are
    offered to the router only while they answer.

    `weight` is the node's share of the work beside others, for strategies that weigh
    nodes. What a token takes here is looked at every `tariff_interval_s`; the node
    registers anew where a figure moved by `tariff_move_min` of itself.
    """

    router_address: str
    advertised_address: str | None = None
    retry_s: float = Field(default=0.5, gt=0)
    retry_max_s: float = Field(default=5.0, gt=0)
    call_timeout_s: float = Field(default=2.0, gt=0)
    probe_interval_s: float = Field(default=5.0, gt=0)
    weight: float = Field(default=1.0, gt=0, le=1000)
    tariff_interval_s: float = Field(default=60.0, gt=0)
    tariff_move_min: float = Field(default=0.1, gt=0, lt=1)


class EnergyMeterName(StrEnum):
    """A machine's counters of energy; NVML needs the extra `nvml`."""

    RAPL = "rapl"
    NVML = "nvml"


class EnergySettings(Settings):
    """How the energy of requests is measured, where the machine offers it.

    `meters` are tried at start; energy is modelled by `power_w` where none answers.
    They are read every `interval_s`, which must be well below the time in which a
    counter runs round. A request is counted once the reading after its end came;
    `waiting_max` requests may wait for it, further ones are modelled. Meters count the
    whole machine: of several nodes on one machine, let one measure.
    """

    meters: tuple[EnergyMeterName, ...] = (EnergyMeterName.RAPL, EnergyMeterName.NVML)
    interval_s: float = Field(default=1.0, gt=0, le=60)
    waiting_max: int = Field(default=1024, ge=0, le=1 << 20)
    powercap: Path = Path("/sys/class/powercap")


class NodeStatisticsSettings(StatisticsSettings):
    """How finished requests are counted at a node.

    `carbon_g_per_kwh` is the carbon intensity of the node's region, where it is known.
    `latency_samples_max` latencies per cell and measure are kept to test them for
    several modes.
    """

    carbon_g_per_kwh: float | None = Field(default=None, ge=0, allow_inf_nan=False)
    latency_samples_max: int = Field(default=512, ge=50, le=1 << 16)
    energy: EnergySettings = EnergySettings()


class NodeSettings(DaemonSettings):
    """One node daemon; `federation` is absent where it takes part in no rounds."""

    region: ResourceId
    models: tuple[ModelSettings, ...] = ()
    shards: tuple[ShardSettings, ...] = ()
    registration: RegistrationSettings
    sampling: SamplingDefaults = SamplingDefaults()
    policies: tuple[PolicySettings, ...] = ()
    request_timeout_max_s: float = Field(default=600.0, gt=0)
    stream_window_s: float = Field(default=0.01, ge=0)
    grant_wait_s: float = Field(default=10.0, gt=0)
    statistics: NodeStatisticsSettings = NodeStatisticsSettings()
    federation: MembershipSettings | None = None

    @model_validator(mode="after")
    def _serves_something(self) -> Self:
        if not self.models and not self.shards:
            raise ValueError("configure at least one of models and shards")
        names = [model.name for model in self.models]
        if len(set(names)) != len(names):
            raise ValueError("name each of models once")
        return self
