"""The protocol for every roster, threshold and pack, and the ring for primes around it.

Other libraries were wrong only for thresholds of seven and more, or only beyond a
prime size; so all of them are swept and not a handful of favourites.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from unittest import mock

import numpy as np
import pytest
import tenseal.sealapi as seal
import tenseal.sealapi.util as seal_util
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from federated_router.crypto import opening, packed_shamir, ring
from federated_router.crypto.field import PRIME
from federated_router.crypto.opening import Opening
from federated_router.crypto.packed_shamir import Share, Thresholds

PRIME_BITS = range(50, 58)
few = settings(max_examples=25, deadline=None)
many = settings(max_examples=1000, deadline=None)


@st.composite
def thresholds_of(draw: st.DrawFn, holders_max: int) -> Thresholds:
    """Give any privacy and pack that so many holders can open."""
    holders = draw(st.integers(2, holders_max))
    privacy = draw(st.integers(1, holders - 1))
    pack = draw(st.integers(1, holders - privacy))
    return Thresholds(holders, corrupt=0, privacy=privacy, pack=pack)


@dataclass(frozen=True, slots=True)
class Case:
    """What was dealt in all and who lied, beside what the opening found."""

    total: NDArray[np.int64]
    liars: frozenset[int]
    found: Opening


def opened(thresholds: Thresholds, members: int, data: st.DataObject) -> Case:
    """Deal, lose holders, let as many lie as can be located, and open the sum."""
    small = ring.sample_small(members).astype(np.int64)
    dealt = [packed_shamir.deal(one, thresholds) for one in small]
    order = data.draw(st.permutations(range(1, thresholds.holders + 1)))
    count = data.draw(st.integers(thresholds.reconstruct, thresholds.holders))
    answers: dict[int, Share] = {
        holder: packed_shamir.sum_shares([shares[holder - 1] for shares in dealt])
        for holder in order[:count]
    }
    located = thresholds.liars_located_max(count)
    liars = frozenset(order[: data.draw(st.integers(0, located))])
    for liar in liars:
        lie = answers[liar].astype(np.int64) + data.draw(st.integers(1, PRIME - 1))
        answers[liar] = (lie % PRIME).astype(np.uint16)

    found = opening.open_secret(answers, thresholds=thresholds, contributors=members)

    return Case(small.sum(axis=0), liars, found)


@few
@given(thresholds=thresholds_of(40), members=st.integers(1, 5), data=st.data())
def test_sum_opens_for_any_threshold_and_pack(
    thresholds: Thresholds, members: int, data: st.DataObject
) -> None:
    """Not only for those that the product chooses; with losses and liars."""
    made = opened(thresholds, members, data)

    assert np.array_equal(made.found.secret, made.total)
    assert made.found.liars == made.liars


@pytest.mark.simulation
@pytest.mark.timeout(600)
@many
@given(thresholds=thresholds_of(120), members=st.integers(1, 12), data=st.data())
def test_long_sweep_of_thresholds_and_packs(
    thresholds: Thresholds, members: int, data: st.DataObject
) -> None:
    """The same, wider and longer."""
    made = opened(thresholds, members, data)

    assert np.array_equal(made.found.secret, made.total)
    assert made.found.liars == made.liars


@few
@given(holders=st.integers(3, 120), members=st.integers(1, 5), data=st.data())
def test_sum_opens_for_any_roster(
    holders: int, members: int, data: st.DataObject
) -> None:
    """With the thresholds that follow from the roster's size."""
    made = opened(Thresholds.for_roster(holders), members, data)

    assert np.array_equal(made.found.secret, made.total)
    assert made.found.liars == made.liars


@pytest.mark.parametrize("privacy", range(1, 12))
def test_neighbouring_thresholds_all_open(privacy: int) -> None:
    """Every threshold up to eleven, where a well-known library fails from seven on."""
    thresholds = Thresholds(16, corrupt=0, privacy=privacy, pack=3)
    small = ring.sample_small(3).astype(np.int64)
    dealt = [packed_shamir.deal(one, thresholds) for one in small]
    answers = {
        holder: packed_shamir.sum_shares([shares[holder - 1] for shares in dealt])
        for holder in range(1, thresholds.reconstruct + 1)
    }

    found = opening.open_secret(answers, thresholds=thresholds, contributors=3)

    assert np.array_equal(found.secret, small.sum(axis=0))


