"""The coordinator's rounds over gRPC.

Decides deadlines, sizes of chunks and when a silent stream is given up. Refuses to
know what a member does with the answers (`participant`).
"""

import asyncio
from collections.abc import (
    AsyncGenerator,
    AsyncIterator,
    Awaitable,
    Callable,
    Mapping,
)
from contextlib import aclosing
from typing import Final

import grpc

from federated_router.api.v1 import aggregation_pb2, aggregation_pb2_grpc
from federated_router.federation.round_view import (
    Announcement,
    Contribution,
    RosterMember,
    Round,
    SealedShares,
)
from federated_router.federation.survivor_signature import SurvivorSet
from federated_router.federation.watching import messages_of
from federated_router.federation.wire import (
    BODY_WANTED,
    contributor_set_from_message,
    keys_to_message,
    roster_from_message,
    round_from_message,
    survivor_set_from_message,
)
from federated_router.kit.errors import CiphertextMalformed
from federated_router.kit.grpc_client import translated_errors

NEWEST: Final = "rounds/-"
CHUNK_BYTES: Final = 1 << 20


class GrpcRounds:
    """Calls AggregationService on a channel that its opener closes.

    `call_timeout_s` bounds every call but `watch`, which ends with Unavailable after
    `silence_s_max` without a message.
    """

    def __init__(
        self,
        channel: grpc.aio.Channel,
        *,
        call_timeout_s: float,
        silence_s_max: float,
    ) -> None:
        self._stub = aggregation_pb2_grpc.AggregationServiceStub(channel)
        self._call_timeout_s = call_timeout_s
        self._silence_s_max = silence_s_max

    async def watch(self) -> AsyncGenerator[Round | None, None]:
        """Yield the newest round at once and whenever it changes."""
        call = self._stub.WatchRound(aggregation_pb2.WatchRoundRequest(name=NEWEST))
        watched: AsyncGenerator[aggregation_pb2.WatchRoundResponse, None] = messages_of(
            call, silence_s_max=self._silence_s_max
        )
        async with aclosing(watched) as messages:
            async for message in messages:
                found = message.HasField("round")
                yield round_from_message(message.round) if found else None

    async def get(self, round_name: str) -> Round:
        """Return one round."""
        request = aggregation_pb2.GetRoundRequest(name=round_name)
        async with translated_errors():
            response = await self._stub.GetRound(request, timeout=self._call_timeout_s)
        return round_from_message(response.round)

    async def join(
        self, round_name: str, entry: RosterMember, *, signature: bytes
    ) -> Round:
        """Join with keys and a commitment; the entry's nonce stays here."""
        request = aggregation_pb2.JoinRoundRequest(
            round=round_name,
            keys=keys_to_message(entry.announcement),
            beacon_commitment=entry.commitment,
            signature=signature,
        )
        async with translated_errors():
            response = await self._stub.JoinRound(request, timeout=self._call_timeout_s)
        return round_from_message(response.round)

    async def reveal(self, round_name: str, *, nonce: bytes, signature: bytes) -> Round:
        """Reveal the nonce."""
        request = aggregation_pb2.RevealBeaconRequest(
            round=round_name, nonce=nonce, signature=signature
        )
        async with translated_errors():
            response = await self._stub.RevealBeacon(
                request, timeout=self._call_timeout_s
            )
        return round_from_message(response.round)

    async def contribute(self, contribution: Contribution) -> None:
        """Send the contribution: its header, and chunks once they are wanted.

        A coordinator that never says so gets them when half of the call's time is over.
        """

        async def wanted() -> bool:
            try:
                async with asyncio.timeout(self._call_timeout_s / 2):
                    told = await call.initial_metadata()
            except TimeoutError:
                return True
            if BODY_WANTED in tuple(told):
                return True
            # A chunk on its way to a call that ends would hide why it ends.
            await call.code()
            return False

        async with translated_errors():
            call = self._stub.SubmitContribution(
                _parts(contribution, wanted), timeout=self._call_timeout_s
            )
            await call

    async def download_shares(
        self, round_name: str, *, size_bytes_max: int
    ) -> SealedShares:
        """Return the contributor set and the shares sealed to this member.

        Raises CiphertextMalformed for a stream that is not what its header says.
        """
        request = aggregation_pb2.DownloadSharesRequest(round=round_name)
        call = self._stub.DownloadShares(request, timeout=self._call_timeout_s)
        try:
            async with translated_errors():
                header = _header(await call.read(), size_bytes_max=size_bytes_max)
                body = bytearray()
                while (part := await call.read()) is not grpc.aio.EOF:
                    body += part.chunk
                    _refuse_size(len(body), size_bytes_max=header.size_bytes)
        finally:
            call.cancel()
        return SealedShares(contributor_set_from_message(header), bytes(body))

    async def roster(
        self, round_name: str, *, known: Mapping[bytes, Announcement]
    ) -> tuple[RosterMember, ...]:
        """Return the final roster; keys of known digests do not travel."""
        request = aggregation_pb2.GetRosterRequest(
            round=round_name, known_keys=list(known)
        )
        async with translated_errors():
            response = await self._stub.GetRoster(request, timeout=self._call_timeout_s)
        # A large roster takes as long as many calls; others wait for the loop.
        return await asyncio.to_thread(
            roster_from_message, response, round_name=round_name, known=known
        )

    async def check(
        self, round_name: str, *, combinations: bytes, signature: bytes
    ) -> None:
        """Send the one check."""
        request = aggregation_pb2.SubmitDealingCheckRequest(
            round=round_name, combinations=combinations, signature=signature
        )
        async with translated_errors():
            await self._stub.SubmitDealingCheck(request, timeout=self._call_timeout_s)

    async def survivors(self, round_name: str) -> SurvivorSet:
        """Return the survivor set as the coordinator signed it."""
        request = aggregation_pb2.GetSurvivorSetRequest(round=round_name)
        async with translated_errors():
            response = await self._stub.GetSurvivorSet(
                request, timeout=self._call_timeout_s
            )
        return survivor_set_from_message(response)

    async def answer(
        self, round_name: str, *, share_sum: bytes, signature: bytes
    ) -> None:
        """Send the one answer."""
        request = aggregation_pb2.SubmitOpeningRequest(
            round=round_name, share_sum=share_sum, signature=signature
        )
        async with translated_errors():
            await self._stub.SubmitOpening(request, timeout=self._call_timeout_s)


