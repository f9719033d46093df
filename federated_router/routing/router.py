"""Chooses for live requests: counts what is in flight, holds strategy and priors.

A request is counted before it is dispatched and uncounted when it ends, whatever the
end; load that nodes report is shown to people and never steers.
"""

import secrets
from collections.abc import Mapping
from dataclasses import replace

from federated_router.choice.choosing import ModelChooser
from federated_router.kit.clock import Clock, SystemClock
from federated_router.kit.errors import ModelUnknown, NoNodeAvailable
from federated_router.registry.membership import (
    AUTO,
    Member,
    Membership,
    NodeState,
    Offer,
)
from federated_router.registry.registry import Registry
from federated_router.routing.batching import Asked, Batches
from federated_router.routing.candidate import (
    EVERY_MODEL,
    PLAIN,
    Candidate,
    NodeFacts,
    RouteQuery,
    Shape,
)
from federated_router.routing.counterfactuals import counterfactuals_of
from federated_router.routing.decision import Decision
from federated_router.routing.loads import Counted, Loads, Recent
from federated_router.routing.moment import Moment
from federated_router.routing.moving_scorers import BLOCK_TOKENS
from federated_router.routing.observed import Observed
from federated_router.routing.prefix_index import PrefixIndex
from federated_router.routing.priors_view import PriorsView
from federated_router.routing.profile import Placement, Profile
from federated_router.routing.refusals import refusal_of
from federated_router.routing.scene import Scene
from federated_router.routing.served import Served
from federated_router.routing.settings import RoutingSettings
from federated_router.routing.strategies import named, strategies_of
from federated_router.routing.turns import Turns

Known = tuple[str, str, str, tuple[Offer, ...], NodeState, float]


class Router:
    """The live state of routing in one process."""

    def __init__(
        self,
        settings: RoutingSettings,
        registry: Registry,
        *,
        chooser: ModelChooser | None = None,
        clock: Clock | None = None,
    ) -> None:
        self._settings = settings
        self._registry = registry
        self._clock = clock or SystemClock()
        self._strategies = strategies_of(settings.strategies)
        self._scene = Scene(
            profile=named(self._strategies, settings.strategy),
            chooser=chooser,
            context_slack=settings.context_slack,
        )
        self._loads = Loads(Recent(settings.prefix.latest_requests))
        self._observed = Observed(settings.observation)
        self._prefixes = PrefixIndex(
            blocks_per_site_max=settings.prefix.blocks_per_site_max,
            blocks_max=settings.prefix.blocks_max,
        )
        seed = secrets.randbits(64) if settings.seed is None else settings.seed
        self._turns = Turns(seed)
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
        self._block(self._scene.blocked | {site})

    def unblock(self, node: str, model: str | None = None) -> None:
        """Take back what `block` said of the same."""
        site = (node, model or EVERY_MODEL)
        self._block(self._scene.blocked - {site})

    def in_flight(self, node: str) -> int:
        """Return how many requests of this router run at a node."""
        return self._loads.in_flight[node]

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
        self._turns.number += 1
        return chosen

    async def placed(
        self, query: RouteQuery, shape: Shape = PLAIN, *, explore: bool = True
    ) -> Candidate:
        """Return where a request goes, as `choose` does, and raise as it does.

        Under a strategy that places requests together it waits for others that come
        within the strategy's window.
        """
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
        unread, site = shape.prompt_tokens, candidate.site
        if shape.prefix:
            held = self._prefixes.matched(shape.prefix).get(site, 0)
            unread = max(unread - held * BLOCK_TOKENS, 0)
        return Counted(
            self._loads,
            candidate.node,
            unread,
            begin=lambda: self._prefixes.learn(site, shape.prefix),
        )

    def observe(self, candidate: Candidate, served: Served) -> None:
        """Learn from an attempt that ended at a node."""
        now_s = self._clock.monotonic_s()
        running = self._loads.in_flight[candidate.node]
        self._observed.observe(candidate.site, served, now_s=now_s, running=running)

    def _place(self, query: RouteQuery, shape: Shape, *, explore: bool) -> Placement:
        self._look()
        if not self._scene.serves(query):
            self._raise_unknown(query)
        return self._scene.place(query, self._moment(shape), explore=explore)

    def _moment(self, shape: Shape) -> Moment:
        return Moment(
            shape=shape,
            in_flight=self._loads.in_flight,
            unread_tokens=self._loads.unread_tokens,
            recent=self._loads.recent,
            prefixes=self._prefixes,
            observed=self._observed,
            turns=self._turns,
            now_s=self._clock.monotonic_s(),
            queue_factor=self._settings.queue_factor,
            prefix=self._settings.prefix,
        )

    def _block(self, blocked: frozenset[tuple[str, str]]) -> None:
        if blocked != self._scene.blocked:
            self._scene = replace(self._scene.anew(), blocked=blocked)

    def _look(self) -> None:
        """Begin a new scene where nodes changed; renewed leases change nothing."""
        present, known = self._registry.present(), self._scene.membership
        if present is known:
            return
        if _alike(known, present):
            self._scene = replace(self._scene, membership=present)
            return
        self._forget(known, present)
        self._scene = replace(self._scene.anew(), membership=present)

    def _forget(self, known: Membership, present: Membership) -> None:
        """Forget what was known of nodes that left, and of caches that moved."""
        sites = {
            (member.name, offer.model)
            for member in present.members.values()
            for offer in member.offers
        }
        self._observed.keep_only(sites)
        self._turns.keep_only(sites)
        self._loads.keep_only(present.members)
        for name, before in known.members.items():
            member = present.members.get(name)
            moved = member is not None and member.address != before.address
            for offer in before.offers:
                if moved or (name, offer.model) not in sites:
                    self._prefixes.forget((name, offer.model))

    def _raise_unknown(self, query: RouteQuery) -> None:
        models = ", ".join(sorted(query.models)) or query.model
        if models == AUTO or not self._scene.membership.members:
            raise NoNodeAvailable("No node is registered yet.", retry_after_s=1.0)
        raise ModelUnknown(
            f"No node serves '{models}'; ListModels shows what there is.",
            metadata={"model": models},
        )


def _alike(one: Membership, other: Membership) -> bool:
    """Return whether routing knows the same of all nodes, but for leases and load."""
    before, after = one.members, other.members
    return len(before) == len(after) and all(
        member is before.get(name) or _known(member) == _known(before.get(name))
        for name, member in after.items()
    )


def _known(member: Member | None) -> Known | None:
    if member is None:
        return None
    return (
        member.name,
        member.address,
        member.region,
        member.offers,
        member.state,
        member.weight,
    )
