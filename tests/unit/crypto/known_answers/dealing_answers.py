"""What the product answers to the fixed inputs about shares, checks and cohorts."""

from typing import Any

import numpy as np

from federated_router.crypto import (
    cohorts,
    dealing_check,
    packed_shamir,
    ring,
    share_seeds,
)
from federated_router.crypto.packed_shamir import Thresholds
from tests.unit.crypto.known_answers import inputs

Answers = dict[str, Any]


def share_answers() -> Answers:
    """Return packed shares of one secret for several rosters."""
    coefficients = np.array(inputs.secret(ring.DEGREE))
    made: Answers = {}
    for size in inputs.ROSTER_SIZES:
        thresholds = Thresholds.for_roster(size)
        shares = packed_shamir.deal(
            coefficients, thresholds, random_bytes=inputs.stream(f"shares/{size}")
        )
        total = packed_shamir.sum_shares([shares[0], shares[1], shares[1]])
        made[str(size)] = {
            "privacy": thresholds.privacy,
            "pack": thresholds.pack,
            "bytes": thresholds.share_bytes,
            "first": [share[:3].tolist() for share in shares[:4]],
            "masks": [share[-packed_shamir.CHECKS :].tolist() for share in shares[:4]],
            "sha256": inputs.sha256(
                b"".join(map(packed_shamir.share_to_bytes, shares))
            ),
            "sum_sha256": inputs.sha256(packed_shamir.share_to_bytes(total)),
        }
    return made


def seed_answers() -> Answers:
    """Return what fixed seeds deal: expansions, and who is sent how many bytes."""
    made: Answers = {}
    for size in inputs.ROSTER_SIZES:
        thresholds = Thresholds.for_roster(size)
        seeds = [inputs.seed("share", n) for n in range(thresholds.privacy)]
        blinding = share_seeds.blinding(seeds, thresholds)
        shares = packed_shamir.deal(
            np.array(inputs.secret(ring.DEGREE)),
            thresholds,
            blinding=blinding,
            random_bytes=inputs.stream(f"masks/{size}"),
        )
        contents = share_seeds.contents(shares, seeds)
        made[str(size)] = {
            "privacy": thresholds.privacy,
            "pack": thresholds.pack,
            "expanded_first": [row[:3].tolist() for row in blinding[:4]],
            "expanded_sha256": inputs.sha256(blinding.astype("<u2").tobytes()),
            "last_share": shares[-1][:3].tolist(),
            "bytes": list(map(len, contents)),
            "sha256": inputs.sha256(b"".join(contents)),
        }
    return made


def check_answers() -> Answers:
    """Return the weights for one dealer, and what the first four holders send."""
    made: Answers = {}
    for size in inputs.ROSTER_SIZES:
        thresholds = Thresholds.for_roster(size)
        weights = dealing_check.weights(
            inputs.ATTEMPT,
            inputs.ROSTER,
            inputs.BEACON,
            body_sha256=inputs.seed("body"),
            thresholds=thresholds,
        )
        shares = packed_shamir.deal(
            np.array(inputs.secret(ring.DEGREE)),
            thresholds,
            random_bytes=inputs.stream(f"shares/{size}"),
        )
        made[str(size)] = {
            "weights_first": weights[:, :3].tolist(),
            "weights_sha256": inputs.sha256(weights.astype("<u2").tobytes()),
            "combinations": [
                dealing_check.combinations_to_bytes(
                    dealing_check.combinations([share, None], [weights, weights])
                ).hex()
                for share in shares[:4]
            ],
        }
    return made


def cohort_answers() -> Answers:
    """Return divisions of several rosters."""
    return {
        f"{holders}/{size}": list(
            map(
                list,
                cohorts.assign(
                    inputs.ATTEMPT,
                    inputs.ROSTER,
                    inputs.BEACON,
                    holders=holders,
                    size=size,
                ),
            )
        )
        for holders, size in inputs.DIVISIONS
    }
