"""Which nodes a leader can reach, how far they are, and which it leaves alone.

Decides how a node that failed answers is trusted again: after a pause that doubles with
each failure, until an answer goes through it. Pure; refuses to know connections, and
takes the time from its callers.
"""

import math
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

PAUSE_MAX_S = 60.0
WEIGHT = 0.2
"""How much the newest measurement of a way counts."""


@dataclass(slots=True)
class _Known:
    """What is known of one node. A node that was not reached has no way to it."""

    way_ms: float | None = None
    losses: int = 0
    paused_until_s: float = -math.inf


@dataclass(slots=True)
class Reach:
    """All nodes of one leader; the first pause lasts `pause_s`."""

    pause_s: float
    _known: dict[str, _Known] = field(default_factory=dict)

    @property
    def link_ms(self) -> Mapping[str, float]:
        """Return the milliseconds there and back of the nodes that may be used."""
        return MappingProxyType(
            {
                node: known.way_ms
                for node, known in self._known.items()
                if known.way_ms is not None
            }
        )

    def reached(self, node: str, took_ms: float) -> None:
        """Note a measurement; what made one longer counts for little."""
        known = self._of(node)
        if known.way_ms is None:
            known.way_ms = took_ms
        else:
            known.way_ms += (took_ms - known.way_ms) * WEIGHT

    def unreached(self, node: str) -> bool:
        """Note that a node does not answer; return whether that is new."""
        is_new = node not in self._known or self._known[node].way_ms is not None
        self._of(node).way_ms = None
        return is_new

    def lost(self, node: str, *, now_s: float) -> None:
        """Leave a node alone that failed an answer, longer each time.

        Answers that fail together, as their stream breaks, count as one.
        """
        known = self._of(node)
        known.way_ms = None
        if now_s < known.paused_until_s:
            return
        pause_s = min(self.pause_s * 2.0 ** min(known.losses, 10), PAUSE_MAX_S)
        known.losses += 1
        known.paused_until_s = now_s + pause_s

    def worked(self, node: str) -> None:
        """Note that an answer went through a node."""
        self._of(node).losses = 0

    def is_paused(self, node: str, *, now_s: float) -> bool:
        """Return whether a node is left alone still."""
        known = self._known.get(node)
        return known is not None and now_s < known.paused_until_s

    def keep_only(self, present: Collection[str]) -> None:
        """Forget nodes that left."""
        self._known = {
            node: known for node, known in self._known.items() if node in present
        }

    def _of(self, node: str) -> _Known:
        return self._known.setdefault(node, _Known())
