"""What a round's holders are given: their sealed shares and the signed sets.

Decides from which state on each is given, and that what never changes in a round is
made and signed once. Refuses to know who calls: the servicer says for whom.
"""

from dataclasses import dataclass, field
from typing import Final

from coordinator.rounds import messages, refusals
from coordinator.rounds.round import Round
from coordinator.rounds.state import State
from coordinator.rounds.store import RoundStore
from federated_router.api.v1 import aggregation_pb2 as pb2
from federated_router.crypto.transcript import MemberName
from federated_router.federation.credentials import Credentials
from federated_router.federation.survivor_signature import (
    ContributorSet,
    sign_contributors,
    sign_survivors,
)

_CHECKABLE = frozenset({State.CHECKING, State.SUMMING, State.OPENING, State.VALIDATING})
_OPENABLE = frozenset({State.OPENING, State.VALIDATING})

_CONTRIBUTOR_BYTES: Final = 112
"""A digest, a signature and a number, as a message holds them."""


@dataclass(slots=True)
class _Made:
    """What was made for one round; each part when it is first asked for."""

    round_name: str
    contributors: ContributorSet | None = None
    shares_headers: dict[int, pb2.SharesHeader] = field(default_factory=dict)
    survivors: pb2.GetSurvivorSetResponse | None = None


class Holding:
    """Serves the holders of one round at a time; older rounds are made anew."""

    def __init__(self, *, store: RoundStore, credentials: Credentials) -> None:
        self._store = store
        self._credentials = credentials
        self._made = _Made("")

    def shares_bytes(self, round_: Round) -> int:
        """Return what `shares` takes before it is made; raise as it does."""
        _require_checkable(round_)
        each = round_.layout.sealed_bytes(round_.holders) + _CONTRIBUTOR_BYTES
        return len(round_.contributors) * each

    async def shares(
        self, round_: Round, member: MemberName
    ) -> tuple[pb2.SharesHeader, bytes]:
        """Return the signed contributor set, and what these sealed to `member`.

        Raises:
            RoundStateWrong: the set is not fixed yet, or the round has ended.
        """
        _require_checkable(round_)
        body = await self._store.sealed_shares(round_, member)
        made, signed = self._made_for(round_), self._contributors(round_)
        size_bytes = len(body)
        if size_bytes not in made.shares_headers:
            # Two sizes: holders are sent seeds, or whole shares.
            made.shares_headers[size_bytes] = messages.shares_header(
                signed, size_bytes=size_bytes
            )
        return made.shares_headers[size_bytes], body

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


def _require_checkable(round_: Round) -> None:
    if round_.state not in _CHECKABLE:
        raise refusals.wrong_state(round_, needed=State.CHECKING)
