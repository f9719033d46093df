"""Members who share outcomes in a round: who sees which questions, and the round.

Decides how unlike members are and how a round is played: the product's members and
coordinator with their encryption, noise and shares, in one process under a virtual
clock. Refuses to know how well anybody chooses afterwards.
"""

import asyncio
from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np

from coordinator.priors.settings import CatalogueSettings
from coordinator.rounds.state import ENDED
from coordinator.simulation.federation import Federation, federation
from coordinator.simulation.plan import SimulationPlan
from coordinator.simulation.run import SETTLE_S, START_S
from coordinator.simulation.virtual_loop import VirtualLoop, run_virtual
from federated_router.api.v1 import aggregation_pb2 as pb
from federated_router.federation.records import PatternOutcome, Pull, RequestRecord
from federated_router.federation.statistics import Statistics
from federated_router.priors.accumulate import accumulate
from federated_router.priors.blocks import Block
from federated_router.priors.contents import Cell
from federated_router.priors.features import REWARD_MAX
from federated_router.priors.publication import Priors
from federated_router.privacy.accountant import epsilon_of_rho
from federated_router.routing.priors_view import PriorsView, view_of
from tests.evaluate.choice import seen_once
from tests.evaluate.mmlu import STRONG, WEAK, Places, Questions

REGION = "simulated"
CONCENTRATION = 0.3
DELTA = 1e-6
_BLOCKS = (Block.PERFORMANCE, Block.PATTERNS, Block.BANDIT)


def catalogue() -> CatalogueSettings:
    """Return what the rounds sum: two models, patterns and the bandit's statistics."""
    return CatalogueSettings(
        models=tuple(model.removeprefix("models/") for model in (WEAK, STRONG)),
        regions=(REGION,),
        blocks=_BLOCKS,
        samples_min=0,
    )


def noise_scale(epsilon: float) -> float:
    """Return the noise at which one request in a round costs `epsilon` at DELTA."""
    sensitivity = catalogue().catalogue().sensitivity_squared
    low, high = 0.1, 1_000.0
    for _ in range(60):
        middle = (low * high) ** 0.5
        rho = sensitivity / (2 * middle**2)
        low, high = (
            (middle, high)
            if epsilon_of_rho(rho, delta=DELTA) > epsilon
            else (low, middle)
        )
    return high


def divided(found: Questions, train: Places, members: int, seed: int) -> list[Places]:
    """Return each member's questions: every subject is divided by a Dirichlet draw.

    With a concentration of 0.3 most of a subject is at few members (Hsu et al. 2019).
    """
    source = np.random.default_rng([seed, members])
    parts: list[list[int]] = [[] for _ in range(members)]
    subjects = np.array(found.subjects)[train]
    for subject in np.unique(subjects):
        odds = source.dirichlet([CONCENTRATION] * members)
        own = train[subjects == subject]
        for place, member in zip(
            own, source.choice(members, len(own), p=odds), strict=True
        ):
            parts[member].append(int(place))
    return [np.array(part, dtype=np.intp) for part in parts]


def plan_of(members: int, epsilon: float, *, exact: bool = False) -> SimulationPlan:
    """Return one round of so many members; with `exact` nobody adds noise."""
    return SimulationPlan(
        seed=members,
        members=members,
        rounds=1,
        noise_scale=noise_scale(epsilon),
        share_rosters=True,
        catalogue=catalogue(),
        exact=exact,
    )


def published(
    found: Questions, parts: Sequence[Places], plan: SimulationPlan
) -> Priors:
    """Play one encrypted round in which every member tells its outcomes.

    Returns what it published. Raises RuntimeError if it did not.
    """

    async def play(loop: VirtualLoop) -> Priors:
        del loop
        async with federation(plan, Path(directory)) as world:
            await asyncio.sleep(START_S)
            for member, part in zip(world.members, parts, strict=True):
                assert member.statistics is not None
                record(member.statistics, found, part)
            return await _round(world)

    with TemporaryDirectory(prefix="sharing-") as directory:
        return run_virtual(play, work_s=plan.work_s)


def believed(priors: Priors) -> PriorsView:
    """Return what a router believes after one round."""
    return view_of(accumulate(None, priors, half_life_s=1.0))


async def _round(world: Federation) -> Priors:
    made = await world.operator.CreateRound(
        pb.CreateRoundRequest(request_id="one", members_expected=len(world.members)),
        timeout=10.0,
    )
    while (state := world.coordinator.state(made.round.name)) not in ENDED:
        await asyncio.sleep(0.5)
    await asyncio.sleep(SETTLE_S)
    made_public = await world.coordinator.published()
    if not made_public:
        raise RuntimeError(f"The round was not published: {state}.")
    return made_public[-1]


def record(statistics: Statistics, found: Questions, part: Places) -> None:
    """Record what a router records of requests: pattern, features and reward."""
    for place in part:
        seen = seen_once(found.prompts[place])
        for model, right in ((WEAK, found.weak[place]), (STRONG, found.strong[place])):
            statistics.record(
                RequestRecord(
                    cell=Cell(model, REGION),
                    pattern=PatternOutcome(seen.pattern, succeeded=bool(right)),
                    pull=Pull(seen.features, REWARD_MAX if right else 0),
                )
            )
