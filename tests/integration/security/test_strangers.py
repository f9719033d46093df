"""Whoever is not of this federation gets nothing, health and reflection included."""

import asyncio
import ssl

import grpc
import pytest
from google.protobuf.descriptor import MethodDescriptor
from grpc_health.v1 import health_pb2
from grpc_reflection.v1alpha import reflection_pb2

from federated_router.kit import errors
from federated_router.kit.config import ServerSettings, TlsSettings
from federated_router.kit.grpc_client import Channels, translated_errors
from federated_router.kit.grpc_server import Health, build_server
from federated_router.kit.identity import Role, dns_name
from tests.support.fix_pki import DOMAIN, Pki
from tests.support.fix_router import RouterSetting
from tests.support.raw_calls import Answer, call, method, unchecked_channel

pytestmark = pytest.mark.asyncio(loop_scope="module")
HEALTH = health_pb2.DESCRIPTOR.services_by_name["Health"]
REFLECTION = reflection_pb2.DESCRIPTOR.services_by_name["ServerReflection"]
DOORS = (
    method("InferenceService", "ListModels"),
    method("InferenceService", "Generate"),
    method("BudgetService", "GetAccount"),
    method("OpsService", "GetStatus"),
    HEALTH.methods_by_name["Check"],
    HEALTH.methods_by_name["Watch"],
    REFLECTION.methods_by_name["ServerReflectionInfo"],
)
STRANGERS = ("nothing", "no certificate", "foreign", "expired")


def credentials(
    stranger: str, pki: Pki, foreign_pki: Pki
) -> grpc.ChannelCredentials | None:
    """Return what a stranger connects with; it trusts the router all the same."""
    if stranger == "nothing":
        return None
    root = (pki.directory / "ca.crt").read_bytes()
    if stranger == "no certificate":
        return grpc.ssl_channel_credentials(root)
    tls = (
        pki.tls(Role.OPERATOR, "late", expired=True)
        if stranger == "expired"
        else foreign_pki.tls(Role.OPERATOR, "op")
    )
    return grpc.ssl_channel_credentials(
        root, tls.private_key.read_bytes(), tls.certificate.read_bytes()
    )


@pytest.mark.parametrize("door", DOORS, ids=lambda one: one.name)
@pytest.mark.parametrize("stranger", STRANGERS)
async def test_stranger_gets_no_answer(
    guarded: RouterSetting,
    foreign_pki: Pki,
    stranger: str,
    door: MethodDescriptor,
) -> None:
    """The handshake fails: not even the existence of a method is told."""
    channel = unchecked_channel(
        guarded.address,
        credentials(stranger, guarded.pki, foreign_pki),
        server_name=dns_name(DOMAIN, Role.ROUTER),
    )

    async with channel:
        answer = await call(channel, door)

    assert answer == Answer(grpc.StatusCode.UNAVAILABLE)


@pytest.mark.parametrize("door", DOORS, ids=lambda one: one.name)
async def test_certificate_of_another_trust_domain_is_nobody(
    guarded: RouterSetting, door: MethodDescriptor
) -> None:
    """One authority may serve two federations; its word holds in one of them."""
    tls = guarded.pki.tls(Role.OPERATOR, "visitor", domain="other.internal")
    channel = Channels(tls, trust_domain=DOMAIN).open(guarded.address, role=Role.ROUTER)

    async with channel:
        answer = await call(channel, door)

    assert answer == Answer(grpc.StatusCode.UNAUTHENTICATED, "NOT_IDENTIFIED")


async def test_strangers_do_not_keep_friends_out(
    guarded: RouterSetting, foreign_pki: Pki
) -> None:
    """A hundred failed handshakes later the door still opens."""
    foreign = credentials("foreign", guarded.pki, foreign_pki)
    name = dns_name(DOMAIN, Role.ROUTER)
    strangers = [
        unchecked_channel(guarded.address, foreign, server_name=name) for _ in range(20)
    ]

    await asyncio.gather(*(call(one, DOORS[0]) for one in strangers))
    answer = await call(await guarded.channel(Role.CLIENT, "friend"), DOORS[0])
    await asyncio.gather(*(one.close() for one in strangers))

    assert answer == Answer(grpc.StatusCode.OK)


