"""Puts members into a coordinator: its service, its gate and its background work.

Decides what listens to revocations: streams of the list, and rounds that run with a
member that has fallen. Starts nothing.
"""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from coordinator.members.conduct import Conducts
from coordinator.members.gate import Directory, MemberCalls, MemberGate
from coordinator.members.offences import Offences, nobody_counts
from coordinator.members.parts import Parts
from coordinator.members.service import MembersServicer
from coordinator.members.settings import MembersSettings
from coordinator.members.store import MemberStore
from coordinator.newest import Newest, WatchLimits
from federated_router.crypto.transcript import MemberName
from federated_router.federation.survivor_signature import Trust
from federated_router.kit.clock import Clock
from federated_router.kit.database import Database
from federated_router.kit.errors import FederationError
from federated_router.kit.log import get_logger
from federated_router.kit.revocation import RevocationList, Revocations

SEEN_INTERVAL_S = 30.0
EXPEL_TIMEOUT_S = 10.0
Expel = Callable[[MemberName], Awaitable[None]]
_log = get_logger(__name__)


async def expel_nobody(_member: MemberName) -> None:
    """Do nothing: no rounds are attached."""


@dataclass(frozen=True, slots=True)
class MembersLimb:
    """What a coordinator serves, asks and runs for members.

    `gate.admit(member, certificate_der)` is for whoever lets a member into a round;
    `calls` guards the server; `background` runs as the daemon does; `close` and
    `reopen` are for a drain.
    """

    servicer: MembersServicer
    gate: MemberGate
    calls: MemberCalls
    revocations: Revocations
    newest: Newest[RevocationList]
    background: dict[str, Callable[[], Awaitable[None]]]

    async def close(self) -> None:
        """Send every watcher of lists away."""
        self.newest.close()

    async def reopen(self) -> None:
        """Let watchers in again."""
        self.newest.reopen()


async def members_limb(
    settings: MembersSettings,
    *,
    database: Database,
    trust: Trust,
    watch: WatchLimits,
    clock: Clock,
    expel: Expel = expel_nobody,
    offences: Offences = nobody_counts,
) -> MembersLimb:
    """Return the limb, with every stored member and the newest list in memory.

    `expel` is called once for each member whose certificate is revoked.
    """
    store, directory, conducts = MemberStore(database), Directory(), Conducts(settings)
    revocations = Revocations(authorities_pem=trust.authorities_pem)
    for record in await store.members():
        directory.put(record)
    stored = await store.newest_list()
    if stored:
        revocations.offer(stored)
    newest: Newest[RevocationList] = Newest(watch, clock)
    newest.put(revocations.current)
    fallen = Fallen(directory, conducts, expel, revocations.current.serials)
    revocations.listen(newest.put)
    revocations.listen(fallen.hear)
    gate = MemberGate(directory, revocations, enrolment=settings.enrolment)
    servicer = MembersServicer(
        Parts(
            store=store,
            directory=directory,
            conducts=conducts,
            revocations=revocations,
            newest=newest,
            trust=trust,
            settings=settings,
            clock=clock,
            offences=offences,
        )
    )
    return MembersLimb(
        servicer=servicer,
        gate=gate,
        calls=MemberCalls(gate, conducts, clock),
        revocations=revocations,
        newest=newest,
        background={
            "members seen": lambda: keep_seen(store, directory, conducts, clock),
            "expulsions": fallen.run,
        },
    )


class Fallen:
    """Members whose certificates fell, until rounds have heard of them."""

    def __init__(
        self,
        directory: Directory,
        conducts: Conducts,
        expel: Expel,
        told: frozenset[int],
    ) -> None:
        self._directory = directory
        self._conducts = conducts
        self._expel = expel
        self._told = told
        self._waiting: set[MemberName] = set()
        self._wake = asyncio.Event()

    def hear(self, found: RevocationList) -> None:
        """Note whose certificates are newly on the list."""
        new, self._told = found.serials - self._told, found.serials
        seen = {
            conduct.certificate.serial: name
            for name in self._conducts.members()
            if (conduct := self._conducts.of(name)) is not None
        }
        holders = {self._directory.holder(one) or seen.get(one) for one in new}
        self._waiting |= {one for one in holders if one is not None}
        self._wake.set()

    async def run(self) -> None:
        """Tell rounds, for ever."""
        while True:
            await self._wake.wait()
            self._wake.clear()
            while self._waiting:
                await self._tell(self._waiting.pop())

    async def _tell(self, member: MemberName) -> None:
        try:
            await asyncio.wait_for(self._expel(member), EXPEL_TIMEOUT_S)
        except (FederationError, TimeoutError) as error:
            _log.warning(
                "round not told of revocation", member=member, cause=str(error)
            )
        else:
            _log.info("member expelled", member=member)


async def keep_seen(
    store: MemberStore, directory: Directory, conducts: Conducts, clock: Clock
) -> None:
    """Store when enrolled members called last, for ever."""
    kept: dict[MemberName, float] = {}
    while True:
        await clock.sleep(SEEN_INTERVAL_S)
        found = {
            name: conduct.seen_s
            for name in directory.names()
            if (conduct := conducts.of(name)) is not None
        }
        changed = {name: at for name, at in found.items() if kept.get(name) != at}
        if not changed:
            continue
        try:
            await store.keep_seen(changed)
        except FederationError as error:
            _log.warning("members seen not stored", reason=error.reason)
        else:
            kept |= changed
