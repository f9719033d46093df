"""The draw follows its parameters and its own seed alone."""

import math
from collections.abc import Callable

import pytest
import torch
from hypothesis import assume, given
from hypothesis import strategies as st
from scipy.stats import chi2
from transformers import RepetitionPenaltyLogitsProcessor

from federated_router.kit.errors import Internal
from node.engine.decoding import (
    Choice,
    TokenDraw,
    choose_all,
    drawn_by_mass,
    keep_top_k,
    keep_top_p,
    penalise,
)
from node.engine.engine import Sampling

LOGITS = torch.log(torch.tensor([0.5, 0.3, 0.15, 0.05]))


def rounded_mass(weights: torch.Tensor, generator: torch.Generator) -> int:
    """Draw as `drawn_by_mass` does, but from a mass in bfloat16."""
    mass = weights.to(torch.bfloat16).cumsum(dim=-1)
    uniform = torch.rand((), generator=generator, dtype=torch.float64)
    at = int(torch.searchsorted(mass.double(), uniform * mass[-1].double(), right=True))
    return min(at, len(mass) - 1)


def test_temperature_zero_takes_the_largest() -> None:
    """Greedy decoding has no chance in it."""
    draw = TokenDraw(Sampling(tokens_max=1))

    assert {draw.choose(LOGITS).token_id for _ in range(20)} == {0}


def test_equal_seeds_draw_equal_tokens() -> None:
    """A seed reproduces an answer; another seed gives another."""
    hot = Sampling(tokens_max=1, temperature=1.0, seed=2**64 - 1)
    first, second = TokenDraw(hot), TokenDraw(hot)
    other = TokenDraw(Sampling(tokens_max=1, temperature=1.0, seed=1))

    drawn = [first.choose(LOGITS).token_id for _ in range(60)]

    assert drawn == [second.choose(LOGITS).token_id for _ in range(60)]
    assert drawn != [other.choose(LOGITS).token_id for _ in range(60)]


def test_draws_leave_the_global_generator_alone() -> None:
    """Whoever else uses torch's generator must not be steered by requests."""
    before = torch.random.get_rng_state()

    TokenDraw(Sampling(tokens_max=1, temperature=1.0, seed=3)).choose(LOGITS)

    assert torch.equal(before, torch.random.get_rng_state())


def test_unseeded_draws_differ() -> None:
    """Without a seed none can foresee the answer; equal by chance below 1e-12."""
    hot = Sampling(tokens_max=1, temperature=1.0)
    flat = torch.zeros(1000)

    first, second = (
        [TokenDraw(hot).choose(flat).token_id for _ in range(5)] for _ in "ab"
    )

    assert first != second


def test_drawn_frequencies_follow_the_temperature() -> None:
    """Temperature 1 means the model's own distribution.

    20,000 seeded draws; a share errs by more than 0.02 with chance below 1e-8. A draw
    at temperature 2 would miss the first share by 0.12.
    """
    draw = TokenDraw(Sampling(tokens_max=1, temperature=1.0, seed=11))

    counts = torch.bincount(
        torch.tensor([draw.choose(LOGITS).token_id for _ in range(20_000)])
    )

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


@given(
    logits=st.lists(st.floats(-9, 9, width=32), min_size=8, max_size=8),
    seen=st.lists(st.integers(0, 7), min_size=1, max_size=8),
    penalty=st.floats(0.05, 2.0),
)
def test_penalty_is_that_of_transformers(
    logits: list[float], seen: list[int], penalty: float
) -> None:
    """Whoever moves here from `generate` finds the same parameter."""
    row = torch.tensor(logits, dtype=torch.float64)
    theirs = RepetitionPenaltyLogitsProcessor(penalty)(
        torch.tensor([seen]), row.clone()[None]
    )

    assert torch.allclose(penalise(row, set(seen), penalty), theirs[0])


