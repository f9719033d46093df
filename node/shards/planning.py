"""Which shards make up a model, and in which chain of them a token is fastest.

Decides by milliseconds: what each shard says that a token takes it, plus the way to it
and back. Pure; refuses to know how either was measured, and connections. A leader talks
to each shard in turn, so that a chain's time is the sum of its parts.
"""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass

from node.shards.layers import LayerRange


@dataclass(frozen=True, slots=True)
class ShardAt:
    """A shard and where it is: `node` is `nodes/NAME`, `address` is `host:port`."""

    node: str
    address: str
    layers: LayerRange
    slots: int
    context_tokens_max: int
    frame_tokens_max: int
    token_ms: float

    @property
    def place(self) -> tuple[str, LayerRange]:
        """Return what stays the same when it is measured again."""
        return self.node, self.layers


Chain = tuple[ShardAt, ...]


def fastest_chain(
    shards: Iterable[ShardAt],
    *,
    layers: int,
    link_ms: Mapping[str, float],
    kept: Collection[tuple[str, LayerRange]] = (),
    change_ms: float = 0.0,
) -> Chain | None:
    """Return the chain over layers [0, layers) with the least time per token.

    Only shards of nodes in `link_ms`, the milliseconds there and back, are used. One
    whose place is not in `kept` costs `change_ms` more: what an answer that is under
    way would spend on telling it what came before. None where the layers cannot be
    made up. Equal times go to the fewer shards, then to the first by name.

    This is Dijkstra's shortest path over the boundaries between layers; as every shard
    leads to a later one, their order is already topological.
    """
    best: dict[int, tuple[float, int, tuple[str, ...], Chain]] = {0: (0.0, 0, (), ())}
    for shard in sorted(shards, key=lambda one: (one.layers, one.node)):
        start = best.get(shard.layers.first)
        if start is None or shard.node not in link_ms:
            continue
        cost_ms = shard.token_ms + link_ms[shard.node]
        cost_ms += 0.0 if shard.place in kept else change_ms
        found = (
            start[0] + cost_ms,
            start[1] + 1,
            (*start[2], shard.node),
            (*start[3], shard),
        )
        known = best.get(shard.layers.end)
        if known is None or found[:3] < known[:3]:
            best[shard.layers.end] = found
    return best[layers][3] if layers in best else None
