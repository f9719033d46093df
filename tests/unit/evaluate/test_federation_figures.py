"""What a federation gains is told beside the same members alone, draw by draw."""

from pathlib import Path

import pytest

from tests.evaluate.federation_draws import Estimate, charged_epsilon
from tests.evaluate.federation_plot import Curve, Curves, Point, drawn
from tests.evaluate.sharing import plan_of
from tests.evaluate.unencrypted import noise_at, noise_of


def test_gain_is_of_each_draw_beside_its_own_division() -> None:
    """Divisions differ by .1, the round adds .02 to each: that is known exactly."""
    after = Point(Estimate((0.62, 0.72)), charged=1.0)
    curve = Curve(4, Estimate((0.6, 0.7)), {1.0: after})

    assert curve.gain(1.0).mean == pytest.approx(0.02)
    assert curve.gain(1.0).standard_error == pytest.approx(0)
    assert after.apgr.standard_error == pytest.approx(0.05)


def test_a_round_costs_what_it_may_until_shares_are_as_small_as_they_get() -> None:
    """Sixty-four least shares add up to more noise than epsilon 8 asks for."""
    assert charged_epsilon(noise_at(0.5, 64)) == pytest.approx(0.5, abs=0.01)
    assert charged_epsilon(noise_at(8.0, 64)) == pytest.approx(1.0, abs=0.05)
    assert noise_at(8.0, 64).scale > noise_of(plan_of(4, 8.0)).scale


def test_plot_is_drawn(tmp_path: Path) -> None:
    """A single epsilon and a single draw must not stop the plot."""
    curve = Curve(4, Estimate((0.6,)), {1.0: Point(Estimate((0.62,)), charged=0.5)})

    drawn(tmp_path / "plot.png", Curves(Estimate((0.65,)), (curve,) * 3))

    assert (tmp_path / "plot.png").stat().st_size > 10_000
