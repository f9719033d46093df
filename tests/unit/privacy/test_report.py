"""Reports say what their figures are worth, and bound what computing them costs."""

import math
from decimal import Decimal
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from federated_router.kit.errors import FieldInvalid
from federated_router.privacy.report import (
    STEPS_MAX,
    _advanced_epsilon,
    _basic_epsilon,
    _history,
    _rdp_epsilon,
    compositions,
    pure_epsilon,
)
from federated_router.privacy.step import (
    DiscreteLaplaceStep,
    NoisedSumStep,
    SelectionStep,
    Step,
    TokenStep,
)
from tests.unit.privacy.steps import TOKEN, epsilon_by, gaussian, laplace, rows_of

METHODS = ("zcdp", "rdp", "pld", "basic", "advanced")
CHOICE = SelectionStep(
    sensitivity=Fraction("0.15"), temperature=Fraction(1), monotonic=False
)
SUM = NoisedSumStep(sensitivity_squared=1, share_sigma=5.0, shares_min=4, length=10)


def test_advanced_composition_is_the_published_formula() -> None:
    """200 releases of epsilon 0.1 at delta 1e-6: 0.9992 + min(7.5261, 7.4339)."""
    step = SelectionStep(
        sensitivity=Fraction("0.05"), temperature=Fraction(1), monotonic=False
    )
    mean = 200 * 0.1 * math.tanh(0.05)
    tail = math.sqrt(2 * 200 * 0.01 * math.log(math.e + math.sqrt(2.0) / 1e-6))
    other = math.sqrt(2 * 200 * 0.01 * math.log(1e6))

    assert epsilon_by("advanced", (step, 200)) == pytest.approx(mean + min(tail, other))
    assert epsilon_by("advanced", (step, 2)) == epsilon_by("basic", (step, 2))


def test_discrete_laplace_counts_match_their_own_distribution() -> None:
    """Counts of sensitivity 1 at scale 1 are randomised response: tanh, not 1/e.

    One run at (epsilon, delta) has epsilon ln(e - delta (e + 1)) in closed form.
    """
    step = DiscreteLaplaceStep(sensitivity=Fraction(1), scale=Fraction(1))
    exact = math.log(math.e - 1e-3 * (math.e + 1))

    assert epsilon_by("pld", (step, 1), delta=1e-3) == pytest.approx(exact, abs=1e-3)
    assert epsilon_by("pld", (step, 1), delta=1e-3) >= exact - 1e-9


@given(
    events=st.lists(
        st.tuples(
            st.sampled_from([TOKEN, CHOICE, SUM, gaussian(4), laplace(3), laplace(40)]),
            st.integers(0, 200),
        ),
        max_size=4,
    ),
    delta=st.sampled_from([1e-4, 1e-9]),
)
def test_methods_keep_their_order_whatever_the_history(
    events: list[tuple[Step, int]], delta: float
) -> None:
    """More orders cannot be worse than zCDP's one curve; nothing exceeds adding up.

    PLD is left out: it takes too long here, and others test it.
    """
    history = _history(events)
    if not history:
        return
    zcdp = compositions([(SUM, 0), *events, (TOKEN, 1)], delta=delta)[0].epsilon
    more = _history([*events, (TOKEN, 1)])
    assert zcdp is not None

    assert _rdp_epsilon(more, delta) <= zcdp * (1 + 1e-9)
    assert _rdp_epsilon(history, delta) <= _rdp_epsilon(more, delta) * (1 + 1e-9)
    assert _advanced_epsilon(history, delta) <= _basic_epsilon(history, delta)


def test_rows_come_in_one_order_and_say_what_they_are_worth() -> None:
    """A reader must not take an estimate for the guarantee."""
    rows = compositions([(gaussian(10), 3)], delta=1e-6)

    assert tuple(row.method for row in rows) == METHODS
    assert "theorem is the account's limit" in rows[0].note
    assert all("estimate" in row.note for row in rows[:3])
    assert all("comparison" in row.note for row in rows[3:])


