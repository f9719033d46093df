"""Resource names are `collection/id`, with ids from one safe alphabet."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from federated_router.kit.errors import FieldInvalid
from federated_router.kit.names import is_id, resource_id, resource_name

IDS = st.from_regex(r"[a-z0-9]([a-z0-9._-]{0,61}[a-z0-9])?", fullmatch=True)


@given(peer_id=IDS)
def test_name_round_trip(peer_id: str) -> None:
    """What is built is what is read."""
    assert resource_id(resource_name("nodes", peer_id), "nodes") == peer_id


@given(text=st.text(max_size=70))
def test_any_text_is_an_id_or_refused(text: str) -> None:
    """Whatever passes is safe in a path, a log and a URL."""
    if not is_id(text):
        with pytest.raises(FieldInvalid):
            resource_name("nodes", text)
        return

    assert text.isascii()
    assert 1 <= len(text) <= 63
    assert not set(text) & set("/\\ \n\t%")
    assert text not in {".", ".."}


@pytest.mark.parametrize(
    "name", ["", "nodes", "nodes/", "nodes/a/b", "node/a", "/a", "nodes/A", "nodes/a\n"]
)
def test_other_shapes_are_refused_by_field(name: str) -> None:
    """The field that held the name is named."""
    with pytest.raises(FieldInvalid) as raised:
        resource_id(name, "nodes", field="node.name")

    assert raised.value.metadata["field"] == "node.name"
