"""Follow the federation's revocation list, and hand each newer one on.

Decides that a broken stream resumes after the newest list held, and that a list that
does not verify changes nothing. Refuses to know the wire (`grpc_members`).
"""

from collections.abc import AsyncGenerator, Callable
from contextlib import aclosing
from typing import Protocol

from federated_router.federation.backoff import Backoff
from federated_router.federation.participant import random_jitter
from federated_router.kit.clock import Clock
from federated_router.kit.errors import FederationError
from federated_router.kit.log import get_logger
from federated_router.kit.revocation import Revocations

_log = get_logger(__name__)


class RevocationSource(Protocol):
    """Where lists are watched."""

    def watch_revocations(self, after_number: int) -> AsyncGenerator[bytes, None]:
        """Yield lists (DER) newer than `after_number`; empty is a sign of life."""
        ...


class RevocationFollower:
    """Offers lists to the process's `Revocations` until it is cancelled."""

    def __init__(
        self,
        *,
        source: RevocationSource,
        revocations: Revocations,
        backoff: Backoff,
        clock: Clock,
        jitter: Callable[[], float] = random_jitter,
    ) -> None:
        self._source = source
        self._revocations = revocations
        self._backoff = backoff
        self._clock = clock
        self._jitter = jitter

    async def run(self) -> None:
        """Follow until cancelled; an absent coordinator is tried again with a pause."""
        failures = 0
        while True:
            try:
                number = self._revocations.current.number
                stream = self._source.watch_revocations(number)
                async with aclosing(stream) as lists:
                    async for der in lists:
                        failures = 0
                        self._take(der)
            except FederationError as error:
                if failures == 0:
                    _log.warning("revocations not followed", reason=error.reason)
            failures += 1
            delay_s = self._backoff.delay_s(failures, jitter=self._jitter())
            await self._clock.sleep(delay_s)

    def _take(self, der: bytes) -> None:
        """Take a list; one that is forged, malformed or older changes nothing."""
        if not der:
            return
        try:
            if self._revocations.offer(der):
                current = self._revocations.current
                _log.info(
                    "revocation list received",
                    number=current.number,
                    certificates=len(current.serials),
                )
        except FederationError as error:
            _log.warning("revocation list refused", reason=error.reason)