def test_an_untouched_account_has_spent_nothing_by_any_method() -> None:
    """Also where steps were held and then released: a count of 0."""
    rows = compositions([(TOKEN, 0)], delta=1e-6)

    assert [(row.method, row.epsilon) for row in rows] == [(m, 0.0) for m in METHODS]


def test_the_same_step_in_several_entries_is_one_history() -> None:
    """The ledger has an entry a request; a report must not depend on the cutting."""
    parts = [(gaussian(10), 30), (laplace(20), 5), (gaussian(10), 70)]
    whole = [(gaussian(10), 100), (laplace(20), 5)]

    assert compositions(parts, delta=1e-6) == compositions(whole, delta=1e-6)


@pytest.mark.parametrize(
    ("history", "delta", "why"),
    [
        ([(TOKEN, 1)], 1e-6, "Gaussian and Laplace steps only"),
        ([(SUM, 1), (gaussian(2), 1)], 1e-6, "Gaussian and Laplace steps only"),
        ([(laplace(2), 1)], 1e-13, "1e-12"),
        ([(laplace(2 + n), 1) for n in range(33)], 1e-6, "more than 32"),
        ([(laplace(20), 10**6), (gaussian(10), 10**6)], 1e-6, "too large"),
        ([(gaussian(0.001), 1)], 1e-6, "too large"),
        ([(laplace(10**4), 1), (laplace(1), 9)], 1e-6, "too fine"),
        (
            [
                (
                    DiscreteLaplaceStep(
                        sensitivity=Fraction("1.5"), scale=Fraction(10)
                    ),
                    1,
                )
            ],
            1e-6,
            "whole number",
        ),
    ],
)
def test_a_figure_that_is_not_computed_says_why(
    history: list[tuple[Step, int]], delta: float, why: str
) -> None:
    """No figure is better than one that takes minutes or means something else."""
    row = rows_of(*history, delta=delta)["pld"]

    assert row.epsilon is None
    assert why in row.note


def test_long_reports_have_a_limit() -> None:
    """Above it only the sum that the gate keeps is shown."""
    history = [(laplace(2 + n / 1000), 1) for n in range(STEPS_MAX + 1)]

    rows = rows_of(*history)

    assert rows["zcdp"].epsilon is not None
    assert [rows[method].epsilon for method in METHODS[1:]] == [None] * 4


def test_the_most_different_steps_are_computed() -> None:
    """The limit itself is served: 32 scales."""
    history = [(laplace(4 + n), 1) for n in range(32)]

    tight, rdp = epsilon_by("pld", *history), epsilon_by("rdp", *history)

    assert 0.8 * rdp < tight < rdp


@pytest.mark.parametrize("delta", [0.0, -1e-6, 0.6, math.nan, 1e-31])
def test_a_delta_that_means_nothing_is_refused(delta: float) -> None:
    """Every figure is an epsilon at this delta."""
    with pytest.raises(FieldInvalid):
        compositions([(TOKEN, 1)], delta=delta)


def test_a_negative_count_is_refused() -> None:
    """A refund is a release of what was held, never a run that did not happen."""
    with pytest.raises(FieldInvalid):
        compositions([(TOKEN, -1)], delta=1e-6)


@pytest.mark.parametrize(
    ("step", "epsilon"),
    [
        (TOKEN, 2 * 0.66 / 7),
        (CHOICE, 0.3),
        (laplace(2), 0.5),
        (DiscreteLaplaceStep(sensitivity=Fraction(3), scale=Fraction(2)), 1.5),
        (gaussian(2), None),
        (SUM, None),
    ],
)
def test_pure_steps_know_their_largest_loss(step: Step, epsilon: float | None) -> None:
    """Gaussian noise has no largest loss, and takes its epsilon at a delta."""
    assert pure_epsilon(step) == (None if epsilon is None else pytest.approx(epsilon))


def test_a_retrieved_record_and_several_of_a_person_widen_the_range() -> None:
    """Twice and m times as far, as in the charge: 4 m^2 there."""
    widened = TokenStep(
        slots=7,
        clip=Decimal("0.66"),
        temperature=Decimal(1),
        multiplier=4,
        records_per_subject=3,
    )

    assert pure_epsilon(widened) == pytest.approx(6 * 2 * 0.66 / 7)