async def _parts(
    contribution: Contribution, wanted: Callable[[], Awaitable[bool]]
) -> AsyncIterator[aggregation_pb2.SubmitContributionRequest]:
    header = aggregation_pb2.ContributionHeader(
        round=contribution.round_name,
        roster_hash=contribution.roster_hash,
        size_bytes=len(contribution.body),
        sha256=contribution.sha256,
        signature=contribution.signature,
    )
    yield aggregation_pb2.SubmitContributionRequest(header=header)
    if not await wanted():
        return
    for start in range(0, len(contribution.body), CHUNK_BYTES):
        chunk = contribution.body[start : start + CHUNK_BYTES]
        yield aggregation_pb2.SubmitContributionRequest(chunk=chunk)


def _header(part: object, *, size_bytes_max: int) -> aggregation_pb2.SharesHeader:
    """Return the header that a stream of shares begins with."""
    if (
        not isinstance(part, aggregation_pb2.DownloadSharesResponse)
        or part.WhichOneof("part") != "header"
    ):
        raise CiphertextMalformed("Shares begin with their header.", field="header")
    _refuse_size(part.header.size_bytes, size_bytes_max=size_bytes_max)
    return part.header


def _refuse_size(size_bytes: int, *, size_bytes_max: int) -> None:
    if not 0 <= size_bytes <= size_bytes_max:
        raise CiphertextMalformed(
            "More sealed shares than this round can have.", field="size_bytes"
        )
