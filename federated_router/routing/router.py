"""Chooses for live requests: counts what is in flight, holds strategy and priors.

A request is counted before it is dispatched and uncounted when it ends, whatever the
end; load that nodes report is shown to people and never steers.
"""

import secrets
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import replace

from federated_router.choice.choosing import ModelChooser
from federated_router.kit.clock import Clock, SystemClock
from federated_router.kit.errors import ModelUnknown, NoNodeAvailable
from federated_router.priors.prompt import Prompt
from federated_router.registry.membership import AUTO
from federated_router.registry.registry import Registry
from federated_router.routing.batching import Asked, Batches
from federated_router.routing.candidate import (
    EVERY_MODEL,
    PLAIN,
    Candidate,
    NodeFacts,
    RouteQuery,
    Shape,
    Site,
)
from federated_router.routing.changes import changed_nodes
from federated_router.routing.counterfactuals import counterfactuals_of
from federated_router.routing.decision import Decision
from federated_router.routing.loads import Counted
from federated_router.routing.memory import Memory
from federated_router.routing.priors_view import PriorsView
from federated_router.routing.profile import Placement, Profile
from federated_router.routing.refusals import refusal_of
from federated_router.routing.scene import Scene
from federated_router.routing.served import Served
from federated_router.routing.settings import RoutingSettings
from federated_router.routing.strategies import named, strategies_of

Closely = Callable[[Prompt, str], Awaitable[None]]
"""Reads a tenant's prompt for the chooser, for no longer than a decision may take."""


class Router:
    """The live state of routing in one process."""

    def __init__(
        self,
        settings: RoutingSettings,
        registry: Registry,
        *,
        chooser: ModelChooser | None = None,
        closely: Closely | None = None,
        clock: Clock | None = None,
    ) -> None:
        self._settings = settings
        self._registry = registry
        self._closely = closely
        self._strategies = strategies_of(settings.strategies)
        self._scene = Scene(
            profile=named(self._strategies, settings.strategy),
            chooser=chooser,
            context_slack=settings.context_slack,
        )
        seed = secrets.randbits(64) if settings.seed is None else settings.seed
        self._memory = Memory(settings, clock or SystemClock(), seed=seed)
        self._batches = Batches(self, settings.annealing)

    @property
    def strategy(self) -> str:
        """Return the name of the strategy in force."""
        return self._scene.profile.name

    @property
    def strategies(self) -> Mapping[str, Profile]:
        """Return every strategy by name."""
        return self._strategies

    def set_strategy(self, name: str) -> None:
        """Use another strategy from the next decision on; raise FieldInvalid."""
        profile = named(self._strategies, name)
        self._scene = replace(self._scene.anew(), profile=profile)

    @property
    def priors(self) -> PriorsView:
        """Return what is believed of the federation."""
        return self._scene.priors

    def believe(self, priors: PriorsView) -> None:
        """Decide by these priors from the next decision on."""
        self._scene = self._scene.anew(priors=priors)

    def know(self, facts: NodeFacts) -> None:
        """Decide by this trust and carbon intensity from the next decision on."""
        self._scene = self._scene.anew(facts=facts)

    def block(self, node: str, model: str | None = None) -> None:
        """Send a node, or one of its models, nothing until it is unblocked."""
        site = (node, model or EVERY_MODEL)
        self._block(self._scene.blocked | {site}, node)

    def unblock(self, node: str, model: str | None = None) -> None:
        """Take back what `block` said of the same."""
        site = (node, model or EVERY_MODEL)
        self._block(self._scene.blocked - {site}, node)

    def in_flight(self, node: str) -> int:
        """Return how many requests of this router run at a node."""
        return self._memory.loads.in_flight[node]

    def explain(self, query: RouteQuery, shape: Shape = PLAIN) -> Decision:
        """Return the decision that a request would get now; raise ModelUnknown.

        It explores nothing, and takes no turn.
        """
        placement = self._place(query, shape, explore=False)
        decision = placement.decision(priors_revision=self.priors.revision)
        others = counterfactuals_of(
            self._scene, query, placement.moment, chosen=decision.chosen
        )
        return replace(decision, counterfactuals=others)

    def choose(
        self, query: RouteQuery, shape: Shape = PLAIN, *, explore: bool = True
    ) -> Candidate:
        """Return where a request goes.

        Raises:
            ModelUnknown: nobody present serves the model.
            NoNodeAvailable: those who do are draining or have failed this request.
            QueueFull: those who could have as many requests as they may.
            PrivateNotOffered: none of them decodes privately.
            NoTrustedNode: none is trusted with it, or stands where it may go.
            PromptTooLong: it fits no node's context.
            WishesUnmet: nothing is expected to meet what it asks for.
        """
        placement = self._place(query, shape, explore=explore)
        chosen = placement.take()
        if chosen is None:
            raise refusal_of(placement, query)
        self._memory.turns.number += 1
        return chosen

    async def read(self, query: RouteQuery, shape: Shape) -> None:
        """Have a prompt read closely where a model is to be chosen for it."""
        if self._closely is not None and query.model == AUTO:
            await self._closely(shape.prompt, shape.tenant)

    async def placed(
        self, query: RouteQuery, shape: Shape = PLAIN, *, explore: bool = True
    ) -> Candidate:
        """Return where a request goes, as `choose` does, and raise as it does.

        Under a strategy that places requests together it waits for others that come
        within the strategy's window.
        """
        await self.read(query, shape)
        if not self._scene.profile.batched:
            return self.choose(query, shape, explore=explore)
        return await self._batches.placed(Asked(query, shape, explore=explore))

    def batch_places(self, asked: Asked) -> Placement | None:
        """Return what a batch may place a request by; None to choose for it alone."""
        if not self._scene.profile.batched:
            return None
        return self._place(asked.query, asked.shape, explore=asked.explore)

    def counted(self, candidate: Candidate, shape: Shape = PLAIN) -> Counted:
        """Count a request at a node from before its dispatch to its end.

        Until `prefilled` is called on what this returns, or its end, the tokens of the
        prompt that the node does not hold count as unread. The node is taken to hold
        the prompt from now on.
        """
        return self._memory.counted(candidate, shape)

    def observe(self, candidate: Candidate, served: Served) -> None:
        """Learn from an attempt that ended at a node."""
        self._memory.observe(candidate, served)

    def _place(self, query: RouteQuery, shape: Shape, *, explore: bool) -> Placement:
        self._look()
        if not self._scene.serves(query):
            self._raise_unknown(query)
        return self._scene.place(query, self._memory.moment(shape), explore=explore)

    def _block(self, blocked: frozenset[Site], node: str) -> None:
        if blocked != self._scene.blocked:
            changes = self._scene.changes.and_then([node])
            self._scene = replace(self._scene, blocked=blocked, changes=changes)

    def _look(self) -> None:
        """Look at who is present; of nodes that changed, begin to know the new."""
        present, known = self._registry.present(), self._scene.membership
        if present is known:
            return
        nodes = changed_nodes(known, present)
        self._memory.forget(known, present, nodes)
        changes = self._scene.changes.and_then(nodes)
        self._scene = replace(self._scene, membership=present, changes=changes)

    def _raise_unknown(self, query: RouteQuery) -> None:
        models = ", ".join(sorted(query.models)) or query.model
        if models == AUTO or not self._scene.membership.members:
            raise NoNodeAvailable("No node is registered yet.", retry_after_s=1.0)
        raise ModelUnknown(
            f"No node serves '{models}'; ListModels shows what there is.",
            metadata={"model": models},
        )
