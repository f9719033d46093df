"""What each kind of attacker achieves in a round, and what it does not."""

from collections.abc import Sequence
from functools import cache

import pytest

from coordinator.simulation.attack import Attack
from coordinator.simulation.plan import SimulationPlan
from coordinator.simulation.report import RoundReport, SimulationReport
from coordinator.simulation.run import run_simulation


@cache
def attacked(
    attack: Attack, *, members: int = 4, rounds: int = 1, seed: int = 4
) -> SimulationReport:
    """Return a run of a few members of which one attacks."""
    return run_simulation(
        SimulationPlan(
            seed=seed,
            members=members,
            rounds=rounds,
            exact=True,
            participation_min=0.6,
            attackers={attack: 1},
        )
    )


def test_lying_holder_is_named_and_changes_nothing() -> None:
    """The sum opens without it, to the same integers.

    With this seed its answer is among those that open; a later one names nobody.
    """
    report = attacked(Attack.LYING_HOLDER, members=6, seed=1)
    (round_,) = report.rounds

    assert report.violations == ()
    assert round_.state == "published"
    assert (round_.liars_planted, round_.liars_named) == (1, 1)
    assert report.attacks[0].named == 1
    assert round_.error_max == 0


@pytest.mark.parametrize(
    "attack",
    [Attack.POISON_BEYOND_RANGE, Attack.WRONG_COUNT, Attack.GARBAGE_CIPHERTEXT],
)
def test_forged_contribution_is_seen_in_the_sum_and_nothing_is_published(
    attack: Attack,
) -> None:
    """One forger spoils a round and cannot bend it."""
    report = attacked(attack)

    assert report.violations == ()
    assert [one.state for one in report.rounds] == ["rejected"]
    assert "plausibility" in report.rounds[0].end_cause
    assert report.attacks[0].rounds_unpublished == 1


@pytest.mark.parametrize("members", [6, 7, 10])
def test_garbage_beside_a_liar_is_rejected_and_the_liar_is_named(members: int) -> None:
    """Once no further answer can come: the answers decode, and the sum stays closed."""
    (round_, *_), violations = _garbage_beside_a_liar(members)

    assert violations == ()
    assert round_.state == "rejected"
    assert "plausibility" in round_.end_cause
    assert (round_.liars_planted, round_.liars_named) == (1, 1)


@pytest.mark.parametrize("members", [4, 5])
def test_garbage_beside_a_liar_ends_unjudged_where_no_liar_can_be_located(
    members: int,
) -> None:
    """One corrupt member is all that such a roster bears; these are two.

    One answer more than opens a sum shows a contradiction and not its author, so that
    nobody can say whether the ciphertext is garbage or more than one answer is wrong.
    """
    (round_, *_), violations = _garbage_beside_a_liar(members)

    assert violations == ()
    assert round_.state == "aborted"
    assert "do not open the sums together" in round_.end_cause
    assert round_.liars_named == 0


def _garbage_beside_a_liar(
    members: int,
) -> tuple[Sequence[RoundReport], Sequence[str]]:
    report = run_simulation(
        SimulationPlan(
            seed=3,
            members=members,
            rounds=1,
            exact=True,
            participation_min=0.5,
            attackers={Attack.GARBAGE_CIPHERTEXT: 1, Attack.LYING_HOLDER: 1},
        )
    )
    return report.rounds, report.violations


def test_malformed_ciphertext_is_refused_when_it_comes() -> None:
    """The round goes on without its sender."""
    report = attacked(Attack.MALFORMED_CIPHERTEXT)

    assert report.attacks[0].refused == {"CIPHERTEXT_MALFORMED": 1}
    assert [one.state for one in report.rounds] == ["published"]
    assert report.rounds[0].contributed == 3
    assert report.violations == ()


def test_contribution_of_an_earlier_round_is_refused() -> None:
    """It is bound to the roster of the round that it was made for."""
    report = attacked(Attack.REPLAYED_CONTRIBUTION, rounds=2)

    assert report.attacks[0].refused == {"ROSTER_MISMATCH": 1}
    assert [one.contributed for one in report.rounds] == [4, 3]
    assert report.violations == ()


def test_poison_within_the_range_moves_the_sum_by_what_one_member_may_claim() -> None:
    """Encrypted counts cannot be judged one by one; the report says what it costs."""
    report = attacked(Attack.POISON_WITHIN_RANGE)

    assert report.violations == ()
    assert report.attacks[0].sum_changed_by_max == 10_000
    assert report.rounds[0].error_max == 10_000


@pytest.mark.parametrize("attack", [Attack.UNREADABLE_SHARES, Attack.BAD_SHARES])
def test_dealer_of_unusable_shares_is_named_and_the_round_goes_on(
    attack: Attack,
) -> None:
    """One member could end every round otherwise; no holder is blamed for it."""
    report = attacked(attack, members=6)
    (round_,) = report.rounds

    assert report.violations == ()
    assert round_.state == "published"
    assert (round_.dealers_named, round_.liars_named) == (1, 0)
    assert report.attacks[0].named == 1
    assert report.attacks[0].accepted == 0
    assert round_.error_max == 0


def test_holder_that_checks_falsely_is_named_and_nobody_is_left_out() -> None:
    """Its word is against everybody's; all six contributions are summed."""
    report = attacked(Attack.FALSE_CHECK, members=6)
    (round_,) = report.rounds

    assert report.violations == ()
    assert round_.state == "published"
    assert (round_.liars_planted, round_.liars_named) == (1, 1)
    assert round_.dealers_named == 0
    assert round_.error_max == 0


@pytest.mark.parametrize(
    "attack",
    [Attack.POISON_BEYOND_RANGE, Attack.WRONG_COUNT, Attack.GARBAGE_CIPHERTEXT],
)
def test_forger_spoils_its_own_cohort_and_the_others_are_published(
    attack: Attack,
) -> None:
    """Fifteen members in five cohorts of three: the same forger ends no round."""
    report = run_simulation(
        SimulationPlan(
            seed=6,
            members=15,
            rounds=1,
            exact=True,
            cohort_size=3,
            attackers={attack: 1},
        )
    )

    assert report.violations == ()
    assert [one.state for one in report.rounds] == ["published"]
    assert report.rounds[0].cohorts == 5


def test_poisoner_moves_the_median_of_cohorts_by_less_than_it_claims() -> None:
    """Within the range nobody sees it; the median bounds what it achieves.

    In one sum the same poisoner moves the count by 10,000.
    """
    report = run_simulation(
        SimulationPlan(
            seed=6,
            members=15,
            rounds=1,
            exact=True,
            cohort_size=3,
            attackers={Attack.POISON_WITHIN_RANGE: 1},
        )
    )
    (round_,) = report.rounds

    assert report.violations == ()
    assert round_.state == "published"
    assert round_.error_max is not None
    assert round_.error_max < 100


def test_cohorts_are_summed_apart_and_published_together() -> None:
    """Seven members in two cohorts, twice; what is published follows from both."""
    report = run_simulation(
        SimulationPlan(seed=5, members=7, rounds=2, exact=True, cohort_size=3)
    )

    assert report.violations == ()
    assert [one.state for one in report.rounds] == ["published", "published"]
    assert [one.cohorts for one in report.rounds] == [2, 2]
