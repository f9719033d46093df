"""Changes name each node that routing sees otherwise, and no lease that was renewed."""

from types import MappingProxyType

from hypothesis import given
from hypothesis import strategies as st

from federated_router.registry.membership import Load, Member, Membership, Offer
from federated_router.routing.candidate import RouteQuery
from federated_router.routing.changes import (
    CHANGES_MAX,
    Changes,
    changed_nodes,
    sites_lost,
)
from tests.unit.routing.placing import MODEL, QUERY, Live

MEMBERS = st.dictionaries(
    st.sampled_from("abcde"),
    st.tuples(st.integers(0, 2), st.integers(0, 2), st.integers(1, 2)),
)


def membership(told: dict[str, tuple[int, int, int]]) -> Membership:
    """Return nodes of an address, a load, and so many models each."""
    members = {
        name: Member(
            name=name,
            address=f"{name}:{address}",
            region="north",
            offers=tuple(
                Offer(f"models/{number}", 1, private=False, slots=1)
                for number in range(models)
            ),
            lease_id="",
            lease_expires_s=float(load),
            load=Load(load, 0),
        )
        for name, (address, load, models) in told.items()
    }
    return Membership(MappingProxyType(members))


@given(before=MEMBERS, after=MEMBERS, kept=st.booleans())
def test_changed_nodes_are_those_that_differ(
    before: dict[str, tuple[int, int, int]],
    after: dict[str, tuple[int, int, int]],
    *,
    kept: bool,
) -> None:
    """Whoever came, left or differs, once; a lease and a load are no difference."""
    one, other = membership(before), membership(after)
    if kept:  # The same object stands for what did not change, as in a registry.
        same = {n: one.members[n] for n in after if after[n] == before.get(n)}
        other = Membership(MappingProxyType({**other.members, **same}))

    found = changed_nodes(one, other)

    def known(told: dict[str, tuple[int, int, int]], name: str) -> object:
        return (told[name][0], told[name][2]) if name in told else None

    names = set(before) | set(after)
    assert sorted(found) == sorted(
        name for name in names if known(before, name) != known(after, name)
    )
    assert sites_lost(one, other, found) == any(
        name not in after or after[name][2] < before[name][2] for name in before
    )


@given(sizes=st.lists(st.integers(0, 90), max_size=12), asked=st.integers(0, 12))
def test_changes_since_are_all_or_none(sizes: list[int], asked: int) -> None:
    """Where some are forgotten it says so: half of what changed would be a lie."""
    changes, done = Changes(), []
    begin = 0
    for turn, size in enumerate(sizes):
        begin = changes.number if turn == asked else begin
        nodes = [f"{turn}/{number}" for number in range(size)]
        changes = changes.and_then(nodes)
        done += nodes

    since = changes.since(begin)

    assert len(changes.latest) <= CHANGES_MAX
    expected = frozenset(done[begin:])
    assert since == (expected if len(done) - begin <= CHANGES_MAX else None)


def test_slate_that_missed_too_much_is_made_anew() -> None:
    """A query that was not asked for a day gets today's nodes."""
    live = Live()
    live.join("a", "b")
    before = live.router.choose(QUERY).node
    live.registry.drain("nodes/a")

    for number in range(CHANGES_MAX):
        live.join("c", slots=1 + number % 2)
        live.router.explain(RouteQuery(MODEL, private=True))

    changes = live.router._scene.changes
    assert changes.number > CHANGES_MAX == len(changes.latest)
    assert (before, live.router.choose(QUERY).node) == ("nodes/a", "nodes/b")
