"""What the product answers to the fixed inputs, in the form in which it is frozen.

Run as a module to write the files anew, after a change of the protocol that was meant:
`python -m tests.unit.crypto.known_answers.answers`. A change of any byte there is a
change of the protocol, and takes a new PROTOCOL_VERSION.
"""

import json
from pathlib import Path
from typing import Any
from unittest import mock

import numpy as np
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey

from federated_router.api.v1 import aggregation_pb2 as pb2
from federated_router.crypto import (
    beacon,
    binding,
    body,
    ckks,
    ring,
    sealing,
    signing,
)
from federated_router.crypto.beacon import RosterEntry
from federated_router.crypto.sealing import Envelope, Letter
from federated_router.federation import statements
from federated_router.federation.statements import Contributor
from tests.unit.crypto.known_answers import dealing_answers, inputs

DIRECTORY = Path(__file__).parent
Answers = dict[str, Any]


def beacon_answers() -> Answers:
    """Return commitments, roster hash, beacon and the polynomials that follow."""
    nonces = {name: inputs.seed("nonce", name) for name in inputs.NAMES}
    entries = [
        RosterEntry(
            name,
            inputs.keys_of(name).public,
            beacon.commit(inputs.ATTEMPT, name, nonces[name]),
        )
        for name in inputs.NAMES
    ]
    roster = beacon.roster_hash(inputs.ATTEMPT, entries, layout=inputs.LAYOUT)
    found = beacon.beacon(inputs.ATTEMPT, entries, nonces, layout=inputs.LAYOUT)
    rows = beacon.public_polynomials(inputs.ATTEMPT, roster, found, count=3)
    return {
        "commitments": {entry.member: entry.commitment.hex() for entry in entries},
        "roster_hash": roster.hex(),
        "beacon": found.hex(),
        "polynomials": [
            {
                "first": row[:4].tolist(),
                "last": row[-2:].tolist(),
                "sha256": inputs.sha256(row.astype("<u8").tobytes()),
            }
            for row in rows
        ],
    }


def sealing_answers() -> Answers:
    """Return an envelope's bytes and two letters sealed under a fixed fresh key."""
    sender, receiver = inputs.NAMES[0], inputs.NAMES[3]
    envelope = Envelope(inputs.ATTEMPT, inputs.ROSTER, sender, receiver)
    fresh = X25519PrivateKey.from_private_bytes(inputs.seed("fresh"))
    content = bytes(range(24))
    other = Letter(
        bytes(range(8)),
        inputs.keys_of(inputs.NAMES[2]).public,
        Envelope(inputs.ATTEMPT, inputs.ROSTER, sender, inputs.NAMES[2]),
    )
    with mock.patch.object(sealing, "X25519PrivateKey") as drawn:
        drawn.generate.return_value = fresh
        letter = Letter(content, inputs.keys_of(receiver).public, envelope)
        sealed = sealing.seal([letter, other], sender=inputs.keys_of(sender))
    return {"associated_data": envelope.encoded().hex(), "sealed": sealed.hex()}


def statement_answers() -> Answers:
    """Return the bytes that are signed, kind by kind, and Ed25519's signatures."""
    name, keys = inputs.NAMES[1], inputs.keys_of(inputs.NAMES[1])
    digest = inputs.seed("body")
    said = {
        "join": statements.join_statement(
            inputs.ROUND_NAME,
            name,
            keys=keys.public,
            not_after_s=inputs.NOT_AFTER_S,
            commitment=inputs.seed("commitment"),
        ),
        "beacon-reveal": statements.reveal_statement(
            inputs.ROUND_NAME, name, nonce=inputs.seed("nonce", name)
        ),
        "contribution": statements.contribution_statement(
            inputs.ROUND_NAME, name, roster_hash=inputs.ROSTER, body_sha256=digest
        ),
        "opening": statements.opening_statement(
            inputs.ROUND_NAME,
            name,
            roster_hash=inputs.ROSTER,
            share_sum=bytes(range(64)),
        ),
        "dealing-check": statements.check_statement(
            inputs.ROUND_NAME,
            name,
            roster_hash=inputs.ROSTER,
            combinations=bytes(range(64)),
        ),
    }
    contributors = [
        Contributor(number, inputs.seed("sha256", one), bytes(64))
        for number, one in enumerate(inputs.NAMES, start=1)
    ]
    return {
        "statements": {
            kind: {
                "signed": statement.encoded().hex(),
                "signature": signing.sign(statement, keys).hex(),
            }
            for kind, statement in said.items()
        },
        "contributors": statements.contributors_message(
            inputs.ROUND_NAME, inputs.ROSTER, contributors
        ).hex(),
        "survivors": statements.survivors_message(
            inputs.ROUND_NAME,
            inputs.ROSTER,
            contributors_sha256=inputs.seed("contributors"),
            survivors=[1, 3],
        ).hex(),
        "key_binding": binding._message(name, keys.public, inputs.NOT_AFTER_S).hex(),
    }


def contribution_answers() -> Answers:
    """Return a ciphertext's bytes, and messages of the contract as they travel."""
    polynomials = beacon.public_polynomials(
        inputs.ATTEMPT, inputs.ROSTER, inputs.BEACON, count=2
    )
    encryption = ckks.encrypt(
        np.arange(3000, dtype=np.int64) - 1500,
        polynomials=polynomials,
        random_bytes=inputs.stream("encryption"),
    )
    residues = np.full((1, ring.DEGREE), ring.MODULUS - 1, dtype=np.uint64)
    residues[0, :4] = [0, 1, 2, 1 << 53]
    header = pb2.ContributionHeader(
        round=inputs.ROUND_NAME,
        roster_hash=inputs.ROSTER,
        size_bytes=60_608,
        sha256=inputs.seed("body"),
        signature=bytes(range(64)),
    )
    return {
        "packed_residues": body.to_bytes(residues)[:64].hex(),
        "ciphertext_first": encryption.body[:64].hex(),
        "ciphertext_sha256": inputs.sha256(encryption.body),
        "secret_sha256": inputs.sha256(encryption.secret.coefficients.tobytes()),
        "header": header.SerializeToString(deterministic=True).hex(),
        "header_part": pb2.SubmitContributionRequest(header=header)
        .SerializeToString(deterministic=True)
        .hex(),
        "opening": pb2.SubmitOpeningRequest(
            round=inputs.ROUND_NAME, share_sum=bytes(8), signature=bytes(64)
        )
        .SerializeToString(deterministic=True)
        .hex(),
    }


ANSWERS = {
    "beacon": beacon_answers,
    "shares": dealing_answers.share_answers,
    "share_seeds": dealing_answers.seed_answers,
    "dealing_check": dealing_answers.check_answers,
    "cohorts": dealing_answers.cohort_answers,
    "sealed_share": sealing_answers,
    "signed_bytes": statement_answers,
    "contribution": contribution_answers,
}


def frozen(name: str) -> Answers:
    """Return what was frozen."""
    found: Answers = json.loads((DIRECTORY / f"{name}.json").read_text())
    return found


def main() -> None:
    """Freeze what the product answers now."""
    for name, answer in ANSWERS.items():
        text = json.dumps(answer(), indent=1, sort_keys=True)
        (DIRECTORY / f"{name}.json").write_text(text + "\n")


if __name__ == "__main__":
    main()
