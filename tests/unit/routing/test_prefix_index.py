"""The index knows whole beginnings only, within its limits, and forgets who leaves."""

from collections.abc import Sequence
from itertools import pairwise

from hypothesis import given, settings
from hypothesis import strategies as st

from federated_router.routing.candidate import Site
from federated_router.routing.prefix_index import PrefixIndex

A, B, C = (("nodes/a", "models/m"), ("nodes/b", "models/m"), ("nodes/c", "models/m"))


def found(known: PrefixIndex, prefix: tuple[int, ...]) -> dict[Site, int]:
    """Return how many blocks each site holds; one by one as at all at once."""
    sites = (A, B, C)
    depths = known.matched(prefix, sites)
    alone = {one: known.held(prefix, one) for one in sites}
    assert alone == dict(
        zip(sites, [0] * 3 if depths is None else depths.tolist(), strict=True)
    )
    return {site: depth for site, depth in alone.items() if depth}


def index(per_site: int = 100, total: int = 1000) -> PrefixIndex:
    """Return an empty index."""
    return PrefixIndex(blocks_per_site_max=per_site, blocks_max=total)


def test_each_site_matches_as_far_as_it_was_sent() -> None:
    """The first block that differs ends a match."""
    known = index()
    known.learn(A, (1, 2, 3, 4))
    known.learn(B, (1, 2, 9))
    known.learn(C, (7,))

    assert found(known, (1, 2, 3, 8)) == {A: 3, B: 2}
    assert found(known, (7, 8)) == {C: 1}
    assert found(known, (8, 1)) == {}
    assert found(known, ()) == {}


def test_deepest_blocks_of_the_oldest_prompt_go_first() -> None:
    """What is left of a prompt is always its beginning."""
    known = index(per_site=5)
    known.learn(A, (1, 2, 3))
    known.learn(A, (1, 7, 8, 9))

    assert found(known, (1, 2, 3)) == {A: 2}
    assert found(known, (1, 7, 8, 9)) == {A: 4}
    assert len(known) == 5


def test_prompt_longer_than_the_limit_is_known_by_its_beginning() -> None:
    """The end of it would push the beginning out, and then nothing would match."""
    known = index(per_site=3)

    known.learn(A, (1, 2, 3, 4, 5))

    assert found(known, (1, 2, 3, 4, 5)) == {A: 3}


def test_site_that_left_is_forgotten_and_its_place_is_used_again() -> None:
    """Nodes that come and go for a year take the memory of those that are there."""
    known = index()
    for number in range(200):
        site = (f"nodes/n{number}", "models/m")
        known.learn(site, (1, number + 2))
        known.forget(site)
    known.learn(B, (1, 2))

    assert found(known, (1, 2)) == {B: 2}
    assert len(known) == 2
    assert known._sites.highest == 3
    assert len(known._holders) == 2


def test_limit_of_all_sites_is_shared_by_those_there_are() -> None:
    """However many sites learn, all of them together hold no more."""
    known = index(per_site=50, total=60)

    for number in range(30):
        known.learn((f"nodes/n{number}", "models/m"), tuple(range(number, number + 40)))
        assert len(known) <= 60


LEARNT = st.lists(
    st.tuples(
        st.sampled_from([A, B, C]),
        st.lists(st.integers(0, 2), max_size=6),
        st.booleans(),
    ),
    max_size=30,
)


def chained(path: Sequence[int]) -> tuple[int, ...]:
    """Return digests of a path as a prompt has them: each of all before it."""
    return tuple(hash(tuple(path[: end + 1])) for end in range(len(path)))


@given(learnt=LEARNT, asked=st.lists(st.integers(0, 2), max_size=6))
@settings(max_examples=150)
def test_match_is_a_beginning_that_the_site_was_sent(
    learnt: list[tuple[tuple[str, str], list[int], bool]], asked: list[int]
) -> None:
    """Never more than what was sent, and holders and blocks always agree."""
    known = index(per_site=8, total=20)
    sent: dict[tuple[str, str], list[tuple[int, ...]]] = {}
    for site, path, leaves in learnt:
        if leaves:
            known.forget(site)
            sent.pop(site, None)
        else:
            known.learn(site, chained(path))
            sent.setdefault(site, []).append(chained(path))

    for site, depth in found(known, chained(asked)).items():
        assert any(one[:depth] == chained(asked)[:depth] for one in sent[site])
    assert all(len(held) <= 8 for held in known._held.values())
    assert len(known) <= 20
    assert len(known) == sum(map(len, known._held.values()))
    bits = sum(mask.bit_count() for mask in known._holders.values())
    assert bits == len(known)
    parents = {
        child: parent
        for paths in sent.values()
        for path in paths
        for parent, child in pairwise(path)
    }
    for held in known._held.values():
        assert all(parents[one] in held for one in held if one in parents)
