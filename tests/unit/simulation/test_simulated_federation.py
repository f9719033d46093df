"""Whole rounds of simulated federations, and what holds whatever happens."""

import re

import pytest

from coordinator.rounds.state import State
from coordinator.simulation import checks, run
from coordinator.simulation.disk import Fault
from coordinator.simulation.link import LinkConditions
from coordinator.simulation.plan import SimulationPlan, StoreConditions
from coordinator.simulation.report import SimulationReport
from coordinator.simulation.run import Played, run_simulation
from federated_router.kit.errors import Unavailable

HOSTILE_LINK = LinkConditions(
    request_loss=0.1, response_loss=0.1, duplicate=0.1, stream_break=0.03
)
RANDOM_SEEDS = (11,)


def outcome(report: SimulationReport) -> list[object]:
    """Return what of a report follows from its seed."""
    return [
        (
            one.state,
            re.sub(r"rounds/\S+", "", one.end_cause),
            one.joined,
            one.contributed,
            one.answered,
            one.liars_named,
            one.error_max,
            one.spent.coordinator_deaths,
        )
        for one in report.rounds
    ]


def test_published_sum_names_exactly_its_members_by_their_powers_of_two(
    played: Played,
) -> None:
    """Member i counts 2^i requests, so that 31 is all of five, each once."""
    assert played.report.violations == ()
    for number, priors in enumerate(played.evidence.published):
        sums = checks.sums_of(priors)
        start = number * priors.catalogue.cell_slots

        assert sums[start] == 0b11111
        assert sums.sum() == 0b11111


def test_report_tells_what_a_round_took_and_who_took_part(played: Played) -> None:
    """Figures are of this round: bytes are at least the body, time at least a wait."""
    report = played.report
    (first, _) = report.rounds

    assert report.published == 2
    assert (first.joined, first.contributed, first.answered) == (5, 5, 5)
    assert first.participation == 1.0
    assert first.error_rms == 0.0
    assert first.spent.sent_bytes_mean > first.body_bytes > 27_648
    assert set(first.states_s) == {
        state.value
        for state in (
            State.JOINING,
            State.REVEALING,
            State.COLLECTING,
            State.CHECKING,
            State.SUMMING,
            State.OPENING,
            State.VALIDATING,
        )
    }
    assert 0 < sum(first.states_s.values()) < first.spent.virtual_s
    assert report.cpu_s > 0 < first.spent.member_work_s


@pytest.mark.usefixtures("played")
def test_progress_is_told_with_the_states_of_every_round(
    told: list[tuple[int, str]],
) -> None:
    """A bar that stands still for a minute looks like a hang."""
    assert told[-1] == (1, "published")
    assert {number for number, _ in told} == {0, 1}
    assert len(set(told)) >= 4


def test_same_seed_plays_the_same_run_whatever_the_cryptography_draws() -> None:
    """A seed that was printed must bring the found fault back."""
    plan = SimulationPlan(
        seed=5,
        members=4,
        rounds=1,
        exact=True,
        participation_min=0.5,
        link=HOSTILE_LINK,
        coordinator_store=StoreConditions(crash=0.05),
        member_store=StoreConditions(crash=0.05),
    )

    assert outcome(run_simulation(plan)) == outcome(run_simulation(plan))


@pytest.mark.parametrize("seed", RANDOM_SEEDS)
def test_random_losses_kills_and_jumps_break_nothing_that_must_hold(seed: int) -> None:
    """Requests and answers drop, processes die at any write, clocks jump.

    Whatever becomes of a round: sums are exact, nobody answers twice, nothing hangs.
    """
    report = run_simulation(
        SimulationPlan(
            seed=seed,
            members=5,
            rounds=2,
            exact=True,
            participation_min=0.5,
            link=HOSTILE_LINK,
            coordinator_store=StoreConditions(crash=0.04, failure=0.04),
            member_store=StoreConditions(crash=0.04, failure=0.04),
            clock_jumps=2,
            late=1,
        )
    )

    assert report.violations == ()
    assert report.published >= 1


@pytest.mark.parametrize("fault", [Fault.CRASH_BEFORE, Fault.CRASH_AFTER])
def test_coordinator_that_dies_at_a_write_publishes_the_round_all_the_same(
    fault: Fault,
) -> None:
    """The twelfth write is a contribution's; the fault suite kills at every one."""
    report = run_simulation(
        SimulationPlan(seed=2, members=4, rounds=1, exact=True, fault_at=(12, fault))
    )

    assert report.violations == ()
    assert [one.state for one in report.rounds] == ["published"]
    assert report.rounds[0].spent.coordinator_deaths == 1


def test_noise_in_a_published_sum_is_of_the_size_that_it_states() -> None:
    """54 counts; the ratio of a right sigma leaves [0.55, 1.45] in 1 run of 100,000.

    The rms of 54 normals over sigma has standard deviation 0.096; 4.6 of these.
    """
    report = run_simulation(
        SimulationPlan(seed=3, members=3, rounds=2, noise_scale=30.0)
    )

    first = report.rounds[0]
    assert report.violations == ()
    assert first.error_rms is not None
    assert first.noise_sigma is not None
    assert first.noise_sigma >= 30.0
    assert first.error_rms / first.noise_sigma == pytest.approx(1.0, abs=0.45)


def test_members_that_vanish_for_good_do_not_hold_up_the_others() -> None:
    """Rounds go on with those who are left, and say how many contributed."""
    plan = SimulationPlan(
        seed=9, members=5, rounds=1, exact=True, participation_min=0.5, vanishing=1
    )

    report = run_simulation(plan)

    assert report.violations == ()
    assert [one.state for one in report.rounds] == ["published"]
    assert report.rounds[0].answered == 4


def test_round_that_outlasts_the_patience_for_it_is_told_and_left(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A round that hangs must fail the run instead of hanging it."""
    monkeypatch.setattr(run, "SLACK_S", -1_000.0)

    report = run_simulation(SimulationPlan(seed=1, members=3, rounds=1, exact=True))

    assert any("hangs in" in one for one in report.violations)


def test_coordinator_that_can_open_no_round_is_given_up(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Every write kills it, so that no operator ever gets an answer."""
    monkeypatch.setattr(run, "OPEN_ATTEMPTS_MAX", 3)
    plan = SimulationPlan(
        seed=1, members=3, rounds=1, coordinator_store=StoreConditions(crash=1.0)
    )

    with pytest.raises(Unavailable, match="opens no round"):
        run_simulation(plan)


def test_round_whose_creation_was_committed_and_not_answered_is_announced() -> None:
    """The operator asks again and gets the round; the members must hear of it too.

    The first write of a run creates the round. Members that are not told before the
    joining ends cannot join.
    """
    report = run_simulation(
        SimulationPlan(
            seed=1, members=4, rounds=1, exact=True, fault_at=(1, Fault.FAIL_AFTER)
        )
    )

    assert report.violations == ()
    assert [one.state for one in report.rounds] == ["published"]
