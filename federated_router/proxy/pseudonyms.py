"""What nodes call a router's users: pseudonyms under a key that nobody else has.

Decides that a user is the certificate that a request came with, as for quotas, and that
every audience gets pseudonyms of its own, so that nodes cannot compare notes. They are
keyed hashes (BLAKE2b, RFC 7693) under a key that is drawn when the process starts and
dies with it: a node can tell two requests of one user from two users', which the limit
per user needs, and cannot tell who it is, nor link users across a restart.
"""

import hashlib
import secrets
from typing import Final

from federated_router.federation.user_clipping import UserKey
from federated_router.kit.identity import Identity

_KEY_BYTES: Final = 32
_EPOCH_BYTES: Final = 8
_PSEUDONYM_BYTES: Final = 16


class Pseudonyms:
    """Names users of one router process; `epoch` names its key."""

    def __init__(self) -> None:
        self._key = secrets.token_bytes(_KEY_BYTES)
        self.epoch = secrets.token_hex(_EPOCH_BYTES)

    def user(self, identity: Identity, *, audience: str) -> UserKey:
        """Return what `audience`, a node or the router itself, calls this user."""
        named = f"{audience}\n{identity.uri}".encode()
        digest = hashlib.blake2b(named, key=self._key, digest_size=_PSEUDONYM_BYTES)
        return UserKey(self.epoch, digest.hexdigest())
