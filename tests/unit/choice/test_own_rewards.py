"""Sums of outcomes are those of each alone, however many are added at once."""

import threading

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from federated_router.choice.own_rewards import ROWS_MAX, OwnRewards
from federated_router.choice.sight import sight_of
from federated_router.priors.features import FEATURE_COUNT
from federated_router.priors.prompt import prompt_of

WORDS = 8
WIDTH = FEATURE_COUNT + WORDS
TEXTS = ("where is the station", "Solve x = 3 + 4", "summarise this: not now", "")
SIGHTS = tuple(sight_of(prompt_of([text]), word_features=WORDS) for text in TEXTS)


def own(half_life_s: float = 10.0) -> OwnRewards:
    """Return sums without an outcome."""
    return OwnRewards(width=WIDTH, half_life_s=half_life_s, now_s=0.0)


@given(
    st.lists(
        st.tuples(
            st.sampled_from(SIGHTS), st.floats(0, 1), st.floats(0, 100), st.booleans()
        ),
        max_size=150,
    )
)
def test_sums_are_those_of_each_outcome_by_its_age(
    outcomes: list[tuple[object, float, float, bool]],
) -> None:
    """By the definition: sum of w x x^T and w r x with w = 2^(-age / half-life).

    Sums that are read in between change nothing.
    """
    found, now_s = own(), 0.0
    rows, rewards, times = [], [], []
    for seen, reward, pause_s, read in outcomes:
        now_s += pause_s
        found.add(seen, reward, now_s=now_s)  # type: ignore[arg-type]
        row = np.zeros(WIDTH)
        row[seen.places] = seen.values  # type: ignore[attr-defined]
        rows.append(row)
        rewards.append(reward)
        times.append(now_s)
        if read:
            found.sums(now_s)
    x = np.array(rows).reshape(len(rows), WIDTH)
    weights = 2.0 ** -((now_s - np.array(times)) / 10.0)

    sums = found.sums(now_s)

    assert np.allclose(sums.gram, x.T @ (weights[:, None] * x), atol=1e-9)
    assert np.allclose(sums.moment, x.T @ (weights * np.array(rewards)), atol=1e-9)
    assert np.isclose(sums.requests, weights.sum())


def test_outcomes_that_wait_are_bounded() -> None:
    """A router whose sums nobody reads must not keep every outcome."""
    found = own()
    for _ in range(3 * ROWS_MAX):
        found.add(SIGHTS[0], 1.0, now_s=0.0)
        assert len(found._rows) <= ROWS_MAX

    assert found.sums(0.0).requests == 3 * ROWS_MAX


def test_no_outcome_is_lost_between_two_threads() -> None:
    """One adds while another reads: each outcome is in the sums once."""
    found, count = own(), 5_000
    done = threading.Event()

    def read() -> None:
        while not done.is_set():
            found.sums(0.0)

    reader = threading.Thread(target=read)
    reader.start()
    for _ in range(count):
        found.add(SIGHTS[1], 1.0, now_s=0.0)
    done.set()
    reader.join()

    assert found.sums(0.0).requests == count


def test_ages_beyond_any_number_leave_nothing() -> None:
    """A router that was idle for thousands of half-lives still starts again."""
    found = own(half_life_s=0.001)
    found.add(SIGHTS[0], 1.0, now_s=0.0)
    assert found.sums(1e6).requests == 0.0

    found.add(SIGHTS[0], 1.0, now_s=1e6)
    assert found.sums(1e6).requests == 1.0
