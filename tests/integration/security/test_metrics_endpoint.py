"""Metrics are scraped over mTLS like everything else: there is no plaintext port."""

import asyncio
import socket
import ssl
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from federated_router.api.v1 import ops_pb2, ops_pb2_grpc
from federated_router.app import build
from federated_router.kit.config import (
    ConfigurationError,
    MetricsSettings,
    TlsSettings,
)
from federated_router.kit.grpc_client import Channels
from federated_router.kit.identity import Role
from federated_router.kit.metrics import serving
from tests.support.fix_pki import DOMAIN, Pki
from tests.support.fix_router import router_settings
from tests.support.running import running

HOST = "127.0.0.1"


@dataclass(frozen=True, slots=True)
class Endpoint:
    """Where metrics are served."""

    port: int
    pki: Pki
    address: str

    def context(self, tls: TlsSettings | None) -> ssl.SSLContext:
        """Return a scraper's context, with or without a certificate."""
        context = ssl.create_default_context(cafile=str(self.pki.directory / "ca.crt"))
        if tls is not None:
            context.load_cert_chain(tls.certificate, tls.private_key)
        return context

    async def scrape(self, context: ssl.SSLContext | None) -> bytes:
        """Return the whole answer to one request."""
        reader, writer = await asyncio.open_connection(HOST, self.port, ssl=context)
        try:
            writer.write(b"GET /metrics HTTP/1.0\r\nHost: localhost\r\n\r\n")
            async with asyncio.timeout(30):
                return await reader.read()
        finally:
            writer.close()


def free_port() -> int:
    """Return a port that nobody listens on now."""
    with socket.socket() as probe:
        probe.bind((HOST, 0))
        return int(probe.getsockname()[1])


@pytest.fixture
async def endpoint(pki: Pki, tmp_path: Path) -> AsyncIterator[Endpoint]:
    """Run a router that serves metrics."""
    port = free_port()
    settings = router_settings(pki, tmp_path).model_copy(
        update={"metrics": MetricsSettings(address=f"{HOST}:{port}")}
    )
    async with running(await build(settings)) as daemon:
        yield Endpoint(port, pki, daemon.address)


async def test_scraper_with_a_certificate_sees_every_call(endpoint: Endpoint) -> None:
    """Names begin with the product's, so that dashboards find them."""
    tls = endpoint.pki.tls(Role.OPERATOR, "scraper")
    channels = Channels(tls, trust_domain=DOMAIN)
    async with channels.open(endpoint.address, role=Role.ROUTER) as channel:
        await ops_pb2_grpc.OpsServiceStub(channel).GetStatus(
            ops_pb2.GetStatusRequest(), timeout=30
        )

    answer = await endpoint.scrape(endpoint.context(tls))

    assert answer.startswith(b"HTTP/1.0 200")
    assert b"federated_router_rpc_calls_total" in answer
    assert b"federated_router_rpc_duration_seconds_bucket" in answer


async def test_scraper_without_a_certificate_sees_nothing(endpoint: Endpoint) -> None:
    """Counts by model and region tell about the organisation."""
    with pytest.raises((ssl.SSLError, ConnectionError)):
        await endpoint.scrape(endpoint.context(None))


async def test_foreign_scraper_sees_nothing(
    endpoint: Endpoint, foreign_pki: Pki
) -> None:
    """Another authority's operator is a stranger."""
    tls = foreign_pki.tls(Role.OPERATOR, "scraper")

    with pytest.raises((ssl.SSLError, ConnectionError)):
        await endpoint.scrape(endpoint.context(tls))


async def test_plain_http_sees_nothing(endpoint: Endpoint) -> None:
    """No redirect, no banner."""
    try:
        answer = await endpoint.scrape(None)
    except ConnectionError:
        answer = b""

    assert b"HTTP" not in answer


async def test_silent_connection_keeps_nobody_waiting(endpoint: Endpoint) -> None:
    """A port scanner must stop neither the next scrape nor the daemon's end."""
    silent = socket.create_connection((HOST, endpoint.port))
    tls = endpoint.pki.tls(Role.OPERATOR, "scraper")

    with silent:
        answer = await endpoint.scrape(endpoint.context(tls))

    assert answer.startswith(b"HTTP/1.0 200")


@pytest.fixture
def unused_tls(pki: Pki) -> TlsSettings:
    """Return some identity."""
    return pki.tls(Role.ROUTER, "r5")


def test_daemon_ends_while_a_silent_connection_is_open(unused_tls: TlsSettings) -> None:
    """The end of the context manager is the end of the daemon."""
    port = free_port()

    with serving(f"{HOST}:{port}", unused_tls):
        silent = socket.create_connection((HOST, port))

    silent.close()
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection((HOST, port))


@pytest.mark.parametrize("address", ["9100", ":9100", "localhost", "localhost:x"])
def test_address_without_host_or_port_is_refused(
    unused_tls: TlsSettings, address: str
) -> None:
    """An empty host would listen everywhere."""
    with (
        pytest.raises(ConfigurationError, match=r"metrics\.address"),
        serving(address, unused_tls),
    ):
        pass
