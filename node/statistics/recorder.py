"""Count each request of a node exactly once, wherever it is to be counted.

Decides which endings count for what: every ending is in the operator's figures, answers
and failures are in the statistics that rounds sum, and latencies of answers are sampled
for the dip test. A node fills the performance, carbon and holdout blocks; patterns and
the bandit are the router's. Refuses to know rounds, encryption and meters.
"""

from collections.abc import Mapping
from functools import partial
from types import MappingProxyType

from federated_router.federation.own_statistics import LatencyMeasure
from federated_router.federation.records import (
    FailureCause,
    RequestRecord,
    Success,
    steps_of,
)
from federated_router.federation.statistics import Statistics
from federated_router.federation.user_clipping import UserKey
from federated_router.kit.clock import Clock
from federated_router.priors.contents import PRIVATE_TIER, Cell
from node.statistics.costs import ModelCosts, co2e_g, success_of
from node.statistics.endings import EndedRequest, Ending
from node.statistics.energy_shares import EnergyShares
from node.statistics.latency import MS_PER_S, latency_ms_per_token
from node.statistics.modes import LatencyModes
from node.statistics.served import ServedRequests
from node.statistics.tariffs import Tariffs
from node.statistics.timing import Joules, RequestTiming, TimedRequest

NO_COSTS = ModelCosts()
_NOT_RECORDED = frozenset({Ending.CANCELLED, Ending.REFUSED})


class RequestRecorder:
    """Times the requests that this node serves in its region.

    `costs` is by `models/NAME`; `carbon_g_per_kwh` is the region's intensity, where it
    is configured. `shares` divides the machine's measured energy;
    `tariffs` learn from what requests took.
    """

    def __init__(
        self,
        *,
        region: str,
        statistics: Statistics,
        clock: Clock,
        costs: Mapping[str, ModelCosts] = MappingProxyType({}),
        carbon_g_per_kwh: float | None = None,
        modes: LatencyModes | None = None,
        served: ServedRequests | None = None,
        shares: EnergyShares | None = None,
        tariffs: Tariffs | None = None,
    ) -> None:
        self._region = region
        self._statistics = statistics
        self._clock = clock
        self._costs = costs
        self._carbon_g_per_kwh = carbon_g_per_kwh
        self._modes = modes
        self._served = served or ServedRequests()
        self._shares = shares
        self._tariffs = tariffs

    def begin(
        self, model: str, *, user: UserKey | None = None, private: bool = False
    ) -> RequestTiming:
        """Return the timing of a request for `models/NAME` that was accepted now.

        `user` is the one that the router named; None where it named none.
        """
        costs = self._costs.get(model, NO_COSTS)
        cell = Cell(model, self._region, PRIVATE_TIER if private else costs.tier)
        return RequestTiming(
            now_s=self._clock.monotonic_s,
            ended=partial(self._ended, cell, user, costs),
            shares=self._shares if costs.runs_here else None,
            private=private,
        )

    def _ended(
        self,
        cell: Cell,
        user: UserKey | None,
        costs: ModelCosts,
        timed: TimedRequest,
        measured: Joules,
    ) -> None:
        """Count one request, however it ended."""
        energy_j = costs.energy_j(
            measured, duration_s=timed.duration_s, counts=timed.counts
        )
        ended = EndedRequest(
            cell=cell,
            ending=timed.ending,
            counts=timed.counts,
            duration_s=timed.duration_s,
            time_to_first_token_s=timed.time_to_first_token_s,
            time_per_output_token_s=timed.time_per_output_token_s,
            cost=costs.token_price * timed.counts.output,
            energy_j=energy_j,
            co2e_g=co2e_g(
                sum(energy_j.values()), carbon_g_per_kwh=self._carbon_g_per_kwh
            ),
        )
        self._served.add(ended)
        if self._tariffs is not None:
            self._tariffs.add(ended)
        if ended.ending not in _NOT_RECORDED:
            self._record(ended, user)
        if ended.answered and self._modes is not None:
            _sample(self._modes, ended)

    def _record(self, ended: EndedRequest, user: UserKey | None) -> None:
        statistics, carbon = self._statistics, self._carbon_g_per_kwh
        statistics.record(
            RequestRecord(
                cell=ended.cell,
                user=user,
                performance=self._performance(ended),
                carbon=None
                if carbon is None
                else steps_of(carbon, unit=statistics.units.carbon_g_per_kwh),
            )
        )

    def _performance(self, ended: EndedRequest) -> Success | FailureCause:
        if not ended.answered:
            return FailureCause(ended.ending.value)
        return success_of(
            latency_ms_per_token=_per_token_ms(ended),
            tokens=ended.counts.output,
            cost=ended.cost,
            energy_j=sum(ended.energy_j.values()),
            units=self._statistics.units,
        )


def _sample(modes: LatencyModes, ended: EndedRequest) -> None:
    """Keep what an answer took, by each measure that it has."""
    modes.add(ended.cell, LatencyMeasure.TIME_PER_TOKEN, _per_token_ms(ended))
    for measure, taken_s in (
        (LatencyMeasure.TIME_TO_FIRST_TOKEN, ended.time_to_first_token_s),
        (LatencyMeasure.TIME_PER_OUTPUT_TOKEN, ended.time_per_output_token_s),
    ):
        if taken_s is not None:
            modes.add(ended.cell, measure, taken_s * MS_PER_S)


def _per_token_ms(ended: EndedRequest) -> float:
    return latency_ms_per_token(duration_s=ended.duration_s, tokens=ended.counts.output)
