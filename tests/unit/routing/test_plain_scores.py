"""What arrays say of many candidates is what plain arithmetic says of each.

The arithmetic is written here a second time, one candidate after the other, from the
formulas that the modules state.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from federated_router.footprint.reckoning import footprint_of
from federated_router.priors.contents import Cell
from federated_router.priors.performance import Performance
from federated_router.registry.membership import Tariff
from federated_router.routing.candidate import Candidate, Shape
from federated_router.routing.expectations import takings_of
from federated_router.routing.loads import Counted, Loads, Recent
from federated_router.routing.moment import Moment
from federated_router.routing.moving_scorers import (
    BLOCK_TOKENS,
    OBSERVED_SPEED,
    prefill_costs,
)
from federated_router.routing.observed import Observed
from federated_router.routing.prefix_index import PrefixIndex
from federated_router.routing.priors_view import PriorsView
from federated_router.routing.roster import Roster
from federated_router.routing.served import Served
from federated_router.routing.settings import ObservationSettings, PrefixSettings
from tests.unit.routing.placing import MODEL, candidate

PROMPT = tuple(range(10, 18))
SHAPE = Shape(prompt_tokens=8 * BLOCK_TOKENS - 7, tokens_max=30, prefix=PROMPT)
PREFIXES = PrefixSettings(request_tokens=100, imbalance_max=1.75)
HALF_LIFE_S, SAMPLES = 50.0, 3.0
MEDIAN_MS = 7.0
VIEW = PriorsView(
    1, {Cell(MODEL, "north"): Performance(9, 0.9, MEDIAN_MS, None, None, 1.0)}
)


@dataclass(frozen=True)
class State:
    """A node: what runs there, how deep it holds the prompt, and what was seen."""

    unread: tuple[int, ...]
    depth: int
    requests: int
    weight: float
    region: str
    joules: float
    intensity: float | None
    seen: tuple[tuple[float, bool], ...]

    def candidate(self, number: int) -> Candidate:
        """Return it as a candidate."""
        return candidate(
            f"nodes/n{number}",
            region=self.region,
            weight=self.weight,
            tariff=Tariff(2.0, 3.0, self.joules, 2 * self.joules),
            carbon_intensity=self.intensity,
        )


STATES = st.lists(
    st.builds(
        State,
        unread=st.lists(st.integers(0, 9000), max_size=4).map(tuple),
        depth=st.integers(0, 8),
        requests=st.integers(0, 30),
        weight=st.sampled_from([0.5, 1.0, 3.0]),
        region=st.sampled_from(["north", "south"]),
        joules=st.sampled_from([0.0, 5.0]),
        intensity=st.none() | st.floats(0.0, 900.0),
        seen=st.lists(st.tuples(st.floats(1.0, 1e4), st.booleans()), max_size=3).map(
            tuple
        ),
    ),
    min_size=1,
    max_size=9,
)


def world(states: Sequence[State], *, now_s: float) -> tuple[Roster, Moment]:
    """Return nodes in these states, and the moment; answers were seen at time 0."""
    roster = Roster([one.candidate(number) for number, one in enumerate(states)])
    loads = Loads(Recent(64))
    index = PrefixIndex(blocks_per_site_max=99, blocks_max=9999)
    observed = Observed(ObservationSettings(half_life_s=HALF_LIFE_S, samples=SAMPLES))
    for one, state in zip(roster, states, strict=True):
        index.learn(one.site, PROMPT[: state.depth])
        for _ in range(state.requests):
            loads.recent.count(one.node)
        for total_ms, succeeded in state.seen:
            served = Served(succeeded, total_ms, first_token_ms=total_ms)
            observed.observe(one.site, served, now_s=0.0, running=2)
    for one, state in zip(roster, states, strict=True):
        for tokens in state.unread:
            Counted(loads, one.node, tokens).__enter__()
    moment = Moment(
        shape=SHAPE,
        in_flight=loads.in_flight,
        unread_tokens=loads.unread_tokens,
        recent=loads.recent,
        prefixes=index,
        observed=observed,
        now_s=now_s,
        prefix=PREFIXES,
    )
    return roster, moment


@given(states=STATES)
@settings(deadline=None)
def test_prefill_costs_are_those_of_each(states: list[State]) -> None:
    """Queue, what is not held by its credit, and the weight that divides them."""
    roster, moment = world(states, now_s=0.0)
    got = {one.node: moment.recent.by_node[one.node] for one in roster}
    share = sum(got.values()) / sum(one.weight for one in roster)
    limit = PREFIXES.imbalance_max

    found = prefill_costs(roster, moment).tolist()

    for cost, one, state in zip(found, roster, states, strict=True):
        credit = 1.0
        if share:
            over = got[one.node] - moment.recent.unit * (limit + 1.0)
            faded = (limit - over / (share * one.weight)) / ((limit - 1.0) / 2.0)
            credit = max(-1.0, min(1.0, faded))
        held = min(state.depth * BLOCK_TOKENS, SHAPE.prompt_tokens)
        queued = sum(state.unread) + PREFIXES.request_tokens * len(state.unread)
        own = SHAPE.prompt_tokens - held * credit
        assert cost == pytest.approx((queued + own) / one.weight, abs=1e-6)


def plain_time(state: State) -> tuple[float, float] | None:
    """Return the time to expect where two others run, and the requests behind it."""
    if not state.seen:
        return None
    good = [total_ms for total_ms, succeeded in state.seen if succeeded]
    if not good:
        return math.inf, float(len(state.seen))
    success = len(good) / len(state.seen)
    return sum(good) / len(good) / success, float(len(state.seen))


@given(states=STATES, now_s=st.floats(0.0, 200.0))
@settings(deadline=None)
def test_speeds_are_those_of_each(states: list[State], now_s: float) -> None:
    """The fastest by the own, as far as it is believed; the unseen as the fastest."""
    roster, moment = world(states, now_s=now_s)
    seen = [plain_time(state) for state in states]
    times = [
        None if one is None else one[0] * (1 + len(state.unread)) / (1 + 2)
        for one, state in zip(seen, states, strict=True)
    ]
    fastest = min((one for one in times if one is not None), default=None)

    found = OBSERVED_SPEED.score(roster, moment)

    for score, one, time in zip(found, seen, times, strict=True):
        if fastest is None:
            assert score == 0.5
        elif one is None or time is None:
            assert score == 1.0
        else:
            requests = one[1] * 0.5 ** (now_s / HALF_LIFE_S)
            by_fastest = 1.0 if time <= fastest else fastest / time
            weight = requests / (requests + SAMPLES)
            assert score == pytest.approx(1.0 - weight * (1.0 - by_fastest))


@given(states=STATES, now_s=st.floats(0.0, 200.0))
@settings(deadline=None)
def test_takings_are_those_of_each(states: list[State], now_s: float) -> None:
    """Cost and carbon as an answer is charged; times between seen and believed."""
    roster, moment = world(states, now_s=now_s)
    tokens = moment.observed.completion_tokens(MODEL, SHAPE.tokens_max)

    found = takings_of(roster, moment, VIEW, private=False)

    for place, (one, state) in enumerate(zip(roster, states, strict=True)):
        footprint = footprint_of(
            one.tariff,
            one.carbon_intensity,
            prompt_tokens=SHAPE.prompt_tokens,
            completion_tokens=tokens,
        )
        assert found.cost[place] == footprint.cost
        grams = math.nan if footprint.co2e_mg is None else footprint.co2e_mg
        assert found.co2e_mg[place] == pytest.approx(grams, nan_ok=True)
        expected = math.nan if state.region == "south" else MEDIAN_MS * tokens
        seen = plain_time(state)
        if seen is not None:
            requests = seen[1] * 0.5 ** (now_s / HALF_LIFE_S)
            weight = requests / (requests + SAMPLES)
            known = not math.isnan(expected) and seen[0] < math.inf
            drawn = expected + weight * (seen[0] - expected)
            expected = drawn if known else seen[0]
        assert found.latency_ms[place] == pytest.approx(expected, nan_ok=True)
