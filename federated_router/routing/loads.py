"""What runs at each node: this router's own counts, made before a request is sent.

Decides what a request in flight weighs: one request, and the tokens of its prompt that
its node has still to read. Refuses to know what nodes report: reports are late.
"""

from collections import Counter
from collections.abc import Callable, Collection
from dataclasses import dataclass, field
from typing import Self

_RENORMALISE_AT = 1e200


@dataclass(slots=True)
class Recent:
    """Requests by node, the latest weighing most: `latest` of them in all."""

    latest: int
    by_node: dict[str, float] = field(default_factory=dict)
    _step: float = 1.0

    def count(self, node: str) -> None:
        """Count a request; all before it weigh a little less."""
        self._step /= 1.0 - 1.0 / (self.latest + 1)
        if self._step > _RENORMALISE_AT:
            self.by_node = {one: n / self._step for one, n in self.by_node.items()}
            self._step = 1.0
        self.by_node[node] = self.by_node.get(node, 0.0) + self._step

    @property
    def unit(self) -> float:
        """Return what the latest request weighs in `by_node`."""
        return self._step


@dataclass(slots=True)
class Loads:
    """Requests in flight and unread prompt tokens by node; nodes with none are absent.

    `recent` are the latest requests, also those that have ended.
    """

    recent: Recent
    in_flight: Counter[str] = field(default_factory=Counter)
    unread_tokens: Counter[str] = field(default_factory=Counter)

    def keep_only(self, nodes: Collection[str]) -> None:
        """Forget the latest requests of nodes that are gone; running ones end so."""
        for node in [one for one in self.recent.by_node if one not in nodes]:
            del self.recent.by_node[node]


@dataclass(slots=True)
class Counted:
    """One request at a node, counted while inside.

    `prefilled` is called when its first token came; without it, the prompt counts as
    unread until the end. `begin` is called as it is counted.
    """

    loads: Loads
    node: str
    unread_tokens: int = 0
    begin: Callable[[], None] | None = None

    def __enter__(self) -> Self:
        self.loads.in_flight[self.node] += 1
        self.loads.recent.count(self.node)
        if self.unread_tokens:
            self.loads.unread_tokens[self.node] += self.unread_tokens
        if self.begin is not None:
            self.begin()
        return self

    def __exit__(self, *_: object) -> None:
        self.prefilled()
        _subtract(self.loads.in_flight, self.node, 1)

    def prefilled(self) -> None:
        """Count the prompt as read, once."""
        if self.unread_tokens:
            _subtract(self.loads.unread_tokens, self.node, self.unread_tokens)
            self.unread_tokens = 0


def _subtract(counts: Counter[str], node: str, number: int) -> None:
    counts[node] -= number
    if not counts[node]:
        del counts[node]
