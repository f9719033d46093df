"""The newest round as it is stored, kept at hand and told to whoever watches.

Decides that memory is believed only as long as every write succeeded, and that what is
told has been committed. Refuses to decide transitions (`lifecycle`) and to order
writers (`conductor`).
"""

import asyncio
from collections.abc import Callable

from coordinator.newest import Newest
from coordinator.priors.store import PriorsStore
from coordinator.rounds import chronicle
from coordinator.rounds.contents import NOTHING, Contents
from coordinator.rounds.round import Round
from coordinator.rounds.store import Request, RoundStore
from coordinator.validation.judgement import Judgement
from federated_router.priors.publication import Priors


class Keeper:
    """Keeps one coordinator's newest round; one writer at a time calls it.

    `changed` is set whenever there may be something else to do, and `ended` is called
    once a round has.
    """

    def __init__(
        self,
        *,
        store: RoundStore,
        priors_store: PriorsStore,
        rounds: Newest[Round],
        priors: Newest[Priors],
        ended: Callable[[], None],
    ) -> None:
        self.changed = asyncio.Event()
        self.held: Round | None = None
        self._store = store
        self._priors_store = priors_store
        self._rounds = rounds
        self._priors = priors
        self._ended = ended

    async def newest(self) -> Round | None:
        """Return the newest round; where memory cannot be trusted, from the store."""
        if self.held is None:
            found = await self._store.newest()
            if found is not None:
                await self._adopt(found)
        return self.held

    async def create(self, opened: Round, request: Request) -> Round:
        """Store a new round, or find the one that this request made.

        Raises as `RoundStore.create`. A commit of unknown outcome is looked up.
        """
        self.held = None
        try:
            stored = await self._store.create(opened, request)
        except BaseException:
            # It may be there all the same; whoever watches looks again.
            self.changed.set()
            raise
        return self._hold(None, stored)

    async def save(
        self,
        before: Round,
        after: Round,
        *,
        contents: Contents = NOTHING,
        priors: Priors | None = None,
        judgement: Judgement | None = None,
    ) -> Round:
        """Store, then hold; a store that fails leaves nothing held."""
        if after is before:
            return before
        self.held = None
        try:
            stored = await self._store.save(
                before, after, contents=contents, priors=priors, judgement=judgement
            )
        except BaseException:
            # The outcome is unknown, also where a caller hung up: look it up.
            self.changed.set()
            raise
        if priors is not None:
            self._priors.put(priors)
        return self._hold(before, stored)

    async def _adopt(self, found: Round) -> None:
        """Hold what the store says, and tell what was committed and not yet told."""
        priors = await self._priors_store.newest()
        if priors is not None and priors != self._priors.value:
            self._priors.put(priors)
        told = self._rounds.value
        if told is None:
            self.held = found
            self._rounds.put(found)
        else:
            self._hold(told if told.name == found.name else None, found)

    def _hold(self, before: Round | None, after: Round) -> Round:
        self.held = after
        chronicle.tell(before, after)
        if before is None or before.state is not after.state:
            self._rounds.put(after)
        else:
            self._rounds.amend(after)
        if after.ended:
            self._ended()
        self.changed.set()
        return after
