"""Long random runs of simulated federations, and a kill at every single write.

Repeat a run with FAULT_SEED, lengthen it with FAULT_RUNS.
"""

import json
import os
import secrets
import subprocess
import sys
from collections.abc import Iterator
from random import Random

import pytest
import structlog

from coordinator.simulation.attack import Attack
from coordinator.simulation.disk import Fault
from coordinator.simulation.link import LinkConditions
from coordinator.simulation.plan import SimulationPlan, StoreConditions
from coordinator.simulation.run import play, run_simulation

pytestmark = [pytest.mark.fault, pytest.mark.simulation, pytest.mark.timeout(900)]
SEED = int(os.environ.get("FAULT_SEED", "") or secrets.randbelow(10**6))
RUNS = int(os.environ.get("FAULT_RUNS", "20"))
KINDS = [attack for attack in Attack if attack is not Attack.NONE]


@pytest.fixture(autouse=True)
def _quiet() -> Iterator[None]:
    """Keep logs off the screen while a test runs."""
    with structlog.testing.capture_logs():
        yield


def random_plan(seed: int) -> SimulationPlan:
    """Return a small federation in a world that is as bad as its dice say."""
    dice = Random(seed)  # noqa: S311 - to be repeated.
    return SimulationPlan(
        seed=seed,
        members=dice.choice([5, 7, 9]),
        rounds=3,
        exact=dice.random() < 0.7,
        participation_min=0.5,
        attackers=dict.fromkeys(dice.sample(KINDS, dice.choice([0, 0, 1, 2])), 1),
        link=LinkConditions(
            latency_s_max=dice.choice([0.05, 1.0]),
            request_loss=dice.uniform(0, 0.25),
            response_loss=dice.uniform(0, 0.25),
            duplicate=dice.uniform(0, 0.3),
            stream_break=dice.uniform(0, 0.1),
            hang_up=dice.random(),
        ),
        coordinator_store=_store(dice),
        member_store=_store(dice),
        clock_jumps=dice.choice([0, 0, 3, 6]),
        late=dice.choice([0, 1]),
        vanishing=dice.choice([0, 1]),
        slow=dice.choice([0, 1]),
        cohort_size=dice.choice([0, 0, 3]),
    )


def _store(dice: Random) -> StoreConditions:
    return StoreConditions(crash=dice.uniform(0, 0.08), failure=dice.uniform(0, 0.08))


def test_random_operation_sequences_break_nothing_that_must_hold() -> None:
    """Losses, repeats, kills, failing disks, jumping clocks and liars, all at once.

    Every published sum is the accepted contributions once, no round hangs, nobody
    honest says two things, and what was rejected is not published.
    """
    print(f"FAULT_SEED={SEED}")  # noqa: T201 - to repeat the runs.
    published = 0
    for seed in range(SEED, SEED + RUNS):
        report = run_simulation(random_plan(seed))
        published += report.published

        assert report.violations == (), f"seed {seed}"
    assert published > 0


@pytest.mark.parametrize("fault", [Fault.CRASH_BEFORE, Fault.CRASH_AFTER])
def test_coordinator_killed_at_any_write_publishes_the_same_round(fault: Fault) -> None:
    """Between any two writes, with the round going on where it was stored.

    A round of four members has 16 messages and 4 steps of the coordinator's own; the
    kill comes on both sides of the commit of each.
    """
    killed = 0
    for number in range(1, 40):
        plan = SimulationPlan(
            seed=1, members=4, rounds=1, exact=True, fault_at=(number, fault)
        )
        report = run_simulation(plan)
        assert report.violations == (), f"write {number}"
        assert report.published == 1, f"write {number}"
        if not report.rounds[0].spent.coordinator_deaths:
            break
        killed += 1
    assert killed >= 20


def test_hundred_members_in_a_bad_world_publish_what_was_contributed() -> None:
    """Dropouts, slow links, losses and liars together, with noise as in earnest.

    A liar whose answer comes when the sum is open already is not named. The rms of 27
    counts over sigma has standard deviation 0.136; 4.4 of these are 1 in 100,000.
    """
    plan = SimulationPlan(
        seed=SEED,
        members=100,
        rounds=1,
        participation_min=0.7,
        vanishing=5,
        late=5,
        slow=10,
        attackers={Attack.LYING_HOLDER: 3, Attack.MALFORMED_CIPHERTEXT: 2},
        link=LinkConditions(request_loss=0.02, response_loss=0.02, duplicate=0.02),
    )
    print(f"FAULT_SEED={SEED}")  # noqa: T201 - to repeat the run.

    played = play(plan)
    (round_,) = played.report.rounds

    assert played.report.violations == ()
    assert round_.state == "published", round_.end_cause
    assert round_.contributed >= 80
    assert round_.liars_named <= round_.liars_planted == 3
    assert round_.error_rms == pytest.approx(round_.noise_sigma, rel=0.6)
    assert round_.body_bytes < 150_000


def test_dealer_of_contradicting_shares_is_named_and_does_not_stop_the_round() -> None:
    """In a world that loses one message in five, beside a holder that lies."""
    report = run_simulation(
        SimulationPlan(
            seed=4,
            members=10,
            rounds=2,
            exact=True,
            participation_min=0.6,
            link=LinkConditions(request_loss=0.1, response_loss=0.1),
            attackers={Attack.BAD_SHARES: 1, Attack.FALSE_CHECK: 1},
        )
    )

    assert report.violations == ()
    assert report.published == 2
    named = {one.attack: one.named for one in report.attacks}
    assert named == {Attack.BAD_SHARES.value: 2, Attack.FALSE_CHECK.value: 2}


def test_command_of_the_module_runs_and_prints_json() -> None:
    """`federated-router simulate` becomes this very process."""
    command = [sys.executable, "-m", "coordinator.simulation", "--members", "3"]

    done = subprocess.run(
        [*command, "--rounds", "1", "--seed", "1", "--json"],
        capture_output=True,
        timeout=120,
        check=True,
    )

    assert json.loads(done.stdout)["rounds"][0]["state"] == "published"
