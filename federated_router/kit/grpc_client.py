"""How a daemon or client dials another: mTLS, and the peer's role checked by name."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import grpc

from federated_router.kit.config import TlsSettings
from federated_router.kit.grpc_errors import translate
from federated_router.kit.identity import Role, dns_name
from federated_router.kit.renewing_channel import RenewingChannel
from federated_router.kit.tls_files import TlsFiles

PING_INTERVAL_MS = 10_000
PING_TIMEOUT_MS = 5_000
# The core takes this, and nothing else, as the time that one attempt may take.
CONNECT_TIMEOUT_MS = 5_000
MESSAGE_BYTES_MAX = 4 * 1024 * 1024


class Channels:
    """Opens channels with one identity. The caller closes what it opens.

    A channel keeps the certificate that it was opened with; one of `renewing` follows
    the files.
    """

    def __init__(self, tls: TlsSettings, *, trust_domain: str) -> None:
        self._files = TlsFiles(tls)
        self._generation = self._files.generation
        self._credentials = _credentials(self._files)
        self._trust_domain = trust_domain

    @property
    def generation(self) -> int:
        """Return a number that grows when the files of the identity change."""
        return self._files.generation

    def renewing(
        self, address: str, *, role: Role, peer_id: str | None = None
    ) -> grpc.aio.Channel:
        """Return a channel as `open` does that follows changes of the TLS files."""
        return RenewingChannel(
            lambda: self.open(address, role=role, peer_id=peer_id),
            generation=lambda: self._files.generation,
        )

    def open(
        self, address: str, *, role: Role, peer_id: str | None = None
    ) -> grpc.aio.Channel:
        """Return a channel to `address` that only a peer of this role can answer."""
        name = dns_name(self._trust_domain, role, peer_id)
        if self._generation != self._files.generation:
            self._generation = self._files.generation
            self._credentials = _credentials(self._files)
        return grpc.aio.secure_channel(
            address,
            self._credentials,
            options=[
                ("grpc.ssl_target_name_override", name),
                ("grpc.default_authority", name),
                ("grpc.max_receive_message_length", MESSAGE_BYTES_MAX),
                ("grpc.max_send_message_length", MESSAGE_BYTES_MAX),
                ("grpc.keepalive_time_ms", PING_INTERVAL_MS),
                ("grpc.keepalive_timeout_ms", PING_TIMEOUT_MS),
                ("grpc.keepalive_permit_without_calls", 1),
                ("grpc.http2.max_pings_without_data", 0),
                ("grpc.initial_reconnect_backoff_ms", 100),
                ("grpc.min_reconnect_backoff_ms", CONNECT_TIMEOUT_MS),
                ("grpc.max_reconnect_backoff_ms", 2_000),
                ("grpc.enable_retries", 0),
            ],
        )


def _credentials(files: TlsFiles) -> grpc.ChannelCredentials:
    content = files.content
    return grpc.ssl_channel_credentials(
        root_certificates=content.authority,
        private_key=content.private_key,
        certificate_chain=content.certificate,
    )


@asynccontextmanager
async def translated_errors() -> AsyncIterator[None]:
    """Raise the typed error in place of a failed call's AioRpcError."""
    try:
        yield
    except grpc.aio.AioRpcError as error:
        raise translate(error) from error
