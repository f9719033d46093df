"""Where the parts of a contribution lie; the same for members and for the coordinator.

A body is the ciphertexts, then one fresh public key, then for each holder, in roster
order, a box that this key and the sender's closed. Decides sizes and places, which
follow from the roster's size and the vector's length alone. Refuses to open anything.
"""

from dataclasses import dataclass

from federated_router.crypto.body import CIPHERTEXT_BYTES
from federated_router.crypto.packed_shamir import Thresholds
from federated_router.crypto.sealing import TAG_BYTES
from federated_router.crypto.share_seeds import content_bytes
from federated_router.crypto.signing import KEY_BYTES


@dataclass(frozen=True, slots=True)
class BodyLayout:
    """The layout of every body of one round. Holders are numbered from 1."""

    ciphertexts: int
    thresholds: Thresholds

    @property
    def ciphertext_bytes(self) -> int:
        """Return the length of the ciphertexts, which come first."""
        return self.ciphertexts * CIPHERTEXT_BYTES

    @property
    def size_bytes(self) -> int:
        """Return the length of a whole body."""
        return self._box_start(self.thresholds.holders + 1)

    def sealed_bytes(self, holder: int) -> int:
        """Return the length of what a holder is sent of each dealer: key and box."""
        return KEY_BYTES + self._box_bytes(holder)

    def sealed_for(self, body: bytes, holder: int) -> bytes:
        """Return key and box of a whole body, as `sealing.unseal` takes them."""
        return body[self.key] + body[self.box(holder)]

    @property
    def key(self) -> slice:
        """Return where the fresh public key lies."""
        return slice(self.ciphertext_bytes, self.ciphertext_bytes + KEY_BYTES)

    def box(self, holder: int) -> slice:
        """Return where a holder's box lies."""
        start = self._box_start(holder)
        return slice(start, start + self._box_bytes(holder))

    def _box_bytes(self, holder: int) -> int:
        return content_bytes(self.thresholds, holder) + TAG_BYTES

    def _box_start(self, holder: int) -> int:
        seeded = min(holder - 1, self.thresholds.privacy)
        whole = holder - 1 - seeded
        boxes = seeded * self._box_bytes(1)
        boxes += whole * self._box_bytes(self.thresholds.holders)
        return self.ciphertext_bytes + KEY_BYTES + boxes
