"""The final roster of a round, as members are given it.

Decides that it is made once for all members, and that keys travel to those only who do
not know them. Refuses to know who asks, and how many are answered at once (`answers`).
"""

from collections.abc import Collection
from dataclasses import dataclass
from typing import Self

from coordinator.rounds import messages, refusals
from coordinator.rounds.round import Round
from coordinator.rounds.state import State
from federated_router.api.v1 import aggregation_pb2 as pb2
from federated_router.crypto.packed_shamir import ROSTER_SIZE_MAX
from federated_router.kit.errors import LimitReached


@dataclass(frozen=True, slots=True)
class _Made:
    """One round's roster with all keys and without any, and the keys' digests."""

    round_name: str
    whole: pb2.GetRosterResponse
    short: pb2.GetRosterResponse
    digests: frozenset[bytes]
    whole_bytes: int
    short_bytes: int

    @classmethod
    def of(cls, round_: Round) -> Self:
        """Make both."""
        whole, short = messages.rosters(round_)
        digests = frozenset(entry.keys_sha256 for entry in whole.members)
        sizes = whole.ByteSize(), short.ByteSize()
        return cls(round_.name, whole, short, digests, *sizes)


class Rosters:
    """Gives the roster of one round at a time; an older round's is made anew."""

    def __init__(self) -> None:
        self._made: _Made | None = None

    def size_bytes(self, round_: Round, known_keys: Collection[bytes]) -> int:
        """Return the most that the answer takes, before it is made.

        Raises:
            RoundStateWrong: the roster is not final yet.
            LimitReached: more digests than a roster has entries.
        """
        if len(known_keys) > ROSTER_SIZE_MAX:
            raise LimitReached(
                f"Name the {ROSTER_SIZE_MAX} keys that you used last at most."
            )
        made = self._made_for(round_)
        unknown = made.digests.difference(known_keys)
        return made.whole_bytes if unknown else made.short_bytes

    def answer(
        self, round_: Round, known_keys: Collection[bytes]
    ) -> pb2.GetRosterResponse:
        """Return the final roster, without the keys of which a digest is known.

        The caller must not change it: most members get the same one. Raises
        RoundStateWrong where it is not final yet.
        """
        made = self._made_for(round_)
        unknown = made.digests.difference(known_keys)
        if not unknown:
            return made.short
        if len(unknown) == len(made.digests):
            return made.whole
        pairs = zip(made.whole.members, made.short.members, strict=True)
        return pb2.GetRosterResponse(
            members=[
                whole if whole.keys_sha256 in unknown else short
                for whole, short in pairs
            ]
        )

    def _made_for(self, round_: Round) -> _Made:
        if not round_.roster:
            raise refusals.wrong_state(round_, needed=State.COLLECTING)
        if self._made is None or self._made.round_name != round_.name:
            self._made = _Made.of(round_)
        return self._made
