"""A statistical audit of drawn tokens, and the broken mechanisms that it must reject.

The adversarial pair: a flat public row over 8 tokens; one record pushes half of them up
and half down as hard as the clip allows; its neighbour is null. In the null world each
half has probability 1/2, so a mechanism of bounded range eta gives either half at least
1 / (1 + e^eta): no event may lose more than ln((1 + e^eta) / 2) nats.

The audit bounds each half's probability in both worlds by Clopper-Pearson intervals and
rejects when even the mildest values in them exceed that loss. Four intervals at 0.9995
two-sided keep the chance of rejecting a right mechanism below 0.002. The harness draws
from a seeded generator, so that each verdict here is the same on every run.
"""

import math
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, replace
from decimal import Decimal
from random import Random

import numpy as np
import opendp.prelude as dp
import pytest
from numpy.typing import NDArray
from scipy import stats

from federated_router.privacy.policy import PrivatePolicy
from node.private import token_mechanism
from node.private.token_mechanism import RandomBelow, candidates, token_weights

Array = NDArray[np.float64]
Live = NDArray[np.bool_]
Steps = Callable[[PrivatePolicy, Array, Array, Live], NDArray[np.int64]]

VOCABULARY = 8
DRAWS = 20_000
INTERVAL_ERROR = 0.0005
UP = np.arange(VOCABULARY) < VOCABULARY // 2
PUBLIC = np.zeros(VOCABULARY)
ETA = 2 * 0.66 / 7
ALLOWED_LOSS = math.log((1 + math.exp(ETA)) / 2)


@dataclass(frozen=True)
class Verdict:
    """What the audit found: the loss, in nats, that the draws prove."""

    loss_at_least: float

    @property
    def rejected(self) -> bool:
        """Return whether the mechanism certainly loses more than allowed."""
        return self.loss_at_least > ALLOWED_LOSS


def test_audit_accepts_the_mechanism(paper: PrivatePolicy) -> None:
    """The loss that can be proved from draws lies between half and all of the bound."""
    verdict = _audit(paper, draws=DRAWS)

    assert not verdict.rejected
    assert verdict.loss_at_least > 0.25 * ALLOWED_LOSS


def test_audit_accepts_a_policy_that_is_four_times_as_private(
    paper: PrivatePolicy,
) -> None:
    """A test of the test: half the clip must not look like a violation."""
    verdict = _audit(replace(paper, clip=Decimal("0.33")), draws=DRAWS)

    assert not verdict.rejected


def _raw(public: Array, slots: Array, live: Live) -> Array:
    return np.where(live[:, None], (slots - public) * 2.0**16, 0.0)


def _unclipped(
    _: PrivatePolicy, public: Array, slots: Array, live: Live
) -> NDArray[np.int64]:
    return np.rint(_raw(public, slots, live)).astype(np.int64)


def _clipped_after_mean(
    policy: PrivatePolicy, public: Array, slots: Array, live: Live
) -> NDArray[np.int64]:
    bound = float(policy.clip_exact * 2**16)
    mean = np.clip(_raw(public, slots, live).mean(axis=0), -bound, bound)
    return np.rint(mean * policy.slots)[None, :].astype(np.int64)


def _doubled(
    policy: PrivatePolicy, public: Array, slots: Array, live: Live
) -> NDArray[np.int64]:
    return 2 * REAL_STEPS(policy, public, slots, live)


def _undivided(
    policy: PrivatePolicy, public: Array, slots: Array, live: Live
) -> NDArray[np.int64]:
    return policy.slots * REAL_STEPS(policy, public, slots, live)


def _null_as_model_call(
    policy: PrivatePolicy, public: Array, slots: Array, live: Live
) -> NDArray[np.int64]:
    # The dummy record's row of `_draws` is used, as if a model call defined null.
    return REAL_STEPS(policy, public, slots, live | True)


REAL_STEPS = token_mechanism._clipped_steps


@pytest.mark.parametrize(
    ("broken", "draws"),
    [
        (_unclipped, DRAWS),
        (_clipped_after_mean, DRAWS),
        (_doubled, DRAWS),
        (_undivided, 5_000),
        (_null_as_model_call, DRAWS),
    ],
)
def test_audit_rejects_a_broken_sensitivity(
    paper: PrivatePolicy, monkeypatch: pytest.MonkeyPatch, broken: Steps, draws: int
) -> None:
    """Each of these was a published or plausible defect; each must be caught."""
    monkeypatch.setattr(token_mechanism, "_clipped_steps", broken)

    verdict = _audit(paper, draws=draws)

    assert verdict.rejected


def test_audit_rejects_candidates_taken_from_private_logits(
    paper: PrivatePolicy,
) -> None:
    """Top-k after aggregation lets one record remove tokens: an infinite loss."""

    def private_top_k(policy: PrivatePolicy, slots: Array, live: Live) -> Array:
        return _raw(PUBLIC, slots, live).mean(axis=0) + PUBLIC * policy.slots

    verdict = _audit(replace(paper, top_k=4), draws=DRAWS, ranked_by=private_top_k)

    assert verdict.rejected


