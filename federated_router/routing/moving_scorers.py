"""Scorers whose opinion is of one request at one moment. Each is in [0, 1].

Decides by what was seen lately, by the request's size, and by the prompts that nodes
hold. Refuses to know what decides for all requests alike (`scorers`).

`prefix` is one cost of queue and uncached prefill, after Dynamo's router: unread tokens
at the node, own tokens that it does not hold, and a weight for each running request. A
score by affinity alone would send every request of one system prompt to one node.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from federated_router.routing.candidate import Candidate
from federated_router.routing.expectations import footprint_at
from federated_router.routing.moment import Moment
from federated_router.routing.scorers import NEUTRAL

BLOCK_BYTES: Final = 2048
BYTES_PER_TOKEN: Final = 4
BLOCK_TOKENS: Final = BLOCK_BYTES // BYTES_PER_TOKEN
"""Tokens that a block of a prompt is taken to have."""

MovingScore = Callable[[Sequence[Candidate], Moment], list[float]]


@dataclass(frozen=True, slots=True)
class MovingScorer:
    """A named opinion on candidates at one moment."""

    name: str
    description: str
    score: MovingScore


def prefill_costs(candidates: Sequence[Candidate], moment: Moment) -> list[float]:
    """Return the tokens that stand between the request and its first, by weight.

    What a site holds is credited less the more of the latest requests it got, not at
    all at `imbalance_max` times its share, and beyond that it is charged.
    """
    shape, unread, running = moment.shape, moment.unread_tokens, moment.in_flight
    tokens, each = shape.prompt_tokens, moment.prefix.request_tokens
    held = moment.prefixes.matched(shape.prefix)
    credit = _credits(candidates, moment) if held else {}
    costs: list[float] = []
    for candidate in candidates:
        node = candidate.node
        cost = float(tokens + unread.get(node, 0) + each * running.get(node, 0))
        if held:
            blocks = held.get((node, candidate.model), 0)
            if blocks:
                cost -= min(blocks * BLOCK_TOKENS, tokens) * credit[node]
        costs.append(cost / candidate.weight)
    return costs


def _credits(candidates: Sequence[Candidate], moment: Moment) -> Mapping[str, float]:
    """Return how much of what each node holds is credited, in [-1, 1]."""
    recent, limit = moment.recent, moment.prefix.imbalance_max
    weights = {one.node: one.weight for one in candidates}
    got = [recent.by_node.get(node, 0.0) for node in weights]
    share = sum(got) / (sum(weights.values()) or 1.0)
    if not share:
        return dict.fromkeys(weights, 1.0)
    # Of few requests nobody's share can be told.
    slack, fade = recent.unit * (limit + 1.0), (limit - 1.0) / 2.0
    found: dict[str, float] = {}
    for (node, weight), requests in zip(weights.items(), got, strict=True):
        credit = (limit - (requests - slack) / (share * weight)) / fade
        found[node] = 1.0 if credit > 1.0 else max(-1.0, credit)
    return found


def _prefix(candidates: Sequence[Candidate], moment: Moment) -> list[float]:
    """Prefer the least queue and uncached prefill: the least cost by the own."""
    costs = prefill_costs(candidates, moment)
    least = min(costs, default=0.0) + BLOCK_TOKENS
    return [least / (cost + BLOCK_TOKENS) for cost in costs]


def _observed_speed(candidates: Sequence[Candidate], moment: Moment) -> list[float]:
    """Prefer what answers soonest under its present load: the shortest time by the own.

    What was not seen lately is tried again: it scores as the fastest does, the more the
    longer it was not.
    """
    shape, observed, now_s = moment.shape, moment.observed, moment.now_s
    if not len(observed):
        return [NEUTRAL] * len(candidates)
    tokens: dict[str, float] = {}
    seen = []
    for candidate in candidates:
        model = candidate.model
        if model not in tokens:
            tokens[model] = observed.completion_tokens(model, shape.tokens_max)
        seen.append(observed.expected(candidate.site, tokens[model], now_s=now_s))
    running = moment.in_flight
    times = [
        None if one is None else one.under(running.get(candidate.node, 0))
        for one, candidate in zip(seen, candidates, strict=True)
    ]
    fastest = min((time for time in times if time is not None), default=0.0)
    return [
        1.0
        if one is None or time is None
        else 1.0 - one.weight * (1.0 - _by(fastest, time))
        for one, time in zip(seen, times, strict=True)
    ]


def _cost(candidates: Sequence[Candidate], moment: Moment) -> list[float]:
    """Prefer what costs least for this request: the least cost by the own."""
    tokens = _completion_tokens(candidates, moment)
    costs = [
        footprint_at(one, moment.shape, expected).cost
        for one, expected in zip(candidates, tokens, strict=True)
    ]
    least = min(costs, default=0.0)
    return [_by(least, cost) for cost in costs]


def _carbon(candidates: Sequence[Candidate], moment: Moment) -> list[float]:
    """Prefer what emits least for this request; by intensity where joules are unknown.

    A region whose intensity nobody knows scores as the mean of the others.
    """
    tokens = _completion_tokens(candidates, moment)
    joules = [
        footprint_at(one, moment.shape, expected).joules
        for one, expected in zip(candidates, tokens, strict=True)
    ]
    known = all(joules)
    grams = [
        None
        if one.carbon_intensity is None
        else one.carbon_intensity * (energy if known else 1.0)
        for one, energy in zip(candidates, joules, strict=True)
    ]
    least = min((one for one in grams if one is not None), default=None)
    if least is None:
        return [NEUTRAL] * len(candidates)
    scores = [None if one is None else _by(least, one) for one in grams]
    told = [score for score in scores if score is not None]
    mean = min(1.0, sum(told) / len(told))
    return [mean if score is None else score for score in scores]


def _completion_tokens(candidates: Sequence[Candidate], moment: Moment) -> list[float]:
    models = {one.model for one in candidates}
    tokens = {
        model: moment.observed.completion_tokens(model, moment.shape.tokens_max)
        for model in models
    }
    return [tokens[one.model] for one in candidates]


def _by(least: float, own: float) -> float:
    """Return least / own, 1 where both are nothing or both without end."""
    return 1.0 if own <= least else least / own


PREFIX = MovingScorer(
    "prefix", "queued and uncached prompt tokens, least by own", _prefix
)
OBSERVED_SPEED = MovingScorer(
    "observed_speed", "time that answers took here lately", _observed_speed
)
COST = MovingScorer("cost", "the tariff's cost of this request", _cost)
CARBON = MovingScorer("carbon", "CO2 equivalent of this request", _carbon)
