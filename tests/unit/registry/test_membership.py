"""Presence by lease, as a pure value, under any order of events."""

from dataclasses import dataclass, field, replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from federated_router.kit.errors import LeaseLost, LimitReached, NodeUnknown
from federated_router.registry.membership import (
    Load,
    Member,
    Membership,
    NodeState,
    Offer,
)

LEASE_S = 6.0


def member(name: str = "nodes/n1", lease: str = "l1", *, now_s: float = 0) -> Member:
    """Return a node with a fresh lease."""
    return Member(
        name=name,
        address="a:1",
        region="north",
        offers=(Offer("models/m", 128, private=False, slots=2),),
        lease_id=lease,
        lease_expires_s=now_s + LEASE_S,
    )


def with_one() -> Membership:
    """Return a membership of one node, registered at 0."""
    return Membership().registered(member(), members_max=10)


def test_lease_that_lapsed_is_gone_at_its_very_end() -> None:
    """A lease covers the time before its end and not the end itself."""
    membership = with_one()

    just_before = membership.expired(LEASE_S - 0.001)
    at_the_end = membership.expired(LEASE_S)

    assert list(just_before) == [member()]
    assert list(at_the_end) == []
    assert membership.lapsed(LEASE_S) == ("nodes/n1",)


def test_renewal_extends_and_reports_load() -> None:
    """The node lives on, with what it says of itself."""
    renewed = with_one().renewed(
        "nodes/n1", "l1", Load(running=3, waiting=1), expires_s=11.0, now_s=5.0
    )

    assert renewed.lapsed(10.9) == ()
    assert renewed.member("nodes/n1").load == Load(running=3, waiting=1)


@pytest.mark.parametrize(
    ("name", "lease", "now_s"),
    [
        ("nodes/n1", "l0", 1.0),
        ("nodes/n2", "l1", 1.0),
        ("nodes/n1", "l1", LEASE_S),
        ("nodes/n1", "", 1.0),
    ],
)
def test_renewal_of_no_standing_lease_is_refused(
    name: str, lease: str, now_s: float
) -> None:
    """Replaced, unknown, lapsed or empty: the node must register again."""
    with pytest.raises(LeaseLost):
        with_one().renewed(name, lease, Load(), expires_s=99.0, now_s=now_s)


def test_second_process_of_a_name_takes_the_lease_over() -> None:
    """The older process learns of it at its next renewal."""
    taken = with_one().registered(member(lease="l2"), members_max=10)

    assert taken.member("nodes/n1").lease_id == "l2"
    with pytest.raises(LeaseLost):
        taken.renewed("nodes/n1", "l1", Load(), expires_s=9.0, now_s=1.0)


def test_farewell_of_a_replaced_process_changes_nothing() -> None:
    """A slow goodbye must not remove the successor."""
    taken = with_one().registered(member(lease="l2"), members_max=10)

    assert taken.left("nodes/n1", "l1") is taken
    assert list(taken.left("nodes/n1", "l2")) == []
    assert taken.left("nodes/n9", "l2") is taken


def test_limit_counts_names_and_not_registrations() -> None:
    """A full registry still takes a known node back."""
    full = with_one()

    with pytest.raises(LimitReached) as raised:
        full.registered(member("nodes/n2"), members_max=1)

    assert raised.value.metadata == {"nodes_max": "1"}
    again = full.registered(member(lease="l2"), members_max=1)
    assert again.member("nodes/n1").lease_id == "l2"


def test_draining_lasts_over_renewals_and_ends_with_a_registration() -> None:
    """Signs of life do not undo an operator's word; a new start does."""
    drained = with_one().drained("nodes/n1")

    renewed = drained.renewed("nodes/n1", "l1", Load(), expires_s=9.0, now_s=1.0)
    again = renewed.registered(member(lease="l2"), members_max=10)

    assert renewed.member("nodes/n1").state is NodeState.DRAINING
    assert again.member("nodes/n1").state is NodeState.READY


def test_unknown_node_is_named() -> None:
    """The fact is in the metadata."""
    with pytest.raises(NodeUnknown) as raised:
        with_one().drained("nodes/n2")

    assert raised.value.metadata == {"node": "nodes/n2"}


def test_order_is_by_name_whatever_came_first() -> None:
    """Pages and ties depend on it."""
    membership = Membership()
    for number in (3, 1, 2):
        membership = membership.registered(member(f"nodes/n{number}"), members_max=9)

    assert [one.name for one in membership] == ["nodes/n1", "nodes/n2", "nodes/n3"]


def test_offer_is_found_by_model() -> None:
    """And None where there is none."""
    one = member()

    assert one.offer("models/m") == one.offers[0]
    assert one.offer("models/other") is None


def test_earlier_value_never_changes() -> None:
    """Readers keep what they saw; a decision cannot change under them."""
    before = with_one()
    snapshot = dict(before.members)

    before.drained("nodes/n1")
    before.left("nodes/n1", "l1")
    before.registered(member("nodes/n2"), members_max=9)

    assert dict(before.members) == snapshot


NAMES = st.sampled_from(["nodes/a", "nodes/b", "nodes/c"])
LEASES = st.integers(min_value=0, max_value=3).map(lambda number: f"l{number}")
EVENTS = st.lists(
    st.tuples(
        st.sampled_from(["register", "renew", "leave", "drain", "wait"]),
        NAMES,
        LEASES,
        st.floats(min_value=0, max_value=LEASE_S),
    ),
    max_size=30,
)


@dataclass(slots=True)
class Model:
    """The same rules in the plainest form: a dict of (lease, end)."""

    membership: Membership = field(default_factory=Membership)
    leases: dict[str, tuple[str, float]] = field(default_factory=dict)
    now_s: float = 0.0

    def holds(self, name: str, lease: str) -> bool:
        """Return whether this very lease stands now."""
        known = self.leases.get(name)
        return known is not None and known[0] == lease and known[1] > self.now_s

    def play(self, kind: str, name: str, lease: str, duration_s: float) -> None:
        """Apply one event to both, as the registry does: what lapsed goes first."""
        self.now_s += duration_s
        self.membership = self.membership.expired(self.now_s)
        if kind == "register":
            new = replace(member(name, lease), lease_expires_s=self.now_s + LEASE_S)
            self.membership = self.membership.registered(new, members_max=3)
            self.leases[name] = (lease, self.now_s + LEASE_S)
        elif kind == "renew":
            self._renew(name, lease)
        elif kind == "leave":
            self.membership = self.membership.left(name, lease)
            if self.holds(name, lease):
                del self.leases[name]
        elif kind == "drain" and name in self.membership.members:
            self.membership = self.membership.drained(name)

    def _renew(self, name: str, lease: str) -> None:
        expires_s = self.now_s + LEASE_S
        try:
            self.membership = self.membership.renewed(
                name, lease, Load(), expires_s=expires_s, now_s=self.now_s
            )
        except LeaseLost:
            assert not self.holds(name, lease)
        else:
            assert self.holds(name, lease)
            self.leases[name] = (lease, expires_s)


@settings(max_examples=60)
@given(events=EVENTS)
def test_present_are_exactly_those_whose_lease_stands(
    events: list[tuple[str, str, str, float]],
) -> None:
    """Under any order of events: nobody lapsed is present, nobody standing is gone."""
    model = Model()

    for event in events:
        model.play(*event)

        present = {one.name for one in model.membership.expired(model.now_s)}
        standing = {
            name for name, (_, end_s) in model.leases.items() if end_s > model.now_s
        }
        assert present == standing
