"""Bytes that this process's connections have carried, as the kernel counts them.

Decides what "transported" means: the payload of TCP in both directions, so TLS records,
HTTP/2 frames and acknowledgements of the protocol above TCP are in, headers of TCP and
IP are not. Refuses to know whose connections they are. Linux only (RFC 4898's counters
`HCThruOctetsAcked` and `HCThruOctetsReceived`, read from TCP_INFO).
"""

import os
import socket
import stat
import struct
from dataclasses import dataclass
from pathlib import Path

_INFO_BYTES = 256
_COUNTERS_AT = 120
_COUNTERS = struct.Struct("<QQ")


@dataclass(frozen=True, slots=True)
class Transported:
    """Octets that the peer acknowledged, and octets that came."""

    sent: int
    received: int

    def since(self, before: "Transported") -> "Transported":
        """Return what was carried after `before`."""
        return Transported(self.sent - before.sent, self.received - before.received)


def transported(port: int) -> Transported:
    """Return what this process's open connections to `port` have carried so far."""
    counters = [
        counted
        for number in _socket_descriptors()
        if (counted := _counters(number, port)) is not None
    ]
    return Transported(
        sum(sent for sent, _ in counters), sum(received for _, received in counters)
    )


def _socket_descriptors() -> list[int]:
    numbers = [int(entry.name) for entry in Path("/proc/self/fd").iterdir()]
    return [number for number in numbers if _is_socket(number)]


def _is_socket(number: int) -> bool:
    try:
        return stat.S_ISSOCK(os.fstat(number).st_mode)
    except OSError:  # Closed since it was listed.
        return False


def _counters(number: int, port: int) -> tuple[int, int] | None:
    with socket.socket(fileno=os.dup(number)) as one:
        if one.family not in {socket.AF_INET, socket.AF_INET6}:
            return None
        try:
            peer = one.getpeername()
            info = one.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, _INFO_BYTES)
        except OSError:  # It listens, or has lost its peer.
            return None
    if peer[1] != port or len(info) < _COUNTERS_AT + _COUNTERS.size:
        return None
    sent, received = _COUNTERS.unpack_from(info, _COUNTERS_AT)
    return sent, received
