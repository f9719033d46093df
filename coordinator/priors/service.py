"""PriorsService: what rounds published, to those who route by it."""

import asyncio
from collections.abc import AsyncGenerator, Mapping
from contextlib import aclosing
from typing import ClassVar

import grpc

from coordinator.newest import Newest
from coordinator.priors import feed
from coordinator.priors.messages import priors_message
from coordinator.priors.store import PriorsStore
from federated_router.api.v1 import priors_pb2, priors_pb2_grpc
from federated_router.kit.errors import FieldInvalid, PriorsUnknown
from federated_router.kit.identity import Role
from federated_router.priors.publication import Priors

_READERS = frozenset({Role.ROUTER, Role.NODE, Role.OPERATOR})


class PriorsServicer(priors_pb2_grpc.PriorsServiceServicer):
    """Serves routers, nodes and operators."""

    CALLERS: ClassVar[Mapping[str, frozenset[Role]]] = {
        "GetPriors": _READERS,
        "WatchPriors": _READERS,
    }
    DRAINABLE: ClassVar[frozenset[str]] = frozenset({"WatchPriors"})

    def __init__(self, *, store: PriorsStore, newest: Newest[Priors]) -> None:
        self._store = store
        self._newest = newest
        self._making: tuple[Priors, asyncio.Task[priors_pb2.Priors]] | None = None

    async def GetPriors(
        self, request: priors_pb2.GetPriorsRequest, _: grpc.aio.ServicerContext
    ) -> priors_pb2.GetPriorsResponse:
        """Return the newest priors, or those of one revision."""
        if request.revision < 0:
            raise FieldInvalid(
                "Revisions begin at 1; 0 is the newest.", field="revision"
            )
        if request.revision:
            priors = await self._store.of_revision(request.revision)
            return priors_pb2.GetPriorsResponse(priors=await _message(priors))
        newest = await self._store.newest()
        if newest is None:
            raise PriorsUnknown("No round has published priors yet.")
        return priors_pb2.GetPriorsResponse(priors=await _message(newest))

    async def WatchPriors(
        self, request: priors_pb2.WatchPriorsRequest, _: grpc.aio.ServicerContext
    ) -> AsyncGenerator[priors_pb2.WatchPriorsResponse, None]:
        """Stream what the caller has not seen, and signs of life."""
        seen = request.after_revision
        async with aclosing(self._newest.watch()) as values:
            async for newest in values:
                priors = feed.unseen(newest, after_revision=seen)
                if priors is None:
                    yield priors_pb2.WatchPriorsResponse()
                    continue
                seen = priors.revision
                yield priors_pb2.WatchPriorsResponse(priors=await self._shared(priors))

    async def _shared(self, priors: Priors) -> priors_pb2.Priors:
        """Return the message of what everybody watches, made once for all of them."""
        if self._making is None or self._making[0] is not priors:
            self._making = (priors, asyncio.create_task(_message(priors)))
        return await asyncio.shield(self._making[1])


async def _message(priors: Priors) -> priors_pb2.Priors:
    """Return the message, made in a thread: a large one takes a tenth of a second."""
    return await asyncio.to_thread(priors_message, priors)
