"""Which priors a router decides by: all up to the newest, or up to a chosen revision.

Decides what is kept for a way back, that revisions add up with forgetting
(`priors.accumulate`) but for those that were withdrawn, and that a chosen revision
stays until told otherwise. Refuses to know how priors arrive, and what decisions do
with them. Kept in memory: after a restart
a router follows the newest again.
"""

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final

from federated_router.kit.clock import Clock
from federated_router.kit.errors import PriorsUnknown
from federated_router.priors.accumulate import Accumulated, accumulate
from federated_router.priors.own_part import OwnPart, without
from federated_router.priors.publication import Priors
from federated_router.routing.priors_view import PriorsView, view_of

FOLLOW: Final = 0
"""Stands for whichever revision is the newest."""

OwnPublished = Callable[[], Mapping[str, OwnPart]]
"""Returns this member's parts of published rounds, by the rounds' names."""

_LOOK_S: Final = 1.0


@dataclass(frozen=True, slots=True)
class Kept:
    """A revision, and everything up to it."""

    priors: Priors
    total: Accumulated


class AppliedPriors:
    """Hands what to decide by to `apply`; keeps the `kept_max` newest revisions.

    The revision in use is kept however old it is, beyond `kept_max` if need be. Sums of
    a revision count half after `half_life_s`. Without `own` they are used as they were
    published; with it, less this member's own parts.
    """

    def __init__(
        self,
        apply: Callable[[PriorsView], None],
        *,
        kept_max: int,
        half_life_s: float,
        own: OwnPublished = dict,
    ) -> None:
        self._apply = apply
        self._kept_max = kept_max
        self._half_life_s = half_life_s
        self._kept: dict[int, Kept] = {}
        self._pinned = FOLLOW
        self._own = own
        self._taken_off: frozenset[str] = frozenset()
        self._one_at_a_time = asyncio.Lock()

    @property
    def kept(self) -> tuple[Priors, ...]:
        """Return the priors that could be applied, newest first."""
        newest_first = sorted(self._kept, reverse=True)
        return tuple(self._kept[revision].priors for revision in newest_first)

    @property
    def pinned(self) -> bool:
        """Return whether an operator chose the revision in use."""
        return self._pinned != FOLLOW

    @property
    def revision(self) -> int:
        """Return the revision in use; 0 before the first."""
        return self._pinned or max(self._kept, default=0)

    async def receive(self, priors: Priors) -> None:
        """Keep a newer revision, and use it unless an earlier one was chosen.

        One that it withdraws is forgotten first, unless an operator chose just that.
        """
        async with self._one_at_a_time:
            if priors.withdrawn_revision != self._pinned:
                self._kept.pop(priors.withdrawn_revision, None)
            newest = self._kept.get(
                max(set(self._kept) - {priors.withdrawn_revision}, default=0)
            )
            # A large catalogue takes a tenth of a second.
            total = await asyncio.to_thread(
                accumulate,
                newest.total if newest else None,
                priors,
                half_life_s=self._half_life_s,
            )
            self._kept[priors.revision] = Kept(priors, total)
            for old in sorted(self._kept)[: -self._kept_max]:
                if old != self._pinned:
                    del self._kept[old]
            if not self.pinned:
                await self._use()

    async def choose(self, revision: int) -> None:
        """Decide by what was known at a kept revision; 0 follows the newest again.

        Raises PriorsUnknown for a revision that is not kept.
        """
        async with self._one_at_a_time:
            if revision != FOLLOW and revision not in self._kept:
                known = ", ".join(str(one.revision) for one in self.kept)
                raise PriorsUnknown(
                    f"This router does not keep revision {revision}; it keeps: "
                    f"{known or 'none yet'}.",
                    metadata={"revision": str(revision)},
                )
            self._pinned = revision
            if self._kept:
                await self._use()

    async def run(self, clock: Clock) -> None:
        """Take off own parts that were confirmed after their revision came."""
        while True:
            await clock.sleep(_LOOK_S)
            async with self._one_at_a_time:
                if self._kept and self._own().keys() != self._taken_off:
                    await self._use()

    async def _use(self) -> None:
        own = self._own()
        self._taken_off = frozenset(own)
        self._apply(
            await asyncio.to_thread(_view, self._kept[self.revision].total, own)
        )


def _view(total: Accumulated, own: Mapping[str, OwnPart]) -> PriorsView:
    return view_of(without(total, own) if own else total)