async def answered_by(tls: TlsSettings, client: Channels, role: Role) -> None:
    """Call a server with this certificate as if it were of `role`."""
    bound = build_server(
        settings=ServerSettings(),
        tls=tls,
        trust_domain=DOMAIN,
        bindings=[],
        health_state=Health([]),
    )
    await bound.health.start()
    await bound.server.start()
    try:
        async with client.open(bound.address, role=role) as channel:
            check = channel.unary_unary(
                "/grpc.health.v1.Health/Check",
                request_serializer=health_pb2.HealthCheckRequest.SerializeToString,
                response_deserializer=health_pb2.HealthCheckResponse.FromString,
            )
            async with translated_errors():
                await check(health_pb2.HealthCheckRequest(), timeout=30)
    finally:
        await bound.server.stop(0)


async def test_node_cannot_pose_as_the_router(pki: Pki) -> None:
    """A node that hijacks the router's address is not answered with prompts."""
    client = Channels(pki.tls(Role.CLIENT, "alice"), trust_domain=DOMAIN)

    await answered_by(pki.tls(Role.ROUTER, "r9"), client, Role.ROUTER)
    with pytest.raises(errors.Unavailable):
        await answered_by(pki.tls(Role.NODE, "n9"), client, Role.ROUTER)


async def test_node_cannot_pose_as_another_node(pki: Pki) -> None:
    """Private requests go to the node that was chosen and to no other."""
    tls = pki.tls(Role.NODE, "n1")
    client = Channels(pki.tls(Role.ROUTER, "r9"), trust_domain=DOMAIN)
    bound = build_server(
        settings=ServerSettings(),
        tls=tls,
        trust_domain=DOMAIN,
        bindings=[],
        health_state=Health([]),
    )
    await bound.server.start()

    async with client.open(bound.address, role=Role.NODE, peer_id="n2") as other:
        posed = await call(other, HEALTH.methods_by_name["Check"])
    async with client.open(bound.address, role=Role.NODE, peer_id="n1") as own:
        honest = await call(own, HEALTH.methods_by_name["Check"])
    await bound.server.stop(0)

    assert posed == Answer(grpc.StatusCode.UNAVAILABLE)
    assert honest.code is not grpc.StatusCode.UNAVAILABLE


async def test_expired_or_foreign_server_is_refused(pki: Pki, foreign_pki: Pki) -> None:
    """A client checks the server as strictly as the server checks it."""
    client = Channels(pki.tls(Role.CLIENT, "alice"), trust_domain=DOMAIN)

    for tls in (
        pki.tls(Role.ROUTER, "late", expired=True),
        foreign_pki.tls(Role.ROUTER, "r9"),
    ):
        with pytest.raises(errors.Unavailable):
            await answered_by(tls, client, Role.ROUTER)


def client_context(tls: TlsSettings, *, newest: ssl.TLSVersion) -> ssl.SSLContext:
    """Return a context with a good identity and an old or a new protocol."""
    context = ssl.create_default_context(cafile=str(tls.authority))
    context.load_cert_chain(tls.certificate, tls.private_key)
    context.check_hostname = False
    context.set_ciphers("ALL:@SECLEVEL=0")
    context.minimum_version = ssl.TLSVersion.MINIMUM_SUPPORTED
    context.maximum_version = newest
    return context


@pytest.mark.filterwarnings("ignore:ssl.TLSVersion:DeprecationWarning")
async def test_protocols_below_tls_1_2_are_refused(guarded: RouterSetting) -> None:
    """A good certificate does not make an old protocol safe."""
    tls = guarded.pki.tls(Role.CLIENT, "old")
    host, _, port = guarded.address.rpartition(":")

    new = client_context(tls, newest=ssl.TLSVersion.MAXIMUM_SUPPORTED)
    _, writer = await asyncio.open_connection(host, int(port), ssl=new)
    writer.close()
    old = client_context(tls, newest=ssl.TLSVersion.TLSv1_1)

    with pytest.raises((ssl.SSLError, ConnectionError)):
        await asyncio.open_connection(host, int(port), ssl=old)
