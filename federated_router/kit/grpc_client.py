"""How a daemon or client dials another: mTLS, and the peer's role checked by name."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import grpc

from federated_router.kit.config import TlsSettings
from federated_router.kit.grpc_errors import translate
from federated_router.kit.identity import Role, dns_name

PING_INTERVAL_MS = 10_000
PING_TIMEOUT_MS = 5_000
# The core takes this, and nothing else, as the time that one attempt may take.
CONNECT_TIMEOUT_MS = 5_000
MESSAGE_BYTES_MAX = 4 * 1024 * 1024


class Channels:
    """Opens channels with one identity. The caller closes what it opens."""

    def __init__(self, tls: TlsSettings, *, trust_domain: str) -> None:
        self._credentials = grpc.ssl_channel_credentials(
            root_certificates=tls.authority.read_bytes(),
            private_key=tls.private_key.read_bytes(),
            certificate_chain=tls.certificate.read_bytes(),
        )
        self._trust_domain = trust_domain

    def open(
        self, address: str, *, role: Role, peer_id: str | None = None
    ) -> grpc.aio.Channel:
        """Return a channel to `address` that only a peer of this role can answer."""
        name = dns_name(self._trust_domain, role, peer_id)
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


@asynccontextmanager
async def translated_errors() -> AsyncIterator[None]:
    """Raise the typed error in place of a failed call's AioRpcError."""
    try:
        yield
    except grpc.aio.AioRpcError as error:
        raise translate(error) from error
