"""Kept beginnings are found again by those who kept them, and by nobody else."""

from dataclasses import dataclass

from hypothesis import given
from hypothesis import strategies as st

from node.engine.prefix_tree import NODE_BYTES, PrefixTree

TENANTS = ("a", "b")
IDS = st.lists(st.integers(0, 2), min_size=1, max_size=12)


@dataclass(frozen=True, slots=True)
class Labels:
    """States that say of which tenant, of which token and after what they are."""

    labels: tuple[tuple[str, tuple[int, ...]], ...]

    @property
    def size_bytes(self) -> int:
        """Return 100 bytes a token."""
        return 100 * len(self.labels)

    def part(self, start: int, end: int) -> "Labels":
        """Return those of tokens [start, end)."""
        return Labels(self.labels[start:end])


def labels(tenant: str, token_ids: list[int], start: int = 0) -> Labels:
    """Return states that depend on all tokens before, as keys and values do."""
    return Labels(
        tuple(
            (tenant, tuple(token_ids[: at + 1])) for at in range(start, len(token_ids))
        )
    )


def keep(tree: PrefixTree[Labels], tenant: str, token_ids: list[int]) -> None:
    """Add a beginning, as the engine does."""
    start = tree.missing_from(tenant, token_ids)
    tree.add(tenant, token_ids, labels(tenant, token_ids, start))


def found(tree: PrefixTree[Labels], tenant: str, token_ids: list[int]) -> Labels:
    """Return the states that are found for a prompt."""
    length, parts = tree.find(tenant, token_ids)
    joined = [label for states, count in parts for label in states.labels[:count]]
    assert len(joined) == length
    return Labels(tuple(joined))


def shared(one: list[int], other: list[int]) -> int:
    """Return how many first tokens agree."""
    pairs = zip(one, other, strict=False)
    return next(
        (at for at, (left, right) in enumerate(pairs) if left != right),
        min(len(one), len(other)),
    )


@given(
    kept=st.lists(st.tuples(st.sampled_from(TENANTS), IDS), max_size=12),
    tenant=st.sampled_from(TENANTS),
    prompt=IDS,
)
def test_longest_kept_beginning_of_the_tenant_is_found(
    kept: list[tuple[str, list[int]]], tenant: str, prompt: list[int]
) -> None:
    """The states are those of exactly these tokens, and of this tenant's requests."""
    tree: PrefixTree[Labels] = PrefixTree(bytes_max=10**9)
    for owner, token_ids in kept:
        keep(tree, owner, token_ids)

    longest = max(
        (shared(ids, prompt) for owner, ids in kept if owner == tenant), default=0
    )

    assert found(tree, tenant, prompt) == labels(tenant, prompt[:longest])


@given(
    moves=st.lists(st.tuples(st.sampled_from(TENANTS), IDS), max_size=40),
    nodes_max=st.integers(0, 6),
)
def test_bytes_never_pass_the_limit_and_what_is_found_is_right(
    moves: list[tuple[str, list[int]]], nodes_max: int
) -> None:
    """Eviction may forget anything, but never mix up what it leaves."""
    bytes_max = nodes_max * (NODE_BYTES + 500)
    tree: PrefixTree[Labels] = PrefixTree(bytes_max=bytes_max)

    for tenant, token_ids in moves:
        keep(tree, tenant, token_ids)
        assert tree.size_bytes <= bytes_max
        assert len(tree) * NODE_BYTES <= tree.size_bytes
        states = found(tree, tenant, token_ids)
        assert states == labels(tenant, token_ids[: len(states.labels)])

    tree.clear()
    assert (tree.size_bytes, len(tree)) == (0, 0)


def test_another_tenant_misses_the_same_prompt() -> None:
    """Whether a prompt was asked before must not show in anybody else's answer."""
    tree: PrefixTree[Labels] = PrefixTree(bytes_max=10**9)
    keep(tree, "a", [1, 2, 3])

    assert tree.find("b", [1, 2, 3]) == (0, [])
    assert tree.find("", [1, 2, 3]) == (0, [])


def test_nobody_keeps_nothing() -> None:
    """A request without a tenant has no cache, not one that all such share."""
    tree: PrefixTree[Labels] = PrefixTree(bytes_max=10**9)

    keep(tree, "", [1, 2, 3])

    assert tree.size_bytes == 0
    assert tree.find("", [1, 2, 3]) == (0, [])


def test_what_was_used_longest_ago_makes_room() -> None:
    """Three beginnings fit; the fourth takes the place of the one nobody asked for."""
    tree: PrefixTree[Labels] = PrefixTree(bytes_max=4 * (NODE_BYTES + 500))
    for first in (1, 2, 3):
        keep(tree, "a", [first, 0, 0, 0])
    tree.find("a", [1, 0])

    keep(tree, "a", [4, 0, 0, 0])

    kept = [first for first in (1, 2, 3, 4) if tree.find("a", [first, 0, 0, 0])[0]]
    assert kept == [1, 3, 4]


def test_common_beginning_is_kept_once() -> None:
    """A system prompt that a hundred requests share takes its memory once."""
    tree: PrefixTree[Labels] = PrefixTree(bytes_max=10**9)
    common = [7] * 1000

    for last in range(100):
        keep(tree, "a", [*common, last])

    assert tree.size_bytes < 2 * 1000 * 108 + 102 * (NODE_BYTES + 108)


def test_beginning_larger_than_the_limit_is_not_kept() -> None:
    """It would evict all else and not fit all the same."""
    tree: PrefixTree[Labels] = PrefixTree(bytes_max=4 * NODE_BYTES)
    keep(tree, "a", [1, 2])

    keep(tree, "a", [3] * 1000)

    assert tree.find("a", [1, 2])[0] == 2
    assert tree.find("a", [3] * 9)[0] == 0
