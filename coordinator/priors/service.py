"""PriorsService: what rounds published, to those who route by it."""

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
            return priors_pb2.GetPriorsResponse(priors=priors_message(priors))
        newest = await self._store.newest()
        if newest is None:
            raise PriorsUnknown("No round has published priors yet.")
        return priors_pb2.GetPriorsResponse(priors=priors_message(newest))

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
                yield priors_pb2.WatchPriorsResponse(priors=priors_message(priors))
