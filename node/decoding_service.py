"""PrivateDecodingService at the node: routers let running answers go on.

Decides that a router reaches only the answers that it asked for. It answers while the
node drains too: what runs may end.
"""

from collections.abc import Mapping
from typing import ClassVar

import grpc

from federated_router.api.v1 import decoding_pb2 as pb
from federated_router.api.v1 import decoding_pb2_grpc as pb_grpc
from federated_router.kit.identity import Role, current_identity
from node.private.credit import OpenCredits


class PrivateDecodingServicer(pb_grpc.PrivateDecodingServiceServicer):
    """Serves routers."""

    CALLERS: ClassVar[Mapping[str, frozenset[Role]]] = {
        "ExtendGrant": frozenset({Role.ROUTER})
    }

    def __init__(self, open_credits: OpenCredits) -> None:
        self._open_credits = open_credits

    async def ExtendGrant(
        self, request: pb.ExtendGrantRequest, _: grpc.aio.ServicerContext
    ) -> pb.ExtendGrantResponse:
        """Allow a running private answer more tokens."""
        granted = self._open_credits.extend(
            current_identity().id, request.reservation, request.tokens_granted
        )
        return pb.ExtendGrantResponse(tokens_granted=granted)
