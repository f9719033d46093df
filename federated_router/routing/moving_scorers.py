"""Scorers whose opinion is of one request at one moment. Each is in [0, 1].

Decides by what was seen lately, by the request's size, and by the prompts that nodes
hold. Refuses to know what decides for all requests alike (`scorers`).

`prefix` is one cost of queue and uncached prefill, after Dynamo's router: unread tokens
at the node, own tokens that it does not hold, and a weight for each running request. A
score by affinity alone would send every request of one system prompt to one node.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from federated_router.routing.candidate import Candidate
from federated_router.routing.columns import Floats
from federated_router.routing.expectations import costs_at, joules_at
from federated_router.routing.moment import Moment
from federated_router.routing.roster import Roster, roster_of
from federated_router.routing.scorers import NEUTRAL

BLOCK_BYTES: Final = 2048
BYTES_PER_TOKEN: Final = 4
BLOCK_TOKENS: Final = BLOCK_BYTES // BYTES_PER_TOKEN
"""Tokens that a block of a prompt is taken to have."""

Judge = Callable[[Roster, Moment], Floats]


@dataclass(frozen=True, slots=True)
class MovingScorer:
    """A named opinion at one moment; `judge` gives a number for each candidate."""

    name: str
    description: str
    judge: Judge

    def score(self, candidates: Sequence[Candidate], moment: Moment) -> list[float]:
        """Return the opinion on each candidate."""
        scores: list[float] = self.judge(roster_of(candidates), moment).tolist()
        return scores


def prefill_costs(roster: Roster, moment: Moment) -> Floats:
    """Return the tokens that stand between the request and its first, by weight.

    What a site holds is credited less the more of the latest requests it got, not at
    all at `imbalance_max` times its share, and beyond that it is charged.
    """
    tokens, each = moment.shape.prompt_tokens, moment.prefix.request_tokens
    costs = tokens + moment.unread(roster) + each * moment.running(roster)
    blocks = moment.prefixes.matched(moment.shape.prefix, roster.sites)
    if blocks is not None:
        held = np.minimum(blocks * BLOCK_TOKENS, tokens)
        costs -= held * _credits(roster, moment)
    costs /= roster.weights
    return costs


def _credits(roster: Roster, moment: Moment) -> Floats:
    """Return how much of what each node holds is credited, in [-1, 1]."""
    limit, weights = moment.prefix.imbalance_max, roster.weights
    got = moment.recent.by_node.of(roster.nodes)
    firsts = roster.node_firsts
    share = got[firsts].sum() / (weights[firsts].sum() or 1.0)
    if not share:
        return np.ones(len(roster))
    # Of few requests nobody's share can be told.
    slack, fade = moment.recent.unit * (limit + 1.0), (limit - 1.0) / 2.0
    credit: Floats = (limit - (got - slack) / (share * weights)) / fade
    return np.maximum(-1.0, np.minimum(1.0, credit))


def _prefix(roster: Roster, moment: Moment) -> Floats:
    """Prefer the least queue and uncached prefill: the least cost by the own."""
    costs = prefill_costs(roster, moment) + BLOCK_TOKENS
    scores: Floats = costs.min(initial=np.inf) / costs
    return scores


def _observed_speed(roster: Roster, moment: Moment) -> Floats:
    """Prefer what answers soonest under its present load: the shortest time by the own.

    What was not seen lately is tried again: it scores as the fastest does, the more the
    longer it was not.
    """
    tokens = moment.completion_tokens(roster)
    seen = moment.observed.expected(roster.sites, tokens, now_s=moment.now_s)
    times = seen.under(moment.running(roster))
    unseen = np.isnan(times)
    if unseen.all():
        return np.full(len(roster), NEUTRAL)
    scores = 1.0 - seen.weight * (1.0 - _by_least(times))
    scores[unseen] = 1.0
    return scores


def _cost(roster: Roster, moment: Moment) -> Floats:
    """Prefer what costs least for this request: the least cost by the own."""
    return _by_least(costs_at(roster, moment, moment.completion_tokens(roster)))


def _carbon(roster: Roster, moment: Moment) -> Floats:
    """Prefer what emits least for this request; by intensity where joules are unknown.

    A region whose intensity nobody knows scores as the mean of the others.
    """
    joules = joules_at(roster, moment, moment.completion_tokens(roster))
    intensity = roster.carbon_intensity
    told = ~np.isnan(intensity)
    if not told.any():
        return np.full(len(roster), NEUTRAL)
    scores = _by_least(intensity * joules if joules.all() else intensity)
    scores[~told] = min(1.0, scores[told].mean())
    return scores


def _by_least(values: Floats) -> Floats:
    """Return the least / each; 1 where both are nothing or both without end.

    NaN stays what it is, and is never the least.
    """
    least = np.fmin.reduce(values, initial=np.inf)
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.where(values <= least, 1.0, least / values)


PREFIX = MovingScorer(
    "prefix", "queued and uncached prompt tokens, least by own", _prefix
)
OBSERVED_SPEED = MovingScorer(
    "observed_speed", "time that answers took here lately", _observed_speed
)
COST = MovingScorer("cost", "the tariff's cost of this request", _cost)
CARBON = MovingScorer("carbon", "CO2 equivalent of this request", _carbon)
