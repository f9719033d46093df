"""Open the sum of the one-time secrets from the holders' answers, and name the liars.

Decides when answers suffice and whom to believe. Refuses to know how they arrived, and
to return a secret that any believed answer contradicts in any column.
"""

import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from dataclasses import field as dataclass_field

import numpy as np
from numpy.typing import NDArray

from federated_router.crypto import decoding, field
from federated_router.crypto.field import Elements
from federated_router.crypto.packed_shamir import Share, Thresholds
from federated_router.crypto.ring import CBD_WIDTH, DEGREE, RandomBytes
from federated_router.kit.errors import (
    CiphertextMalformed,
    NotOnRoster,
    RosterTooSmall,
    ShareConflict,
)

_COMBINATIONS_MAX = 4
"""One random combination hides a given liar with probability 1/65521."""


@dataclass(frozen=True, slots=True)
class Opening:
    """The summed secret S, DEGREE signed coefficients, and the holders that lied."""

    secret: NDArray[np.int64] = dataclass_field(repr=False)
    liars: frozenset[int]


def open_secret(
    answers: Mapping[int, Share],
    *,
    thresholds: Thresholds,
    contributors: int,
    random_bytes: RandomBytes = secrets.token_bytes,
) -> Opening:
    """Return the sum of the secrets of so many contributors.

    `answers` maps holders, 1..n in roster order, to what they sent. With exactly
    `reconstruct` answers a lie cannot be seen here; `ckks.open_sum` then refuses.

    Raises:
        RosterTooSmall: fewer than `reconstruct` answers.
        NotOnRoster: an answer of no holder.
        CiphertextMalformed: an answer of another length.
        ShareConflict: answers contradict each other and there are too few to tell who
            lies, or what they give is no sum of so many secrets.
    """
    points, values = _stacked(answers, thresholds)
    honest = _honest(points, values, thresholds, random_bytes)
    basis = np.flatnonzero(honest)[: thresholds.reconstruct]
    matrix = field.interpolation(points[basis], thresholds.secret_points)
    packed = field.centred(field.matrix_product(matrix, values[basis]))
    every = packed.T.reshape(-1)
    bound = CBD_WIDTH * contributors
    if bool((np.abs(every) > bound).any()) or bool(every[DEGREE:].any()):
        raise _contradiction(len(points), thresholds)
    return Opening(every[:DEGREE], frozenset(points[~honest].tolist()))


def _stacked(
    answers: Mapping[int, Share], thresholds: Thresholds
) -> tuple[Elements, Elements]:
    """Return points and values of the answers, by holder."""
    if len(answers) < thresholds.reconstruct:
        raise RosterTooSmall(
            f"{thresholds.reconstruct} holders open a sum; {len(answers)} answered.",
            metadata={
                "answers": str(len(answers)),
                "needed": str(thresholds.reconstruct),
            },
        )
    if not all(1 <= holder <= thresholds.holders for holder in answers):
        raise NotOnRoster(f"Holders are numbered 1 to {thresholds.holders}.")
    if any(share.shape != (thresholds.columns,) for share in answers.values()):
        raise CiphertextMalformed(
            f"An answer of this round has {thresholds.columns} elements.",
            field="answer",
        )
    holders = sorted(answers)
    values = np.stack([answers[holder] for holder in holders]).astype(np.int64)
    return np.array(holders, dtype=np.int64), values


def _honest(
    points: Elements,
    values: Elements,
    thresholds: Thresholds,
    random_bytes: RandomBytes,
) -> NDArray[np.bool_]:
    """Return which answers lie on the one polynomial that most of them lie on."""
    located_max = thresholds.liars_located_max(len(points))
    believed = np.ones(len(points), dtype=np.bool_)
    for _ in range(_COMBINATIONS_MAX):
        honest = _agreeing(points, values, believed, thresholds.reconstruct)
        if int((~honest).sum()) <= located_max:
            return honest
        weights = field.sample(values.shape[1], random_bytes=random_bytes)
        wrong = decoding.wrong_positions(
            points,
            field.matrix_product(values, weights[:, None])[:, 0],
            coefficients=thresholds.reconstruct,
        )
        if wrong is None:
            break
        believed = ~wrong
    raise _contradiction(len(points), thresholds)


def _agreeing(
    points: Elements,
    values: Elements,
    believed: NDArray[np.bool_],
    reconstruct: int,
) -> NDArray[np.bool_]:
    """Return which answers agree, in every column, with the first believed ones."""
    basis = np.flatnonzero(believed)[:reconstruct]
    matrix = field.interpolation(points[basis], points)
    expected = field.matrix_product(matrix, values[basis])
    agrees: NDArray[np.bool_] = (expected == values).all(axis=1)
    return agrees


def _contradiction(answers: int, thresholds: Thresholds) -> ShareConflict:
    return ShareConflict(
        "The holders' answers contradict each other and are too few to tell who lies; "
        "run the round again.",
        metadata={
            "answers": str(answers),
            "needed": str(thresholds.reconstruct),
            "liars_located_max": str(thresholds.liars_located_max(answers)),
        },
    )
