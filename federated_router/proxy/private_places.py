"""Which node a private request goes to: one that accepts connections, or none.

Until the request is sent nothing is held, charged or known of it anywhere, so that
nodes which accept no connection are passed over, and a node is waited for where there
is none. Decides that only this may be repeated. Refuses to know what is sent then.
"""

from contextlib import AsyncExitStack
from dataclasses import dataclass, replace

from federated_router.kit.errors import FederationError, NoNodeAvailable
from federated_router.proxy.asked import Asked
from federated_router.proxy.breakers import Passage
from federated_router.proxy.connections import (
    Connection,
    NodeConnections,
    NodeUnreachable,
)
from federated_router.proxy.node_waits import NodeWaits
from federated_router.proxy.sent import Learners, Sent
from federated_router.proxy.settings import ProxySettings
from federated_router.routing.candidate import Candidate
from federated_router.routing.router import Router


@dataclass(frozen=True, slots=True)
class PrivatePlaces:
    """Finds a node for each private request of one router."""

    router: Router
    connections: NodeConnections
    learners: Learners
    waits: NodeWaits
    settings: ProxySettings

    async def connected(
        self, asked: Asked, stack: AsyncExitStack
    ) -> tuple[Connection, Sent]:
        """Return a node that accepts connections; nothing is held or sent yet.

        The connection is kept for new calls, and the request counted there, until
        `stack` is left.

        Raises:
            NoNodeAvailable: `unreachable_max` nodes accepted no connection, or none
                came within the time that requests wait.
            FederationError: what `Router.choose` refuses a request with.
        """
        failed: dict[str, Passage] = {}
        for _ in range(self.settings.unreachable_max + 1):
            sent = self.learners.sent(await self._waited(asked, failed), asked.shape)
            try:
                kept = self.connections.kept(sent.candidate)
                connection = await stack.enter_async_context(kept)
            except NodeUnreachable as error:
                sent.failed(error, lost=True)
                failed[sent.candidate.node] = sent.passage
            except BaseException:
                sent.abandoned()
                raise
            else:
                return connection, stack.enter_context(sent)
        raise NoNodeAvailable("No node accepts connections now.", retry_after_s=1.0)

    async def _waited(self, asked: Asked, failed: dict[str, Passage]) -> Candidate:
        """Return a node, at once or once one comes; raise as `Router.choose` does."""

        async def place() -> Candidate:
            return await self._placed(asked, failed)

        try:
            return await place()
        except FederationError as refused:
            remaining_s = asked.deadline.remaining_s()
            return await self.waits.placed(place, refused, remaining_s=remaining_s)

    async def _placed(self, asked: Asked, failed: dict[str, Passage]) -> Candidate:
        """Return a node now: none that failed, unless it came back since."""
        breakers, query = self.learners.breakers, asked.query
        breakers.refresh()
        if excluded := breakers.same(failed):
            query = replace(query, excluded=query.excluded | excluded)
        return await self.router.placed(query, asked.shape)
