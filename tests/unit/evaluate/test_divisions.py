"""What settings are picked on is apart from what figures are tested on."""

import numpy as np
import pytest

from federated_router.priors.prompt import prompt_of
from tests.evaluate.federation_draws import Estimate
from tests.evaluate.mmlu import APART, Questions

TEXTS = tuple(f"question {number % 700}" for number in range(1_000))


@pytest.fixture
def found() -> Questions:
    """Return questions of which 300 come twice."""
    return Questions(
        prompts=tuple(prompt_of([text]) for text in TEXTS),
        texts=TEXTS,
        subjects=("one",) * len(TEXTS),
        weak=np.arange(len(TEXTS), dtype=np.float64),
        strong=np.arange(len(TEXTS), dtype=np.float64),
    )


def test_no_text_that_settings_were_picked_on_is_in_a_figure(found: Questions) -> None:
    """A question that stands there twice must not be on both sides."""
    picking, figures = found.apart()

    assert not set(picking.texts) & set(figures.texts)
    both = sorted([*picking.weak.tolist(), *figures.weak.tolist()])
    assert both == found.weak.tolist()


def test_a_quarter_is_set_apart_always_the_same(found: Questions) -> None:
    """Drawn by a hash: within five deviations of a quarter, and never otherwise."""
    picking, _ = found.apart()
    deviation = np.sqrt(700 / APART * (1 - 1 / APART)) / 700

    assert picking.texts == found.apart()[0].texts
    share = len(set(picking.texts)) / 700
    assert share == pytest.approx(1 / APART, abs=5 * deviation)


def test_outcomes_stay_with_their_questions(found: Questions) -> None:
    """A question taken out keeps its own prompt and outcomes."""
    _, figures = found.apart()

    for text, prompt, weak in zip(
        figures.texts, figures.prompts, figures.weak, strict=True
    ):
        assert prompt == prompt_of([text])
        assert TEXTS[int(weak)] == text


def test_standard_error_shrinks_with_the_root_of_draws() -> None:
    """Of 1, 2, 3 the deviation is 1: over three draws 1 / sqrt(3)."""
    assert Estimate((1.0, 2.0, 3.0)).mean == 2.0
    assert Estimate((1.0, 2.0, 3.0)).standard_error == pytest.approx(3**-0.5)
    assert np.isnan(Estimate((1.0,)).standard_error)
    assert Estimate((0.61, 0.63)).shown == ".620 ± .010"
