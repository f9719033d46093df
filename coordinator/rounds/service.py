"""AggregationService: rounds for members, and their opening and end for operators.

Decides which call becomes which event, and that the sender of a message is the
identity of its connection. Refuses to decide what the event does (`lifecycle`).
"""

from collections.abc import AsyncGenerator, AsyncIterator, Mapping
from contextlib import aclosing
from dataclasses import replace
from typing import ClassVar

import grpc

from coordinator.members.gate import Admit, admit_everybody
from coordinator.metrics import counted
from coordinator.newest import Newest
from coordinator.rounds import admission, events, messages, refusals, upload
from coordinator.rounds.answers import Answers
from coordinator.rounds.callers import caller, on_roster, round_name, watched_name
from coordinator.rounds.conductor import Conductor
from coordinator.rounds.contributions import Contributions
from coordinator.rounds.holding import Holding
from coordinator.rounds.news import News
from coordinator.rounds.rosters import Rosters
from coordinator.rounds.round import Round
from coordinator.rounds.service_limits import ServiceLimits
from coordinator.rounds.showing import Showing
from coordinator.rounds.state import State
from coordinator.rounds.store import RoundStore
from coordinator.rounds.terms import Terms
from coordinator.rounds.uploads import Uploads, header_of
from coordinator.validation.store import ReportStore
from federated_router.api.v1 import aggregation_pb2 as pb2
from federated_router.api.v1 import aggregation_pb2_grpc
from federated_router.federation.credentials import Credentials
from federated_router.kit.clock import Clock
from federated_router.kit.identity import Role, current_identity

_MEMBERS = frozenset({Role.NODE, Role.ROUTER})
_OPERATORS = frozenset({Role.OPERATOR})


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
        self._admit = admit
        self._rosters = Rosters()
        self._uploads = Uploads(
            uploads_max=limits.uploads_max, wait_s=limits.transfer_timeout_s
        )
        self._contributions = Contributions(conductor=conductor, uploads=self._uploads)
        self._answers = Answers(
            bytes_max=limits.answer_bytes_max, timeout_s=limits.transfer_timeout_s
        )
        self._news = News(
            bytes_max=limits.news_bytes_max, timeout_s=limits.transfer_timeout_s
        )

    async def CreateRound(
        self, request: pb2.CreateRoundRequest, _: grpc.aio.ServicerContext
    ) -> pb2.CreateRoundResponse:
        """Open a round, or return the one that this request opened."""
        asked = messages.asked(request)
        terms = replace(self._terms, members_expected=request.members_expected)
        made = await self._conductor.create(terms, asked)
        return pb2.CreateRoundResponse(round=messages.round_message(made))

    async def GetRound(
        self, request: pb2.GetRoundRequest, _: grpc.aio.ServicerContext
    ) -> pb2.GetRoundResponse:
        """Return one round."""
        name = round_name(request.name, "name")
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
        asking = current_identity()
        changes = self._showing.changes(
            watched_name(request.name),
            full=messages.is_full(request.view),
            # A member acts on states; how far others came would be most of its traffic.
            progress=asking.role not in _MEMBERS,
        )
        async with aclosing(changes) as responses:
            async for response in responses:
                async with self._news.place(asking.member, response.ByteSize()):
                    yield response

    async def GetRoster(
        self, request: pb2.GetRosterRequest, context: grpc.aio.ServicerContext
    ) -> pb2.GetRosterResponse:
        """Return a final roster, without the keys that the caller knows."""
        round_, known = await self._round(request.round), request.known_keys
        if current_identity().role in _MEMBERS:
            on_roster(round_)
        size_bytes = self._rosters.size_bytes(round_, known)
        await self._answers.until_read(caller(), size_bytes, context)
        return self._rosters.answer(round_, known)

    async def JoinRound(
        self, request: pb2.JoinRoundRequest, _: grpc.aio.ServicerContext
    ) -> pb2.JoinRoundResponse:
        """Take a member in, once its keys and its statement hold."""
        with counted("JoinRound"):
            round_ = await self._round(request.round)
            self._admit(caller(), request.keys.certificate_der)
            event = admission.joined(
                round_,
                messages.joined_member(caller(), request),
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
                round_, caller(), nonce=request.nonce, signature=request.signature
            )
            after = await self._conductor.tell(round_.name, event)
        return pb2.RevealBeaconResponse(round=self._showing.basic(after))

    async def SubmitContribution(
        self,
        requests: AsyncIterator[pb2.SubmitContributionRequest],
        context: grpc.aio.ServicerContext,
    ) -> pb2.SubmitContributionResponse:
        """Take a body, of which nothing is read before its header was accepted."""
        with counted("SubmitContribution"):
            header = await header_of(requests)
            round_ = await self._round(header.round)
            await self._contributions.take(round_, header, requests, context)
        return pb2.SubmitContributionResponse()

    async def DownloadShares(
        self, request: pb2.DownloadSharesRequest, _: grpc.aio.ServicerContext
    ) -> AsyncGenerator[pb2.DownloadSharesResponse, None]:
        """Stream the signed contributor set, then the shares sealed to the caller."""
        round_ = await self._round(request.round)
        holder, size_bytes = on_roster(round_), self._holding.shares_bytes(round_)
        async with self._answers.streamed(holder, size_bytes):
            header, body = await self._holding.shares(round_, holder)
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
                caller(),
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
        on_roster(round_)
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
                caller(),
                share_sum=request.share_sum,
                signature=request.signature,
            )
            await self._conductor.tell(round_.name, event)
        return pb2.SubmitOpeningResponse()

    async def AbortRound(
        self, request: pb2.AbortRoundRequest, _: grpc.aio.ServicerContext
    ) -> pb2.AbortRoundResponse:
        """End a round that has not ended."""
        name = round_name(request.name, "name")
        cause = f"Aborted by {current_identity().member}: {request.cause}"
        after = await self._conductor.tell(name, events.AbortRequested(cause))
        return pb2.AbortRoundResponse(round=messages.round_message(after))

    async def _round(self, name: str) -> Round:
        return await self._conductor.get(round_name(name, "round"))
