"""Federated against local-only prediction, and what it may depend on."""

import math
from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from federated_router.federation.batch import Batch
from federated_router.federation.holdout import (
    ADVANTAGE_NATS_MAX,
    STEPS_PER_NAT,
    Holdout,
)
from federated_router.federation.records import (
    FailureCause,
    RequestRecord,
    Success,
)
from federated_router.federation.statistics import Statistics
from federated_router.priors.catalogue import Catalogue
from federated_router.priors.contents import (
    STEPS_MAX,
    Cell,
    CellCounts,
    Contents,
    HoldoutSums,
)
from federated_router.priors.publication import Priors

CELL, RARE = Cell("models/a", "eu"), Cell("models/a", "us")
BOUNDS = (1.0, 2.0)
FAST = Success(latency_ms_per_token=0.5)
SLOW = Success(latency_ms_per_token=9.0)


def priors(
    federated: CellCounts, *, bounds: tuple[float, ...] = BOUNDS, revision: int = 1
) -> Priors:
    """Return priors of two cells, the second without any request."""
    empty = CellCounts((0,) * (len(bounds) + 1), 0)
    return Priors(
        revision=revision,
        round_name=f"rounds/{revision}",
        create_time_s=0.0,
        catalogue=Catalogue(
            version=1,
            models=("models/a",),
            regions=("eu", "us"),
            latency_bounds_ms=bounds,
            slot_max=1000,
        ),
        members=3,
        noise_standard_deviation=1.0,
        contents=Contents(performance={CELL: federated, RARE: empty}),
    )


def no_noise(length: int, _: float) -> Sequence[int]:
    """Return zeros: scores in tests are exact."""
    return [0] * length


def batch(*, fast: int, failures: int = 0) -> Batch:
    """Return what a member counted of one cell."""
    statistics = Statistics(latency_bounds_ms=(0.5, *BOUNDS))
    for _ in range(fast):
        statistics.record(RequestRecord(cell=CELL, performance=FAST))
    for _ in range(failures):
        statistics.fail(CELL, FailureCause.ENGINE)
    return statistics.pending()


def told(federated: CellCounts, own: Batch) -> Holdout:
    """Return a comparison that has seen both."""
    holdout = Holdout(noise=no_noise)
    holdout.receive(priors(federated))
    holdout.learn(own, noise_scale=8.0)
    return holdout


def test_score_is_the_difference_of_log_losses() -> None:
    """By hand: (100 + 1)/(120 + 4) against (190 + 1)/(200 + 4), in sixteenths."""
    holdout = told(CellCounts((100, 0, 0), 20), batch(fast=190, failures=10))

    steps = holdout.score(CELL, FAST)

    nats = math.log((101 / 124) / (191 / 204))
    assert steps == round(nats * STEPS_PER_NAT) < 0


def test_federation_wins_where_it_has_seen_what_the_member_has_not() -> None:
    """Otherwise the sign would be the wrong way round."""
    holdout = told(CellCounts((100, 0, 100), 0), batch(fast=200))

    slow, fast = holdout.score(CELL, SLOW), holdout.score(CELL, FAST)

    assert slow is not None
    assert fast is not None
    assert fast < 0 < slow


@given(
    federated=st.lists(st.integers(-500, 10**6), min_size=4, max_size=4),
    fast=st.integers(0, 400),
    failures=st.integers(0, 400),
    outcome=st.sampled_from([FAST, SLOW, FailureCause.DEADLINE]),
)
def test_no_score_exceeds_the_clip(
    federated: list[int], fast: int, failures: int, outcome: Success | FailureCause
) -> None:
    """One request moves the sum by at most STEPS_MAX: the noise is calibrated to it."""
    counts = CellCounts((federated[0], federated[1], federated[2]), federated[3])
    steps = told(counts, batch(fast=fast, failures=failures)).score(CELL, outcome)

    assert steps is None or -STEPS_MAX <= steps <= STEPS_MAX


def test_clip_is_reached() -> None:
    """e^4 is 55: a bound that nothing reaches would waste range."""
    holdout = told(CellCounts((0, 0, 10**6), 0), batch(fast=10**3))

    assert holdout.score(CELL, SLOW) == ADVANTAGE_NATS_MAX * STEPS_PER_NAT
    assert holdout.score(CELL, FAST) == -ADVANTAGE_NATS_MAX * STEPS_PER_NAT


