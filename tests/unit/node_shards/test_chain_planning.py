"""The chain of shards that is fastest for a token, against every chain there is."""

from collections.abc import Iterator, Sequence
from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from node.shards.layers import LayerRange
from node.shards.planning import Chain, ShardAt, fastest_chain

LAYERS = 5


def shard(
    node: str, first: int, end: int, token_ms: float = 1.0, tokens: int = 128
) -> ShardAt:
    """Return a shard."""
    return ShardAt(
        f"nodes/{node}", "a:1", LayerRange(first, end), 4, tokens, 8, token_ms
    )


ranges = st.tuples(st.integers(0, LAYERS - 1), st.integers(1, LAYERS)).filter(
    lambda ends: ends[0] < ends[1]
)
shards = st.lists(
    st.tuples(ranges, st.integers(1, 20)).map(lambda one: (*one[0], one[1])),
    max_size=9,
).map(
    lambda rows: [
        shard(f"n{at}", first, end, float(ms))
        for at, (first, end, ms) in enumerate(rows)
    ]
)
links = st.lists(st.integers(0, 20), min_size=9, max_size=9)


def every_chain(found: Sequence[ShardAt], start: int = 0) -> Iterator[Chain]:
    """Yield each way to make up all layers from `start` on."""
    if start == LAYERS:
        yield ()
        return
    for one in found:
        if one.layers.first == start:
            for rest in every_chain(found, one.layers.end):
                yield (one, *rest)


def cost_ms(chain: Chain, link_ms: dict[str, float]) -> float:
    """Return what a token takes: its shards, and the ways there and back."""
    return sum(one.token_ms + link_ms[one.node] for one in chain)


@given(shards, links)
def test_no_chain_is_faster(found: list[ShardAt], ways: list[int]) -> None:
    """And where none makes up the model, none is returned."""
    link_ms = {f"nodes/n{at}": float(way) for at, way in enumerate(ways)}

    chain = fastest_chain(found, layers=LAYERS, link_ms=link_ms)

    costs = [cost_ms(one, link_ms) for one in every_chain(found)]
    if chain is None:
        assert not costs
    else:
        assert cost_ms(chain, link_ms) == min(costs)
        cuts = [0, *(one.layers.end for one in chain)]
        assert [(one.layers.first, one.layers.end) for one in chain] == list(
            pairwise(cuts)
        )


def test_order_in_which_shards_are_listed_does_not_matter() -> None:
    """Two leaders with the same view plan alike."""
    found = [shard("b", 0, 5), shard("a", 0, 5), shard("c", 0, 2), shard("d", 2, 5)]
    link_ms = dict.fromkeys((one.node for one in found), 1.0)

    plans = [
        fastest_chain(order, layers=LAYERS, link_ms=link_ms)
        for order in (found, found[::-1])
    ]

    assert plans == [(found[1],), (found[1],)]


def test_shard_that_was_not_reached_is_not_used() -> None:
    """A listed node may be dead, or out of this leader's reach."""
    found = [shard("near", 0, 5, 9.0), shard("dead", 0, 5, 1.0)]

    assert fastest_chain(found, layers=LAYERS, link_ms={"nodes/near": 1.0}) == (
        found[0],
    )
    assert fastest_chain(found, layers=LAYERS, link_ms={}) is None


def test_way_counts_as_much_as_the_work() -> None:
    """A fast shard far away loses to a slow one near by, and the other way round."""
    near, far = shard("near", 0, 5, 10.0), shard("far", 0, 5, 1.0)

    def chosen(far_ms: float) -> Chain | None:
        link_ms = {"nodes/near": 1.0, "nodes/far": far_ms}
        return fastest_chain([near, far], layers=LAYERS, link_ms=link_ms)

    assert chosen(50.0) == (near,)
    assert chosen(5.0) == (far,)


def test_shards_in_use_are_kept_until_a_change_pays_for_itself() -> None:
    """An answer under way would have to tell a new shard all that came before."""
    used, other = shard("used", 0, 5, 2.0), shard("other", 0, 5, 1.0)
    link_ms = {"nodes/used": 0.0, "nodes/other": 0.0}

    def chosen(change_ms: float) -> Chain | None:
        return fastest_chain(
            [used, other],
            layers=LAYERS,
            link_ms=link_ms,
            kept={used.place},
            change_ms=change_ms,
        )

    assert chosen(100.0) == (used,)
    assert chosen(0.5) == (other,)
