"""What the local authority signs, for how long, and who may read the keys."""

import ssl
import stat
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID

from federated_router.kit.authority import Authority, IdentityFiles
from federated_router.kit.errors import FieldInvalid
from federated_router.kit.identity import Identity, Role, identity_of

NODE = Identity(Role.NODE, "n1", "a.example")


@pytest.fixture
def authority(tmp_path: Path) -> Authority:
    """Return a new authority."""
    return Authority.open(tmp_path / "ca", trust_domain="a.example")


def certificate(files: IdentityFiles) -> x509.Certificate:
    """Return the certificate in a folder."""
    return x509.load_pem_x509_certificate(files.certificate.read_bytes())


def alternative_names(files: IdentityFiles) -> x509.SubjectAlternativeName:
    """Return the names under which the holder may answer."""
    found = certificate(files).extensions.get_extension_for_class(
        x509.SubjectAlternativeName
    )
    return found.value


def mode(path: Path) -> int:
    """Return a file's permissions."""
    return stat.S_IMODE(path.stat().st_mode)


def test_private_keys_are_for_their_owner_only(
    authority: Authority, tmp_path: Path
) -> None:
    """A key that others read is everybody's."""
    files = authority.issue(NODE, tmp_path / "node")

    assert mode(files.private_key) == 0o600
    assert mode(tmp_path / "ca" / "ca.key") == 0o600


def test_issuing_again_closes_a_key_that_was_open(
    authority: Authority, tmp_path: Path
) -> None:
    """A new secret must not inherit the old file's carelessness."""
    files = authority.issue(NODE, tmp_path / "node")
    files.private_key.chmod(0o644)

    authority.issue(NODE, tmp_path / "node")

    assert mode(files.private_key) == 0o600


def test_names_are_the_identity_its_roles_and_its_hosts(
    authority: Authority, tmp_path: Path
) -> None:
    """The URI says who it is; the DNS names say as whom it may answer."""
    files = authority.issue(NODE, tmp_path, hosts=("localhost", "127.0.0.1", "::1"))

    names = alternative_names(files)

    assert identity_of(names.get_values_for_type(x509.UniformResourceIdentifier)) == (
        NODE
    )
    assert names.get_values_for_type(x509.DNSName) == [
        "node.a.example",
        "n1.node.a.example",
        "localhost",
    ]
    addresses = [str(one) for one in names.get_values_for_type(x509.IPAddress)]
    assert addresses == ["127.0.0.1", "::1"]


def test_lifetime_begins_a_little_in_the_past(
    authority: Authority, tmp_path: Path
) -> None:
    """Clocks differ by minutes; a certificate made now must work everywhere now."""
    now = datetime.now(UTC)
    made = certificate(authority.issue(NODE, tmp_path, lifetime=timedelta(days=2)))

    assert made.not_valid_before_utc < now - timedelta(minutes=4)
    ends_in = made.not_valid_after_utc - now
    assert (
        timedelta(days=2) - timedelta(minutes=1) < ends_in < timedelta(days=2, hours=1)
    )


def test_certificate_can_be_made_expired(authority: Authority, tmp_path: Path) -> None:
    """Tests of expiry need one that was valid once."""
    long_ago = datetime.now(UTC) - timedelta(days=30)

    made = certificate(
        authority.issue(NODE, tmp_path, lifetime=timedelta(days=1), not_before=long_ago)
    )

    assert made.not_valid_before_utc < made.not_valid_after_utc < datetime.now(UTC)


def test_leaf_cannot_sign_others(authority: Authority, tmp_path: Path) -> None:
    """A node that could issue certificates could become an operator."""
    leaf = certificate(authority.issue(NODE, tmp_path / "node"))
    root = x509.load_pem_x509_certificate((tmp_path / "ca" / "ca.crt").read_bytes())

    constraints = leaf.extensions.get_extension_for_class(x509.BasicConstraints)
    root_constraints = root.extensions.get_extension_for_class(x509.BasicConstraints)

    assert constraints.critical
    assert not constraints.value.ca
    assert (root_constraints.value.ca, root_constraints.value.path_length) == (True, 0)


def test_certificate_serves_both_ends_of_a_connection(
    authority: Authority, tmp_path: Path
) -> None:
    """Every daemon listens and dials with one identity."""
    leaf = certificate(authority.issue(NODE, tmp_path))

    usages = leaf.extensions.get_extension_for_class(x509.ExtendedKeyUsage).value

    assert set(usages) == {
        ExtendedKeyUsageOID.CLIENT_AUTH,
        ExtendedKeyUsageOID.SERVER_AUTH,
    }


def test_leaf_is_signed_by_its_authority_and_key_fits(
    authority: Authority, tmp_path: Path
) -> None:
    """The three files belong together."""
    files = authority.issue(NODE, tmp_path / "node")
    leaf = certificate(files)
    root = x509.load_pem_x509_certificate(files.authority.read_bytes())

    leaf.verify_directly_issued_by(root)
    key = serialization.load_pem_private_key(files.private_key.read_bytes(), None)

    assert isinstance(key, ec.EllipticCurvePrivateKey)
    assert key.public_key() == leaf.public_key()


def test_every_certificate_has_its_own_key_and_serial(
    authority: Authority, tmp_path: Path
) -> None:
    """Two holders of one key could speak for each other."""
    made = [
        certificate(
            authority.issue(Identity(Role.NODE, f"n{number}", "a.example"), tmp_path)
        )
        for number in range(5)
    ]

    assert len({one.serial_number for one in made}) == 5
    assert len({one.public_key().public_numbers().x for one in made}) == 5  # type: ignore[union-attr]


@pytest.mark.parametrize("peer_id", ["", "N1", "a b", "../n1", "n1\n"])
def test_id_that_no_daemon_would_take_is_not_signed(
    authority: Authority, tmp_path: Path, peer_id: str
) -> None:
    """Better now than at the first refused handshake; and no file lands elsewhere."""
    identity = Identity(Role.NODE, peer_id, "a.example")

    with pytest.raises(FieldInvalid):
        authority.issue(identity, tmp_path / "node")

    assert not (tmp_path / "node").exists()


def test_opening_again_loads_the_same_authority(
    authority: Authority, tmp_path: Path
) -> None:
    """A second run that made a new authority would cut every daemon off."""
    before = authority.issue(NODE, tmp_path / "one")

    again = Authority.open(tmp_path / "ca", trust_domain="a.example")

    after = again.issue(NODE, tmp_path / "two")
    assert before.authority.read_bytes() == after.authority.read_bytes()


def test_authority_with_a_key_of_another_kind_is_refused(
    authority: Authority, tmp_path: Path
) -> None:
    """The message says what to remove."""
    del authority
    from cryptography.hazmat.primitives.asymmetric import ed25519

    foreign = ed25519.Ed25519PrivateKey.generate().private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )
    (tmp_path / "ca" / "ca.key").write_bytes(foreign)

    with pytest.raises(TypeError, match="remove"):
        Authority.open(tmp_path / "ca", trust_domain="a.example")


def test_tls_stack_takes_the_files(authority: Authority, tmp_path: Path) -> None:
    """OpenSSL is the judge of what a certificate is."""
    files = authority.issue(NODE, tmp_path / "node")
    context = ssl.create_default_context(
        ssl.Purpose.CLIENT_AUTH, cafile=str(files.authority)
    )

    context.load_cert_chain(files.certificate, files.private_key)

    assert context.cert_store_stats()["x509_ca"] == 1
