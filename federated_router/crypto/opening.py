"""Open sums of the one-time secrets from the holders' answers, and name the liars.

Decides when answers suffice and whom to believe. Refuses to know how they arrived, and
to return a secret that any believed answer contradicts in any column.
"""

import secrets
from collections.abc import Mapping, Sequence
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


@dataclass(frozen=True, slots=True)
class Openings:
    """The summed secret of each cohort, and the holders that lied about any."""

    secrets: tuple[NDArray[np.int64], ...] = dataclass_field(repr=False)
    liars: frozenset[int]


def open_secret(
    answers: Mapping[int, Share],
    *,
    thresholds: Thresholds,
    contributors: int,
    random_bytes: RandomBytes = secrets.token_bytes,
) -> Opening:
    """Return the sum of the secrets of so many contributors, who are one cohort.

    As `open_secrets`, where each holder answers with one sum.
    """
    opened = open_secrets(
        {holder: [share] for holder, share in answers.items()},
        thresholds=thresholds,
        contributors=[contributors],
        random_bytes=random_bytes,
    )
    return Opening(opened.secrets[0], opened.liars)


def open_secrets(
    answers: Mapping[int, Sequence[Share]],
    *,
    thresholds: Thresholds,
    contributors: Sequence[int],
    random_bytes: RandomBytes = secrets.token_bytes,
) -> Openings:
    """Return the sum of the secrets of each cohort, all from the same answers.

    `answers` maps holders, 1..n in roster order, to their sums for each cohort that has
    survivors; `contributors` counts each such cohort's survivors. A holder's sums are
    one long share, so that who lies about one cohort is believed about none. Holders
    that a dealing check set aside are left out by the caller, and are then not named.
    With exactly `reconstruct` answers a lie cannot be seen here; `ckks.open_sum` then
    refuses.

    Raises:
        RosterTooSmall: fewer than `reconstruct` answers.
        NotOnRoster: an answer of no holder.
        CiphertextMalformed: an answer of another length.
        ShareConflict: answers contradict each other and there are too few to tell who
            lies, or what they give is no sum of so many secrets.
    """
    points, values = _stacked(answers, thresholds, len(contributors))
    honest = _honest(points, values, thresholds, random_bytes)
    basis = np.flatnonzero(honest)[: thresholds.reconstruct]
    matrix = field.interpolation(points[basis], thresholds.secret_points)
    packed = field.centred(field.matrix_product(matrix, values[basis]))
    every = packed.T.reshape(len(contributors), -1)
    bounds = CBD_WIDTH * np.array(contributors, dtype=np.int64)[:, None]
    if bool((np.abs(every) > bounds).any()) or bool(every[:, DEGREE:].any()):
        raise _contradiction(len(points), thresholds)
    return Openings(tuple(every[:, :DEGREE]), frozenset(points[~honest].tolist()))


def _stacked(
    answers: Mapping[int, Sequence[Share]], thresholds: Thresholds, cohorts: int
) -> tuple[Elements, Elements]:
    """Return points and values, shape (holders, cohorts * columns), by holder."""
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
    expected = [(thresholds.columns,)] * cohorts
    told = ([sums.shape for sums in said] for said in answers.values())
    if cohorts < 1 or any(shapes != expected for shapes in told):
        raise CiphertextMalformed(
            f"An answer of this round has {cohorts} sums of {thresholds.columns} "
            "elements.",
            field="answer",
        )
    holders = sorted(answers)
    values = np.stack([np.concatenate(answers[holder]) for holder in holders])
    return np.array(holders, dtype=np.int64), values.astype(np.int64)


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
        located = decoding.wrong_positions(
            points,
            field.matrix_product(values, weights[:, None]).T,
            coefficients=thresholds.reconstruct,
        )
        if not located.decodable[0]:
            break
        believed = ~located.wrong[0]
    raise _contradiction(len(points), thresholds)


def _agreeing(
    points: Elements,
    values: Elements,
    believed: NDArray[np.bool_],
    reconstruct: int,
) -> NDArray[np.bool_]:
    """Return which answers agree, in every column, with the first believed ones."""
    basis = np.flatnonzero(believed)[:reconstruct]
    agrees = np.ones(len(points), dtype=np.bool_)
    others = np.delete(np.arange(len(points)), basis)
    matrix = field.interpolation(points[basis], points[others])
    expected = field.matrix_product(matrix, values[basis])
    agrees[others] = (expected == values[others]).all(axis=1)
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
