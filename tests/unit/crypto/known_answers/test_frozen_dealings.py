"""Shares, their checks and cohorts: the frozen bytes a second time, in plain Python.

Holders compare what each derives by itself, so a difference in one word names honest
dealers as inconsistent.
"""

import hashlib

import numpy as np
import pytest

from tests.unit.crypto.known_answers import inputs, reference
from tests.unit.crypto.known_answers.answers import frozen


@pytest.mark.parametrize("size", inputs.ROSTER_SIZES)
def test_shares_follow_from_lagranges_formula(size: int) -> None:
    """The first three columns and the masks of the first four holders."""
    expected = frozen("shares")[str(size)]

    by_column = [
        reference.dealt(
            column,
            inputs.secret(reference.DEGREE),
            holders=range(1, min(4, size) + 1),
            privacy=expected["privacy"],
            pack=expected["pack"],
            random_bytes=inputs.stream(f"shares/{size}"),
        )
        for column in (0, 1, 2, -4, -3, -2, -1)
    ]

    assert np.array(by_column[:3]).T.tolist() == expected["first"]
    assert np.array(by_column[3:]).T.tolist() == expected["masks"]


@pytest.mark.parametrize("size", inputs.ROSTER_SIZES)
def test_seeded_shares_follow_from_the_specification(size: int) -> None:
    """SHAKE-256 gives the first holders' shares; Lagrange the last holder's."""
    expected = frozen("share_seeds")[str(size)]
    privacy, pack = expected["privacy"], expected["pack"]
    columns = -(-reference.DEGREE // pack)
    rows = [
        reference.expanded(inputs.seed("share", number), columns + 4)
        for number in range(privacy)
    ]
    padded = [*inputs.secret(reference.DEGREE), *[0] * (columns * pack)]
    last = [
        reference.shares_of_column(
            padded[column * pack : (column + 1) * pack],
            [row[column] for row in rows],
            holders=[size],
        )[0]
        for column in range(3)
    ]

    content = b"".join(word.to_bytes(2, "little") for row in rows for word in row)
    assert [row[:3] for row in rows[:4]] == expected["expanded_first"]
    assert hashlib.sha256(content).hexdigest() == expected["expanded_sha256"]
    assert last == expected["last_share"]
    whole = 2 * (columns + 4)
    assert expected["bytes"] == [32] * privacy + [whole] * (size - privacy)


@pytest.mark.parametrize("size", inputs.ROSTER_SIZES)
def test_weights_follow_from_the_specification(size: int) -> None:
    """SHAKE-256 of round, roster, beacon and the digest of the dealer's body."""
    expected = frozen("dealing_check")[str(size)]
    columns = -(-reference.DEGREE // frozen("shares")[str(size)]["pack"])
    seed = reference.encoded(
        "dealing-check",
        inputs.ROUND_NAME,
        0,
        inputs.ROSTER,
        inputs.BEACON,
        inputs.seed("body"),
    )

    rows = reference.weights(seed, columns)

    content = b"".join(word.to_bytes(2, "little") for row in rows for word in row)
    assert [row[:3] for row in rows] == expected["weights_first"]
    assert hashlib.sha256(content).hexdigest() == expected["weights_sha256"]


def test_combinations_follow_from_lagranges_formula() -> None:
    """Mask + weights . share for the first four of 100 holders; then a row absent."""
    size = 100
    shares, expected = frozen("shares")[str(size)], frozen("dealing_check")[str(size)]
    columns = -(-reference.DEGREE // shares["pack"])
    seed = reference.encoded(
        "dealing-check",
        inputs.ROUND_NAME,
        0,
        inputs.ROSTER,
        inputs.BEACON,
        inputs.seed("body"),
    )
    rows = reference.weights(seed, columns)
    dealt = [
        reference.dealt(
            column,
            inputs.secret(reference.DEGREE),
            holders=range(1, 5),
            privacy=shares["privacy"],
            pack=shares["pack"],
            random_bytes=inputs.stream(f"shares/{size}"),
        )
        for column in range(columns + 4)
    ]

    for holder, told in enumerate(expected["combinations"]):
        share = [column[holder] for column in dealt]
        words = [
            (mask + sum(w * v for w, v in zip(row, share[:-4], strict=True)))
            % reference.PRIME
            for row, mask in zip(rows, share[-4:], strict=True)
        ]
        content = b"".join(word.to_bytes(2, "little") for word in words)
        assert told == (content + b"\xff" * 8).hex()


@pytest.mark.parametrize(("holders", "size"), inputs.DIVISIONS)
def test_cohorts_follow_from_the_specification(holders: int, size: int) -> None:
    """Fisher and Yates with 32-bit words of SHAKE-256 of round, roster and beacon."""
    seed = reference.encoded(
        "cohorts", inputs.ROUND_NAME, 0, inputs.ROSTER, inputs.BEACON
    )

    division = reference.division(seed, holders, size)

    assert frozen("cohorts")[f"{holders}/{size}"] == division
