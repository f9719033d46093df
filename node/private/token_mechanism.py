"""The exponential mechanism that draws one token from many private contexts.

Decides which token is released, from logits alone; refuses to know models, records,
budgets and time. Pure: integers in exact arithmetic, randomness as an argument.

The mechanism is InvisibleInk (Vinod, Pillutla and Thakurta 2025, arXiv 2507.02974):
clipped differences to a public row, candidates from the public row only, softmax at
temperature tau. Replacing one slot by null moves every utility by at most C/B, because
a null slot contributes exactly zero here, whatever the model computes for it.
"""

import math
import secrets
from bisect import bisect_right
from collections.abc import Callable
from dataclasses import dataclass, field
from itertools import accumulate

import numpy as np
from numpy.typing import NDArray

from federated_router.kit.errors import Internal
from federated_router.privacy.policy import PrivatePolicy

STEPS_PER_NAT = 1 << 16
WEIGHT_BITS = 256
# Utilities more than this below the best one count as this far below. Clamping the
# utility, rather than the weight, keeps its sensitivity and keeps every candidate
# possible; together such tokens appear less than once in 10^22 draws.
UTILITY_SPAN_NATS = 64
_PUBLIC_LOGIT_MAX = float(1 << 30)

Logits = NDArray[np.floating]
TokenIds = NDArray[np.intp]
Live = NDArray[np.bool_]
RandomBelow = Callable[[int], int]


@dataclass(frozen=True, slots=True)
class TokenWeights:
    """Candidates and their integer weights; secret, because they derive from records.

    `token_ids` ascend; the probability of each is its weight over the sum.
    """

    token_ids: tuple[int, ...]
    weights: tuple[int, ...] = field(repr=False)

    def draw(self, *, random_below: RandomBelow = secrets.randbelow) -> int:
        """Return one token id; `random_below(n)` is uniform on 0 to n - 1.

        The default asks the operating system for every draw and buffers nothing, so
        a forked process cannot repeat it.
        """
        cumulative = list(accumulate(self.weights))
        return self.token_ids[bisect_right(cumulative, random_below(cumulative[-1]))]


def candidates(policy: PrivatePolicy, public: Logits) -> TokenIds:
    """Return the ascending token ids that may be drawn: top-k+ of the public row.

    `public` has shape (V,). The k-th largest logit minus 2C/B is the threshold, so
    that tokens which the records could lift into the top k are there. Nothing private
    enters. Tokens at -inf or NaN are masked.

    Raises:
        Internal: the public row offers no token.
    """
    values = np.asarray(public, dtype=np.float64)
    allowed = np.flatnonzero(np.isfinite(values))
    if allowed.size == 0:
        raise Internal("The public row has no finite logit; the model is broken.")
    finite = values[allowed]
    rank = min(policy.top_k, finite.size)
    threshold = np.partition(finite, finite.size - rank)[finite.size - rank]
    extension = float(2 * policy.clip_exact / policy.slots)
    chosen: TokenIds = allowed[finite >= threshold - extension]
    return chosen


def token_weights(
    policy: PrivatePolicy,
    *,
    token_ids: TokenIds,
    public: Logits,
    slots: Logits,
    live: Live,
) -> TokenWeights:
    """Return the weights of the candidates `token_ids`.

    With n candidates `public` has shape (n,), `slots` (B, n) and `live` (B,); a slot
    that is not live is null.

    Raises:
        Internal: the shapes do not fit the policy's slots.
    """
    if slots.shape != (policy.slots, token_ids.size) or live.shape != (policy.slots,):
        raise Internal("The rows do not have the shape that the policy fixes.")
    public_values = np.clip(
        np.asarray(public, dtype=np.float64), -_PUBLIC_LOGIT_MAX, _PUBLIC_LOGIT_MAX
    )
    steps = _clipped_steps(policy, public_values, slots, live).sum(axis=0)
    scores = np.rint(public_values * STEPS_PER_NAT).astype(np.int64)
    utilities = scores * policy.slots + steps
    return TokenWeights(
        tuple(token_ids.tolist()), _integer_weights(policy, utilities.tolist())
    )


def _clipped_steps(
    policy: PrivatePolicy, public: NDArray[np.float64], slots: Logits, live: Live
) -> NDArray[np.int64]:
    """Return each slot's contribution, integers of at most C in size.

    A NaN contributes 0 and an infinity C, so that no record can poison the sum. The
    sum of integers does not depend on the order of the slots.
    """
    bound = math.floor(policy.clip_exact * STEPS_PER_NAT)
    with np.errstate(invalid="ignore", over="ignore"):
        raw = (np.asarray(slots, dtype=np.float64) - public) * STEPS_PER_NAT
    raw = np.where(np.isnan(raw), 0.0, raw)
    steps: NDArray[np.int64] = np.rint(np.clip(raw, -bound, bound)).astype(np.int64)
    steps[~live] = 0
    return steps


def _integer_weights(policy: PrivatePolicy, utilities: list[int]) -> tuple[int, ...]:
    """Return floor(2^256 exp((u - max u) / (B tau 2^16))) for exact integers u.

    The quotient is rounded once and exp once: a relative error below 2^-46, never a
    zero, where float32 softmax underflows and changes the support.
    """
    temperature = policy.temperature_exact
    divisor = policy.slots * STEPS_PER_NAT * temperature.numerator
    best = max(utilities)
    furthest = UTILITY_SPAN_NATS * divisor
    return tuple(
        _scaled_exp(
            -min((best - utility) * temperature.denominator, furthest) / divisor
        )
        for utility in utilities
    )


def _scaled_exp(exponent: float) -> int:
    """Return floor(2^256 e^exponent) of the float nearest to e^exponent."""
    mantissa, power = math.frexp(math.exp(exponent))
    return int(mantissa * (1 << 53)) << (WEIGHT_BITS + power - 53)
