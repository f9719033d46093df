"""What an answer is expected to take at each candidate: time, cost, carbon. Pure.

Decides how sizes, tariffs, what this router saw and what the federation knows become
figures, and which wish they break. Refuses to know quality: that is the model's.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from federated_router.choice.choosing import NO_WISHES, Wishes
from federated_router.footprint.reckoning import J_PER_KWH, MG_PER_G, TOKENS_PER_TARIFF
from federated_router.priors.contents import PRIVATE_TIER
from federated_router.routing.columns import Floats, Rows
from federated_router.routing.moment import Moment
from federated_router.routing.observed import Expected
from federated_router.routing.priors_view import PriorsView
from federated_router.routing.roster import Roster


@dataclass(frozen=True, slots=True)
class Takings:
    """What one answer takes at each candidate: ms, the unit of cost, mg of CO2e.

    NaN where nothing is known.
    """

    latency_ms: Floats
    cost: Floats
    co2e_mg: Floats


_Limit = Callable[[Wishes], float | None]
_Figures = Callable[[Takings], Floats]
WISHES: Final[tuple[tuple[str, _Limit, _Figures], ...]] = (
    ("cost_max", lambda wishes: wishes.cost_max, lambda takes: takes.cost),
    (
        "co2e_mg_max",
        lambda wishes: wishes.co2e_mg_max,
        lambda takes: np.nan_to_num(takes.co2e_mg, nan=np.inf, posinf=np.inf),
    ),
    ("latency_ms_max", lambda wishes: wishes.latency_ms_max, lambda t: t.latency_ms),
)
"""Wishes that nodes can break, the first that is told first.

A time that nobody knows breaks no wish: it becomes known by being tried. Carbon that
nobody knows breaks one: it would never become known.
"""


def takings_of(
    roster: Roster, moment: Moment, priors: PriorsView, *, private: bool
) -> Takings:
    """Return what the moment's request is expected to take at each candidate."""
    tokens = moment.completion_tokens(roster)
    seen = moment.observed.expected(roster.sites, tokens, now_s=moment.now_s)
    prior_ms = _medians_ms(roster, priors, private=private) * tokens
    joules = joules_at(roster, moment, tokens)
    co2e_mg = joules * roster.carbon_intensity * MG_PER_G / J_PER_KWH
    return Takings(
        latency_ms=_drawn(prior_ms, seen),
        cost=_taken(roster.costs, moment, tokens),
        co2e_mg=np.where(_powered(roster), co2e_mg, np.nan),
    )


def costs_at(roster: Roster, moment: Moment, tokens: Floats) -> Floats:
    """Return the cost of the prompt and of so many tokens at each candidate."""
    return _taken(roster.costs, moment, tokens)


def joules_at(roster: Roster, moment: Moment, tokens: Floats) -> Floats:
    """Return the joules of the prompt and of so many tokens; 0 where unknown."""
    return _taken(roster.joules, moment, tokens)


def broken_wishes(takings: Takings, wishes: Wishes) -> list[tuple[str, Rows]]:
    """Return each wish that somebody breaks, and the places of those that do."""
    found: list[tuple[str, Rows]] = []
    for name, limit_of, figures_of in WISHES:
        limit = limit_of(wishes)
        if limit is not None:
            places = np.flatnonzero(figures_of(takings) > limit)
            found += [(name, places)] if len(places) else []
    return found


def limits_nodes(wishes: Wishes) -> bool:
    """Return whether any wish is one that nodes can break."""
    if wishes is NO_WISHES:
        return False
    return any(limit(wishes) is not None for _, limit, _ in WISHES)


def _taken(tariff: tuple[Floats, Floats], moment: Moment, tokens: Floats) -> Floats:
    read = max(moment.shape.prompt_tokens, 0) / TOKENS_PER_TARIFF
    taken: Floats = tariff[0] * read + tariff[1] * (tokens / TOKENS_PER_TARIFF)
    return taken


def _powered(roster: Roster) -> NDArray[np.bool_]:
    """Return whose joules are known: a tariff without any says nothing."""
    read, written = roster.joules
    powered: NDArray[np.bool_] = (read != 0.0) | (written != 0.0)
    return powered


def _medians_ms(roster: Roster, priors: PriorsView, *, private: bool) -> Floats:
    """Return the federation's median time of a token, NaN where it knows none."""
    medians: list[float] = []
    for model, region, tier in roster.cells:
        known = priors.performance(model, region, PRIVATE_TIER if private else tier)
        median = None if known is None else known.latency_ms_p50
        medians.append(np.nan if median is None else median)
    found: Floats = np.array(medians, dtype=np.float64)[roster.cell_numbers]
    return found


def _drawn(prior_ms: Floats, seen: Expected) -> Floats:
    """Return what was seen here, drawn to what the federation knows by its weight."""
    with np.errstate(invalid="ignore"):
        drawn = prior_ms + seen.weight * (seen.total_ms - prior_ms)
    alone = np.isnan(prior_ms) | np.isinf(seen.total_ms)
    known = np.where(alone, seen.total_ms, drawn)
    return np.where(np.isnan(seen.total_ms), prior_ms, known)
