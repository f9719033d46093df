"""What an answer is expected to take at one candidate: time, cost, carbon. Pure.

Decides how sizes, tariffs, what this router saw and what the federation knows become
figures, and which wish they break. Refuses to know quality: that is the model's.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from federated_router.choice.choosing import Wishes
from federated_router.footprint.reckoning import Footprint, footprint_of
from federated_router.priors.contents import PRIVATE_TIER
from federated_router.routing.candidate import Candidate, Shape, Site
from federated_router.routing.moment import Moment
from federated_router.routing.observed import Expected
from federated_router.routing.priors_view import PriorsView


@dataclass(slots=True)
class Taking:
    """What one answer takes: ms, the federation's unit of cost, mg of CO2 equivalent.

    None where nothing is known.
    """

    latency_ms: float | None
    cost: float
    co2e_mg: float | None


class Takings:
    """What a moment's request takes at candidates; alike ones are worked out once.

    `kind` tells candidates apart that differ in more than their node.
    """

    def __init__(
        self, moment: Moment, priors: PriorsView, *, private: bool = False
    ) -> None:
        self._moment = moment
        self._priors = priors
        self._private = private
        self._kinds: dict[int, tuple[float, Taking]] = {}

    def of(self, candidate: Candidate, site: Site, kind: int) -> Taking:
        """Return what the request is expected to take at a candidate."""
        known = self._kinds.get(kind)
        if known is None:
            known = self._kinds[kind] = self._of_kind(candidate)
        tokens, taking = known
        moment = self._moment
        seen = moment.observed.expected(site, tokens, now_s=moment.now_s)
        if seen is None:
            return taking
        latency_ms = _drawn(taking.latency_ms, seen)
        return Taking(latency_ms, taking.cost, taking.co2e_mg)

    def _of_kind(self, candidate: Candidate) -> tuple[float, Taking]:
        """Return the tokens to expect, and what they take where nothing was seen."""
        shape = self._moment.shape
        tokens = self._moment.observed.completion_tokens(
            candidate.model, shape.tokens_max
        )
        footprint = footprint_at(candidate, shape, tokens)
        tier = PRIVATE_TIER if self._private else candidate.tier
        known = self._priors.performance(candidate.model, candidate.region, tier)
        median_ms = None if known is None else known.latency_ms_p50
        return tokens, Taking(
            latency_ms=None if median_ms is None else median_ms * tokens,
            cost=footprint.cost,
            co2e_mg=footprint.co2e_mg,
        )


def footprint_at(candidate: Candidate, shape: Shape, tokens: float) -> Footprint:
    """Return what reading the prompt and writing so many tokens takes there."""
    return footprint_of(
        candidate.tariff,
        candidate.carbon_intensity,
        prompt_tokens=shape.prompt_tokens,
        completion_tokens=tokens,
    )


def broken_wish(taking: Taking, wishes: Wishes) -> str:
    """Return the name of the first wish that is not met; empty where all are.

    A time that nobody knows breaks no wish: it becomes known by being tried. Carbon
    that nobody knows breaks one: it would never become known.
    """
    limits: Sequence[tuple[str, float | None, float | None]] = (
        ("cost_max", taking.cost, wishes.cost_max),
        (
            "co2e_mg_max",
            float("inf") if taking.co2e_mg is None else taking.co2e_mg,
            wishes.co2e_mg_max,
        ),
        ("latency_ms_max", taking.latency_ms, wishes.latency_ms_max),
    )
    return next(
        (
            name
            for name, value, limit in limits
            if value is not None and limit is not None and value > limit
        ),
        "",
    )


def limits_nodes(wishes: Wishes) -> bool:
    """Return whether any wish is one that nodes can break."""
    limits = (wishes.cost_max, wishes.co2e_mg_max, wishes.latency_ms_max)
    return any(limit is not None for limit in limits)


def _drawn(prior_ms: float | None, seen: Expected) -> float:
    """Return what was seen here, drawn to what the federation knows by its weight."""
    if prior_ms is None or seen.total_ms == float("inf"):
        return seen.total_ms
    return prior_ms + seen.weight * (seen.total_ms - prior_ms)