def test_draws_fit_the_exact_softmax(paper: PrivatePolicy) -> None:
    """Chi-square of 100 000 draws, level 1e-3, seeded."""
    public = np.linspace(0.0, -4.0, VOCABULARY)

    p_value = _softmax_p_value(paper, public, _seeded(20250), 100_000)

    assert p_value > 1e-3


def test_a_fixed_seed_is_rejected_by_the_same_fit(paper: PrivatePolicy) -> None:
    """A generator that restarts repeats one token, whatever the records say."""
    public = np.linspace(0.0, -4.0, VOCABULARY)

    def restarting(below: int) -> int:
        return _seeded(42)(below)

    p_value = _softmax_p_value(paper, public, restarting, 1_000)

    assert p_value < 1e-9


def test_draws_agree_with_the_exact_sampler_of_opendp(paper: PrivatePolicy) -> None:
    """Two-sample chi-square against an independent exponential mechanism.

    OpenDP draws OS randomness, so a right sampler fails once in a million runs.
    """
    public, draws = np.array([0.0, -0.5, -1.0, -1.5, -2.0, -2.5, -3.0, -3.5]), 4_000
    dp.enable_features("contrib")
    noisy_max = dp.m.make_noisy_max(
        dp.vector_domain(dp.atom_domain(T=float, nan=False)),
        dp.linf_distance(T=float),
        dp.zero_concentrated_divergence(),
        scale=1.0,
    )
    weights = _weigh(paper, public, np.tile(public, (7, 1)), np.ones(7, np.bool_))
    random_below = _seeded(7)

    ours = Counter(weights.draw(random_below=random_below) for _ in range(draws))
    theirs = Counter(int(noisy_max(public.tolist())) for _ in range(draws))

    table = [
        [counts[token] for token in range(VOCABULARY)] for counts in (ours, theirs)
    ]
    assert stats.chi2_contingency(table).pvalue > 1e-6


def _seeded(seed: int) -> RandomBelow:
    """Return the harness's repeatable source; the product has none."""
    return Random(seed).randrange  # noqa: S311


def _weigh(
    policy: PrivatePolicy, public: Array, slots: Array, live: Live
) -> token_mechanism.TokenWeights:
    ids = candidates(policy, public)
    return token_weights(
        policy, token_ids=ids, public=public[ids], slots=slots[:, ids], live=live
    )


def _draws(
    policy: PrivatePolicy,
    *,
    present: bool,
    draws: int,
    ranked_by: Callable[[PrivatePolicy, Array, Live], Array] | None,
) -> int:
    """Return how many of `draws` tokens came from the upper half."""
    # Slot 0 holds the record or its dummy; a dummy's row differs from the public one.
    record = np.where(UP, 100.0, -100.0) if present else np.where(UP, -100.0, 100.0)
    slots = np.vstack((record, np.tile(PUBLIC, (policy.slots - 1, 1))))
    live = np.arange(policy.slots) < (1 if present else 0)
    ranking = PUBLIC if ranked_by is None else ranked_by(policy, slots, live)
    ids = candidates(policy, ranking)
    weights = token_weights(
        policy, token_ids=ids, public=PUBLIC[ids], slots=slots[:, ids], live=live
    )
    random_below = _seeded(20 + present)
    return sum(bool(UP[weights.draw(random_below=random_below)]) for _ in range(draws))


def _audit(
    policy: PrivatePolicy,
    *,
    draws: int,
    ranked_by: Callable[[PrivatePolicy, Array, Live], Array] | None = None,
) -> Verdict:
    with_record = _draws(policy, present=True, draws=draws, ranked_by=ranked_by)
    without = _draws(policy, present=False, draws=draws, ranked_by=ranked_by)
    losses = [
        _loss_at_least(more, less, draws)
        for more, less in (
            (with_record, without),
            (without, with_record),
            (draws - with_record, draws - without),
            (draws - without, draws - with_record),
        )
    ]
    return Verdict(max(losses))


def _loss_at_least(more: int, less: int, draws: int) -> float:
    """Return ln(p / q) at the mildest p and q in their Clopper-Pearson intervals."""
    low = stats.beta.ppf(INTERVAL_ERROR / 2, more, draws - more + 1) if more else 0.0
    high = (
        stats.beta.ppf(1 - INTERVAL_ERROR / 2, less + 1, draws - less)
        if less < draws
        else 1.0
    )
    return math.log(low / high) if low > 0 else -math.inf


def _softmax_p_value(
    policy: PrivatePolicy, public: Array, random_below: RandomBelow, draws: int
) -> float:
    """Return the chi-square p-value of many draws against float64 softmax."""
    slots = np.tile(public, (policy.slots, 1))
    weights = _weigh(policy, public, slots, np.ones(policy.slots, np.bool_))
    counts = Counter(weights.draw(random_below=random_below) for _ in range(draws))
    expected = np.exp(public) / np.exp(public).sum() * draws
    observed = [counts[token] for token in range(VOCABULARY)]
    return float(stats.chisquare(observed, expected).pvalue)
