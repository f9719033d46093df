"""The draw follows its parameters and its own seed alone."""

import pytest
import torch

from federated_router.kit.errors import Internal
from node.engine.decoding import TokenDraw, keep_top_k, keep_top_p
from node.engine.engine import Sampling

LOGITS = torch.log(torch.tensor([0.5, 0.3, 0.15, 0.05]))


def test_temperature_zero_takes_the_largest() -> None:
    """Greedy decoding has no chance in it."""
    draw = TokenDraw(Sampling(tokens_max=1))

    assert {draw.choose(LOGITS) for _ in range(20)} == {0}


def test_equal_seeds_draw_equal_tokens() -> None:
    """A seed reproduces an answer; another seed gives another."""
    hot = Sampling(tokens_max=1, temperature=1.0, seed=2**64 - 1)
    first, second = TokenDraw(hot), TokenDraw(hot)
    other = TokenDraw(Sampling(tokens_max=1, temperature=1.0, seed=1))

    drawn = [first.choose(LOGITS) for _ in range(60)]

    assert drawn == [second.choose(LOGITS) for _ in range(60)]
    assert drawn != [other.choose(LOGITS) for _ in range(60)]


def test_draws_leave_the_global_generator_alone() -> None:
    """Whoever else uses torch's generator must not be steered by requests."""
    before = torch.random.get_rng_state()

    TokenDraw(Sampling(tokens_max=1, temperature=1.0, seed=3)).choose(LOGITS)

    assert torch.equal(before, torch.random.get_rng_state())


def test_unseeded_draws_differ() -> None:
    """Without a seed none can foresee the answer; equal by chance below 1e-12."""
    hot = Sampling(tokens_max=1, temperature=1.0)
    flat = torch.zeros(1000)

    first, second = ([TokenDraw(hot).choose(flat) for _ in range(5)] for _ in "ab")

    assert first != second


def test_drawn_frequencies_follow_the_temperature() -> None:
    """Temperature 1 means the model's own distribution.

    20,000 seeded draws; a share errs by more than 0.02 with chance below 1e-8. A draw
    at temperature 2 would miss the first share by 0.12.
    """
    draw = TokenDraw(Sampling(tokens_max=1, temperature=1.0, seed=11))

    counts = torch.bincount(torch.tensor([draw.choose(LOGITS) for _ in range(20_000)]))

    assert torch.allclose(counts / 20_000, LOGITS.exp(), atol=0.02)


def test_top_k_keeps_the_largest_k() -> None:
    """The others can never be drawn."""
    assert torch.isfinite(keep_top_k(LOGITS, 2)).tolist() == [True, True, False, False]
    assert torch.equal(keep_top_k(LOGITS, 0), LOGITS)
    assert torch.equal(keep_top_k(LOGITS, 9), LOGITS)


@pytest.mark.parametrize(("top_p", "kept"), [(0.01, 1), (0.5, 1), (0.51, 2), (0.9, 3)])
def test_top_p_keeps_the_fewest_that_reach_the_mass(top_p: float, kept: int) -> None:
    """At least one token always remains."""
    assert int(torch.isfinite(keep_top_p(LOGITS.double(), top_p)).sum()) == kept


def test_logits_that_are_no_numbers_are_refused() -> None:
    """A broken pass must not become a token."""
    draw = TokenDraw(Sampling(tokens_max=1))

    with pytest.raises(Internal):
        draw.choose(torch.tensor([0.0, float("nan")]))
