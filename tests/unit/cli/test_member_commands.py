"""`member`: what an operator signs, and what is said of members."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509

from federated_router.api.v1 import members_pb2 as pb
from federated_router.cli import member_signing as signing
from federated_router.cli import member_text as text
from federated_router.federation.renewal import Draft
from federated_router.kit.authority import Authority
from federated_router.kit.errors import FieldInvalid
from federated_router.kit.identity import Identity, Role
from federated_router.kit.revocation import RevocationList

DOMAIN = "a.example"
NOW_S = 1_800_000_000.0


@pytest.fixture
def authority(tmp_path: Path) -> Authority:
    """Return an authority that lies in the test's folder."""
    return Authority.open(tmp_path / "ca", trust_domain=DOMAIN)


@pytest.mark.parametrize("told", ["node/n1", "nodes/n1"])
def test_members_are_named_as_rounds_or_as_resources(told: str) -> None:
    """Operators know `nodes/n1` from the registry."""
    assert text.member_name(told) == "node/n1"


@pytest.mark.parametrize("told", ["n1", "operator/o", "nodes/", "nodes/N1", "a/b"])
def test_other_names_are_refused_with_what_to_do(told: str) -> None:
    """Before anything is signed."""
    with pytest.raises(FieldInvalid, match="nodes/ID"):
        text.member_name(told)


def issue(authority: Authority, directory: Path, member: str) -> bytes:
    """Return the certificate (PEM) that enrolling this member leaves."""
    files = signing.issued(
        member,
        directory,
        authority=authority,
        domain=DOMAIN,
        hosts=[],
        lifetime=timedelta(days=1),
    )
    return files.certificate.read_bytes()


def test_enrolling_again_uses_the_files_that_are_there(
    authority: Authority, tmp_path: Path
) -> None:
    """A call that failed is repeated, without a second certificate."""
    first = issue(authority, tmp_path, "node/n1")

    assert issue(authority, tmp_path, "node/n1") == first


def test_files_of_somebody_else_are_never_enrolled(
    authority: Authority, tmp_path: Path
) -> None:
    """A router and a node may have one id, and one folder."""
    issue(authority, tmp_path, "node/same")

    with pytest.raises(FieldInvalid, match="another folder"):
        issue(authority, tmp_path, "router/same")


def test_half_a_pair_is_never_overwritten(authority: Authority, tmp_path: Path) -> None:
    """A key that is there may be the only one."""
    issue(authority, tmp_path, "node/n1")
    (tmp_path / "n1.crt").unlink()

    with pytest.raises(FieldInvalid, match="of no use"):
        issue(authority, tmp_path, "node/n1")

    assert (tmp_path / "n1.key").exists()


def test_folder_without_an_authority_is_refused_and_none_is_made(
    tmp_path: Path,
) -> None:
    """A new authority would sign what nobody trusts."""
    with pytest.raises(FieldInvalid, match="missing"):
        Authority.existing(tmp_path, trust_domain=DOMAIN)

    assert not list(tmp_path.iterdir())


def next_list(
    authority: Authority, directory: Path, *serials: int, published: bytes
) -> RevocationList:
    """Return the list that a revocation signs."""
    return signing.revocation_list(
        authority, directory, published=published, serials=serials
    )


def test_next_list_holds_everything_under_a_higher_number(
    authority: Authority, tmp_path: Path
) -> None:
    """What was revoked stays revoked, whoever lost which list."""
    first = next_list(authority, tmp_path, 5, published=b"")
    signing.keep_list(tmp_path, first)
    second = next_list(authority, tmp_path, 6, published=first.der)

    assert (first.number, second.number) == (1, 2)
    assert second.serials == frozenset({5, 6})


def test_coordinator_that_shows_an_old_list_brings_nobody_back(
    authority: Authority, tmp_path: Path
) -> None:
    """The operator's own copy is newer, and both are in the next one."""
    old = next_list(authority, tmp_path, 5, published=b"")
    newer = next_list(authority, tmp_path, 6, published=old.der)
    signing.keep_list(tmp_path, newer)

    for published in (b"", old.der):
        after = next_list(authority, tmp_path, 7, published=published)
        assert after.number == newer.number + 1
        assert after.serials == frozenset({5, 6, 7})


def test_renewal_is_signed_for_the_connections_name_only(authority: Authority) -> None:
    """A request that names somebody else changes nothing of the certificate."""
    draft = Draft.of(Identity(Role.NODE, "other", DOMAIN))

    der = signing.renewed(
        authority,
        "node/n1",
        draft.signing_request_der,
        domain=DOMAIN,
        hosts=["10.0.0.1"],
        lifetime=timedelta(days=1),
    )

    found = x509.load_der_x509_certificate(der)
    names = found.extensions.get_extension_for_class(x509.SubjectAlternativeName)
    uris = names.value.get_values_for_type(x509.UniformResourceIdentifier)
    constraints = found.extensions.get_extension_for_class(x509.BasicConstraints)
    assert uris == [f"spiffe://{DOMAIN}/node/n1"]
    assert "other" not in found.subject.rfc4514_string()
    assert not constraints.value.ca


def member() -> pb.Member:
    """Return a member with a bit of everything."""
    found = pb.Member(
        name="node/n1",
        state=pb.Member.STATE_ACTIVE,
        last_round="rounds/r1",
        malformed_count=1234,
    )
    one = found.certificates.add(serial="a1" * 20)
    one.expire_time.FromDatetime(
        datetime.fromtimestamp(NOW_S, tz=UTC) + timedelta(days=20)
    )
    found.round_key_time.FromDatetime(
        datetime.fromtimestamp(NOW_S, tz=UTC) - timedelta(hours=5)
    )
    return found


def test_row_says_when_certificates_end_and_how_old_keys_are() -> None:
    """Relative times: nobody subtracts dates in the night."""
    row = dict(zip(text.COLUMNS, text.row(member(), now_s=NOW_S), strict=True))

    assert row["state"] == "active"
    assert row["expires"] == "in 20 days"
    assert row["round key"] == "5 hours"
    assert row["last call"] == "-"
    assert row["malformed"] == 1234


def test_facts_name_a_suspension_and_a_revocation_only_where_there_is_one() -> None:
    """Else an operator would look for what never happened."""
    one = member()
    plain = {label for label, _ in text.member_facts(one, now_s=NOW_S)}
    one.revoke_time.FromSeconds(int(NOW_S) - 60)
    one.suspend_until_time.FromSeconds(int(NOW_S) + 600)
    told = dict(text.member_facts(one, now_s=NOW_S))

    assert not {"revoked", "refused"} & plain
    assert told["refused"] == "in 10 minutes"
    assert told["revoked"] == "1 minute ago: no cause given"
