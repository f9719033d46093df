"""Who a peer is: role and id from the certificate's SAN, never from a field.

Each certificate carries one URI name `spiffe://TRUST_DOMAIN/ROLE/ID` (the identity)
and DNS names `ROLE.TRUST_DOMAIN` and `ID.ROLE.TRUST_DOMAIN`, so that whoever dials a
router is answered by a router and not by some node with a certificate.
"""

from collections.abc import Iterable
from contextvars import ContextVar
from dataclasses import dataclass
from enum import StrEnum

from federated_router.kit.errors import NotIdentified
from federated_router.kit.names import is_id

SCHEME = "spiffe://"


class Role(StrEnum):
    """What a certificate's holder is in the federation."""

    CLIENT = "client"
    NODE = "node"
    ROUTER = "router"
    COORDINATOR = "coordinator"
    OPERATOR = "operator"


@dataclass(frozen=True, slots=True)
class Identity:
    """A peer of this federation."""

    role: Role
    id: str
    trust_domain: str

    @property
    def member(self) -> str:
        """Return `role/id`, the name under which rounds know this peer."""
        return f"{self.role.value}/{self.id}"

    @property
    def uri(self) -> str:
        """Return the URI that the certificate carries."""
        return f"{SCHEME}{self.trust_domain}/{self.role.value}/{self.id}"


def dns_name(trust_domain: str, role: Role, peer_id: str | None = None) -> str:
    """Return the DNS name that a certificate of this role (and id) carries."""
    prefix = f"{peer_id}." if peer_id else ""
    return f"{prefix}{role.value}.{trust_domain}"


def parse_uri(uri: str) -> Identity:
    """Return the identity in a SAN URI; raise NotIdentified for any other shape."""
    parts = uri.removeprefix(SCHEME).split("/")
    if not uri.startswith(SCHEME) or len(parts) != 3:  # noqa: PLR2004 - domain, role, id.
        raise NotIdentified("The certificate's URI name is not of this federation.")
    trust_domain, role, peer_id = parts
    if not trust_domain or not is_id(peer_id):
        raise NotIdentified("The certificate's URI name is not of this federation.")
    if role not in set(Role):
        raise NotIdentified("The certificate names a role that does not exist.")
    return Identity(role=Role(role), id=peer_id, trust_domain=trust_domain)


def identity_of(names: Iterable[str]) -> Identity:
    """Return the one identity among a certificate's alternative names."""
    uris = [name for name in names if name.startswith(SCHEME)]
    if len(uris) != 1:
        raise NotIdentified("Present a certificate of this federation.")
    return parse_uri(uris[0])


_current: ContextVar[Identity] = ContextVar("current_identity")


def current_identity() -> Identity:
    """Return the peer of the call being handled."""
    try:
        return _current.get()
    except LookupError:
        raise NotIdentified("No identified call is being handled.") from None


def set_current_identity(identity: Identity) -> None:
    """Bind the peer to the call being handled; only the interceptor does so."""
    _current.set(identity)
