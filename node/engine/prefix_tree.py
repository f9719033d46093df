"""Which beginnings of prompts are kept, for whom, and which are given up first.

A radix tree per tenant: the tokens of a path are a beginning that some request had,
and each node keeps the states of its own part of it, so that beginnings in common are
kept once. Decides what is found, what is added and what is evicted; refuses to know
what states are. Pure, for one thread.

No path leads from one tenant's tree to another's: what one kept is never found by
another, whatever the prompts. The byte limit is shared, and the part that was used
longest ago goes first, whoever's it is.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Generic, Protocol, Self, TypeVar

import numpy as np
from numpy.typing import NDArray

NODE_BYTES = 2048
"""What a node is counted with beside its states: ids, links, and the states' frames."""

TokenIds = NDArray[np.int64]


class States(Protocol):
    """The states of consecutive tokens."""

    @property
    def size_bytes(self) -> int:
        """Return how much memory they hold."""
        ...

    def part(self, start: int, end: int) -> Self:
        """Return a copy of those of tokens [start, end), sharing no memory."""
        ...


StatesT = TypeVar("StatesT", bound=States)


@dataclass(slots=True, eq=False)
class _Root(Generic[StatesT]):
    """Where a tenant's paths begin."""

    tenant: str = field(repr=False)
    below: "dict[int, _Node[StatesT]]" = field(default_factory=dict)


@dataclass(slots=True, eq=False)
class _Node(Generic[StatesT]):
    """A part of a path: its tokens, their states, and what follows by first token."""

    token_ids: TokenIds
    states: StatesT
    above: "_Node[StatesT] | _Root[StatesT]"
    below: "dict[int, _Node[StatesT]]" = field(default_factory=dict)

    @property
    def size_bytes(self) -> int:
        return self.states.size_bytes + self.token_ids.nbytes + NODE_BYTES


_Path = list[tuple[_Node[StatesT], int]]


class PrefixTree(Generic[StatesT]):
    """What is kept, at most `bytes_max` of it; 0 keeps nothing."""

    def __init__(self, *, bytes_max: int) -> None:
        self._bytes_max = bytes_max
        self._roots: dict[str, _Root[StatesT]] = {}
        self._bytes = 0
        # In the order of use. A path is touched from its end to its beginning, so that
        # what comes first here has nothing below it.
        self._nodes: dict[_Node[StatesT], None] = {}

    @property
    def bytes_max(self) -> int:
        """Return the limit."""
        return self._bytes_max

    @property
    def size_bytes(self) -> int:
        """Return how much is held; never above the limit between two calls."""
        return self._bytes

    def __len__(self) -> int:
        return len(self._nodes)

    def find(
        self, tenant: str, token_ids: Sequence[int]
    ) -> tuple[int, list[tuple[StatesT, int]]]:
        """Return how many of the first tokens the tenant has kept, and their states.

        Each pair says how many states of a part count, in the order of the tokens.
        """
        path = self._path(tenant, _as_ids(token_ids))
        self._touch(path)
        return _length(path), [(node.states, shared) for node, shared in path]

    def missing_from(self, tenant: str, token_ids: Sequence[int]) -> int:
        """Return the first position whose state `add` would keep."""
        return _length(self._path(tenant, _as_ids(token_ids)))

    def add(self, tenant: str, token_ids: Sequence[int], states: StatesT) -> None:
        """Keep a beginning; `states` are those from `missing_from` to its end.

        What was used longest ago makes room. A beginning that does not fit beside its
        own path is not kept, nor is one of no tenant.
        """
        ids = _as_ids(token_ids)
        path = self._path(tenant, ids)
        new_ids = ids[_length(path) :].copy()
        if not tenant or not len(new_ids):
            return
        self._touch(path)
        wanted = states.size_bytes + new_ids.nbytes + NODE_BYTES
        # A split adds a node of its own.
        if not self._make_room(wanted + NODE_BYTES, {node for node, _ in path}):
            return
        above = self._above(tenant, path)
        leaf = _Node(new_ids, states, above)
        above.below[int(new_ids[0])] = leaf
        self._bytes += leaf.size_bytes
        self._touch([*path[:-1], *self._end_of(above), (leaf, len(new_ids))])

    def clear(self) -> None:
        """Forget everything."""
        self._roots.clear()
        self._nodes.clear()
        self._bytes = 0

    def _path(self, tenant: str, ids: TokenIds) -> "_Path[StatesT]":
        """Return the nodes along the tokens, and how many of each one's agree."""
        path: _Path[StatesT] = []
        here: _Node[StatesT] | _Root[StatesT] | None = self._roots.get(tenant)
        at = 0
        while here is not None and at < len(ids):
            node = here.below.get(int(ids[at]))
            if node is None:
                break
            shared = _shared(node.token_ids, ids[at:])
            path.append((node, shared))
            at += shared
            here = node if shared == len(node.token_ids) else None
        return path

    def _above(
        self, tenant: str, path: "_Path[StatesT]"
    ) -> "_Node[StatesT] | _Root[StatesT]":
        """Return what a new leaf hangs from, cutting the last node where it must."""
        if not path:
            return self._roots.setdefault(tenant, _Root(tenant))
        node, shared = path[-1]
        return node if shared == len(node.token_ids) else self._split(node, shared)

    @staticmethod
    def _end_of(above: "_Node[StatesT] | _Root[StatesT]") -> "_Path[StatesT]":
        return [(above, len(above.token_ids))] if isinstance(above, _Node) else []

    def _split(self, node: _Node[StatesT], at: int) -> _Node[StatesT]:
        """Cut a node in two before its token `at`; return the upper part."""
        self._bytes -= node.size_bytes
        upper = _Node(node.token_ids[:at].copy(), node.states.part(0, at), node.above)
        node.above.below[int(upper.token_ids[0])] = upper
        node.states = node.states.part(at, len(node.token_ids))
        node.token_ids = node.token_ids[at:].copy()
        node.above = upper
        upper.below[int(node.token_ids[0])] = node
        self._bytes += upper.size_bytes + node.size_bytes
        return upper

    def _make_room(self, wanted: int, spared: "set[_Node[StatesT]]") -> bool:
        """Evict ends of paths until `wanted` bytes fit; False if they cannot."""
        if wanted > self._bytes_max:
            return False
        while self._bytes + wanted > self._bytes_max:
            oldest = next(iter(self._nodes))
            if oldest in spared:
                return False
            self._evict(oldest)
        return True

    def _evict(self, node: _Node[StatesT]) -> None:
        del self._nodes[node]
        del node.above.below[int(node.token_ids[0])]
        self._bytes -= node.size_bytes
        if isinstance(node.above, _Root) and not node.above.below:
            del self._roots[node.above.tenant]

    def _touch(self, path: "_Path[StatesT]") -> None:
        for node, _ in reversed(path):
            self._nodes.pop(node, None)
            self._nodes[node] = None


def _as_ids(token_ids: Sequence[int]) -> TokenIds:
    return np.asarray(token_ids, dtype=np.int64)


def _length(path: "_Path[StatesT]") -> int:
    return sum(shared for _, shared in path)


def _shared(one: TokenIds, other: TokenIds) -> int:
    """Return how many first tokens agree."""
    length = min(len(one), len(other))
    differ = np.flatnonzero(one[:length] != other[:length])
    return int(differ[0]) if len(differ) else length
