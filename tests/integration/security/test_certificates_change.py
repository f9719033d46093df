"""Certificates are replaced and revoked under running servers and channels."""

import asyncio
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path

import pytest
from cryptography import x509
from grpc_health.v1 import health_pb2, health_pb2_grpc

from federated_router.kit import errors
from federated_router.kit.config import ServerSettings, TlsSettings
from federated_router.kit.grpc_client import Channels, translated_errors
from federated_router.kit.grpc_server import BoundServer, Health, build_server
from federated_router.kit.identity import Role
from federated_router.kit.revocation_file import RevocationFile
from federated_router.kit.tls_files import LOOK_INTERVAL_S, replace_pair
from tests.support.fix_pki import DOMAIN, Pki

pytestmark = pytest.mark.asyncio
CHECK = health_pb2.HealthCheckRequest()


@asynccontextmanager
async def serving(tls: TlsSettings) -> AsyncIterator[BoundServer]:
    """Run a server that offers health alone."""
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
        yield bound
    finally:
        await bound.server.stop(0)


def serial(tls: TlsSettings) -> int:
    """Return the serial number of an identity's certificate."""
    pem = tls.certificate.read_bytes()
    return x509.load_pem_x509_certificate(pem).serial_number


def renewed(pki: Pki, tls: TlsSettings, role: Role, peer_id: str) -> None:
    """Put a successor in the place of an identity's files, as a renewal does."""
    other = Pki(pki.directory / "successors", pki.authority).tls(role, peer_id)
    replace_pair(
        tls,
        certificate_pem=other.certificate.read_bytes(),
        key_pem=other.private_key.read_bytes(),
    )


async def shown_by(address: str, tls: TlsSettings) -> int:
    """Return the serial number of the certificate that a server shows."""
    context = ssl.create_default_context(cafile=str(tls.authority))
    context.load_cert_chain(tls.certificate, tls.private_key)
    context.check_hostname = False
    host, _, port = address.rpartition(":")
    _, writer = await asyncio.open_connection(host, int(port), ssl=context)
    shown = writer.get_extra_info("ssl_object").getpeercert()["serialNumber"]
    writer.close()
    return int(shown, 16)


async def test_server_shows_a_renewed_certificate_without_a_restart(pki: Pki) -> None:
    """Connections that stand go on; the next one sees the successor."""
    own, client = pki.tls(Role.ROUTER, "renews"), pki.tls(Role.CLIENT, "looks")
    before = serial(own)
    async with serving(own) as bound:
        channels = Channels(client, trust_domain=DOMAIN)
        async with channels.open(bound.address, role=Role.ROUTER) as channel:
            stub = health_pb2_grpc.HealthStub(channel)
            await stub.Check(CHECK, timeout=30)
            first = await shown_by(bound.address, client)
            renewed(pki, own, Role.ROUTER, "renews")
            async with asyncio.timeout(30):
                while (second := await shown_by(bound.address, client)) == before:
                    await asyncio.sleep(0.1)
            await stub.Check(CHECK, timeout=30)

    assert first == before
    assert second == serial(own) != before


async def test_stub_of_a_renewing_channel_calls_by_the_newest_certificate(
    pki: Pki,
) -> None:
    """The stub was made before; a call that runs meanwhile ends in peace."""
    own = pki.tls(Role.NODE, "renews")
    old = serial(own)
    async with serving(pki.tls(Role.ROUTER, "r1")) as bound:
        channels = Channels(own, trust_domain=DOMAIN)
        async with channels.renewing(bound.address, role=Role.ROUTER) as channel:
            stub = health_pb2_grpc.HealthStub(channel)
            watch = stub.Watch(CHECK)
            await watch.read()
            renewed(pki, own, Role.NODE, "renews")
            await asyncio.sleep(LOOK_INTERVAL_S + 0.1)
            await stub.Check(CHECK, timeout=30)
            await bound.health.set_serving()
            still = await watch.read()
            watch.cancel()
            bound.revocations.offer(_list(pki, old))
            await stub.Check(CHECK, timeout=30)
            bound.revocations.offer(_list(pki, old, serial(own)))
            with pytest.raises(errors.MemberRevoked):
                async with translated_errors():
                    await stub.Check(CHECK, timeout=30)

    assert still.status == health_pb2.HealthCheckResponse.SERVING


async def test_file_with_a_revocation_ends_calls_of_the_revoked(
    pki: Pki, tmp_path: Path
) -> None:
    """A daemon without a coordinator hears by a file, within a second."""
    gone, kept = pki.tls(Role.CLIENT, "gone"), pki.tls(Role.CLIENT, "kept")
    path = tmp_path / "revoked.crl"
    async with serving(pki.tls(Role.ROUTER, "r2")) as bound:
        file = RevocationFile(
            path, bound.revocations, authorities_pem=pki.authority.certificate_pem
        )
        file.load()
        running = asyncio.create_task(file.run())
        calls = []
        for tls in (gone, kept):
            channel = Channels(tls, trust_domain=DOMAIN).open(
                bound.address, role=Role.ROUTER
            )
            stub = health_pb2_grpc.HealthStub(channel)
            watch = stub.Watch(CHECK)
            await watch.read()
            calls.append((channel, stub, watch))

        path.write_bytes(_list(pki, serial(gone)))
        async with asyncio.timeout(30):
            with pytest.raises(errors.MemberRevoked):
                async with translated_errors():
                    await calls[0][2].read()
        with pytest.raises(errors.MemberRevoked):
            async with translated_errors():
                await calls[0][1].Check(CHECK, timeout=30)
        await calls[1][1].Check(CHECK, timeout=30)

        assert not calls[1][2].done()
        running.cancel()
        for channel, _, watch in calls:
            watch.cancel()
            await channel.close()


async def test_file_of_no_use_changes_nothing_and_newer_lists_are_kept_there(
    pki: Pki, tmp_path: Path
) -> None:
    """Rubbish takes no revocation back, and a restart begins with the newest list."""
    path = tmp_path / "revoked.crl"
    async with serving(pki.tls(Role.ROUTER, "r3")) as bound:
        file = RevocationFile(
            path, bound.revocations, authorities_pem=pki.authority.certificate_pem
        )
        path.write_bytes(_list(pki, 5))
        await file.exchange()
        path.write_bytes(b"rubbish")
        await file.exchange()
        after_rubbish = bound.revocations.current.serials
        newest = _list(pki, 5, 6)
        bound.revocations.offer(newest)
        await file.exchange()

    assert after_rubbish == frozenset({5})
    assert path.read_bytes() == newest


_numbers = iter(range(1, 1000))


def _list(pki: Pki, *serials: int) -> bytes:
    return pki.authority.revocation_list(
        serials, number=next(_numbers), now=datetime.now(UTC)
    )
