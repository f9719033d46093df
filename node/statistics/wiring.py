"""Builds what a node counts its requests with, from its configuration.

Decides which parts there are and how they hang together; starts nothing.
"""

import os
from collections.abc import Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass

from federated_router.federation.own_statistics import OwnStatistics, own_statistics
from federated_router.federation.statistics import Statistics
from federated_router.kit.clock import Clock
from federated_router.kit.daemon import Background
from node.config import EnergyMeterName, EnergySettings, NodeSettings
from node.model_settings import ModelSettings
from node.statistics.costs import ModelCosts
from node.statistics.energy_metering import EnergyMetering, OpenMeter
from node.statistics.energy_shares import EnergyShares
from node.statistics.energy_sources import EnergySource
from node.statistics.modes import LatencyModes
from node.statistics.nvml import NvmlMeter
from node.statistics.rapl import RaplMeter
from node.statistics.recorder import RequestRecorder
from node.statistics.served import ServedRequests
from node.statistics.tariffs import ModelRates, Tariffs


@dataclass(frozen=True, slots=True)
class StatisticsLimb:
    """A node's own figures: who counts, who tells, and what runs beside."""

    recorder: RequestRecorder
    own: OwnStatistics
    tariffs: Tariffs
    resources: Sequence[AbstractAsyncContextManager[object]]
    background: Mapping[str, Background]


def statistics_limb(
    settings: NodeSettings, statistics: Statistics, *, clock: Clock
) -> StatisticsLimb:
    """Return what counts a node's requests; `statistics` is what its rounds sum."""
    own, energy = settings.statistics, settings.statistics.energy
    modes = LatencyModes(samples_max=own.latency_samples_max)
    served = ServedRequests()
    shares = EnergyShares(waiting_max=energy.waiting_max)
    metering = EnergyMetering(
        _meters(energy), shares, clock=clock, interval_s=energy.interval_s
    )
    tariffs = Tariffs({f"models/{one.name}": _rates(one) for one in settings.models})
    recorder = RequestRecorder(
        region=settings.region,
        statistics=statistics,
        clock=clock,
        costs={f"models/{one.name}": _costs(one) for one in settings.models},
        carbon_g_per_kwh=own.carbon_g_per_kwh,
        modes=modes,
        served=served,
        shares=shares,
        tariffs=tariffs,
    )
    return StatisticsLimb(
        recorder=recorder,
        tariffs=tariffs,
        own=own_statistics(
            statistics,
            shapes=modes.shapes,
            served=served.messages,
            energy_source=lambda: shares.label,
        ),
        resources=[metering.opened()],
        background={"energy": metering.run},
    )


def _meters(settings: EnergySettings) -> Mapping[EnergySource, OpenMeter]:
    """Return how each configured meter is opened."""
    visible = os.environ.get("CUDA_VISIBLE_DEVICES")
    known: Mapping[EnergyMeterName, tuple[EnergySource, OpenMeter]] = {
        EnergyMeterName.RAPL: (
            EnergySource.MEASURED_RAPL,
            lambda: RaplMeter(settings.powercap),
        ),
        EnergyMeterName.NVML: (
            EnergySource.MEASURED_NVML,
            lambda: NvmlMeter(visible=visible),
        ),
    }
    return dict(known[name] for name in settings.meters)


def _costs(model: ModelSettings) -> ModelCosts:
    """Return a model's costs; other machines' work is not on this one's meters."""
    return ModelCosts(
        tier=model.tier,
        token_price=model.token_price,
        power_w=model.power_w,
        prompt_token_j=model.prompt_token_j,
        token_j=model.token_j,
        runs_here=model.upstream is None and model.pipeline is None,
    )


def _rates(model: ModelSettings) -> ModelRates:
    return ModelRates(
        prompt_token_price=model.prompt_token_price,
        token_price=model.token_price,
        prompt_token_j=model.prompt_token_j,
        token_j=model.token_j,
    )
