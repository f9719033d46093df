"""Puts the public path and what both paths share together, and starts nothing."""

import time
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass

from federated_router.proxy.attempts import Chooser
from federated_router.proxy.breakers import Breakers
from federated_router.proxy.connections import NodeConnections
from federated_router.proxy.hedging import Hedging
from federated_router.proxy.neighbours import Neighbours
from federated_router.proxy.node_waits import NodeWaits
from federated_router.proxy.public_proxy import PublicProxy
from federated_router.proxy.recording import Recording
from federated_router.proxy.retry_budget import RetryBudget
from federated_router.proxy.sent import Learners
from federated_router.proxy.settings import ProxySettings
from federated_router.proxy.verdicts import Verdicts
from federated_router.routing.router import Router


@dataclass(frozen=True, slots=True)
class PublicLimb:
    """The public path; `breakers.forget` wants to hear which nodes are gone."""

    public: PublicProxy
    learners: Learners
    breakers: Breakers
    waits: NodeWaits
    background: Mapping[str, Callable[[], Awaitable[None]]]


def public_limb(
    settings: ProxySettings,
    router: Router,
    *,
    breakers: Breakers,
    connections: NodeConnections,
    recording: Recording,
    neighbours: Neighbours,
) -> PublicLimb:
    """Return the public path of a router."""
    waits = NodeWaits(settings.node_waits)
    learners = Learners(
        router=router,
        breakers=breakers,
        hedging=Hedging(settings.hedging),
        activity=neighbours.activity,
        silent_s=settings.breakers.silent_s,
    )
    chooser = Chooser(
        router=router,
        breakers=breakers,
        recording=recording,
        verdicts=Verdicts(recording, neighbours.outcomes),
        budget=RetryBudget(settings.retries, time.monotonic()),
        waits=waits,
        settings=settings,
    )
    public = PublicProxy(
        chooser=chooser,
        learners=learners,
        connections=connections,
        neighbours=neighbours,
    )
    background = {"breakers": breakers.watch}
    return PublicLimb(public, learners, breakers, waits, background)
