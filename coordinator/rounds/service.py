"""AggregationService: rounds for members, and their opening and end for operators.

Decides which call becomes which event, and that the sender of a message is the
identity of its connection. Refuses to decide what the event does (`lifecycle`).
"""

import asyncio
import hashlib
from collections.abc import AsyncGenerator, AsyncIterator, Iterator, Mapping
from contextlib import aclosing, contextmanager
from dataclasses import dataclass, replace
from typing import ClassVar, Final

import grpc

from coordinator.members.gate import Admit, admit_everybody
from coordinator.metrics import counted
from coordinator.newest import Newest
from coordinator.rounds import admission, events, lifecycle, messages, refusals, upload
from coordinator.rounds.conductor import Conductor
from coordinator.rounds.holding import Holding
from coordinator.rounds.round import Round, RoundName
from coordinator.rounds.showing import Showing
from coordinator.rounds.state import State
from coordinator.rounds.store import Request, RoundStore
from coordinator.rounds.terms import Terms
from coordinator.rounds.upload import Body
from coordinator.summation import accumulator
from coordinator.validation.store import ReportStore
from federated_router.api.v1 import aggregation_pb2 as pb2
from federated_router.api.v1 import aggregation_pb2_grpc
from federated_router.crypto.transcript import MemberName
from federated_router.federation.credentials import Credentials
from federated_router.kit.clock import Clock
from federated_router.kit.errors import FieldInvalid, LimitReached
from federated_router.kit.identity import Role, current_identity
from federated_router.kit.names import is_id, resource_id
from federated_router.kit.validation import check_required

NEWEST_NAME: Final = "rounds/-"
DOWNLOADS_MAX: Final = 256
_MEMBERS = frozenset({Role.NODE, Role.ROUTER})
_OPERATORS = frozenset({Role.OPERATOR})


@dataclass(frozen=True, slots=True)
class ServiceLimits:
    """How many bodies, and how many holders' shares, are in memory at the same time.

    A body that finds no place is refused, a holder waits for its turn.
    """

    uploads_max: int
    downloads_max: int = DOWNLOADS_MAX


