"""What runs at each node: this router's own counts, made before a request is sent.

Decides what a request in flight weighs: one request, and the tokens of its prompt that
its node has still to read. Refuses to know what nodes report: reports are late.
"""

from collections.abc import Callable, Collection
from dataclasses import dataclass, field
from typing import Self

from federated_router.routing.columns import Column

_RENORMALISE_AT = 1e200


@dataclass(slots=True)
class Recent:
    """Requests by node, the latest weighing most: `latest` of them in all."""

    latest: int
    by_node: Column[str, float] = field(default_factory=lambda: Column(float))
    _step: float = 1.0

    def count(self, node: str) -> None:
        """Count a request; all before it weigh a little less."""
        self._step /= 1.0 - 1.0 / (self.latest + 1)
        if self._step > _RENORMALISE_AT:
            self.by_node.scale(1.0 / self._step)
            self._step = 1.0
        self.by_node.add(node, self._step)

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
    in_flight: Column[str, int] = field(default_factory=lambda: Column(int))
    unread_tokens: Column[str, int] = field(default_factory=lambda: Column(int))

    def keep_only(self, nodes: Collection[str]) -> None:
        """Forget nodes that are gone, once nothing runs there."""
        self.recent.by_node.keep_only(nodes)
        self.in_flight.keep_only(nodes, used=True)
        self.unread_tokens.keep_only(nodes, used=True)


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
        self.loads.in_flight.add(self.node, 1)
        self.loads.recent.count(self.node)
        if self.unread_tokens:
            self.loads.unread_tokens.add(self.node, self.unread_tokens)
        if self.begin is not None:
            self.begin()
        return self

    def __exit__(self, *_: object) -> None:
        self.prefilled()
        self.loads.in_flight.add(self.node, -1)

    def prefilled(self) -> None:
        """Count the prompt as read, once."""
        if self.unread_tokens:
            self.loads.unread_tokens.add(self.node, -self.unread_tokens)
            self.unread_tokens = 0