@pytest.mark.parametrize(
    ("federated", "own"),
    [((99, 0, 0), 100), ((100, 0, 0), 99), ((-500, 500, 0), 100)],
)
def test_cell_that_one_predictor_has_not_seen_is_not_scored(
    federated: tuple[int, ...], own: int
) -> None:
    """Guessing against nothing would tell how rare the cell is, not which is better."""
    holdout = told(CellCounts(federated, 0), batch(fast=own))

    assert holdout.score(CELL, FAST) is None
    assert holdout.score(RARE, FAST) is None


def test_nothing_is_scored_before_priors_and_a_published_round() -> None:
    """Both predictors begin empty."""
    holdout = Holdout(noise=no_noise)

    holdout.learn(batch(fast=500), noise_scale=8.0)
    assert holdout.score(CELL, FAST) is None

    holdout.receive(priors(CellCounts((500, 0, 0), 0)))
    assert holdout.score(CELL, FAST) is None


def test_own_counts_are_noised_in_every_public_slot_whatever_was_served() -> None:
    """Which slots get noise must not tell which requests there were."""
    asked: list[tuple[int, float]] = []

    def noise(length: int, sigma: float) -> Sequence[int]:
        asked.append((length, sigma))
        return [0] * length

    for own in (batch(fast=0), batch(fast=300)):
        holdout = Holdout(noise=noise)
        holdout.receive(priors(CellCounts((1, 0, 0), 0)))
        holdout.learn(own, noise_scale=8.0)

    slots = 2 * (len(BOUNDS) + 2)
    assert asked == [(slots, 8.0), (slots, 8.0)]


def test_scores_follow_the_noised_counts_and_not_the_true_ones() -> None:
    """One request must not reach later scores but through what was noised."""

    def noise(length: int, _: float) -> Sequence[int]:
        return [0, 0, 300, 0] + [0] * (length - 4)

    holdout = Holdout(noise=noise)
    holdout.receive(priors(CellCounts((100, 0, 100), 0)))
    holdout.learn(batch(fast=10), noise_scale=8.0)

    slow = holdout.score(CELL, SLOW)

    assert slow == round(math.log((101 / 204) / (301 / 314)) * STEPS_PER_NAT)


def test_real_noise_hides_single_requests() -> None:
    """Drawn by default: with scale 8 two learnings of the same batch differ.

    All of 4 slots x 2 cells drawing zero twice has a probability below 1e-10.
    """
    holdout = Holdout()
    holdout.receive(priors(CellCounts((100, 0, 100), 0)))
    for _ in range(2):
        holdout.learn(batch(fast=0), noise_scale=8.0)

    assert any(any(own) for own in holdout._own.values())


def test_other_buckets_mean_other_counts_so_own_ones_are_forgotten() -> None:
    """A changed catalogue must not be predicted from the old one's buckets."""
    holdout = told(CellCounts((200, 0, 0), 0), batch(fast=200))
    assert holdout.score(CELL, FAST) is not None

    holdout.receive(priors(CellCounts((200, 0), 0), bounds=(2.0,), revision=2))

    assert holdout.score(CELL, FAST) is None


def test_statistics_test_first_and_learn_when_the_round_is_published() -> None:
    """Scores enter the same batch as the request; a lost round teaches nothing."""
    holdout = Holdout(noise=no_noise)
    holdout.receive(priors(CellCounts((100, 0, 100), 0)))
    statistics = Statistics(latency_bounds_ms=BOUNDS, holdout=holdout)
    for number, end in enumerate(["restore", "confirm"]):
        for _ in range(100):
            statistics.record(RequestRecord(cell=CELL, performance=FAST))
        batch = statistics.begin_contribution(f"rounds/{number}")
        assert batch.over(BOUNDS).holdout == HoldoutSums(0, 0)
        if end == "restore":
            statistics.restore(f"rounds/{number}")
        else:
            statistics.confirm(f"rounds/{number}", noise_scale=8.0)

    statistics.record(RequestRecord(cell=CELL, performance=SLOW))
    statistics.record(RequestRecord(cell=RARE, performance=SLOW))

    holdout_sums = statistics.pending().over(BOUNDS).holdout
    assert holdout_sums == HoldoutSums(1, STEPS_MAX)
