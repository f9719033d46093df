"""Enough answers open; liars are named, or the opening is refused."""

from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from federated_router.crypto import field, ring
from federated_router.crypto.field import PRIME
from federated_router.crypto.opening import open_secret
from federated_router.crypto.packed_shamir import (
    Share,
    Thresholds,
    deal,
    sum_shares,
)
from federated_router.crypto.ring import RandomBytes
from federated_router.kit.errors import (
    CiphertextMalformed,
    NotOnRoster,
    RosterTooSmall,
    ShareConflict,
)


def answers_of(holders: int, seed: int = 0) -> tuple[np.ndarray, dict[int, Share]]:
    """Return a secret and every holder's answer, as if one member contributed."""
    generator = np.random.default_rng(seed)
    secret = generator.integers(-21, 22, ring.DEGREE)
    return secret, answers_to(secret, Thresholds.for_roster(holders))


def answers_to(secret: np.ndarray, thresholds: Thresholds) -> dict[int, Share]:
    """Return every holder's answer about one dealt secret."""
    shares = deal(secret, thresholds)
    return {number: sum_shares([dealt]) for number, dealt in enumerate(shares, start=1)}


def lie(answers: dict[int, Share], holder: int, column: int, by: int = 1) -> None:
    """Change one element of one answer."""
    changed = answers[holder].copy()
    changed[column] = (int(changed[column]) + by) % PRIME
    answers[holder] = changed


@settings(max_examples=40, deadline=None)
@given(holders=st.integers(3, 60), seed=st.integers(0, 2**32), data=st.data())
def test_liars_are_named_for_every_roster_and_loss(
    holders: int, seed: int, data: st.DataObject
) -> None:
    """As many liars as the answers allow, few or many changed columns."""
    thresholds = Thresholds.for_roster(holders)
    secret, answers = answers_of(holders, seed)
    lost = data.draw(st.integers(0, holders - thresholds.reconstruct))
    order = data.draw(st.permutations(sorted(answers)))
    present = {holder: answers[holder] for holder in order[lost:]}
    liars_max = thresholds.liars_located_max(len(present))
    liars = order[lost : lost + data.draw(st.integers(0, liars_max))]
    for holder in liars:
        for column in data.draw(
            st.lists(st.integers(0, thresholds.columns - 1), min_size=1, max_size=3)
        ):
            lie(present, holder, column, by=data.draw(st.integers(1, 9)))

    opening = open_secret(present, thresholds=thresholds, contributors=1)

    assert np.array_equal(opening.secret, secret)
    assert opening.liars == frozenset(liars)


def test_liars_with_noise_for_answers_are_named() -> None:
    """16 of 100 holders answer anything at all, and 67 + 2 * 16 answers came."""
    thresholds = Thresholds.for_roster(100)
    secret, answers = answers_of(100)
    liars = list(range(2, 34, 2))
    for holder in liars:
        answers[holder] = field.sample(thresholds.columns).astype(np.uint16)

    opening = open_secret(answers, thresholds=thresholds, contributors=1)

    assert np.array_equal(opening.secret, secret)
    assert opening.liars == frozenset(liars)


def test_colluding_liars_are_named_even_when_they_agree() -> None:
    """They add shares of a polynomial of their own, and are still the minority."""
    thresholds = Thresholds.for_roster(10)
    secret, answers = answers_of(10)
    offset = answers_to(np.ones(ring.DEGREE, dtype=np.int64), thresholds)
    liar = 4
    moved = answers[liar].astype(np.int64) + offset[liar]
    answers[liar] = (moved % PRIME).astype(np.uint16)

    opening = open_secret(answers, thresholds=thresholds, contributors=1)

    assert np.array_equal(opening.secret, secret)
    assert opening.liars == {liar}


def test_liar_hidden_by_the_random_combination_is_found_by_the_full_check(
    replay: Callable[[str], RandomBytes],
) -> None:
    """Zero weights hide every lie once; the next combination does not."""
    thresholds = Thresholds.for_roster(10)
    secret, answers = answers_of(10)
    lie(answers, 1, 0)
    later = replay("later")
    taken: list[int] = []

    def unlucky_first(count: int) -> bytes:
        taken.append(count)
        return bytes(count) if len(taken) == 1 else later(count)

    opening = open_secret(
        answers, thresholds=thresholds, contributors=1, random_bytes=unlucky_first
    )

    assert len(taken) == 2
    assert opening.liars == {1}
    assert np.array_equal(opening.secret, secret)


def test_lie_that_cannot_be_located_is_refused() -> None:
    """Four answers, three needed: a lie is seen, and nobody is accused."""
    thresholds = Thresholds.for_roster(4)
    _, answers = answers_of(4)
    lie(answers, 2, 100)

    with pytest.raises(ShareConflict) as caught:
        open_secret(answers, thresholds=thresholds, contributors=1)

    assert caught.value.metadata["liars_located_max"] == "0"


def test_more_liars_than_can_be_located_are_refused() -> None:
    """Ten answers of ten tolerate one liar; two are refused, not guessed."""
    thresholds = Thresholds.for_roster(10)
    _, answers = answers_of(10)
    lie(answers, 2, 5)
    lie(answers, 9, 77, by=1000)

    with pytest.raises(ShareConflict):
        open_secret(answers, thresholds=thresholds, contributors=1)


def test_one_answer_too_few_is_refused() -> None:
    """Nothing is opened below the threshold, whatever else is known."""
    thresholds = Thresholds.for_roster(4)
    _, answers = answers_of(4)

    with pytest.raises(RosterTooSmall):
        open_secret(
            {1: answers[1], 3: answers[3]}, thresholds=thresholds, contributors=1
        )


def test_secret_that_no_members_could_have_is_refused() -> None:
    """Three consistent answers to something that is no sum of one CBD(21) secret."""
    thresholds = Thresholds.for_roster(4)
    answers = answers_to(np.full(ring.DEGREE, 22), thresholds)
    del answers[4]

    with pytest.raises(ShareConflict):
        open_secret(answers, thresholds=thresholds, contributors=1)

    assert open_secret(answers, thresholds=thresholds, contributors=2).secret[0] == 22


@pytest.mark.parametrize("holder", [0, 5, -1])
def test_answer_of_no_holder_is_refused(holder: int) -> None:
    """Point 0 and points beyond the roster belong to nobody."""
    _, answers = answers_of(4)

    with pytest.raises(NotOnRoster):
        open_secret(
            {**answers, holder: answers[1]},
            thresholds=Thresholds.for_roster(4),
            contributors=1,
        )


def test_answer_of_another_length_is_refused() -> None:
    """A share of another round has another number of columns."""
    _, answers = answers_of(4)
    answers[2] = answers[2][:-1]

    with pytest.raises(CiphertextMalformed):
        open_secret(answers, thresholds=Thresholds.for_roster(4), contributors=1)


def test_opened_secret_does_not_show_in_its_representation() -> None:
    """The coordinator logs its openings' liars, never the secret."""
    _, answers = answers_of(4)

    opening = open_secret(answers, thresholds=Thresholds.for_roster(4), contributors=1)

    assert repr(opening) == "Opening(liars=frozenset())"
