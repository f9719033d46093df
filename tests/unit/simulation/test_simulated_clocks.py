"""Wall clocks that are set while simulated rounds run."""

import pytest

from coordinator.simulation.plan import SimulationPlan
from coordinator.simulation.run import run_simulation


@pytest.mark.parametrize("seed", [1, 2])
def test_rounds_are_published_in_time_whatever_the_clocks_show(seed: int) -> None:
    """Four jumps in each round, of up to a minute; members join within twenty seconds.

    Much further back certificates would not be valid yet, and nobody could join.
    """
    report = run_simulation(
        SimulationPlan(
            seed=seed,
            members=5,
            rounds=3,
            exact=True,
            clock_jumps=12,
            clock_jump_s_max=60.0,
        )
    )

    assert report.violations == ()
    assert [one.state for one in report.rounds] == ["published"] * 3


def test_round_that_nobody_could_join_is_reported_like_any_other() -> None:
    """A day back no certificate is valid yet: the round ends in time, with a cause."""
    report = run_simulation(
        SimulationPlan(
            seed=1,
            members=3,
            rounds=2,
            exact=True,
            clock_jumps=40,
            clock_jump_s_max=86_400.0,
        )
    )

    assert report.violations == ()
    assert "aborted" in {one.state for one in report.rounds}
    assert all(one.cohorts == 0 for one in report.rounds if one.state == "aborted")
