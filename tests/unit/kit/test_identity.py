"""A certificate's names are an identity of this federation, or nothing at all."""

import asyncio
import string
from contextvars import Context

import pytest
from hypothesis import given
from hypothesis import strategies as st

from federated_router.kit.errors import NotIdentified
from federated_router.kit.identity import (
    Identity,
    Role,
    current_identity,
    dns_name,
    identity_of,
    parse_uri,
    set_current_identity,
)
from federated_router.kit.names import is_id

IDS = st.from_regex(r"[a-z0-9]([a-z0-9._-]{0,61}[a-z0-9])?", fullmatch=True)
DOMAINS = st.from_regex(r"[a-z0-9]([a-z0-9.-]{0,20}[a-z0-9])?", fullmatch=True)
SEGMENTS = st.sampled_from(
    ["spiffe:", "", "a.example", "node", "router", "Router", "n1", "N 1", "..", "%2f"]
) | st.text(string.printable, max_size=8)


@given(role=st.sampled_from(Role), peer_id=IDS, domain=DOMAINS)
def test_uri_round_trip(role: Role, peer_id: str, domain: str) -> None:
    """What the authority writes is what the interceptor reads."""
    identity = Identity(role=role, id=peer_id, trust_domain=domain)

    assert parse_uri(identity.uri) == identity
    assert identity.member == f"{role.value}/{peer_id}"


@given(uri=st.lists(SEGMENTS, max_size=7).map("/".join) | st.text())
def test_any_text_is_an_identity_or_refused(uri: str) -> None:
    """The parser faces whatever an authority ever signed."""
    try:
        identity = parse_uri(uri)
    except NotIdentified:
        return

    assert identity.uri == uri
    assert is_id(identity.id)
    assert isinstance(identity.role, Role)


@given(names=st.lists(st.text(max_size=20), max_size=5))
def test_any_names_are_an_identity_or_refused(names: list[str]) -> None:
    """Foreign certificates carry e-mail addresses, hosts and worse."""
    try:
        identity = identity_of(names)
    except NotIdentified:
        return

    assert identity.uri in names


@pytest.mark.parametrize(
    "uri",
    [
        "",
        "spiffe://",
        "spiffe://a.example/node",
        "spiffe://a.example/node/",
        "spiffe://a.example/node/n1/x",
        "spiffe://a.example/Node/n1",
        "spiffe://a.example/admin/n1",
        "spiffe://a.example/node/N1",
        "spiffe://a.example/node/n1\n",
        "spiffe:///node/n1",
        "https://a.example/node/n1",
        "SPIFFE://a.example/node/n1",
    ],
)
def test_near_misses_are_refused(uri: str) -> None:
    """Each differs from a good name by one thing."""
    with pytest.raises(NotIdentified):
        parse_uri(uri)


def test_two_identities_are_none() -> None:
    """A certificate with two names could be either, so it is neither."""
    names = ["spiffe://a.example/node/n1", "spiffe://a.example/operator/op"]

    with pytest.raises(NotIdentified):
        identity_of(names)


def test_other_names_do_not_disturb() -> None:
    """Hosts that clients dial stand beside the identity."""
    names = ["localhost", "127.0.0.1", "spiffe://a.example/node/n1"]

    assert identity_of(names).member == "node/n1"


@given(node_id=IDS, domain=DOMAINS)
def test_no_id_makes_a_node_answer_for_a_router(node_id: str, domain: str) -> None:
    """Ids may hold dots; a node's DNS names must still never be a router's."""
    node_names = {
        dns_name(domain, Role.NODE),
        dns_name(domain, Role.NODE, node_id),
    }

    assert dns_name(domain, Role.ROUTER) not in node_names
    assert all(name.endswith(f"node.{domain}") for name in node_names)


def test_identity_outside_a_call_is_refused() -> None:
    """Code that forgets the interceptor must not find the last caller.

    In a context of its own, for other tests speak as somebody in theirs.
    """

    async def handle(peer: str) -> str:
        set_current_identity(Identity(Role.CLIENT, peer, "a.example"))
        await asyncio.sleep(0)
        return current_identity().id

    async def story() -> None:
        seen = await asyncio.gather(handle("one"), handle("two"))

        assert list(seen) == ["one", "two"]
        with pytest.raises(NotIdentified):
            current_identity()

    Context().run(asyncio.run, story())
