"""Attempts at nodes that a test names, and what they count."""

import time
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field, replace
from typing import cast

from federated_router.federation.statistics import Statistics
from federated_router.kit.clock import SystemClock
from federated_router.kit.errors import (
    FederationError,
    NoNodeAvailable,
    QueueFull,
)
from federated_router.kit.identity import Identity, Role, set_current_identity
from federated_router.proxy.asked import Asked
from federated_router.proxy.attempts import Attempts, Chooser
from federated_router.proxy.breakers import Breakers
from federated_router.proxy.deadline import Deadline
from federated_router.proxy.delivered import Delivered
from federated_router.proxy.hedging import Hedging
from federated_router.proxy.node_waits import NodeWaits
from federated_router.proxy.pseudonyms import Pseudonyms
from federated_router.proxy.recording import Recording
from federated_router.proxy.retry_budget import RetryBudget
from federated_router.proxy.sent import Learners
from federated_router.proxy.settings import ProxySettings
from federated_router.proxy.verdicts import Verdicts
from federated_router.routing.candidate import Candidate, RouteQuery, Shape
from federated_router.routing.router import Router
from federated_router.routing.served import Served
from federated_router.sensitivity.levels import Sensitivity
from tests.unit.proxy.test_recording import CANDIDATE, generation

FULL = QueueFull("full", retry_after_s=1)


@dataclass
class Nodes:
    """Chooses nodes in turn, as routing does with those that already failed."""

    left: list[Candidate] = field(default_factory=list)
    asked: list[tuple[RouteQuery, Shape]] = field(default_factory=list)

    def counted(self, _: Candidate, __: Shape) -> AbstractContextManager[None]:
        """Count nothing."""
        return nullcontext()

    def observe(self, candidate: Candidate, _: Served) -> None:
        """Learn nothing."""

    def block(self, node: str, model: str | None = None) -> None:
        """Choose as before."""

    def unblock(self, node: str, model: str | None = None) -> None:
        """Choose as before."""

    def choose(self, query: RouteQuery, shape: Shape) -> Candidate:
        """Return the first node that is not excluded."""
        self.asked.append((query, shape))
        for candidate in self.left:
            if candidate.node not in query.excluded:
                return candidate
        raise NoNodeAvailable("none", retry_after_s=1.0)

    async def placed(self, query: RouteQuery, shape: Shape) -> Candidate:
        """Return the same."""
        return self.choose(query, shape)


@dataclass
class Counted:
    """Attempts at two nodes, and what they count."""

    statistics: Statistics
    attempts: Attempts
    learners: Learners
    nodes: Nodes

    async def fail(self, error: FederationError) -> None:
        """Make an attempt that ends so."""
        candidate = await self.attempts.next()
        sent = self.learners.sent(candidate, self.attempts.asked.shape)
        self.attempts.failed(sent, error)

    def patterns(self) -> tuple[int, int]:
        """Return the successes and failures by pattern."""
        batch = self.statistics.pending()
        counts = batch.over(batch.latency_bounds_ms).patterns.values()
        return sum(one.successes for one in counts), sum(one.failures for one in counts)

    def lost(self) -> int:
        """Return how many lost nodes were counted."""
        return sum(one.failures for one in self.statistics.pending().cells.values())


def attempts_at(nodes: Nodes, **settings: object) -> Counted:
    """Return attempts at these nodes by an identified caller; nothing is waited for."""
    set_current_identity(Identity(Role.CLIENT, "alice", "a.example"))
    statistics = Statistics()
    impatient = {"retry_backoff_s": 0.0, "node_waits": {"longest_s": 0.0}}
    proxy = ProxySettings.model_validate(impatient | settings)
    router = cast("Router", nodes)
    breakers = Breakers(proxy.breakers, nodes, SystemClock())
    asked = Asked(
        generation=generation(),
        tenant="alice",
        sensitivity=Sensitivity.INTERNAL,
        query=RouteQuery(model="models/a"),
        shape=Shape(tenant="alice"),
        deadline=Deadline(time.monotonic() + 60.0),
    )
    recording = Recording(statistics, pseudonyms=Pseudonyms())
    chooser = Chooser(
        router=router,
        breakers=breakers,
        recording=recording,
        verdicts=Verdicts(recording, None),
        budget=RetryBudget(proxy.retries, 0.0),
        waits=NodeWaits(proxy.node_waits),
        settings=proxy,
    )
    learners = Learners(
        router=router,
        breakers=breakers,
        hedging=Hedging(proxy.hedging),
        activity=None,
        silent_s=10.0,
    )
    delivered = Delivered(proxy.tokens_max)
    attempts = Attempts(chooser, asked, delivered, asked.query)
    return Counted(statistics, attempts, learners, nodes)


def two() -> Nodes:
    """Return two nodes."""
    return Nodes([CANDIDATE, replace(CANDIDATE, node="nodes/n2")])
