"""Presence by lease, as a pure value: `(members, event, now) -> members`.

Decides who is present and who holds which lease. Refuses to know gRPC, load and
routing. A lease that is not renewed lapses by itself; no negative mark outlives it.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from enum import Enum
from functools import cached_property
from types import MappingProxyType

from federated_router.kit.errors import LeaseLost, LimitReached, NodeUnknown
from federated_router.priors.contents import STANDARD_TIER

AUTO = "models/auto"
"""What a request says to leave the model to the router; no node may serve it."""


class NodeState(Enum):
    """A node's presence."""

    READY = "ready"
    DRAINING = "draining"


@dataclass(frozen=True, slots=True)
class Tariff:
    """What a thousand tokens take at a node: cost in the federation's unit, joules.

    `measured` says that the joules are the node's measurements and not its model.
    """

    prompt_cost: float = 0.0
    completion_cost: float = 0.0
    prompt_joules: float = 0.0
    completion_joules: float = 0.0
    measured: bool = False


NO_TARIFF = Tariff()


@dataclass(frozen=True, slots=True)
class Offer:
    """A model that a node serves at a quality tier; `slots` requests run at once."""

    model: str
    context_tokens_max: int
    private: bool
    slots: int
    tier: str = STANDARD_TIER
    tariff: Tariff = NO_TARIFF


@dataclass(frozen=True, slots=True)
class Shard:
    """Layers [first_layer, end_layer) of a model, run for pipelines of other nodes.

    `digest` names the model's files; `token_ms` is what the node measured for a token.
    """

    model: str
    digest: str
    first_layer: int
    end_layer: int
    slots: int
    context_tokens_max: int
    frame_tokens_max: int
    token_ms: float


@dataclass(frozen=True, slots=True)
class Load:
    """How busy a node says it is, in requests. Advisory."""

    running: int = 0
    waiting: int = 0


@dataclass(frozen=True, slots=True)
class Member:
    """A node with a lease. `name` is `nodes/ID`, `address` is `host:port`.

    `weight` is its share of the work beside others, above 0. `paused_s` is by how much
    the lease was prolonged since the node was heard last.
    """

    name: str
    address: str
    region: str
    offers: tuple[Offer, ...]
    lease_id: str
    lease_expires_s: float
    state: NodeState = NodeState.READY
    load: Load = field(default_factory=Load)
    shards: tuple[Shard, ...] = ()
    weight: float = 1.0
    paused_s: float = 0.0

    def offer(self, model: str) -> Offer | None:
        """Return what this node offers of `model`, if anything."""
        return next((offer for offer in self.offers if offer.model == model), None)


@dataclass(frozen=True)
class Membership:
    """All nodes with a lease, by name."""

    members: Mapping[str, Member] = field(default_factory=lambda: MappingProxyType({}))

    def registered(self, member: Member, *, members_max: int) -> "Membership":
        """Return the membership with `member`, replacing an entry of its name."""
        if member.name not in self.members and len(self.members) >= members_max:
            raise LimitReached(
                "This router keeps as many nodes as it may.",
                metadata={"nodes_max": str(members_max)},
                retry_after_s=30.0,
            )
        return self._with(member)

    def renewed(
        self, name: str, lease_id: str, load: Load, *, expires_s: float, now_s: float
    ) -> "Membership":
        """Return the membership with the lease extended; raise LeaseLost."""
        member = self.members.get(name)
        if (
            member is None
            or member.lease_id != lease_id
            or member.lease_expires_s <= now_s
        ):
            raise LeaseLost("The lease has lapsed or was replaced; register again.")
        return self._with(
            replace(member, load=load, lease_expires_s=expires_s, paused_s=0.0)
        )

    def prolonged(self, pause_s: float, *, pause_s_max: float) -> "Membership":
        """Return the membership whose leases did not run during a pause.

        All pauses since a node was heard last prolong its lease by `pause_s_max`
        together, so that a node which died is missed in the end.
        """
        return Membership(
            MappingProxyType(
                {
                    name: _prolonged(
                        member, min(pause_s, pause_s_max - member.paused_s)
                    )
                    for name, member in self.members.items()
                }
            )
        )

    def left(self, name: str, lease_id: str) -> "Membership":
        """Return the membership without the node, if the lease is still its own."""
        member = self.members.get(name)
        if member is None or member.lease_id != lease_id:
            return self
        return self._without({name})

    def drained(self, name: str) -> "Membership":
        """Return the membership with the node draining; raise NodeUnknown."""
        return self._with(replace(self.member(name), state=NodeState.DRAINING))

    def lapsed(self, now_s: float) -> tuple[str, ...]:
        """Return the names whose lease is over."""
        if now_s < self._first_lapse_s:
            return ()
        return tuple(
            name
            for name, member in self.members.items()
            if member.lease_expires_s <= now_s
        )

    def expired(self, now_s: float) -> "Membership":
        """Return the membership without the nodes whose lease is over."""
        return self._without(set(self.lapsed(now_s)))

    def member(self, name: str) -> Member:
        """Return one member; raise NodeUnknown."""
        try:
            return self.members[name]
        except KeyError:
            raise NodeUnknown(
                f"No node '{name}' is registered here.", metadata={"node": name}
            ) from None

    def __iter__(self) -> Iterator[Member]:
        return iter(sorted(self.members.values(), key=lambda member: member.name))

    @cached_property
    def _first_lapse_s(self) -> float:
        """Return when the first lease ends; every request asks."""
        ends_s = (member.lease_expires_s for member in self.members.values())
        return min(ends_s, default=float("inf"))

    def _with(self, member: Member) -> "Membership":
        return Membership(MappingProxyType({**self.members, member.name: member}))

    def _without(self, names: set[str]) -> "Membership":
        kept = {name: m for name, m in self.members.items() if name not in names}
        return Membership(MappingProxyType(kept))


def _prolonged(member: Member, pause_s: float) -> Member:
    return replace(
        member,
        lease_expires_s=member.lease_expires_s + pause_s,
        paused_s=member.paused_s + pause_s,
    )
