"""Figures of reports agree with published ones and with an independent accountant.

known_answers.json holds figures of dp-accounting 0.6.0 and of the test vectors of
google/differential-privacy at b5b0286 (Apache-2.0); the rule is stated in it.
"""

import json
import math
from fractions import Fraction
from pathlib import Path

import dp_accounting
import pytest

from federated_router.privacy.gaussian import gaussian_epsilon
from federated_router.privacy.report import (
    _rdp_epsilon,
)
from federated_router.privacy.step import (
    SelectionStep,
    Step,
)
from tests.unit.privacy.steps import TOKEN, epsilon_by, gaussian, laplace, rows_of

KNOWN = json.loads(Path(__file__).with_name("known_answers.json").read_text())
CHOICE = SelectionStep(
    sensitivity=Fraction("0.15"), temperature=Fraction(1), monotonic=False
)


def _from_known(events: list[list[object]]) -> list[tuple[Step, int]]:
    build = {"gauss": gaussian, "laplace": laplace}
    return [
        (build[str(kind)](float(str(scale))), int(str(count)))
        for kind, scale, count in events
    ]


def test_rdp_of_gaussians_lies_between_the_truth_and_googles_accountant() -> None:
    """108 known answers; below the tight epsilon would be a hole, above is waste."""
    for sigma, count, delta, tight, rdp in KNOWN["gaussian"]:
        ours = _rdp_epsilon({gaussian(sigma): count}, delta)

        assert tight - 1e-6 <= ours <= rdp * (1 + 1e-6), (sigma, count, delta)


def test_rdp_of_laplace_lies_between_the_truth_and_googles_accountant() -> None:
    """24 known answers, over four counts and six scales."""
    for scale, count, delta, _, tight, rdp in KNOWN["laplace"]:
        ours = _rdp_epsilon({laplace(scale): count}, delta)

        assert tight - 1e-6 <= ours <= rdp * (1 + 1e-6), (scale, count, delta)


@pytest.mark.parametrize("known", KNOWN["mixed"])
def test_mixed_histories_match_the_known_answers(known: dict[str, object]) -> None:
    """RDP by the rule; PLD within its grid of the reference's finer one."""
    events, delta = known["events"], float(str(known["delta"]))
    assert isinstance(events, list)
    rows = rows_of(*_from_known(events), delta=delta)
    tight, rdp = float(str(known["epsilon_pld"])), float(str(known["epsilon_rdp"]))

    assert rows["rdp"].epsilon is not None
    assert tight - 1e-6 <= rows["rdp"].epsilon <= rdp * (1 + 1e-6)
    assert rows["pld"].epsilon == pytest.approx(tight, abs=2e-5)


@pytest.mark.parametrize("row", range(0, 24, 4))
def test_pld_of_laplace_matches_the_known_answers(row: int) -> None:
    """Pessimistic on its grid, hence never visibly below the reference."""
    scale, count, delta, basic, tight, _ = KNOWN["laplace"][row]
    history = (laplace(scale), count)

    assert tight - 1e-6 <= epsilon_by("pld", history, delta=delta) <= tight + 3e-4
    assert epsilon_by("basic", history, delta=delta) == pytest.approx(basic, rel=1e-12)


def test_a_single_gaussian_has_its_analytic_epsilon() -> None:
    """Balle and Wang's calibration read backwards, and 108 composed Gaussians.

    n Gaussians of scale sigma are one of sigma / sqrt(n), so these answers are exact.
    """
    for epsilon, delta, sigma in KNOWN["gaussian_single"]:
        assert gaussian_epsilon(sigma, delta=delta) == pytest.approx(epsilon, rel=1e-8)
    for sigma, count, delta, tight, _ in KNOWN["gaussian"]:
        ratio = sigma / math.sqrt(count)
        assert gaussian_epsilon(ratio, delta=delta) == pytest.approx(tight, rel=1e-8)


@pytest.mark.parametrize("delta", [0.3, 1e-6, 1e-30])
@pytest.mark.parametrize("exponent", range(-5, 5))
def test_the_analytic_epsilon_holds_over_all_scales(
    exponent: int, delta: float
) -> None:
    """Against an independent implementation, from ruinous to unnoticeable."""
    ratio = 1.7 * 10.0**exponent
    reference = dp_accounting.get_epsilon_gaussian(ratio, delta)

    ours = gaussian_epsilon(ratio, delta=delta)

    assert ours == pytest.approx(reference, rel=1e-7, abs=1e-10)


def test_noise_beyond_all_digits_is_epsilon_zero_or_tiny() -> None:
    """Nothing divides by zero where doubles cannot tell two outcomes apart."""
    assert gaussian_epsilon(1e18, delta=1e-33) < 1e-9
    assert gaussian_epsilon(1e18, delta=1e-6) == 0.0


def test_the_reference_history_of_a_hundred_gaussians() -> None:
    """Exact 4.886554; zCDP and RDP 5.221534; basic 49.3; advanced between."""
    rows = rows_of((gaussian(10), 100))

    assert rows["pld"].epsilon == pytest.approx(4.886554, abs=2e-6)
    assert rows["zcdp"].epsilon == pytest.approx(5.221534, abs=1e-6)
    assert rows["rdp"].epsilon == pytest.approx(5.221534, abs=1e-6)
    assert rows["basic"].epsilon == pytest.approx(49.285, abs=1e-3)
    assert rows["advanced"].epsilon == pytest.approx(39.784, abs=1e-3)


@pytest.mark.parametrize(
    ("history", "rdp", "pld", "zcdp"),
    [
        ([(laplace(20), 50), (gaussian(10), 50)], 3.99515, 3.73461, 4.00291),
        ([(laplace(2), 10), (gaussian(8), 40)], 7.88762, 7.57947, None),
        ([(laplace(2), 10), (gaussian(8), 40), (CHOICE, 10)], 8.5011, None, 9.8106),
        ([(TOKEN, 500)], 12.4542, None, 12.4542),
    ],
)
def test_reference_histories(
    history: list[tuple[Step, int]],
    rdp: float,
    pld: float | None,
    zcdp: float | None,
) -> None:
    """The design's figures; its RDP searched fewer orders, so ours may be lower."""
    rows = rows_of(*history)

    assert rows["rdp"].epsilon == pytest.approx(rdp, abs=3e-4)
    assert rows["pld"].epsilon == (
        None if pld is None else pytest.approx(pld, abs=2e-5)
    )
    if zcdp is not None:
        assert rows["zcdp"].epsilon == pytest.approx(zcdp, abs=1e-4)


def test_pld_composition_of_gaussians_and_pure_sums_match_googles_vectors() -> None:
    """test_gaussian_basic and test_exponential_mechanism_basic of dp-accounting."""
    three = epsilon_by("pld", (gaussian(1.7320508075688772), 3), delta=0.126936)
    one, two = (
        SelectionStep(
            sensitivity=Fraction(1), temperature=Fraction(scale), monotonic=True
        )
        for scale in ("1", "0.5")
    )

    assert three == pytest.approx(1.0, abs=1e-4)
    assert epsilon_by("basic", (one, 1), (two, 1)) == 3.0
