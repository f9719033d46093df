"""The protocol's byte layouts and arithmetic a second time, in plain Python.

Written from the specification, so that the frozen answers are more than a record of
what the product happened to do. Slow and plain: integers, no numpy, no product code.
"""

import hashlib
from collections.abc import Callable, Sequence
from itertools import pairwise

from cryptography.hazmat.primitives.asymmetric.x25519 import (
    X25519PrivateKey,
    X25519PublicKey,
)
from cryptography.hazmat.primitives.ciphers.aead import ChaCha20Poly1305
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

PRIME = 65521
MODULUS = 18014398509309953
DEGREE = 4096
Field = bytes | str | int


def encoded(purpose: str, *fields: Field) -> bytes:
    """Return domain, version, purpose, fields: letter, length in 8 bytes, content."""
    made = b""
    for field in ("federated-router/aggregation", 3, purpose, *fields):
        if isinstance(field, int):
            letter, content = b"i", field.to_bytes(8, "big")
        elif isinstance(field, str):
            letter, content = b"s", field.encode()
        else:
            letter, content = b"b", field
        made += letter + len(content).to_bytes(8, "big") + content
    return made


def digest(purpose: str, *fields: Field) -> bytes:
    """Return the SHA-256 of an encoding."""
    return hashlib.sha256(encoded(purpose, *fields)).digest()


def statement(
    round_name: str, kind: str, roster: bytes, sender: str, body: bytes
) -> bytes:
    """Return what is signed over a body."""
    sha256 = hashlib.sha256(body).digest()
    return encoded("statement", round_name, 0, kind, roster, sender, sha256)


def polynomial(seed: bytes) -> list[int]:
    """Expand by SHAKE-256: the low 54 bits of little-endian words below the modulus."""
    stream = hashlib.shake_256(seed).digest(8 * 3 * DEGREE)
    words = (
        int.from_bytes(stream[place : place + 8], "little") % (1 << 54)
        for place in range(0, len(stream), 8)
    )
    return [word for word in words if word < MODULUS][:DEGREE]


def field_elements(count: int, random_bytes: Callable[[int], bytes]) -> list[int]:
    """Draw elements of F_65521 from 16-bit words; what is too large is drawn again."""
    taken: list[int] = []
    while len(taken) < count:
        content = random_bytes(2 * (count - len(taken)))
        words = [a + 256 * b for a, b in pairwise(content)][::2]
        taken += [word for word in words if word < PRIME]
    return taken


def lagrange(points: Sequence[int], at: int) -> list[int]:
    """Return the weights that take values at `points` to the value at `at`."""
    weights = []
    for point in points:
        above = below = 1
        for other in points:
            if other != point:
                above = above * (at - other) % PRIME
                below = below * (point - other) % PRIME
        weights.append(above * pow(below, -1, PRIME) % PRIME)
    return weights


def shares_of_column(
    packed: Sequence[int], drawn: Sequence[int], *, holders: Sequence[int]
) -> list[int]:
    """Return one column's share of each of `holders`.

    What is packed stands at -1, -2, ..., what was drawn at 1, 2, ...
    """
    secrets = [-1 - index for index in range(len(packed))]
    points = [*secrets, *range(1, len(drawn) + 1)]
    values = [*packed, *drawn]
    return [
        sum(w * v for w, v in zip(lagrange(points, holder), values, strict=True))
        % PRIME
        for holder in holders
    ]


def dealt(
    column: int,
    secret: Sequence[int],
    *,
    holders: Sequence[int],
    privacy: int,
    pack: int,
    random_bytes: Callable[[int], bytes],
) -> list[int]:
    """Return one column of a dealing: the masks' values are drawn before the others.

    Columns are the secret's, then four masks'; negative ones count from the end.
    """
    columns = -(-DEGREE // pack)
    masks = field_elements(pack * 4, random_bytes)
    uniform = field_elements(privacy * (columns + 4), random_bytes)
    place = column % (columns + 4)
    padded = [*secret, *[0] * (columns * pack - len(secret))]
    if place < columns:
        packed = padded[place * pack : (place + 1) * pack]
    else:
        packed = [masks[row * 4 + place - columns] for row in range(pack)]
    drawn = [uniform[row * (columns + 4) + place] for row in range(privacy)]
    return shares_of_column(packed, drawn, holders=holders)


def weights(seed: bytes, columns: int) -> list[list[int]]:
    """Return four rows of 16-bit little-endian words of SHAKE-256 below the prime."""
    stream = hashlib.shake_256(seed).digest(16 * columns)
    words = [a + 256 * b for a, b in pairwise(stream)][::2]
    accepted = [word for word in words if word < PRIME]
    return [accepted[row * columns : (row + 1) * columns] for row in range(4)]


def expanded(seed: bytes, count: int) -> list[int]:
    """Return a share from its seed: words of SHAKE-256 below the prime."""
    stream = hashlib.shake_256(encoded("share-seed", seed)).digest(4 * count)
    words = [a + 256 * b for a, b in pairwise(stream)][::2]
    return [word for word in words if word < PRIME][:count]


def division(seed: bytes, holders: int, size: int) -> list[list[int]]:
    """Shuffle from the last place down; deal the holders to cohorts in turn."""
    stream = hashlib.shake_256(seed).digest(16384)
    places = range(0, len(stream), 4)
    words = (int.from_bytes(stream[at : at + 4], "little") for at in places)
    order = list(range(1, holders + 1))
    count = max(1, holders // size) if size else 1
    for last in range(holders - 1, 0, -1) if count > 1 else ():
        limit = 2**32 - 2**32 % (last + 1)
        chosen = next(word for word in words if word < limit) % (last + 1)
        order[last], order[chosen] = order[chosen], order[last]
    return [sorted(order[first::count]) for first in range(count)]


def sealed(
    content: bytes,
    *,
    fresh: X25519PrivateKey,
    sender: X25519PrivateKey,
    receiver: X25519PublicKey,
    associated: bytes,
) -> bytes:
    """Return ciphertext and tag; the fresh public key stands before all boxes."""
    public = fresh.public_key().public_bytes_raw()
    info = encoded(
        "sealing-key",
        public,
        receiver.public_bytes_raw(),
        sender.public_key().public_bytes_raw(),
        associated,
    )
    agreed = fresh.exchange(receiver) + sender.exchange(receiver)
    key = HKDF(algorithm=SHA256(), length=32, salt=None, info=info).derive(agreed)
    return ChaCha20Poly1305(key).encrypt(bytes(12), content, associated)


def packed_bits(words: Sequence[int], bits: int = 54) -> bytes:
    """Return words, each in `bits` bits, little-endian, one after the other."""
    total = sum(word << (bits * place) for place, word in enumerate(words))
    return total.to_bytes(-(-bits * len(words) // 8), "little")


def varint(number: int) -> bytes:
    """Return a protobuf varint."""
    made = b""
    while number > 0x7F:
        made += bytes([number & 0x7F | 0x80])
        number >>= 7
    return made + bytes([number])


def message(*fields: tuple[int, bytes | int]) -> bytes:
    """Return a protobuf message of numbered fields."""
    made = b""
    for number, value in fields:
        if isinstance(value, int):
            made += varint(number << 3) + varint(value)
        else:
            made += varint(number << 3 | 2) + varint(len(value)) + value
    return made