def test_penalty_counts_the_prompt_and_what_was_drawn() -> None:
    """Greedy: at equal logits the first token is taken, unless it was said already."""
    draw = TokenDraw(Sampling(tokens_max=9, repetition_penalty=1.5), prompt_ids=[0])
    flat = torch.ones(4)

    assert [draw.choose(flat).token_id for _ in range(3)] == [1, 2, 3]


def test_log_probabilities_are_the_models_own() -> None:
    """They are told before temperature and top-k, which is what evaluations need."""
    sampling = Sampling(tokens_max=1, temperature=0.1, top_k=1, logprobs=3)

    logprob = TokenDraw(sampling).choose(LOGITS).logprob

    assert logprob is not None
    assert logprob.token_id == 0
    assert math.exp(logprob.logprob) == pytest.approx(0.5)
    assert [token_id for token_id, _ in logprob.alternatives] == [0, 1, 2]
    likeliest = [math.exp(value) for _, value in logprob.alternatives]
    assert likeliest == pytest.approx([0.5, 0.3, 0.15])


def test_no_alternatives_still_tell_the_token() -> None:
    """0 asks for the drawn token's own log probability, and for nothing beside it."""
    logprob = TokenDraw(Sampling(tokens_max=1, logprobs=0)).choose(LOGITS).logprob

    assert logprob is not None
    assert logprob.alternatives == ()


def test_rows_of_a_batch_are_chosen_each_by_its_own_terms() -> None:
    """A row that holds NaN, or whose draw fails, fails alone."""
    rows = torch.stack([LOGITS, LOGITS.flip(0), LOGITS, LOGITS])
    rows[2, 1] = float("nan")
    draws = [TokenDraw(Sampling(tokens_max=1)) for _ in range(4)]
    draws[3] = TokenDraw(Sampling(tokens_max=1, temperature=1.0, seed=1))
    draws[3].choose = None  # type: ignore[assignment,method-assign]

    first, second, third, fourth = choose_all(draws, rows)

    assert (first, second) == (Choice(0), Choice(3))
    assert isinstance(third, Internal)
    assert isinstance(fourth, TypeError)


@pytest.mark.parametrize("drawn_by", [drawn_by_mass, rounded_mass])
def test_draws_match_their_distribution(
    drawn_by: Callable[[torch.Tensor, torch.Generator], int],
) -> None:
    """Chi-square over 200 tokens and 40,000 seeded draws.

    A sound draw fails with chance 1e-6. One that cumulates in the model's bfloat16,
    which loses the small weights, must be caught.
    """
    weights = torch.softmax(torch.linspace(0, 6, 200, dtype=torch.float64), dim=-1)
    generator, draws = torch.Generator().manual_seed(17), 40_000
    bound = float(chi2.ppf(1 - 1e-6, df=len(weights) - 1))

    drawn = torch.tensor([drawn_by(weights, generator) for _ in range(draws)])

    wanted = weights * draws
    counts = torch.bincount(drawn, minlength=len(weights))
    statistic = float(((counts - wanted) ** 2 / wanted).sum())
    assert (statistic <= bound) is (drawn_by is drawn_by_mass)


@given(
    weights=st.lists(st.sampled_from((0.0, 1e-300, 0.5, 1.0)), min_size=1, max_size=6),
    seed=st.integers(0, 99),
)
def test_token_without_weight_is_never_drawn(weights: list[float], seed: int) -> None:
    """What top-k and top-p leave out stays out, at the edges too."""
    assume(any(weights))
    generator = torch.Generator().manual_seed(seed)
    masses = torch.tensor(weights, dtype=torch.float64)

    assert weights[drawn_by_mass(masses, generator)] > 0


def test_number_rounded_up_to_the_whole_mass_draws_the_last_token(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The uniform number is below one, but its product with the mass may round up."""
    monkeypatch.setattr(torch, "rand", lambda *_, **__: torch.tensor(1.0))

    assert drawn_by_mass(torch.tensor([0.5, 0.5, 0.0]), torch.Generator()) == 1
