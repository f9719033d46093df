"""Every byte that members exchange, sign or derive has a frozen answer.

A member of one release must understand a member of another. Whoever changes a layout
on purpose writes the files anew and raises PROTOCOL_VERSION; by accident nobody does.
The second half derives the frozen bytes again, in plain Python from the specification.
"""

import hashlib

import pytest
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey

from federated_router.crypto.transcript import PROTOCOL_VERSION
from tests.unit.crypto.known_answers import inputs, reference
from tests.unit.crypto.known_answers.answers import ANSWERS, frozen

NAME = inputs.NAMES[1]


@pytest.mark.parametrize("name", ANSWERS)
def test_product_gives_the_frozen_answers(name: str) -> None:
    """Compare byte for byte with the file of that name."""
    assert ANSWERS[name]() == frozen(name)


def test_frozen_answers_are_those_of_this_protocol_version() -> None:
    """A new version needs new files, and new files a new version."""
    assert PROTOCOL_VERSION == 3
    assert reference.encoded("x")[46:54].hex() == f"{PROTOCOL_VERSION:016x}"


def test_one_changed_bit_of_an_input_changes_the_answers(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The files would notice: another nonce, round or key gives other bytes."""
    monkeypatch.setattr(
        inputs, "seed", lambda *words: hashlib.sha256(repr(words).encode()).digest()
    )

    for name in ("beacon", "sealed_share", "signed_bytes"):
        assert ANSWERS[name]() != frozen(name)


def commitments() -> dict[str, bytes]:
    """Return every member's commitment by the specification."""
    return {
        name: reference.digest(
            "commitment", inputs.ROUND_NAME, 0, name, inputs.seed("nonce", name)
        )
        for name in inputs.NAMES
    }


def test_beacon_follows_from_the_specification() -> None:
    """Commit, hash the roster in order of names, hash the nonces behind it."""
    committed = commitments()
    rows = []
    nonces: list[bytes | str] = []
    for name in sorted(inputs.NAMES):
        keys = inputs.keys_of(name).public
        rows.append(
            reference.encoded(
                "roster-entry", name, keys.signing, keys.sealing, committed[name]
            )
        )
        nonces += [name, inputs.seed("nonce", name)]
    roster = reference.digest("roster", inputs.ROUND_NAME, 0, inputs.LAYOUT, *rows)
    found = reference.digest("beacon", inputs.ROUND_NAME, 0, roster, *nonces)

    file = frozen("beacon")
    assert file["commitments"] == {k: v.hex() for k, v in committed.items()}
    assert (file["roster_hash"], file["beacon"]) == (roster.hex(), found.hex())


def test_polynomials_follow_from_the_specification() -> None:
    """SHAKE-256 of round, roster, beacon and row."""
    file = frozen("beacon")
    roster, found = (bytes.fromhex(file[key]) for key in ("roster_hash", "beacon"))
    for row, expected in enumerate(file["polynomials"]):
        seed = reference.encoded(
            "polynomial", inputs.ROUND_NAME, 0, roster, found
        ) + reference.encoded("row", row)
        words = reference.polynomial(seed)
        content = b"".join(word.to_bytes(8, "little") for word in words)
        assert words[:4] == expected["first"]
        assert words[-2:] == expected["last"]
        assert hashlib.sha256(content).hexdigest() == expected["sha256"]


def test_sealed_shares_follow_from_the_specification() -> None:
    """X25519 twice, HKDF-SHA256, ChaCha20-Poly1305; one fresh key before both boxes."""
    sender, fresh = inputs.NAMES[0], inputs.seed("fresh")
    key = X25519PrivateKey.from_private_bytes(fresh)
    boxes = []
    for receiver, length in ((inputs.NAMES[3], 24), (inputs.NAMES[2], 8)):
        associated = reference.encoded(
            "sealed-share", inputs.ROUND_NAME, 0, inputs.ROSTER, sender, receiver
        )
        box = reference.sealed(
            bytes(range(length)),
            fresh=key,
            sender=inputs.keys_of(sender).sealing,
            receiver=inputs.keys_of(receiver).sealing.public_key(),
            associated=associated,
        )
        assert len(box) == length + 16
        boxes.append((associated, box))

    assert frozen("sealed_share") == {
        "associated_data": boxes[0][0].hex(),
        "sealed": (
            key.public_key().public_bytes_raw() + boxes[0][1] + boxes[1][1]
        ).hex(),
    }


BODIES = {
    "join": (
        b"",
        reference.encoded(
            "join-body",
            inputs.keys_of(NAME).public.signing,
            inputs.keys_of(NAME).public.sealing,
            inputs.NOT_AFTER_S,
            inputs.seed("commitment"),
        ),
    ),
    "beacon-reveal": (bytes(32), inputs.seed("nonce", NAME)),
    "dealing-check": (inputs.ROSTER, bytes(range(64))),
    "opening": (inputs.ROSTER, bytes(range(64))),
}


@pytest.mark.parametrize("kind", BODIES)
def test_signed_bytes_follow_from_the_specification(kind: str) -> None:
    """Round, attempt, kind, roster, sender and the digest of the body."""
    roster, content = BODIES[kind]
    signed = reference.statement(inputs.ROUND_NAME, kind, roster, NAME, content)
    key = inputs.keys_of(NAME).signing

    expected = frozen("signed_bytes")["statements"][kind]
    assert expected["signed"] == signed.hex()
    assert expected["signature"] == key.sign(signed).hex()


def test_other_signed_bytes_follow_from_the_specification() -> None:
    """Contribution (over a digest), contributors, survivors, key binding."""
    file, name = frozen("signed_bytes"), NAME
    keys = inputs.keys_of(name).public
    assert file["statements"]["contribution"]["signed"] == (
        reference.encoded(
            "statement",
            inputs.ROUND_NAME,
            0,
            "contribution",
            inputs.ROSTER,
            name,
            inputs.seed("body"),
        ).hex()
    )
    rows = [
        reference.encoded("contributor", number, inputs.seed("sha256", one), bytes(64))
        for number, one in enumerate(inputs.NAMES, start=1)
    ]
    contributors = reference.encoded(
        "contributors", inputs.ROUND_NAME, 0, inputs.ROSTER, *rows
    )
    survivors = reference.encoded(
        "survivors",
        inputs.ROUND_NAME,
        0,
        inputs.ROSTER,
        inputs.seed("contributors"),
        reference.encoded("numbers", 1, 3),
    )
    bound = reference.encoded(
        "key-binding", name, keys.signing, keys.sealing, inputs.NOT_AFTER_S
    )
    assert file["contributors"] == contributors.hex()
    assert file["survivors"] == survivors.hex()
    assert file["key_binding"] == bound.hex()


def test_messages_follow_from_the_contract() -> None:
    """Field numbers and wire types of what carries a contribution and an answer."""
    header = reference.message(
        (1, inputs.ROUND_NAME.encode()),
        (2, inputs.ROSTER),
        (3, 60_608),
        (4, inputs.seed("body")),
        (5, bytes(range(64))),
    )
    opening = reference.message(
        (1, inputs.ROUND_NAME.encode()), (2, bytes(8)), (3, bytes(64))
    )
    residues = [0, 1, 2, 1 << 53, *[reference.MODULUS - 1] * 28]

    file = frozen("contribution")
    assert file["header"] == header.hex()
    assert file["header_part"] == reference.message((1, header)).hex()
    assert file["opening"] == opening.hex()
    assert file["packed_residues"] == reference.packed_bits(residues)[:64].hex()
