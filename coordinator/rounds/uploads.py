"""Contributions as they come: places for their bodies, and the form of their stream.

Decides how many bodies are in memory at the same time, one of each member, and that a
header comes before chunks. A member is told by the call's initial metadata that it has
a place: what it sends before waits in gRPC's buffers, up to the window of its stream.
Refuses to know what a body must be (`upload`) and whether it is taken (`admission`,
`lifecycle`).
"""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import grpc

from coordinator.rounds.turns import Turns
from federated_router.api.v1 import aggregation_pb2 as pb2
from federated_router.crypto.transcript import MemberName
from federated_router.federation.wire import BODY_WANTED
from federated_router.kit.errors import FieldInvalid
from federated_router.kit.validation import check_required


class Uploads:
    """Places for bodies."""

    def __init__(self, *, uploads_max: int, wait_s: float) -> None:
        self._turns = Turns(capacity=uploads_max, wait_s=wait_s)

    @property
    def running(self) -> int:
        """Return how many places are taken."""
        return self._turns.taken

    @asynccontextmanager
    async def place(
        self, member: MemberName, context: grpc.aio.ServicerContext
    ) -> AsyncIterator[None]:
        """Wait for a place, tell the caller of it, and hold it.

        Raises:
            LimitReached: this member uploads already, or its turn did not come.
        """
        taken = await self._turns.take(member, 1)
        try:
            await context.send_initial_metadata((BODY_WANTED,))
            yield
        finally:
            self._turns.leave(member, taken)


async def header_of(
    requests: AsyncIterator[pb2.SubmitContributionRequest],
) -> pb2.ContributionHeader:
    """Return what a stream begins with; raise FieldInvalid for anything else."""
    first = await anext(requests, pb2.SubmitContributionRequest())
    if first.WhichOneof("part") != "header":
        raise FieldInvalid("A contribution begins with its header.", field="header")
    check_required(first.header)
    return first.header


async def chunks_of(
    requests: AsyncIterator[pb2.SubmitContributionRequest],
) -> AsyncIterator[bytes]:
    """Yield what follows the header; raise FieldInvalid for anything but chunks."""
    async for request in requests:
        if request.WhichOneof("part") != "chunk":
            raise FieldInvalid("After the header come chunks only.", field="chunk")
        yield request.chunk
