"""Requests that no node can take at this moment, and that wait until one can.

A node that was killed is back in seconds, and an open breaker lets a probe through: a
short wait is worth more to a caller than an error. Decides how long requests wait, how
many at once, and which refusals pass with time. Refuses to know how a node is chosen.
"""

import asyncio
import random
import time
from collections.abc import Awaitable, Callable
from typing import Final

from prometheus_client import Counter
from pydantic import Field

from federated_router.kit.config import Settings
from federated_router.kit.errors import (
    Draining,
    FederationError,
    NodeLost,
    NoNodeAvailable,
)
from federated_router.proxy.connections import NodeUnreachable
from federated_router.routing.candidate import Candidate

_WAITS: Final = Counter(
    "federated_router_node_waits",
    "Requests that waited until a node could take them, by what became of them.",
    ["outcome"],
)


class NodeWaitSettings(Settings):
    """How long requests wait for a node, and how many of them at once.

    A request waits for at most `longest_s` and half of the time that it has left, 0 is
    never; it looks about every `look_s` whether a node can take it. While `waiting_max`
    wait, further ones are refused at once.
    """

    longest_s: float = Field(default=5.0, ge=0)
    look_s: float = Field(default=0.1, gt=0)
    waiting_max: int = Field(default=128, ge=0)


class NodeWaits:
    """All requests of one router that wait for a node."""

    def __init__(self, settings: NodeWaitSettings) -> None:
        self._settings = settings
        self._waiting = 0

    async def placed(
        self,
        place: Callable[[], Awaitable[Candidate]],
        refused: FederationError,
        *,
        remaining_s: float,
    ) -> Candidate:
        """Return what `place` finds within the time; raise what it was refused with.

        `refused` is the refusal that made the request wait, `remaining_s` its time.
        Raises at once a refusal that no waiting changes.
        """
        self._admit(refused)
        end_s = time.monotonic() + min(self._settings.longest_s, remaining_s / 2)
        self._waiting += 1
        try:
            while passes(refused) and time.monotonic() < end_s:
                await asyncio.sleep(self._pause_s(end_s))
                try:
                    found = await place()
                except FederationError as error:
                    refused = error
                else:
                    _WAITS.labels("came").inc()
                    return found
        finally:
            self._waiting -= 1
        _WAITS.labels("in_vain").inc()
        raise refused

    def _admit(self, refused: FederationError) -> None:
        if not (passes(refused) and self._settings.longest_s):
            raise refused
        if self._waiting >= self._settings.waiting_max:
            _WAITS.labels("too_many").inc()
            raise refused

    def _pause_s(self, end_s: float) -> float:
        """Return how long to the next look; spread, so that waiters do not look as one.

        Never past the end, so that the last look is then.
        """
        pause_s = self._settings.look_s * random.uniform(0.5, 1.5)  # noqa: S311 - jitter.
        return max(0.0, min(pause_s, end_s - time.monotonic()))


def passes(refused: FederationError) -> bool:
    """Return whether a refusal may pass because a node comes or comes back.

    A full fleet is not such: who waits there stands in admission's queue, or is told
    when to come again.
    """
    if isinstance(refused, NoNodeAvailable):
        return refused.retry_after_s is not None
    return isinstance(refused, NodeLost | NodeUnreachable | Draining)
