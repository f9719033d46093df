"""Certificates of a benchmark: one authority, and nodes that share one server.

The server behind all registered nodes answers to each of their names.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from federated_router.kit.authority import Authority
from federated_router.kit.config import TlsSettings
from federated_router.kit.identity import Identity, Role, dns_name

DOMAIN = "bench.internal"
HOSTS = ("localhost", "127.0.0.1")


@dataclass(frozen=True, slots=True)
class Identities:
    """Issues identities below one folder."""

    folder: Path

    def issue(self, role: Role, peer_id: str, *, names: Sequence[str] = ()) -> None:
        """Make an identity's files; `names` are further DNS names."""
        Authority.open(self.folder, trust_domain=DOMAIN).issue(
            Identity(role=role, id=peer_id, trust_domain=DOMAIN),
            self.folder / role.value,
            hosts=(*HOSTS, *names),
        )

    def issue_nodes(self, node_ids: Sequence[str]) -> None:
        """Make the nodes' identities; the first answers for all of them."""
        names = [dns_name(DOMAIN, Role.NODE, node_id) for node_id in node_ids]
        self.issue(Role.NODE, node_ids[0], names=names)
        for node_id in node_ids[1:]:
            self.issue(Role.NODE, node_id)

    def tls(self, role: Role, peer_id: str) -> TlsSettings:
        """Return where an identity's files lie."""
        folder = self.folder / role.value
        return TlsSettings(
            certificate=folder / f"{peer_id}.crt",
            private_key=folder / f"{peer_id}.key",
            authority=folder / "ca.crt",
        )
