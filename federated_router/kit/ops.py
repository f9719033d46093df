"""OpsService, the same for every daemon: status, drain, log level, own statistics.

And the server that carries it: what a daemon serves, with its operator's service and
the health of both.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import ClassVar

import grpc
import psutil

from federated_router.api.v1 import ops_pb2, ops_pb2_grpc
from federated_router.kit import log as kit_log
from federated_router.kit.config import DaemonSettings
from federated_router.kit.errors import FieldInvalid, NotNow, RoleNotAllowed
from federated_router.kit.grpc_server import (
    BoundServer,
    Health,
    ServiceBinding,
    build_server,
)
from federated_router.kit.identity import Identity, Role, current_identity
from federated_router.kit.peers import CallGate
from federated_router.kit.revocation import Revocations

VERSION = "0.1.0"
_SERVICE = ops_pb2.DESCRIPTOR.services_by_name["OpsService"]
_OPERATOR = frozenset({Role.OPERATOR})
_LEVELS = {
    ops_pb2.LOG_LEVEL_DEBUG: "debug",
    ops_pb2.LOG_LEVEL_INFO: "info",
    ops_pb2.LOG_LEVEL_WARNING: "warning",
    ops_pb2.LOG_LEVEL_ERROR: "error",
}
Statistics = Callable[[], ops_pb2.GetStatsResponse]
Told = Callable[[], Awaitable[None]]


class OpsServicer(ops_pb2_grpc.OpsServiceServicer):
    """Serves operators. `on_drain` and `on_resume` tell the daemon's own parts."""

    CALLERS: ClassVar[Mapping[str, frozenset[Role]]] = {
        "GetStatus": _OPERATOR,
        "Drain": _OPERATOR,
        "Resume": _OPERATOR,
        "SetLogLevel": _OPERATOR,
        "GetStats": _OPERATOR,
    }

    def __init__(
        self,
        *,
        identity: Identity,
        settings: DaemonSettings,
        health: Health,
        statistics: Statistics | None = None,
        on_drain: Told | None = None,
        on_resume: Told | None = None,
    ) -> None:
        self._identity = identity
        self._settings = settings
        self._health = health
        self._statistics = statistics
        self._on_drain = on_drain
        self._on_resume = on_resume
        self._begin_s = time.monotonic()

    def _state(self) -> ops_pb2.DaemonState:
        if self._health.draining:
            return ops_pb2.DAEMON_STATE_DRAINING
        if self._health.serving:
            return ops_pb2.DAEMON_STATE_SERVING
        return ops_pb2.DAEMON_STATE_STARTING

    async def GetStatus(
        self, _: ops_pb2.GetStatusRequest, __: grpc.aio.ServicerContext
    ) -> ops_pb2.GetStatusResponse:
        """Return what runs here; configuration holds paths of secrets, never them."""
        response = ops_pb2.GetStatusResponse(
            role=self._identity.role.value,
            id=self._identity.id,
            version=VERSION,
            state=self._state(),
            resident_memory_bytes=psutil.Process().memory_info().rss,
            configuration_json=self._settings.model_dump_json(),
        )
        response.uptime_duration.FromSeconds(int(time.monotonic() - self._begin_s))
        return response

    async def Drain(
        self, _: ops_pb2.DrainRequest, __: grpc.aio.ServicerContext
    ) -> ops_pb2.DrainResponse:
        """Stop taking new work."""
        await self._health.set_draining()
        if self._on_drain is not None:
            await self._on_drain()
        return ops_pb2.DrainResponse(state=self._state())

    async def Resume(
        self, _: ops_pb2.ResumeRequest, __: grpc.aio.ServicerContext
    ) -> ops_pb2.ResumeResponse:
        """Take new work again."""
        await self._health.set_serving()
        if self._on_resume is not None:
            await self._on_resume()
        return ops_pb2.ResumeResponse(state=self._state())

    async def SetLogLevel(
        self, request: ops_pb2.SetLogLevelRequest, _: grpc.aio.ServicerContext
    ) -> ops_pb2.SetLogLevelResponse:
        """Change how much is logged."""
        name = _LEVELS.get(request.level)
        if name is None:
            raise FieldInvalid("Use one of the levels of LogLevel.", field="level")
        kit_log.set_level(name)
        return ops_pb2.SetLogLevelResponse(level=request.level)

    async def GetStats(
        self, _: ops_pb2.GetStatsRequest, __: grpc.aio.ServicerContext
    ) -> ops_pb2.GetStatsResponse:
        """Return this member's own plain statistics to its own operator."""
        if self._statistics is None:
            raise NotNow("This daemon keeps no statistics.")
        if current_identity().id not in self._settings.ops.statistics_readers:
            raise RoleNotAllowed(
                "Only operators whom this daemon's configuration names may read its "
                "plain statistics (ops.statistics_readers)."
            )
        return await asyncio.to_thread(self._statistics)


def build_operated_server(
    settings: DaemonSettings,
    identity: Identity,
    bindings: Sequence[ServiceBinding],
    *,
    statistics: Statistics | None = None,
    on_drain: Told | None = None,
    on_resume: Told | None = None,
    revocations: Revocations | None = None,
    gate: CallGate | None = None,
) -> BoundServer:
    """Bind a daemon's server: these services, its operator's, and the health of all.

    Must be called inside the event loop. `statistics`, `on_drain` and `on_resume` go to
    OpsServicer, `revocations` and `gate` to `build_server`, which says what it raises.
    """
    names = [binding.descriptor.full_name for binding in bindings]
    health = Health([*names, _SERVICE.full_name])
    ops = OpsServicer(
        identity=identity,
        settings=settings,
        health=health,
        statistics=statistics,
        on_drain=on_drain,
        on_resume=on_resume,
    )
    return build_server(
        settings=settings.server,
        tls=settings.tls,
        trust_domain=identity.trust_domain,
        bindings=[*bindings, ServiceBinding(_SERVICE, ops)],
        health_state=health,
        revocations=revocations,
        gate=gate,
    )
