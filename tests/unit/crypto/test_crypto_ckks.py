"""Sums open exactly; what does not belong to the round is seen."""

import math
from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from federated_router.crypto import body, ckks, quantise, ring, seal_bytes
from federated_router.crypto.ring import RandomBytes, Residues
from federated_router.kit.errors import CiphertextMalformed, HeadroomExceeded

Members = tuple[list[ckks.Encryption], np.ndarray]


def members(
    count: int, polynomials: Residues, random_bytes: RandomBytes, *, bound: int = 1000
) -> Members:
    """Encrypt reproducible vectors of two full ciphertexts, the count first."""
    generator = np.random.default_rng(count)
    slots = len(polynomials) * ckks.SLOTS - 1
    values = generator.integers(-bound, bound + 1, (count, slots))
    encryptions = [
        ckks.encrypt(
            quantise.with_count(row), polynomials=polynomials, random_bytes=random_bytes
        )
        for row in values
    ]
    return encryptions, values


def summed(encryptions: list[ckks.Encryption]) -> np.ndarray:
    """Add the secrets in the clear, which only a test may do."""
    secrets = [encryption.secret.coefficients for encryption in encryptions]
    total: np.ndarray = np.stack(secrets).astype(np.int64).sum(axis=0)
    return total


@pytest.fixture(scope="module")
def five(polynomials: Residues, replay: Callable[[str], RandomBytes]) -> Members:
    """Give five members' contributions to one round."""
    return members(5, polynomials, replay("five"))


@pytest.fixture(scope="module")
def total(five: Members, polynomials: Residues) -> ckks.SummedCiphertext:
    """Give their homomorphic sum."""
    return ckks.sum_bodies((e.body for e in five[0]), polynomials=polynomials)


def test_sum_opens_to_the_exact_integers(
    five: Members, total: ckks.SummedCiphertext
) -> None:
    """No approximation leaves the coordinator."""
    opened = ckks.open_sum(total, summed(five[0]))

    assert opened[0] == 5
    assert np.array_equal(opened[1:], five[1].sum(axis=0))


def test_tenseal_adds_as_numpy_does(
    five: Members, total: ckks.SummedCiphertext, polynomials: Residues
) -> None:
    """The homomorphic sum is (sum c_i, a), residue for residue."""
    rows = np.stack([body.from_bytes(e.body, ciphertexts=2) for e in five[0]])
    expected = rows[0]
    for row in rows[1:]:
        expected = ring.add(expected, row)

    for part, first, second in zip(total.parts, expected, polynomials, strict=True):
        words = np.fromiter(part.dyn_array(), dtype=np.uint64, count=2 * ring.DEGREE)
        assert np.array_equal(words, np.concatenate([first, second]))


def test_ciphertext_is_message_plus_error_minus_mask(polynomials: Residues) -> None:
    """Undoing the mask leaves the encoding and an error within the binomial's bound."""
    values = np.arange(-50, 50, dtype=np.int64)
    encryption = ckks.encrypt(values, polynomials=polynomials[:1])

    secret = ring.to_evaluations(ring.from_signed(encryption.secret.coefficients))
    (row,) = body.from_bytes(encryption.body, ciphertexts=1)
    unmasked = ring.add(row, ring.multiply(polynomials[0], secret))
    padded = [float(value) for value in values] + [0.0] * (ckks.SLOTS - len(values))
    error = ring.to_coefficients(ring.subtract(unmasked, seal_bytes.encode(padded)))

    assert np.abs(ring.to_signed(error)).max() <= ring.CBD_WIDTH
    assert np.abs(ring.to_signed(error)).max() > 0


def test_extreme_sums_open_exactly(polynomials: Residues) -> None:
    """The headroom that is promised is there, in every slot at once and both signs."""
    each = ckks.SUM_BOUND // 2 - 1
    signs = np.where(np.arange(ckks.SLOTS) % 2, 1, -1)
    two = [ckks.encrypt(signs * each, polynomials=polynomials[:1]) for _ in range(2)]

    total = ckks.sum_bodies((e.body for e in two), polynomials=polynomials[:1])

    assert np.array_equal(ckks.open_sum(total, summed(two)), signs * 2 * each)


