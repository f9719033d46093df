"""What the cache keeps, and under what: values that all tiers share. Pure."""

from dataclasses import dataclass, field

from federated_router.sensitivity.levels import Sensitivity

OVERHEAD_BYTES = 256
"""What an entry counts beside its content, so that tiny ones are bounded as well."""


@dataclass(frozen=True, slots=True)
class Place:
    """Where an answer lies: keyed digests, 32 bytes of question and 16 of tenant.

    Without the deployment's key neither can be told from random bytes.
    """

    digest: bytes
    tenant: bytes


@dataclass(frozen=True, slots=True)
class CacheKey:
    """Under what a request's answer is found and kept.

    With `fresh` nothing is served, and the new answer takes the place of the old one.
    """

    place: Place
    sensitivity: Sensitivity
    fresh: bool = False


@dataclass(frozen=True, slots=True)
class StoredAnswer:
    """A `CompleteResponse` as bytes, and until when it may be served (Unix time)."""

    content: bytes = field(repr=False)
    expires_time_s: float

    @property
    def size_bytes(self) -> int:
        """What it counts against limits."""
        return len(self.content) + OVERHEAD_BYTES
