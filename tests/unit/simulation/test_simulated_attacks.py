"""What each kind of attacker achieves in a round, and what it does not."""

from functools import cache

import pytest

from coordinator.simulation.attack import Attack
from coordinator.simulation.plan import SimulationPlan
from coordinator.simulation.report import SimulationReport
from coordinator.simulation.run import run_simulation
from federated_router.federation.round_view import RoundState


@cache
def attacked(attack: Attack, *, members: int = 4, rounds: int = 1) -> SimulationReport:
    """Return a run of a few members of which one attacks."""
    return run_simulation(
        SimulationPlan(
            seed=4,
            members=members,
            rounds=rounds,
            exact=True,
            participation_min=0.6,
            attackers={attack: 1},
        )
    )


def test_lying_holder_is_named_and_changes_nothing() -> None:
    """The sum opens without it, to the same integers."""
    report = attacked(Attack.LYING_HOLDER, members=6)
    (round_,) = report.rounds

    assert report.violations == ()
    assert round_.state == "published"
    assert (round_.liars_planted, round_.liars_named) == (1, 1)
    assert report.attacks[0].named == 1
    assert round_.error_max == 0


@pytest.mark.parametrize(
    ("attack", "cause"),
    [
        (Attack.POISON_BEYOND_RANGE, "beyond what contributions and noise can reach"),
        (Attack.WRONG_COUNT, "does not count the accepted members"),
        (Attack.GARBAGE_CIPHERTEXT, "does not open to integers"),
    ],
)
def test_forged_contribution_is_seen_in_the_sum_and_nothing_is_published(
    attack: Attack, cause: str
) -> None:
    """One forger spoils a round and cannot bend it."""
    report = attacked(attack)

    assert report.violations == ()
    assert [one.state for one in report.rounds] == ["rejected"]
    assert cause in report.rounds[0].end_cause
    assert report.attacks[0].rounds_unpublished == 1


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


@pytest.mark.xfail(
    reason="Nothing names a dealer whose shares nobody can use, or goes on without it.",
    strict=True,
)
def test_dealer_of_unusable_shares_is_named_or_does_not_stop_the_round() -> None:
    """One member that can end every round unseen could end the federation's rounds."""
    report = attacked(Attack.UNREADABLE_SHARES)

    assert report.attacks[0].named or report.rounds[0].state == "published"


def test_dealer_of_unusable_shares_publishes_nothing_and_breaks_nothing() -> None:
    """Whoever spoils a round does not bend it, and honest members are not named."""
    report = attacked(Attack.UNREADABLE_SHARES)

    assert report.violations == ()
    assert [one.state for one in report.rounds] == [RoundState.ABORTED.value]
    assert report.rounds[0].liars_named == 0
