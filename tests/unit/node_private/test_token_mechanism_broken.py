"""Mistakes at the last step, from utilities to a draw, each caught by an exact loss.

`test_token_mechanism_audit` catches by draws what is wrong with clipping, candidates
and randomness; these leave the utilities right and lose what they are worth.
"""

import math
from collections.abc import Callable
from dataclasses import replace
from decimal import Decimal

import numpy as np
import pytest
from numpy.typing import NDArray

from federated_router.privacy.charge import token_rho
from federated_router.privacy.policy import PrivatePolicy
from node.private import token_mechanism
from node.private.token_mechanism import TokenWeights, candidates, token_weights

Array = NDArray[np.float64]
Weigh = Callable[[PrivatePolicy, list[int]], tuple[int, ...]]
RIGHT = token_mechanism._integer_weights


def _float32_softmax(policy: PrivatePolicy, utilities: list[int]) -> tuple[int, ...]:
    """Return softmax as a device computes it, in units of its smallest number."""
    scale = policy.slots * token_mechanism.STEPS_PER_NAT * float(policy.temperature)
    scores = np.array(utilities, dtype=np.float64) / scale
    shifted = (scores - scores.max()).astype(np.float32)
    weights = np.exp(shifted) / np.exp(shifted).sum(dtype=np.float32)
    return tuple(int(float(one) * 2.0**149) for one in weights)


def _penalised_after_clipping(
    policy: PrivatePolicy, utilities: list[int]
) -> tuple[int, ...]:
    """Stretch the sum by a repetition penalty of 1.5, as a sampler's last step does."""
    stretched = [one * 3 // 2 if one > 0 else one * 2 // 3 for one in utilities]
    return RIGHT(policy, stretched)


def _tempered_by_the_records(
    policy: PrivatePolicy, utilities: list[int]
) -> tuple[int, ...]:
    """Sharpen the more the records agree: a temperature that depends on them."""
    spread = (max(utilities) - min(utilities)) / (2 * 65_536 * policy.slots)
    sharper = policy.temperature / (1 + Decimal(min(spread, 4.0)))
    return RIGHT(replace(policy, temperature=round(sharper, 6)), utilities)


def _loss(policy: PrivatePolicy, public: Array, records: int) -> float:
    """Return the worst ratio of a token's odds that one more record makes, in nats.

    Every record pulls the first token up and the others down as hard as it can.
    """
    pull = np.where(np.arange(public.size) == 0, 100.0, -100.0)
    slots = np.tile(public + pull, (policy.slots, 1))
    one, two = (
        _weights(policy, public, slots, np.arange(policy.slots) < count)
        for count in (records, records + 1)
    )
    return max(
        math.inf if (left == 0) != (right == 0) else abs(_log_ratio(left, right))
        for left, right in zip(_odds(one), _odds(two), strict=True)
    )


def _weights(
    policy: PrivatePolicy, public: Array, slots: Array, live: NDArray[np.bool_]
) -> TokenWeights:
    ids = candidates(policy, public)
    return token_weights(
        policy, token_ids=ids, public=public[ids], slots=slots[:, ids], live=live
    )


def _odds(weights: TokenWeights) -> list[tuple[int, int] | int]:
    total = sum(weights.weights)
    return [(one, total) if one else 0 for one in weights.weights]


def _log_ratio(left: tuple[int, int] | int, right: tuple[int, int] | int) -> float:
    if isinstance(left, int) or isinstance(right, int):
        return 0.0
    (one, of_one), (two, of_two) = left, right
    return math.log(one) - math.log(of_one) - math.log(two) + math.log(of_two)


def _eta(policy: PrivatePolicy) -> float:
    return math.sqrt(8 * float(token_rho(policy)))


@pytest.fixture(name="sharp")
def _sharp() -> PrivatePolicy:
    """Return a policy whose low temperature spreads utilities over 100 nats."""
    return PrivatePolicy(
        name="sharp",
        slots=4,
        clip=Decimal(1),
        temperature=Decimal("0.05"),
        top_k=8,
        tokens_max=1,
        row_tokens_max=1,
    )


GAPS = np.arange(0.0, 8.0, 0.25)


def test_the_mechanism_keeps_its_bound_wherever_the_public_row_lies(
    paper: PrivatePolicy, sharp: PrivatePolicy
) -> None:
    """What the broken ones below are compared with."""
    for policy in (paper, sharp):
        worst = max(_loss(policy, np.array([gap, 0, 0, -gap]), 1) for gap in GAPS)

        assert worst <= _eta(policy) + 1e-9


def test_float32_softmax_loses_tokens_and_with_them_everything(
    sharp: PrivatePolicy, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A probability that underflows to 0 for one neighbour only is an infinite loss."""
    monkeypatch.setattr(token_mechanism, "_integer_weights", _float32_softmax)

    losses = [_loss(sharp, np.array([gap, 0, 0, -gap]), 1) for gap in GAPS]

    assert math.inf in losses


@pytest.mark.parametrize(
    "broken", [_penalised_after_clipping, _tempered_by_the_records]
)
def test_processor_after_clipping_breaks_the_bound(
    paper: PrivatePolicy, monkeypatch: pytest.MonkeyPatch, broken: Weigh
) -> None:
    """Clipping bounds what comes after it only if nothing stretches it again."""
    monkeypatch.setattr(token_mechanism, "_integer_weights", broken)

    losses = [_loss(paper, np.array([gap, 0, 0, -gap]), 1) for gap in GAPS]

    assert max(losses) > 1.05 * _eta(paper)
