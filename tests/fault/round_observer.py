"""What an operator sees of rounds, and what of members' counts became public."""

import asyncio
import math
import uuid
from dataclasses import dataclass

import grpc

from federated_router.api.v1 import aggregation_pb2 as pb2
from federated_router.api.v1 import ops_pb2, priors_pb2
from tests.support.processes import CALL_S, Calls, Processes, public, until

ROUND_S = 60.0
ENDED = frozenset(
    {
        pb2.Round.STATE_PUBLISHED,
        pb2.Round.STATE_REJECTED,
        pb2.Round.STATE_ABORTED,
    }
)
SIGMAS = 6.0
"""A normal variable is further out once in 5e8; discrete Gaussians are no wider."""


@dataclass(frozen=True, slots=True)
class Published:
    """The requests that one revision counts, and how far noise may put them off."""

    revision: int
    requests: int
    tolerance: float


@dataclass(frozen=True, slots=True)
class Observer:
    """Opens and follows rounds across the coordinator's deaths."""

    federation: Processes
    calls: Calls

    async def serve(self, requests: int) -> None:
        """Give members something to count."""
        places = asyncio.Semaphore(8)

        async def one() -> None:
            async with places:
                await self.calls.complete(public(tokens_max=1))

        await asyncio.gather(*(one() for _ in range(requests)))

    async def create(self, *, members: int) -> str:
        """Open a round for so many members and return its name."""
        response = await self.calls.rounds.CreateRound(
            pb2.CreateRoundRequest(
                request_id=f"q-{uuid.uuid4().hex[:16]}", members_expected=members
            ),
            timeout=CALL_S,
            wait_for_ready=True,
        )
        return str(response.round.name)

    async def ended(self, name: str, *, within_s: float = ROUND_S) -> pb2.Round:
        """Return the round once it has ended."""

        async def look() -> pb2.Round | None:
            found = await self._round(name)
            over = found is not None and found.state in ENDED
            return found if over else None

        return await until(look, what=f"'{name}' ends", within_s=within_s)

    async def settled(self, name: str, members: tuple[str, ...]) -> None:
        """Return once these members have settled the round in their vaults."""
        for member in members:
            await self.federation.logged(member, name, event="round settled")

    async def newest_revision(self) -> int:
        """Return the newest revision of the priors; 0 for none."""
        try:
            response = await self.calls.priors.GetPriors(
                priors_pb2.GetPriorsRequest(), timeout=CALL_S, wait_for_ready=True
            )
        except grpc.aio.AioRpcError as error:
            if error.code() is not grpc.StatusCode.NOT_FOUND:
                raise
            return 0
        return int(response.priors.revision)

    async def published(self, revision: int) -> Published:
        """Return what a revision counts."""
        response = await self.calls.priors.GetPriors(
            priors_pb2.GetPriorsRequest(revision=revision), timeout=CALL_S
        )
        priors = response.priors
        slots = [
            count
            for cell in priors.performance
            for count in (*cell.latency_counts, cell.failures)
        ]
        tolerance = SIGMAS * priors.noise_standard_deviation * math.sqrt(len(slots))
        return Published(revision, sum(slots), tolerance)

    async def pending(self) -> dict[str, int]:
        """Return how many requests of each member no round has taken yet."""
        found = {}
        for name in ("router", *self.federation.nodes):
            async with self.federation.ops(name) as ops:
                response = await ops.GetStats(ops_pb2.GetStatsRequest(), timeout=CALL_S)
            found[name] = sum(
                sum(cell.latency_counts) + cell.failures
                for cell in response.performance
            )
        return found

    async def _round(self, name: str) -> pb2.Round | None:
        try:
            response = await self.calls.rounds.GetRound(
                pb2.GetRoundRequest(name=name), timeout=2
            )
        except grpc.aio.AioRpcError as error:
            if error.code() not in (
                grpc.StatusCode.UNAVAILABLE,
                grpc.StatusCode.DEADLINE_EXCEEDED,
            ):
                raise
            return None
        found: pb2.Round = response.round
        return found
