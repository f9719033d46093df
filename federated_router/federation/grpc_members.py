"""What a member asks MembersService: lists of revocations, and its own renewal.

Decides when a silent stream is given up. Refuses to know what is done with answers.
"""

from collections.abc import AsyncGenerator
from contextlib import aclosing
from dataclasses import dataclass

import grpc

from federated_router.api.v1 import members_pb2, members_pb2_grpc
from federated_router.federation.watching import messages_of
from federated_router.kit.grpc_client import translated_errors


@dataclass(frozen=True, slots=True)
class Asked:
    """A renewal that was asked for; `certificate_der` is empty while it waits."""

    name: str
    certificate_der: bytes
    poll_interval_s: float


class GrpcMembers:
    """Calls MembersService on a channel that its opener closes."""

    def __init__(
        self, channel: grpc.aio.Channel, *, call_timeout_s: float, silence_s_max: float
    ) -> None:
        self._stub = members_pb2_grpc.MembersServiceStub(channel)
        self._call_timeout_s = call_timeout_s
        self._silence_s_max = silence_s_max

    async def watch_revocations(self, after_number: int) -> AsyncGenerator[bytes, None]:
        """Yield lists (DER) newer than `after_number`; empty is a sign of life.

        Raises Unavailable after `silence_s_max` seconds without either.
        """
        request = members_pb2.WatchRevocationsRequest(after_number=after_number)
        call = self._stub.WatchRevocations(request)
        watched: AsyncGenerator[members_pb2.WatchRevocationsResponse, None] = (
            messages_of(call, silence_s_max=self._silence_s_max)
        )
        async with aclosing(watched) as messages:
            async for message in messages:
                yield message.revocation_list_der

    async def request_renewal(self, signing_request_der: bytes) -> Asked:
        """Ask for a certificate (PKCS #10, DER)."""
        request = members_pb2.RequestRenewalRequest(
            signing_request_der=signing_request_der
        )
        async with translated_errors():
            answer = await self._stub.RequestRenewal(
                request, timeout=self._call_timeout_s
            )
        interval_s = answer.poll_interval_duration.ToNanoseconds() / 1e9
        renewal = answer.renewal
        return Asked(renewal.name, renewal.certificate_der, interval_s)

    async def renewed_certificate(self, name: str) -> bytes:
        """Return a renewal's certificate (DER); empty while it waits."""
        async with translated_errors():
            answer = await self._stub.GetRenewal(
                members_pb2.GetRenewalRequest(name=name), timeout=self._call_timeout_s
            )
        found: bytes = answer.renewal.certificate_der
        return found
