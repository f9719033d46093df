"""A member's contribution, from its header to the stored body.

Decides that nothing of a body is read before its header was accepted and there is room
for it, and that a body which could not be added is refused before it is stored. Refuses
to decide what is accepted (`admission`, `lifecycle`).
"""

import asyncio
from collections.abc import AsyncIterator

import grpc

from coordinator.rounds import admission, lifecycle, messages, refusals, upload
from coordinator.rounds.callers import caller
from coordinator.rounds.conductor import Conductor
from coordinator.rounds.round import Round
from coordinator.rounds.state import State
from coordinator.rounds.upload import Body
from coordinator.rounds.uploads import Uploads, chunks_of
from coordinator.summation import accumulator
from federated_router.api.v1 import aggregation_pb2 as pb2


class Contributions:
    """Takes contributions in."""

    def __init__(self, *, conductor: Conductor, uploads: Uploads) -> None:
        self._conductor = conductor
        self._uploads = uploads

    async def take(
        self,
        round_: Round,
        header: pb2.ContributionHeader,
        requests: AsyncIterator[pb2.SubmitContributionRequest],
        context: grpc.aio.ServicerContext,
    ) -> None:
        """Take the caller's body from what follows its header; once is enough.

        Raises what `admission.contributed`, `Uploads.place`, `upload.receive` and
        `Conductor.tell` raise, and CiphertextMalformed.
        """
        member, claim = caller(), messages.claim_of(header)
        refusals.require_reached(round_, State.COLLECTING)
        event = admission.contributed(round_, member, claim)
        if lifecycle.advance(round_, event, self._conductor.now_s()) is round_:
            return
        async with self._uploads.place(member, context):
            content = await upload.receive(
                chunks_of(requests), size_bytes=claim.size_bytes, sha256=claim.sha256
            )
            await asyncio.to_thread(accumulator.refuse_malformed, round_, content)
            await self._conductor.tell(round_.name, event, body=Body(member, content))