class AggregationServicer(aggregation_pb2_grpc.AggregationServiceServicer):
    """Serves members, each for itself, and operators."""

    CALLERS: ClassVar[Mapping[str, frozenset[Role]]] = {
        "CreateRound": _OPERATORS,
        "GetRound": _MEMBERS | _OPERATORS,
        "ListRounds": _MEMBERS | _OPERATORS,
        "WatchRound": _MEMBERS | _OPERATORS,
        "GetRoster": _MEMBERS | _OPERATORS,
        "JoinRound": _MEMBERS,
        "RevealBeacon": _MEMBERS,
        "SubmitContribution": _MEMBERS,
        "DownloadShares": _MEMBERS,
        "SubmitDealingCheck": _MEMBERS,
        "GetSurvivorSet": _MEMBERS,
        "SubmitOpening": _MEMBERS,
        "AbortRound": _OPERATORS,
    }
    DRAINABLE: ClassVar[frozenset[str]] = frozenset({"CreateRound", "WatchRound"})

    def __init__(
        self,
        *,
        conductor: Conductor,
        store: RoundStore,
        reports: ReportStore,
        newest: Newest[Round],
        terms: Terms,
        credentials: Credentials,
        clock: Clock,
        limits: ServiceLimits,
        admit: Admit = admit_everybody,
    ) -> None:
        self._conductor = conductor
        self._terms = terms
        self._credentials = credentials
        self._holding = Holding(store=store, credentials=credentials)
        self._showing = Showing(
            conductor=conductor, store=store, reports=reports, newest=newest
        )
        self._clock = clock
        self._limits = limits
        self._admit = admit
        self._uploads: set[MemberName] = set()
        # Who waits is a call, so that the server's limit on calls bounds the queue.
        self._downloads = asyncio.Semaphore(limits.downloads_max)

    async def CreateRound(
        self, request: pb2.CreateRoundRequest, _: grpc.aio.ServicerContext
    ) -> pb2.CreateRoundResponse:
        """Open a round, or return the one that this request opened."""
        if not is_id(request.request_id):
            raise FieldInvalid("Choose 1 to 63 safe characters.", field="request_id")
        terms = replace(self._terms, members_expected=request.members_expected)
        digest = hashlib.sha256(request.SerializeToString(deterministic=True)).digest()
        made = await self._conductor.create(terms, Request(request.request_id, digest))
        return pb2.CreateRoundResponse(round=messages.round_message(made))

    async def GetRound(
        self, request: pb2.GetRoundRequest, _: grpc.aio.ServicerContext
    ) -> pb2.GetRoundResponse:
        """Return one round."""
        name = _round_name(request.name, "name")
        shown = await self._showing.one(name, full=messages.is_full(request.view))
        return pb2.GetRoundResponse(round=shown)

    async def ListRounds(
        self, request: pb2.ListRoundsRequest, _: grpc.aio.ServicerContext
    ) -> pb2.ListRoundsResponse:
        """List rounds, newest first."""
        return await self._showing.page(request)

    async def WatchRound(
        self, request: pb2.WatchRoundRequest, _: grpc.aio.ServicerContext
    ) -> AsyncGenerator[pb2.WatchRoundResponse, None]:
        """Stream a round at once, whenever it changes, and as a sign of life."""
        name = None
        if request.name != NEWEST_NAME:
            name = _round_name(request.name, "name")
        changes = self._showing.changes(
            name,
            full=messages.is_full(request.view),
            # A member acts on states; how far others came would be most of its traffic.
            progress=current_identity().role not in _MEMBERS,
        )
        async with aclosing(changes) as responses:
            async for response in responses:
                yield response

    async def GetRoster(
        self, request: pb2.GetRosterRequest, _: grpc.aio.ServicerContext
    ) -> pb2.GetRosterResponse:
        """Return a final roster, without the keys that the caller knows."""
        round_ = await self._round(request.round)
        if current_identity().role in _MEMBERS:
            _on_roster(round_)
        return self._holding.roster(round_, request.known_keys)

    async def JoinRound(
        self, request: pb2.JoinRoundRequest, _: grpc.aio.ServicerContext
    ) -> pb2.JoinRoundResponse:
        """Take a member in, once its keys and its statement hold."""
        with counted("JoinRound"):
            round_ = await self._round(request.round)
            self._admit(_caller(), request.keys.certificate_der)
            event = admission.joined(
                round_,
                messages.joined_member(_caller(), request),
                signature=request.signature,
                trust=self._credentials.trust,
                now_s=self._clock.now_s(),
            )
            after = await self._conductor.tell(round_.name, event)
        return pb2.JoinRoundResponse(round=self._showing.basic(after))

    async def RevealBeacon(
        self, request: pb2.RevealBeaconRequest, _: grpc.aio.ServicerContext
    ) -> pb2.RevealBeaconResponse:
        """Take a nonce, once it is the one committed to."""
        with counted("RevealBeacon"):
            round_ = await self._round(request.round)
            event = admission.revealed(
                round_, _caller(), nonce=request.nonce, signature=request.signature
            )
            after = await self._conductor.tell(round_.name, event)
        return pb2.RevealBeaconResponse(round=self._showing.basic(after))

    async def SubmitContribution(
        self,
        requests: AsyncIterator[pb2.SubmitContributionRequest],
        _: grpc.aio.ServicerContext,
    ) -> pb2.SubmitContributionResponse:
        """Take a body, of which nothing is read before its header was accepted."""
        with counted("SubmitContribution"):
            header = await _header(requests)
            round_ = await self._round(header.round)
            member, claim = _caller(), messages.claim_of(header)
            refusals.require_reached(round_, State.COLLECTING)
            event = admission.contributed(round_, member, claim)
            if lifecycle.advance(round_, event, self._clock.now_s()) is round_:
                return pb2.SubmitContributionResponse()
            with self._upload(member):
                content = await upload.receive(
                    _chunks(requests), size_bytes=claim.size_bytes, sha256=claim.sha256
                )
                await asyncio.to_thread(accumulator.refuse_malformed, round_, content)
                await self._conductor.tell(
                    round_.name, event, body=Body(member, content)
                )
        return pb2.SubmitContributionResponse()

    async def DownloadShares(
        self, request: pb2.DownloadSharesRequest, _: grpc.aio.ServicerContext
    ) -> AsyncGenerator[pb2.DownloadSharesResponse, None]:
        """Stream the signed contributor set, then the shares sealed to the caller."""
        round_ = await self._round(request.round)
        async with self._downloads:
            header, body = await self._holding.shares(round_, _on_roster(round_))
            yield pb2.DownloadSharesResponse(header=header)
            for chunk in upload.chunked(body):
                yield pb2.DownloadSharesResponse(chunk=chunk)

    async def SubmitDealingCheck(
        self, request: pb2.SubmitDealingCheckRequest, _: grpc.aio.ServicerContext
    ) -> pb2.SubmitDealingCheckResponse:
        """Take a holder's one check of the shares that were dealt to it."""
        with counted("SubmitDealingCheck"):
            round_ = await self._round(request.round)
            refusals.require_reached(round_, State.CHECKING)
            event = admission.checked(
                round_,
                _caller(),
                combinations=request.combinations,
                signature=request.signature,
            )
            await self._conductor.tell(round_.name, event)
        return pb2.SubmitDealingCheckResponse()

    async def GetSurvivorSet(
        self, request: pb2.GetSurvivorSetRequest, _: grpc.aio.ServicerContext
    ) -> pb2.GetSurvivorSetResponse:
        """Return whose contributions are summed."""
        round_ = await self._round(request.round)
        _on_roster(round_)
        return self._holding.survivors(round_)

    async def SubmitOpening(
        self, request: pb2.SubmitOpeningRequest, _: grpc.aio.ServicerContext
    ) -> pb2.SubmitOpeningResponse:
        """Take a holder's one answer."""
        with counted("SubmitOpening"):
            round_ = await self._round(request.round)
            refusals.require_reached(round_, State.OPENING)
            event = admission.answered(
                round_,
                _caller(),
                share_sum=request.share_sum,
                signature=request.signature,
            )
            await self._conductor.tell(round_.name, event)
        return pb2.SubmitOpeningResponse()

    async def AbortRound(
        self, request: pb2.AbortRoundRequest, _: grpc.aio.ServicerContext
    ) -> pb2.AbortRoundResponse:
        """End a round that has not ended."""
        name = _round_name(request.name, "name")
        cause = f"Aborted by {current_identity().member}: {request.cause}"
        after = await self._conductor.tell(name, events.AbortRequested(cause))
        return pb2.AbortRoundResponse(round=messages.round_message(after))

    async def _round(self, name: str) -> Round:
        return await self._conductor.get(_round_name(name, "round"))

    @contextmanager
    def _upload(self, member: MemberName) -> Iterator[None]:
        """Hold one of the places for bodies in memory; one for each member."""
        if member in self._uploads or len(self._uploads) >= self._limits.uploads_max:
            raise LimitReached("Too many uploads at once.", retry_after_s=1.0)
        self._uploads.add(member)
        try:
            yield
        finally:
            self._uploads.discard(member)


def _caller() -> MemberName:
    return MemberName(current_identity().member)


def _on_roster(round_: Round) -> MemberName:
    """Return the caller; raise NotOnRoster for others, once there is a roster."""
    member = _caller()
    if round_.roster and member not in round_.roster:
        raise refusals.not_on_roster(member)
    return member


def _round_name(name: str, field: str) -> RoundName:
    resource_id(name, "rounds", field=field)
    return RoundName(name)


async def _header(
    requests: AsyncIterator[pb2.SubmitContributionRequest],
) -> pb2.ContributionHeader:
    first = await anext(requests, pb2.SubmitContributionRequest())
    if first.WhichOneof("part") != "header":
        raise FieldInvalid("A contribution begins with its header.", field="header")
    check_required(first.header)
    return first.header


async def _chunks(
    requests: AsyncIterator[pb2.SubmitContributionRequest],
) -> AsyncIterator[bytes]:
    async for request in requests:
        if request.WhichOneof("part") != "chunk":
            raise FieldInvalid("After the header come chunks only.", field="chunk")
        yield request.chunk
