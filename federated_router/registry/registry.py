"""The router's live view of its nodes: a membership, a clock, and who listens.

Holds the current `Membership` value and tells listeners who came and went. Lapsed
leases are dropped on every look, so that no caller sees a dead node as present, and
by a sweep, so that listeners hear of it in time. Leases do not run while this process
itself stands still: it could not have heard a renewal.
"""

import asyncio
import secrets
from collections.abc import Callable, Sequence

from pydantic import Field

from federated_router.kit.clock import Clock, SystemClock
from federated_router.kit.config import Settings
from federated_router.kit.log import get_logger
from federated_router.registry.membership import (
    Load,
    Member,
    Membership,
    NodeState,
    Offer,
    Shard,
)
from federated_router.registry.standstill import Standstill

log = get_logger("registry")
Listener = Callable[[str], None]
LOOKS_PER_LEASE = 6


class RegistrySettings(Settings):
    """Leases and their limits.

    A lease is prolonged by what the router stood still, by `pause_s_max` at most since
    the node was heard last.
    """

    lease_s: float = Field(default=6.0, gt=0)
    pause_s_max: float = Field(default=60.0, ge=0)
    nodes_max: int = Field(default=1000, ge=1)


class Registry:
    """Grants and renews leases; one per router process.

    `process_clock` tells whether this process runs; it is never the one that tests set.
    """

    def __init__(
        self,
        settings: RegistrySettings,
        clock: Clock,
        *,
        process_clock: Clock | None = None,
    ) -> None:
        self._settings = settings
        self._clock = clock
        self._standstill = Standstill(
            settings.lease_s / LOOKS_PER_LEASE, (clock, process_clock or SystemClock())
        )
        self._membership = Membership()
        self._resting = False
        self._left_listeners: list[Listener] = []
        self._gone_listeners: list[Listener] = []

    @property
    def lease_s(self) -> float:
        """Return how long a lease lasts without renewal."""
        return self._settings.lease_s

    def on_left(self, listener: Listener) -> None:
        """Call `listener(name)`, before `on_gone`, for a node that still does its work.

        It left in order, or came with a new lease; a lapsed lease is not told here.
        """
        self._left_listeners.append(listener)

    def on_gone(self, listener: Listener) -> None:
        """Call `listener(name)` whenever a node left or its lease lapsed."""
        self._gone_listeners.append(listener)

    def present(self) -> Membership:
        """Return the membership now, without lapsed leases."""
        self._pause()
        now_s = self._clock.monotonic_s()
        if self._resting:
            return self._membership
        if lapsed := self._membership.lapsed(now_s):
            self._membership = self._membership.expired(now_s)
            for name in lapsed:
                log.warning("node lost", node=name, cause="lease lapsed")
                self._tell(name)
        return self._membership

    def register(
        self,
        *,
        name: str,
        address: str,
        region: str,
        offers: Sequence[Offer],
        shards: Sequence[Shard] = (),
        weight: float = 1.0,
        held_lease_id: str = "",
    ) -> Member:
        """Grant a lease, ending any earlier one of the same name.

        Whoever names the lease that it holds only changes its offers: where it was told
        to drain, it drains on.
        """
        now_s = self._clock.monotonic_s()
        known = self.present()
        member = Member(
            name=name,
            address=address,
            region=region,
            offers=tuple(offers),
            shards=tuple(shards),
            weight=weight,
            state=_state_of(known.members.get(name), held_lease_id),
            lease_id=secrets.token_hex(8),
            lease_expires_s=now_s + self._settings.lease_s,
        )
        self._membership = known.registered(
            member, members_max=self._settings.nodes_max
        )
        if name in known.members:
            self._tell_left(name)
        log.info("node registered", node=name, address=address, region=region)
        return member

    def renew(self, name: str, lease_id: str, load: Load) -> None:
        """Extend a lease; raise LeaseLost."""
        now_s = self._clock.monotonic_s()
        self._membership = self.present().renewed(
            name,
            lease_id,
            load,
            expires_s=now_s + self._settings.lease_s,
            now_s=now_s,
        )

    def deregister(self, name: str, lease_id: str) -> None:
        """End a lease at once; an unknown one is already gone."""
        before = self.present()
        self._membership = before.left(name, lease_id)
        if name in before.members and name not in self._membership.members:
            log.info("node left", node=name)
            self._tell_left(name)

    def drain(self, name: str) -> Member:
        """Send a node no new work; raise NodeUnknown."""
        self._membership = self.present().drained(name)
        return self._membership.member(name)

    async def rest(self) -> None:
        """Let no lease lapse any more: a router that stops hears no renewals."""
        self._resting = True

    async def sweep(self) -> None:
        """Drop lapsed leases for ever, several times per lease."""
        async with asyncio.TaskGroup() as limbs:
            limbs.create_task(self._standstill.watch(self._pause))
            while True:
                await self._clock.sleep(self._settings.lease_s / LOOKS_PER_LEASE)
                self.present()

    def lease_remaining_s(self, member: Member) -> float:
        """Return how long a member's lease still runs, in seconds."""
        return member.lease_expires_s - self._clock.monotonic_s()

    def _pause(self) -> None:
        """Prolong all leases by what the process stood still since the last look."""
        pause_s = self._standstill.passed_s()
        if not pause_s:
            return
        pause_ms = round(pause_s * 1000)
        log.warning("router stood still", pause_ms=pause_ms)
        self._membership = self._membership.prolonged(
            pause_s, pause_s_max=self._settings.pause_s_max
        )

    def _tell_left(self, name: str) -> None:
        for listener in self._left_listeners:
            listener(name)
        self._tell(name)

    def _tell(self, name: str) -> None:
        for listener in self._gone_listeners:
            listener(name)


def _state_of(known: Member | None, held_lease_id: str) -> NodeState:
    if known is None or known.lease_id != held_lease_id:
        return NodeState.READY
    return known.state
