"""How good answers were: what callers report, and what the router saw itself.

Decides that each answer counts once: when it can no longer be reported, with the last
report, or with the router's own view where nobody reported. Refuses to know how
outcomes are learnt from, here and in the federation. Keeps numbers of a prompt and no
text. Private requests never come here: their answers must not influence a route.
"""

import contextlib
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Protocol

from prometheus_client import Counter

from federated_router.choice import metrics
from federated_router.choice.settings import ChoiceSettings
from federated_router.choice.sight import Sight
from federated_router.kit.clock import Clock
from federated_router.kit.errors import FieldInvalid, RequestUnknown
from federated_router.priors.prompt import Prompt

Tell = Callable[[Sight, float], None]
"""Offers what was seen of a prompt, and a reward in [0, 1], to the statistics."""


def tell_nobody(_: Sight, __: float) -> None:
    """Keep an outcome to this router."""


class Learner(Protocol):
    """Who learns from outcomes (`LinearChooser`)."""

    def see(self, prompt: Prompt, tenant: str) -> Sight:
        """Return what is seen of a tenant's prompt."""
        ...

    def learn(self, model: str, seen: Sight, reward: float) -> None:
        """Count one outcome, a reward in [0, 1]."""
        ...


@dataclass(slots=True)
class Waiting:
    """An answer whose outcome may still be reported, until `deadline_s`."""

    model: str
    seen: Sight = field(repr=False)
    tell: Tell = field(repr=False)
    deadline_s: float
    own_view: float | None = None
    reported: float | None = None


class Outcomes:
    """Answers of `outcomes_max` requests at most; beyond it the oldest counts at once.

    `clock` gives the time since which an answer waits; nothing is kept on disk: an end
    of the process counts what waits (`settle_all`).
    """

    def __init__(
        self, settings: ChoiceSettings, learner: Learner, clock: Clock
    ) -> None:
        self._settings = settings
        self._learner = learner
        self._clock = clock
        self._waiting: dict[tuple[str, str], Waiting] = {}
        metrics.OUTCOMES_WAITING.set_function(self.__len__)

    def __len__(self) -> int:
        """Return how many requests wait."""
        return len(self._waiting)

    def remember(
        self,
        tenant: str,
        request_id: str,
        model: str,
        prompt: Prompt,
        *,
        tell: Tell = tell_nobody,
    ) -> None:
        """Note that `model` is asked; a request that is repeated counts as it was.

        `tell` is called once, with what was seen of the prompt and the reward that
        counts.
        """
        self.settle()
        if len(self._waiting) >= self._settings.outcomes_max:
            self._count(next(iter(self._waiting)))
        if (tenant, request_id) in self._waiting:
            self._count((tenant, request_id))
        self._waiting[tenant, request_id] = Waiting(
            model=model,
            seen=self._learner.see(prompt, tenant),
            tell=tell,
            deadline_s=self._clock.monotonic_s() + self._settings.outcome_wait_s,
        )

    def served(
        self,
        tenant: str,
        request_id: str,
        *,
        succeeded: bool,
        stopped_by_length: bool = False,
    ) -> None:
        """Note how the request ended; one that its caller ended is forgotten instead.

        An answer that was cut off at its length earns `length_stop_reward`.
        """
        waiting = self._waiting.get((tenant, request_id))
        if waiting is None:
            return
        if not succeeded:
            waiting.own_view = 0.0
        elif stopped_by_length:
            waiting.own_view = self._settings.length_stop_reward
        else:
            waiting.own_view = 1.0

    def forget(self, tenant: str, request_id: str) -> None:
        """Count nothing of a request that its caller ended, unless it was reported."""
        waiting = self._waiting.get((tenant, request_id))
        if waiting is not None and waiting.reported is None:
            del self._waiting[tenant, request_id]

    def report(self, tenant: str, request_id: str, reward: float) -> str:
        """Note what a caller thinks of an answer; return the model that gave it.

        A later report replaces an earlier one.

        Raises:
            FieldInvalid: the reward is not in [0, 1].
            RequestUnknown: this caller made no such request here, or too long ago.
        """
        if not 0 <= reward <= 1:
            raise FieldInvalid("A reward lies in [0, 1].", field="reward")
        self.settle()
        waiting = self._waiting.get((tenant, request_id))
        if waiting is None:
            raise RequestUnknown(
                "This caller made no such request here, or too long ago."
            )
        waiting.reported = reward
        return waiting.model

    def settle(self) -> None:
        """Count every answer that can no longer be reported."""
        now_s = self._clock.monotonic_s()
        while self._waiting:
            oldest = next(iter(self._waiting))
            if self._waiting[oldest].deadline_s > now_s:
                return
            self._count(oldest)

    def settle_all(self) -> None:
        """Count every answer at once: the process ends."""
        for key in list(self._waiting):
            self._count(key)

    async def run(self) -> None:
        """Settle until cancelled, then count what waits."""
        with contextlib.ExitStack() as stack:
            stack.callback(self.settle_all)
            while True:
                await self._clock.sleep(self._settings.solve_interval_s)
                self.settle()

    def _count(self, key: tuple[str, str]) -> None:
        waiting = self._waiting.pop(key)
        reward = waiting.own_view if waiting.reported is None else waiting.reported
        if reward is None:
            return
        view = "router" if waiting.reported is None else "caller"
        _outcomes(waiting.model, view).inc()
        self._learner.learn(waiting.model, waiting.seen, reward)
        waiting.tell(waiting.seen, reward)


@lru_cache(maxsize=256)
def _outcomes(model: str, view: str) -> Counter:
    """Return a model's counter; to look one up takes longer than to count."""
    return metrics.OUTCOMES.labels(model, view)
