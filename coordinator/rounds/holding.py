"""What a round's holders are given: the roster, their sealed shares, the signed sets.

Decides from which state on each is given, and that what never changes in a round is
made and signed once. Refuses to know who calls: the servicer says for whom.
"""

from collections.abc import Collection
from dataclasses import dataclass

from coordinator.rounds import messages, refusals
from coordinator.rounds.round import Round
from coordinator.rounds.state import State
from coordinator.rounds.store import RoundStore
from federated_router.api.v1 import aggregation_pb2 as pb2
from federated_router.crypto.packed_shamir import ROSTER_SIZE_MAX
from federated_router.crypto.transcript import MemberName
from federated_router.federation.credentials import Credentials
from federated_router.federation.survivor_signature import (
    ContributorSet,
    sign_contributors,
    sign_survivors,
)
from federated_router.kit.errors import LimitReached

_CHECKABLE = frozenset({State.CHECKING, State.SUMMING, State.OPENING, State.VALIDATING})
_OPENABLE = frozenset({State.OPENING, State.VALIDATING})


@dataclass(slots=True)
class _Made:
    """What was made for one round; each part when it is first asked for."""

    round_name: str
    roster: pb2.GetRosterResponse | None = None
    roster_without_keys: pb2.GetRosterResponse | None = None
    key_digests: frozenset[bytes] = frozenset()
    contributors: ContributorSet | None = None
    shares_header: pb2.SharesHeader | None = None
    survivors: pb2.GetSurvivorSetResponse | None = None


class Holding:
    """Serves the holders of one round at a time; older rounds are made anew."""

    def __init__(self, *, store: RoundStore, credentials: Credentials) -> None:
        self._store = store
        self._credentials = credentials
        self._made = _Made("")

    def roster(
        self, round_: Round, known_keys: Collection[bytes]
    ) -> pb2.GetRosterResponse:
        """Return the final roster, without the keys of which a digest is known.

        The caller must not change it: most members get the same one.

        Raises:
            RoundStateWrong: it is not final yet.
            LimitReached: more digests than a roster has entries.
        """
        if len(known_keys) > ROSTER_SIZE_MAX:
            raise LimitReached(
                f"Name the {ROSTER_SIZE_MAX} keys that you used last at most."
            )
        if not round_.roster:
            raise refusals.wrong_state(round_, needed=State.COLLECTING)
        made = self._made_for(round_)
        if made.roster is None or made.roster_without_keys is None:
            made.roster, made.roster_without_keys = messages.rosters(round_)
            made.key_digests = frozenset(
                entry.keys_sha256 for entry in made.roster.members
            )
        unknown = made.key_digests.difference(known_keys)
        if not unknown:
            return made.roster_without_keys
        if len(unknown) == len(made.key_digests):
            return made.roster
        pairs = zip(made.roster.members, made.roster_without_keys.members, strict=True)
        return pb2.GetRosterResponse(
            members=[
                whole if whole.keys_sha256 in unknown else short
                for whole, short in pairs
            ]
        )

    async def shares(
        self, round_: Round, member: MemberName
    ) -> tuple[pb2.SharesHeader, bytes]:
        """Return the signed contributor set, and what these sealed to `member`.

        Raises:
            RoundStateWrong: the set is not fixed yet, or the round has ended.
        """
        if round_.state not in _CHECKABLE:
            raise refusals.wrong_state(round_, needed=State.CHECKING)
        body = await self._store.sealed_shares(round_, member)
        made, signed = self._made_for(round_), self._contributors(round_)
        if made.shares_header is None:
            # Every holder gets as many shares of the same size.
            made.shares_header = messages.shares_header(signed, size_bytes=len(body))
        return made.shares_header, body

    def survivors(self, round_: Round) -> pb2.GetSurvivorSetResponse:
        """Return the signed survivor set.

        Raises:
            RoundStateWrong: sums are not opened yet, or the round has ended.
        """
        if round_.state not in _OPENABLE:
            raise refusals.wrong_state(round_, needed=State.OPENING)
        made = self._made_for(round_)
        if made.survivors is None:
            made.survivors = self._signed_survivors(round_)
        return made.survivors

    def _contributors(self, round_: Round) -> ContributorSet:
        made = self._made_for(round_)
        if made.contributors is None:
            contributors = round_.contributor_set
            signature = sign_contributors(
                round_.name,
                round_.roster_hash,
                contributors,
                certificate_key=self._credentials.certificate_key,
            )
            made.contributors = ContributorSet(
                contributors, signature, self._credentials.certificate_der
            )
        return made.contributors

    def _signed_survivors(self, round_: Round) -> pb2.GetSurvivorSetResponse:
        numbers = round_.numbers
        survivors = [numbers[name] for name in round_.survivors]
        digest = self._contributors(round_).sha256(round_.name, round_.roster_hash)
        return pb2.GetSurvivorSetResponse(
            survivors=survivors,
            coordinator_signature=sign_survivors(
                round_.name,
                round_.roster_hash,
                survivors,
                contributors_sha256=digest,
                certificate_key=self._credentials.certificate_key,
            ),
            coordinator_certificate_der=self._credentials.certificate_der,
        )

    def _made_for(self, round_: Round) -> _Made:
        if self._made.round_name != round_.name:
            self._made = _Made(round_.name)
        return self._made