@pytest.mark.parametrize("count", [2, 10, 60])
def test_error_is_what_the_formula_says(
    count: int, polynomials: Residues, replay: Callable[[str], RandomBytes]
) -> None:
    """A noise test is a correctness test: too little noise is no encryption either."""
    encryptions, _ = members(count, polynomials[:1], replay(f"noise-{count}"))
    total = ckks.sum_bodies((e.body for e in encryptions), polynomials=polynomials[:1])

    slots = ckks.decrypt(total, summed(encryptions))

    error = slots - np.rint(slots)
    expected = math.sqrt(ring.DEGREE / 2 * count * (10.5 + 1 / 12)) / 2**24
    assert 0.9 * expected < error.std() < 1.1 * expected
    assert np.abs(error).max() < ckks.rounding_distance_max(count)


def test_rounding_stays_safe_for_the_largest_roster() -> None:
    """Ten deviations of 1,560 members' errors are far below one half."""
    assert ckks.rounding_distance_max(1560) < 0.01


def test_contribution_for_other_polynomials_is_refused(
    five: Members, polynomials: Residues
) -> None:
    """It adds silently; the sum then is no integer, and the count is not 5."""
    stray = ckks.encrypt(quantise.with_count(five[1][0]), polynomials=polynomials[::-1])
    encryptions = [*five[0][:4], stray]

    total = ckks.sum_bodies((e.body for e in encryptions), polynomials=polynomials)
    secret = summed(encryptions)

    with pytest.raises(CiphertextMalformed, match="does not open to integers"):
        ckks.open_sum(total, secret)
    assert round(float(ckks.decrypt(total, secret)[0])) != 5


@pytest.mark.parametrize("place", [0, 13_000, 27_647])
def test_mutated_body_is_refused(
    five: Members, polynomials: Residues, place: int
) -> None:
    """One changed byte spreads over every slot, the count's among them."""
    bodies = [bytearray(encryption.body) for encryption in five[0]]
    bodies[2][place] ^= 0x55

    total = ckks.sum_bodies(map(bytes, bodies), polynomials=polynomials)
    secret = summed(five[0])

    with pytest.raises(CiphertextMalformed, match="does not open to integers"):
        ckks.open_sum(total, secret)
    counted = float(ckks.decrypt(total, secret)[0])
    assert abs(counted - 5) > ckks.rounding_distance_max(5)


def test_sum_without_one_secret_is_refused(
    five: Members, total: ckks.SummedCiphertext
) -> None:
    """Four of five secrets open nothing: the fifth still masks every slot."""
    with pytest.raises(CiphertextMalformed):
        ckks.open_sum(total, summed(five[0][:4]))


def test_secret_off_by_one_in_one_coefficient_is_refused(
    five: Members, total: ckks.SummedCiphertext
) -> None:
    """The least lie that a holder without redundancy beside it could get through."""
    secret = summed(five[0])
    secret[17] += 1

    with pytest.raises(CiphertextMalformed):
        ckks.open_sum(total, secret)


def test_fraction_within_bounds_is_refused(
    five: Members, polynomials: Residues
) -> None:
    """A member that encodes halves stays small and still is no integer."""
    rows = body.from_bytes(five[0][0].body, ciphertexts=2)
    half = seal_bytes.encode([0.5] * ckks.SLOTS)
    moved = body.to_bytes(ring.add(rows, np.broadcast_to(half, rows.shape)))
    bodies = [moved, *(encryption.body for encryption in five[0][1:])]

    total = ckks.sum_bodies(bodies, polynomials=polynomials)

    with pytest.raises(CiphertextMalformed, match="does not open to integers"):
        ckks.open_sum(total, summed(five[0]))


