"""The protocol of the evaluation gives known figures for routers that are known."""

import numpy as np
import pytest

from federated_router.priors.prompt import prompt_of
from tests.evaluate.mmlu import Questions, routed
from tests.evaluate.sharing import divided, noise_scale

SIZE = 4_000


def outcomes() -> tuple[np.ndarray, np.ndarray]:
    """Return outcomes of a weak model, right .6 of times, and of one always right."""
    weak = (np.arange(SIZE) % 10 < 6).astype(float)
    return weak, np.ones(SIZE)


def test_coin_has_half_the_area() -> None:
    """A router that knows nothing gains what it pays; three deviations are .05."""
    weak, strong = outcomes()

    found = routed(np.random.default_rng(1).random(SIZE), weak, strong)

    assert found.apgr == pytest.approx(0.5, abs=0.05)
    assert found.cpt50 == pytest.approx(50, abs=5)


def test_router_that_knows_the_answer_calls_only_where_it_helps() -> None:
    """40 % of calls close the gap: .5 of it takes 20 %, and the area is .8."""
    weak, strong = outcomes()

    found = routed(strong - weak + 1e-6 * np.arange(SIZE), weak, strong)

    assert found.apgr == pytest.approx(0.8, abs=0.01)
    assert (found.cpt50, found.cpt80) == pytest.approx((20, 32), abs=0.5)


def test_router_that_is_always_wrong_is_worse_than_a_coin() -> None:
    """The sign of a score counts: reversed, the figures show it."""
    weak, strong = outcomes()

    assert routed(weak - strong + 1e-6 * np.arange(SIZE), weak, strong).apgr < 0.3


def test_no_tested_text_was_trained_on() -> None:
    """MMLU repeats some questions; a router must not be asked what it was told."""
    texts = tuple(f"question {number % 50}" for number in range(100))
    found = Questions(
        prompts=tuple(prompt_of([text]) for text in texts),
        texts=texts,
        subjects=tuple(str(number % 5) for number in range(100)),
        weak=np.ones(100),
        strong=np.ones(100),
    )

    train, test = found.split(1, training=30)

    assert not {texts[one] for one in train} & {texts[one] for one in test}
    assert len(train) == 30
    parts = divided(found, train, 4, seed=1)
    assert sorted(int(one) for part in parts for one in part) == sorted(train.tolist())


def test_noise_grows_as_epsilon_shrinks() -> None:
    """Three blocks at epsilon 1 and delta 1e-6: rho .0243, noise 7.85."""
    assert noise_scale(1.0) == pytest.approx(7.85, abs=0.1)
    assert noise_scale(0.5) > 1.8 * noise_scale(1.0)