def prime_of(bits: int) -> int:
    """Return SEAL's choice of that size for this degree."""
    (only,) = seal.CoeffModulus.Create(ring.DEGREE, [bits])
    return int(only.value())


def least_root(prime: int) -> int:
    """Return the least primitive 2*DEGREE-th root of unity."""
    order = 2 * ring.DEGREE
    candidates = (pow(base, (prime - 1) // order, prime) for base in range(2, 100))
    root = next(one for one in candidates if pow(one, ring.DEGREE, prime) == prime - 1)
    square, power, least = root * root % prime, root, root
    for _ in range(ring.DEGREE):
        least, power = min(least, power), power * square % prime
    return least


@contextmanager
def modulus_of(bits: int) -> Iterator[int]:
    """Let the ring compute modulo another prime."""
    prime = prime_of(bits)
    ring._root_powers.cache_clear()
    with mock.patch.multiple(
        ring, MODULUS=prime, _Q=np.uint64(prime), ROOT=least_root(prime)
    ):
        yield prime
    ring._root_powers.cache_clear()


def edges(prime: int) -> np.ndarray:
    """Return residues that rounding gets wrong first, and random ones."""
    near = [0, 1, 2, prime // 2, prime // 2 + 1, prime - 2, prime - 1]
    generator = np.random.default_rng(prime % 1000)
    drawn = generator.integers(0, prime, 4000, dtype=np.uint64)
    close = prime - 1 - generator.integers(0, 4096, 1000, dtype=np.uint64)
    return np.concatenate([np.array(near, dtype=np.uint64), drawn, close])


@pytest.mark.parametrize("bits", PRIME_BITS)
def test_products_are_exact_for_every_prime_size(bits: int) -> None:
    """From 50 to 57 bits: where the float64 quotient is close to its limit."""
    with modulus_of(bits) as prime:
        left = edges(prime)
        right = np.random.default_rng(bits).permutation(left)
        products = ring.multiply(left, right)
        squares = ring.multiply(left, left)
        sums, differences = ring.add(left, right), ring.subtract(left, right)

    pairs = list(zip(left.tolist(), right.tolist(), strict=True))
    assert products.tolist() == [a * b % prime for a, b in pairs]
    assert squares.tolist() == [a * a % prime for a in left.tolist()]
    assert sums.tolist() == [(a + b) % prime for a, b in pairs]
    assert differences.tolist() == [(a - b) % prime for a, b in pairs]


def test_prime_that_is_too_large_would_be_noticed() -> None:
    """At 60 bits the arithmetic is wrong, and the comparison says so."""
    with modulus_of(60) as prime:
        left = edges(prime)
        products = ring.multiply(left, left)

    assert products.tolist() != [a * a % prime for a in left.tolist()]


@pytest.mark.parametrize("bits", PRIME_BITS)
def test_transform_equals_seals_for_every_prime_size(bits: int) -> None:
    """Forward as SEAL's own, bit for bit, and back again."""
    parameters = seal.EncryptionParameters(seal.SCHEME_TYPE.CKKS)
    parameters.set_poly_modulus_degree(ring.DEGREE)
    parameters.set_coeff_modulus(seal.CoeffModulus.Create(ring.DEGREE, [bits]))
    context = seal.SEALContext(parameters, False, seal.SEC_LEVEL_TYPE.TC128)  # noqa: FBT003
    tables = context.key_context_data().small_ntt_tables()
    with modulus_of(bits) as prime:
        values = np.random.default_rng(bits).integers(
            0, prime, ring.DEGREE, dtype=np.uint64
        )
        ours = ring.to_evaluations(values)
        back = ring.to_coefficients(ours)

    assert ours.tolist() == seal_util.ntt_negacyclic_harvey(values.tolist(), tables)
    assert np.array_equal(back, values)
