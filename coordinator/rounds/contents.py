"""What members sent of which a round keeps digests: it is stored, and then let go of.

Decides that a thousand members' bodies and checks are never in memory together. Refuses
to know how they are stored (`store`) and when they are needed again (`work`).
"""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Final

from coordinator.rounds.upload import Body
from federated_router.crypto.transcript import MemberName


@dataclass(frozen=True, slots=True)
class Contents:
    """The `bodies` of contributions and the `checks` that one transition takes."""

    bodies: Sequence[Body] = ()
    checks: Mapping[MemberName, bytes] = field(
        default_factory=lambda: MappingProxyType({}), repr=False
    )


NOTHING: Final = Contents()
"""Of a transition that takes none."""


def check_digest(combinations: bytes) -> bytes:
    """Return what a round keeps of a holder's check."""
    return hashlib.sha256(combinations).digest()
