"""What the error of an attempt is to the router, and whether its node was lost. Pure.

Decides that a call which ended without the node's own word is a lost node. Refuses to
know what is tried next.
"""

from typing import Final

import grpc

from federated_router.kit.errors import (
    ContinuationNotOffered,
    FederationError,
    FieldInvalid,
    NodeLost,
    Unavailable,
)
from federated_router.kit.grpc_errors import answered_by_peer, translate
from federated_router.proxy.connections import NodeUnreachable, node_lost
from federated_router.routing.candidate import Candidate

_CONTINUATION: Final = "generation.continuation"


def known_error(
    error: grpc.aio.AioRpcError | FederationError, candidate: Candidate
) -> tuple[FederationError, bool]:
    """Return an attempt's error, and whether the node was lost with it."""
    if not isinstance(error, grpc.aio.AioRpcError):
        return error, isinstance(error, NodeLost | NodeUnreachable)
    known = translate(error)
    if answered_by_peer(error) or not isinstance(known, Unavailable):
        return known, isinstance(known, NodeLost)
    return node_lost(candidate.node), True


def cannot_continue(error: FederationError) -> bool:
    """Return whether a node refuses only to go on with another's answer."""
    if isinstance(error, ContinuationNotOffered):
        return True
    field = error.metadata.get("field", "")
    return isinstance(error, FieldInvalid) and field.startswith(_CONTINUATION)
