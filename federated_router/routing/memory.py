"""What a router remembers from one request to the next: all that moves.

Decides when it is forgotten: with the node that it was of. Refuses to know how it
becomes a choice.
"""

from collections.abc import Collection

from federated_router.kit.clock import Clock
from federated_router.registry.membership import Membership
from federated_router.routing.candidate import Candidate, Shape
from federated_router.routing.changes import sites_lost
from federated_router.routing.loads import Counted, Loads, Recent
from federated_router.routing.moment import Moment
from federated_router.routing.moving_scorers import BLOCK_TOKENS
from federated_router.routing.observed import Observed
from federated_router.routing.prefix_index import PrefixIndex
from federated_router.routing.served import Served
from federated_router.routing.settings import RoutingSettings
from federated_router.routing.turns import Turns


class Memory:
    """Counts, observations, prompts and turns of one router."""

    def __init__(self, settings: RoutingSettings, clock: Clock, *, seed: int) -> None:
        self._settings = settings
        self._clock = clock
        self.loads = Loads(Recent(settings.prefix.latest_requests))
        self.observed = Observed(settings.observation)
        self.prefixes = PrefixIndex(
            blocks_per_site_max=settings.prefix.blocks_per_site_max,
            blocks_max=settings.prefix.blocks_max,
        )
        self.turns = Turns(seed)

    def moment(self, shape: Shape) -> Moment:
        """Return what a decision for a request rests on now."""
        return Moment(
            shape=shape,
            in_flight=self.loads.in_flight,
            unread_tokens=self.loads.unread_tokens,
            recent=self.loads.recent,
            prefixes=self.prefixes,
            observed=self.observed,
            turns=self.turns,
            now_s=self._clock.monotonic_s(),
            queue_factor=self._settings.queue_factor,
            prefix=self._settings.prefix,
        )

    def counted(self, candidate: Candidate, shape: Shape) -> Counted:
        """Return the count of a request at a node, to be entered before its dispatch.

        What the node holds of the prompt is not unread, and it is taken to hold all of
        it from then on.
        """
        unread, site = shape.prompt_tokens, candidate.site
        if shape.prefix:
            held = self.prefixes.held(shape.prefix, site)
            unread = max(unread - held * BLOCK_TOKENS, 0)
        return Counted(
            self.loads,
            candidate.node,
            unread,
            begin=lambda: self.prefixes.learn(site, shape.prefix),
        )

    def observe(self, candidate: Candidate, served: Served) -> None:
        """Learn from an attempt that ended at a node."""
        now_s = self._clock.monotonic_s()
        running = self.loads.in_flight[candidate.node]
        self.observed.observe(candidate.site, served, now_s=now_s, running=running)

    def forget(
        self, before: Membership, after: Membership, nodes: Collection[str]
    ) -> None:
        """Forget what was known of nodes that left, and of caches that moved."""
        for name in nodes:
            known, member = before.members.get(name), after.members.get(name)
            if known and member and known.address != member.address:
                for offer in known.offers:
                    self.prefixes.forget((name, offer.model))
        if sites_lost(before, after, nodes):
            self._keep_only(after)

    def _keep_only(self, present: Membership) -> None:
        sites = {
            (member.name, offer.model)
            for member in present.members.values()
            for offer in member.offers
        }
        self.observed.keep_only(sites)
        self.turns.keep_only(sites)
        self.prefixes.keep_only(sites)
        self.loads.keep_only(present.members)
