"""A gRPC server of this federation: mTLS, one interceptor, health, reflection, limits.

A servicer states in `CALLERS` who may call each of its methods; a method that is not
listed is a defect found when the server is built, not an open door.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import ClassVar, Protocol, cast

import grpc
from google.protobuf.descriptor import ServiceDescriptor
from grpc_health.v1 import health, health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection

from federated_router.kit.config import (
    ConfigurationError,
    ServerSettings,
    TlsSettings,
)
from federated_router.kit.errors import NotIdentified
from federated_router.kit.identity import Role
from federated_router.kit.interceptors import CallInterceptor, MethodPolicy
from federated_router.kit.peers import CallGate, Peers
from federated_router.kit.revocation import Revocations
from federated_router.kit.tls_files import TlsFiles

PING_INTERVAL_MIN_MS = 5_000


class Servicer(Protocol):
    """What a `service.py` class states beside its handlers.

    CALLERS: roles per method, every method. UNTIMED: methods that bound their own
    time. DRAINABLE: methods refused while the daemon drains. ROUTINE: methods that come
    all the time, whose success is a line of the log only at `debug`.
    """

    CALLERS: ClassVar[Mapping[str, frozenset[Role]]]
    UNTIMED: ClassVar[frozenset[str]]
    DRAINABLE: ClassVar[frozenset[str]]
    ROUTINE: ClassVar[frozenset[str]]


@dataclass(frozen=True, slots=True)
class ServiceBinding:
    """A servicer and the contract that it serves."""

    descriptor: ServiceDescriptor
    servicer: object

    def policies(self, timeout_s: float) -> dict[str, MethodPolicy]:
        """Return the policy of each method by its full path."""
        stated = cast("Servicer", self.servicer)
        methods = {method.name for method in self.descriptor.methods}
        if methods != set(stated.CALLERS):
            odd = ", ".join(sorted(methods ^ set(stated.CALLERS)))
            raise TypeError(f"{self.descriptor.full_name}: CALLERS and contract: {odd}")
        untimed: frozenset[str] = getattr(stated, "UNTIMED", frozenset())
        drainable: frozenset[str] = getattr(stated, "DRAINABLE", frozenset())
        routine: frozenset[str] = getattr(stated, "ROUTINE", frozenset())
        return {
            f"/{self.descriptor.full_name}/{name}": MethodPolicy(
                callers=callers,
                timeout_s=None if name in untimed else timeout_s,
                drainable=name in drainable,
                routine=name in routine,
            )
            for name, callers in stated.CALLERS.items()
        }


class Health:
    """grpc.health.v1 of the whole daemon and of each service."""

    def __init__(self, services: Iterable[str]) -> None:
        self.servicer = health.aio.HealthServicer()
        self._services = ("", "liveness", "readiness", *services)
        self.serving = False
        self.draining = False

    async def start(self) -> None:
        """Say NOT_SERVING, but alive, until told otherwise."""
        for service in self._services:
            await self._set(service, serving=service == "liveness")

    async def set_serving(self) -> None:
        """Say SERVING for every service."""
        self.serving, self.draining = True, False
        for service in self._services:
            await self._set(service, serving=True)

    async def set_draining(self) -> None:
        """Say NOT_SERVING for everything but liveness."""
        self.draining = True
        for service in self._services:
            await self._set(service, serving=service == "liveness")

    async def _set(self, service: str, *, serving: bool) -> None:
        status = (
            health_pb2.HealthCheckResponse.SERVING
            if serving
            else health_pb2.HealthCheckResponse.NOT_SERVING
        )
        await self.servicer.set(service, status)


@dataclass(frozen=True, slots=True)
class BoundServer:
    """A server that has its port and has not started."""

    server: grpc.aio.Server
    address: str
    health: Health
    revocations: Revocations
    tls_files: TlsFiles


def build_server(
    *,
    settings: ServerSettings,
    tls: TlsSettings,
    trust_domain: str,
    bindings: Sequence[ServiceBinding],
    health_state: Health,
    revocations: Revocations | None = None,
    gate: CallGate | None = None,
) -> BoundServer:
    """Bind a server with these services; must be called inside the event loop.

    `revocations` holds the list that every call is checked against, an empty one where
    the caller brings none; `gate` is the daemon's own rule about its callers.
    Raises ConfigurationError for TLS files that cannot be used.
    """
    files = _tls_files(tls)
    held = revocations or Revocations(authorities_pem=files.content.authority)
    policies: dict[str, MethodPolicy] = {}
    for binding in bindings:
        policies |= binding.policies(settings.call_timeout_s)
    server = grpc.aio.server(
        interceptors=[
            CallInterceptor(
                policies=policies,
                trust_domain=trust_domain,
                is_draining=lambda: health_state.draining,
                peers=Peers(held),
                gate=gate,
            )
        ],
        options=_options(settings),
        maximum_concurrent_rpcs=settings.calls_max,
    )
    for binding in bindings:
        _register(server, binding)
    health_pb2_grpc.add_HealthServicer_to_server(health_state.servicer, server)
    names = [binding.descriptor.full_name for binding in bindings]
    reflection.enable_server_reflection(
        [*names, health.SERVICE_NAME, reflection.SERVICE_NAME], server
    )
    port = server.add_secure_port(settings.address, server_credentials(files))
    host = settings.address.rpartition(":")[0]
    return BoundServer(
        server=server,
        address=f"{host}:{port}",
        health=health_state,
        revocations=held,
        tls_files=files,
    )


def server_credentials(files: TlsFiles) -> grpc.ServerCredentials:
    """Return credentials that demand a certificate of the same authority.

    Files that change are used from the next connection on; those that stand stay.
    """
    used = files.generation

    def newest() -> grpc.ServerCertificateConfiguration | None:
        nonlocal used
        generation = files.generation
        if generation == used:
            return None
        used = generation
        return _certificates(files)

    return grpc.dynamic_ssl_server_credentials(
        _certificates(files), newest, require_client_authentication=True
    )


def _certificates(files: TlsFiles) -> grpc.ServerCertificateConfiguration:
    content = files.content
    return grpc.ssl_server_certificate_configuration(
        [(content.private_key, content.certificate)],
        root_certificates=content.authority,
    )


def _tls_files(tls: TlsSettings) -> TlsFiles:
    try:
        return TlsFiles(tls)
    except (OSError, NotIdentified) as error:
        raise ConfigurationError(f"tls: {error}") from error


def _options(settings: ServerSettings) -> list[tuple[str, int]]:
    return [
        ("grpc.max_receive_message_length", settings.message_bytes_max),
        ("grpc.max_send_message_length", settings.message_bytes_max),
        ("grpc.so_reuseport", 0),
        ("grpc.keepalive_permit_without_calls", 1),
        ("grpc.http2.min_recv_ping_interval_without_data_ms", PING_INTERVAL_MIN_MS),
        ("grpc.http2.max_ping_strikes", 0),
    ]


def _register(server: grpc.aio.Server, binding: ServiceBinding) -> None:
    """Register by the generated function that belongs to the descriptor."""
    name = binding.descriptor.name
    base = next(
        cls
        for cls in type(binding.servicer).__mro__
        if cls.__name__ == f"{name}Servicer" and cls.__module__.endswith("_pb2_grpc")
    )
    module = __import__(base.__module__, fromlist=["_"])
    getattr(module, f"add_{name}Servicer_to_server")(binding.servicer, server)
