"""Certificates for tests: one authority a session, identities on demand."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cache
from pathlib import Path

import pytest

from federated_router.kit.authority import Authority
from federated_router.kit.config import TlsSettings
from federated_router.kit.identity import Identity, Role

DOMAIN = "test.internal"
HOSTS = ("localhost", "127.0.0.1")


@dataclass(frozen=True, slots=True)
class Pki:
    """An authority and a folder for what it issues."""

    directory: Path
    authority: Authority

    def standing(self, role: Role, peer_id: str) -> TlsSettings:
        """Return the files of an identity that all tests share; nobody changes them."""
        return _standing(self.directory, role, peer_id)

    def tls(
        self,
        role: Role,
        peer_id: str,
        *,
        domain: str = DOMAIN,
        expired: bool = False,  # noqa: FBT001, FBT002, RUF100 - a fact, not a mode.
    ) -> TlsSettings:
        """Return a fresh identity's files."""
        start = datetime.now(UTC) - timedelta(days=30) if expired else None
        files = self.authority.issue(
            Identity(role=role, id=peer_id, trust_domain=domain),
            self.directory / role.value,
            hosts=HOSTS,
            lifetime=timedelta(days=1),
            not_before=start,
        )
        return TlsSettings(
            certificate=files.certificate,
            private_key=files.private_key,
            authority=files.authority,
        )


@cache
def _standing(directory: Path, role: Role, peer_id: str) -> TlsSettings:
    authority = Authority.open(directory, trust_domain=DOMAIN)
    return Pki(directory / "standing", authority).tls(role, peer_id)


@pytest.fixture(scope="session")
def pki(tmp_path_factory: pytest.TempPathFactory) -> Pki:
    """Return the authority that all daemons of the tests trust."""
    directory = tmp_path_factory.mktemp("pki")
    return Pki(directory, Authority.open(directory, trust_domain=DOMAIN))


@pytest.fixture(scope="session")
def foreign_pki(tmp_path_factory: pytest.TempPathFactory) -> Pki:
    """Return an authority that nobody trusts."""
    directory = tmp_path_factory.mktemp("foreign-pki")
    return Pki(directory, Authority.open(directory, trust_domain=DOMAIN))
