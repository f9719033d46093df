"""Watch the coordinator's rounds and take part in them, for as long as a daemon runs.

Decides when this member acts, when it tries again and which round it leaves alone.
Refuses to know what a step is (`member`). The coordinator may be away, slow or wrong:
none of that ends the daemon, and none of it is tried without a pause.
"""

import asyncio
import secrets
from collections.abc import AsyncGenerator, Callable
from contextlib import aclosing
from typing import Final, Protocol

from federated_router.federation.backoff import Backoff
from federated_router.federation.round_view import Round, RoundState
from federated_router.kit.clock import Clock
from federated_router.kit.errors import (
    DeadlineExceeded,
    FederationError,
    Internal,
    LimitReached,
    RoundStateWrong,
    Unavailable,
)
from federated_router.kit.log import get_logger

_log = get_logger(__name__)
_PASSING: Final = (Unavailable, DeadlineExceeded, LimitReached, Internal)
_JITTER_STEPS: Final = 1 << 16


class RoundWatcher(Protocol):
    """Where rounds are watched."""

    def watch(self) -> AsyncGenerator[Round | None, None]:
        """Yield the newest round at once and whenever it changes; None without one."""
        ...


class Steps(Protocol):
    """What a member does."""

    async def recover(self) -> None:
        """Take back what an earlier process left."""
        ...

    async def act(self, round_: Round) -> None:
        """Do this member's step."""
        ...

    async def settle_others(self, current: str) -> None:
        """Settle rounds that ended unseen."""
        ...


def random_jitter() -> float:
    """Return a number in [0, 1) that differs between members."""
    return secrets.randbelow(_JITTER_STEPS) / _JITTER_STEPS


class Participant:
    """Runs a member until it is cancelled; one step at a time."""

    def __init__(
        self,
        *,
        steps: Steps,
        watcher: RoundWatcher,
        backoff: Backoff,
        clock: Clock,
        jitter: Callable[[], float] = random_jitter,
    ) -> None:
        self._steps = steps
        self._watcher = watcher
        self._backoff = backoff
        self._clock = clock
        self._jitter = jitter
        self._seen = asyncio.Event()
        self._newest: Round | None = None
        self._done: tuple[str, RoundState] | None = None

    async def run(self) -> None:
        """Watch and act until cancelled."""
        await self._recover()
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._watch(), name="rounds-watch")
            tasks.create_task(self._act(), name="rounds-act")

    async def _recover(self) -> None:
        """Recover before anything else; a vault that does not answer is asked again."""
        failures = 0
        while True:
            try:
                await self._steps.recover()
            except _PASSING as error:
                failures += 1
                _log.warning("not recovered yet", reason=error.reason)
                await self._pause(failures)
            else:
                return

    async def _watch(self) -> None:
        """Keep the newest round in sight; start over whenever the stream ends."""
        failures = 0
        while True:
            try:
                async with aclosing(self._watcher.watch()) as rounds:
                    async for round_ in rounds:
                        failures = 0
                        self._newest = round_
                        self._seen.set()
            except FederationError as error:
                if failures == 0:
                    _log.warning("rounds not watched", reason=error.reason)
            failures += 1
            await self._pause(failures)

    async def _act(self) -> None:
        """Act on the newest round only; what was missed is settled, not replayed."""
        failures = 0
        while True:
            await self._seen.wait()
            self._seen.clear()
            round_ = self._newest
            try:
                await self._step(round_)
                failures = 0
            except _PASSING as error:
                failures += 1
                _log.info("round step repeated", reason=error.reason, failures=failures)
                await self._pause(failures)
                self._seen.set()

    async def _step(self, round_: Round | None) -> None:
        """Do one step once; leave a round alone that this member refuses."""
        key = (round_.name, round_.state) if round_ else None
        if key is not None and key == self._done:
            return
        name, state = key or ("", "none")
        try:
            await self._steps.settle_others(name)
            if round_ is not None:
                await self._steps.act(round_)
        except _PASSING:
            raise
        except RoundStateWrong:
            _log.info("round moved on", round=name, state=str(state))
        except FederationError as error:
            _log.warning(
                "round refused",
                round=name,
                state=str(state),
                reason=error.reason,
                cause=error.message,
                metadata=error.metadata,
            )
        self._done = key

    async def _pause(self, failures: int) -> None:
        delay_s = self._backoff.delay_s(failures, jitter=self._jitter())
        await self._clock.sleep(delay_s)
