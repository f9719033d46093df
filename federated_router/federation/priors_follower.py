"""Follow published priors, and hand each revision on once.

Decides that revisions only grow, that a broken stream resumes after the last one seen,
and that a newcomer is given some earlier ones first. Refuses to know the wire
(`grpc_priors`) and what priors are used for.
"""

from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import aclosing
from typing import Protocol

from federated_router.federation.backoff import Backoff
from federated_router.federation.participant import random_jitter
from federated_router.kit.clock import Clock
from federated_router.kit.errors import FederationError, PriorsUnknown
from federated_router.kit.log import get_logger
from federated_router.priors.publication import Priors

_log = get_logger(__name__)

Receive = Callable[[Priors], Awaitable[None]]
"""Takes a new revision; the next one waits until it has."""


async def ignore(_: Priors) -> None:
    """Take no notice of priors."""


class PriorsSource(Protocol):
    """Where priors are watched."""

    def watch(self, after_revision: int) -> AsyncGenerator[Priors | None, None]:
        """Yield priors newer than `after_revision`; None is a sign of life."""
        ...

    async def get(self, revision: int) -> Priors:
        """Return the priors of a revision; raise PriorsUnknown where there are none."""
        ...


class PriorsFollower:
    """Hands new priors to `receive` until it is cancelled.

    At first, up to `earlier` revisions before the newest are handed on, oldest first.
    """

    def __init__(
        self,
        *,
        source: PriorsSource,
        receive: Receive,
        backoff: Backoff,
        clock: Clock,
        earlier: int = 0,
        jitter: Callable[[], float] = random_jitter,
    ) -> None:
        self._source = source
        self._earlier = earlier
        self._receive = receive
        self._backoff = backoff
        self._clock = clock
        self._jitter = jitter
        self._revision = 0

    @property
    def revision(self) -> int:
        """The newest revision that was handed on; 0 before the first."""
        return self._revision

    async def run(self) -> None:
        """Follow until cancelled; an absent coordinator is tried again with a pause."""
        failures = 0
        while True:
            try:
                async with aclosing(self._source.watch(self._revision)) as stream:
                    async for priors in stream:
                        failures = 0
                        await self._take(priors)
            except FederationError as error:
                if failures == 0:
                    _log.warning("priors not followed", reason=error.reason)
            failures += 1
            delay_s = self._backoff.delay_s(failures, jitter=self._jitter())
            await self._clock.sleep(delay_s)

    async def _take(self, priors: Priors | None) -> None:
        if priors is None or priors.revision <= self._revision:
            return
        if not self._revision:
            await self._catch_up(priors.revision)
        await self._hand_on(priors)

    async def _catch_up(self, newest: int) -> None:
        """Hand on what is there of the revisions before the newest."""
        for revision in range(max(1, newest - self._earlier), newest):
            try:
                earlier = await self._source.get(revision)
            except PriorsUnknown:
                continue
            await self._hand_on(earlier)

    async def _hand_on(self, priors: Priors) -> None:
        await self._receive(priors)
        self._revision = priors.revision
        _log.info(
            "priors received",
            revision=priors.revision,
            round=priors.round_name,
            members=priors.members,
        )
