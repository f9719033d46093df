"""Holders that lie, alone or together: named or refused, never a wrong sum released.

Up to the decoding radius every liar is named and the sum is exact. Beyond it nothing
may be released that is not the exact sum. The colluders below know what the protocol
lets them know: their own shares, and whom they want to look like liars.
"""

from collections.abc import Callable
from itertools import combinations

import numpy as np
import pytest

from federated_router.crypto import ckks, opening
from federated_router.crypto.field import PRIME
from federated_router.crypto.packed_shamir import Share
from federated_router.kit.errors import (
    CiphertextMalformed,
    FederationError,
    ShareConflict,
)
from tests.unit.aggregation_attacks.sum_round import SumRound, Vector, moved

Answers = dict[int, Share]
Lie = Callable[[SumRound, Answers, tuple[int, ...]], None]


def noise(made: SumRound, answers: Answers, liars: tuple[int, ...]) -> None:
    """Answer with anything."""
    generator = np.random.default_rng(len(liars))
    for liar in liars:
        answers[liar] = generator.integers(0, PRIME, made.thresholds.columns).astype(
            np.uint16
        )


def one_column(_: SumRound, answers: Answers, liars: tuple[int, ...]) -> None:
    """Move a single element, the last one, in which padding is thinnest."""
    for liar in liars:
        answers[liar] = moved(answers[liar], {len(answers[liar]) - 1: liar})


def another_set(made: SumRound, answers: Answers, liars: tuple[int, ...]) -> None:
    """Answer, in agreement, about a set without its last member."""
    fewer = range(1, made.size)
    for liar in liars:
        answers[liar] = made.answer(liar, fewer)


def framing(made: SumRound, answers: Answers, liars: tuple[int, ...]) -> None:
    """Agree on another polynomial that shares as many honest answers as one can.

    The shift vanishes at `reconstruct` - 1 honest holders and moves the secrets of one
    column by so little that they could still be a sum of secrets; the other honest
    holders then look like liars.
    """
    shift = framing_shift(made, liars)
    for liar in liars:
        answers[liar] = moved(answers[liar], {0: shift(liar)})


def framing_shift(made: SumRound, liars: tuple[int, ...]) -> Callable[[int], int]:
    """Return the shift polynomial; search helpers and factor for small secrets."""
    honest = [h for h in range(1, made.size + 1) if h not in liars]
    bound = made.size * 5
    for spared in combinations(honest, made.thresholds.reconstruct - 1):
        at_secrets = [
            _vanishing(spared, PRIME - 1 - index)
            for index in range(made.thresholds.pack)
        ]
        for wanted in range(1, bound):
            factor = wanted * pow(at_secrets[0], -1, PRIME) % PRIME
            moves = [value * factor % PRIME for value in at_secrets]
            if all(min(move, PRIME - move) < bound for move in moves):
                return lambda x, s=spared, f=factor: f * _vanishing(s, x) % PRIME  # type: ignore[misc]
    raise AssertionError("No shift is small enough; choose another roster.")


def _vanishing(roots: tuple[int, ...], point: int) -> int:
    product = 1
    for root in roots:
        product = product * (point - root) % PRIME
    return product


LIES: tuple[Lie, ...] = (noise, one_column, another_set, framing)
SMALL_LIES: tuple[Lie, ...] = LIES[:3]


def told(
    made: SumRound, lie: Lie, liars: tuple[int, ...]
) -> tuple[Vector, frozenset[int]]:
    """Let everybody answer, the liars with a lie, and release what may be."""
    everybody = range(1, made.size + 1)
    answers = made.answers(everybody, everybody)
    lie(made, answers, liars)
    return made.released(answers, everybody)


@pytest.fixture(scope="module")
def rounds() -> dict[int, SumRound]:
    """Give rounds of several sizes in which everybody contributed."""
    return {size: SumRound.of(size) for size in (4, 7, 10, 32)}


@pytest.mark.parametrize("size", [7, 10, 32])
@pytest.mark.parametrize("lie", SMALL_LIES)
def test_liars_up_to_the_radius_are_named_and_change_nothing(
    size: int, lie: Lie, rounds: dict[int, SumRound]
) -> None:
    """As many as decoding locates for certain, at both ends of the roster."""
    made = rounds[size]
    radius = made.thresholds.liars_located_max(size)
    assert radius >= 1
    for liars in (
        tuple(range(1, radius + 1)),
        tuple(range(size - radius + 1, size + 1)),
    ):
        sums, named = told(made, lie, liars)

        assert np.array_equal(sums, made.expected(range(1, size + 1)))
        assert named == set(liars)


@pytest.mark.parametrize("size", [4, 7, 10])
@pytest.mark.parametrize("lie", LIES)
def test_liars_beyond_the_radius_never_get_a_wrong_sum_released(
    size: int, lie: Lie, rounds: dict[int, SumRound]
) -> None:
    """From one more than the radius up to everybody but one.

    Refusing is right, and so is the exact sum with nobody honest named.
    """
    made = rounds[size]
    radius = made.thresholds.liars_located_max(size)
    beyond = range(radius + 1, size - made.thresholds.reconstruct + 2)
    for count in beyond:
        liars = tuple(range(1, count + 1))
        try:
            sums, named = told(made, lie, liars)
        except FederationError:
            continue
        assert np.array_equal(sums, made.expected(range(1, size + 1)))
        assert named <= set(liars)


@pytest.mark.parametrize("size", [4, 10])
def test_lie_that_nothing_contradicts_is_refused(
    size: int, rounds: dict[int, SumRound]
) -> None:
    """With no answer to spare the shares look right; the ciphertext does not open."""
    made = rounds[size]
    everybody = range(1, size + 1)
    answers = made.answers(range(1, made.thresholds.reconstruct + 1), everybody)
    answers[1] = moved(answers[1], {0: 1})

    with pytest.raises(ShareConflict):
        made.released(answers, everybody)


def test_wrong_secret_that_looks_right_is_stopped_by_the_ciphertext_alone(
    rounds: dict[int, SumRound],
) -> None:
    """The framing lie passes decoding and bounds: what guards the sum is the sum.

    Decoding takes the colluders' polynomial, with a secret that is off by a little,
    and names honest holders. Whoever published at that point would publish noise.
    """
    made = rounds[10]
    everybody, liars = range(1, 11), (1, 2, 3)
    answers = made.answers(everybody, everybody)
    framing(made, answers, liars)

    believed = opening.open_secret(answers, thresholds=made.thresholds, contributors=10)
    truth = sum(made.secrets[number].astype(np.int64) for number in everybody)

    assert believed.liars.isdisjoint(liars)
    assert believed.liars
    assert not np.array_equal(believed.secret, truth)
    with pytest.raises(CiphertextMalformed):
        ckks.open_sum(made.total(everybody), believed.secret)


def test_three_colluders_of_ten_do_not_stop_seven_honest_answers(
    rounds: dict[int, SumRound],
) -> None:
    """Three of ten may be corrupt, and seven honest answers open.

    They open as soon as the three are left out, which is what `release` tries where
    decoding fails, and does not try where decoding was deceived.
    """
    made = rounds[10]

    sums, named = told(made, framing, (1, 2, 3))

    assert np.array_equal(sums, made.expected(range(1, 11)))
    assert named == {1, 2, 3}