def test_valid_vector_with_another_count_is_seen_by_the_count_only(
    five: Members, polynomials: Residues
) -> None:
    """A dishonest member can encrypt what it likes; its count betrays a second vote."""
    greedy = ckks.encrypt(2 * quantise.with_count(five[1][0]), polynomials=polynomials)
    encryptions = [*five[0][1:], greedy]
    total = ckks.sum_bodies((e.body for e in encryptions), polynomials=polynomials)

    opened = ckks.open_sum(total, summed(encryptions))

    with pytest.raises(CiphertextMalformed, match="does not count"):
        quantise.without_count(opened, accepted=5, slots=len(opened) - 1)


def test_two_encryptions_share_neither_secret_nor_body(polynomials: Residues) -> None:
    """Reuse of a secret under one polynomial would give away the difference."""
    values = np.ones(3, dtype=np.int64)

    first, second = (ckks.encrypt(values, polynomials=polynomials) for _ in range(2))

    assert not np.array_equal(first.secret.coefficients, second.secret.coefficients)
    assert first.body != second.body


def test_one_body_reveals_nothing_of_a_large_value(polynomials: Residues) -> None:
    """Decrypted without its secret, a body is uniform noise around no value at all."""
    values = np.full(ckks.SLOTS, ckks.SUM_BOUND - 1, dtype=np.int64)
    encryption = ckks.encrypt(values, polynomials=polynomials[:1])
    total = ckks.sum_bodies([encryption.body], polynomials=polynomials[:1])

    guess = ckks.decrypt(total, np.zeros(ring.DEGREE, dtype=np.int64))

    correlation = float(guess.mean()) / float(guess.std() / math.sqrt(ckks.SLOTS))
    assert guess.std() > 2**28
    assert abs(correlation) < 6


@pytest.mark.parametrize(
    "values",
    [
        np.array([ckks.SUM_BOUND]),
        np.array([-ckks.SUM_BOUND]),
        np.array([np.iinfo(np.int64).min]),
        np.zeros(2 * ckks.SLOTS + 1, dtype=np.int64),
    ],
)
def test_vector_without_headroom_is_not_encrypted(
    values: np.ndarray, polynomials: Residues
) -> None:
    """Too large by value or by length is refused before anything is sent."""
    with pytest.raises(HeadroomExceeded):
        ckks.encrypt(values, polynomials=polynomials)


def test_no_contribution_gives_no_sum(polynomials: Residues) -> None:
    """An empty accepted set is the conductor's mistake, said by name."""
    with pytest.raises(CiphertextMalformed):
        ckks.sum_bodies([], polynomials=polynomials)


@settings(max_examples=15, deadline=None)
@given(length=st.integers(0, 2 * body.CIPHERTEXT_BYTES - 1))
def test_cut_body_never_enters_the_sum(
    five: Members, polynomials: Residues, length: int
) -> None:
    """It raises CiphertextMalformed, and nothing else, wherever it is cut."""
    bodies = [five[0][0].body, five[0][1].body[:length]]

    with pytest.raises(CiphertextMalformed):
        ckks.sum_bodies(bodies, polynomials=polynomials)


@settings(max_examples=15, deadline=None)
@given(place=st.integers(0, 2 * body.CIPHERTEXT_BYTES - 14))
def test_body_with_a_run_of_ones_never_enters_the_sum(
    five: Members, polynomials: Residues, place: int
) -> None:
    """Fourteen bytes of ones hold a whole residue, and it is above the modulus."""
    content = bytearray(five[0][0].body)
    content[place : place + 14] = b"\xff" * 14

    with pytest.raises(CiphertextMalformed):
        ckks.sum_bodies([bytes(content)], polynomials=polynomials)


@pytest.mark.parametrize(("values", "ciphertexts"), [(0, 1), (2048, 1), (2049, 2)])
def test_vector_takes_as_many_ciphertexts_as_it_fills(
    values: int, ciphertexts: int
) -> None:
    """The roster's polynomials are counted before the round opens."""
    assert ckks.ciphertexts_for(values) == ciphertexts


def test_secrets_do_not_show_in_representations(five: Members) -> None:
    """Logs print what they are given."""
    encryption = five[0][0]

    shown = repr(encryption) + repr(encryption.secret)

    assert "coefficients" not in shown
    assert "array" not in shown
    assert "body" not in shown
