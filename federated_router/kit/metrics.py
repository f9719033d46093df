"""Prometheus metrics of every call, and the endpoint that serves all metrics.

The endpoint speaks mTLS like everything else: there is no plaintext port.
"""

from collections.abc import Iterator
from contextlib import contextmanager

from prometheus_client import Counter, Gauge, Histogram, start_http_server

from federated_router.kit.config import ConfigurationError, TlsSettings

CALLS = Counter(
    "federated_router_rpc_calls",
    "Calls handled, by method and gRPC code.",
    ["method", "code"],
)
CALL_DURATION = Histogram(
    "federated_router_rpc_duration_seconds",
    "Time from the first to the last byte of a call.",
    ["method"],
    buckets=(0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 30),
)
FAILED_AUTHENTICATIONS = Counter(
    "federation_failed_authentications",
    "Calls refused for want of an identity or a role.",
    ["method"],
)
CERTIFICATE_EXPIRY = Gauge(
    "certificate_expiry_seconds", "Seconds until the daemon's certificate expires."
)
REVOCATION_LIST = Gauge(
    "federation_revocation_list_number", "Number of the revocation list in force."
)


@contextmanager
def serving(address: str | None, tls: TlsSettings) -> Iterator[None]:
    """Serve metrics at `address` over mTLS until left; do nothing for None."""
    if address is None:
        yield
        return
    host, _, port = address.rpartition(":")
    if not host or not (port.isascii() and port.isdigit()):
        raise ConfigurationError("metrics.address: expected HOST:PORT")
    server, thread = start_http_server(
        int(port),
        addr=host,
        certfile=str(tls.certificate),
        keyfile=str(tls.private_key),
        client_cafile=str(tls.authority),
        client_auth_required=True,
    )
    # Each connection shakes hands in its own thread: a silent one must not keep the
    # rest waiting, nor the daemon from ending.
    server.socket.do_handshake_on_connect = False  # type: ignore[attr-defined]
    try:
        yield
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def forget_certificates() -> None:
    """Show nothing of a daemon that has ended, and hold nothing of it."""
    CERTIFICATE_EXPIRY.set_function(float)
    REVOCATION_LIST.set_function(float)
