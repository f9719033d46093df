"""One member of the simulated federation: the product's member on a simulated machine.

Decides what its machine does: when it comes, dies, starts again on the same vault, or
never returns. Refuses to know what a member does in a round; where it attacks, only its
vault's and its door's last step is replaced by what `attack` forged.
"""

import asyncio
from collections.abc import Sequence
from random import Random

import numpy as np

from coordinator.simulation import attack as attacks
from coordinator.simulation.channel import Endpoint, MemoryChannel
from coordinator.simulation.disk import Disk, DiskDatabase, StoreFaults
from coordinator.simulation.link import Link
from coordinator.simulation.plan import Part, SimulationPlan
from coordinator.simulation.process import Process
from coordinator.simulation.shared_roster import SharedRosters, SharingMember
from coordinator.simulation.virtual_clock import VirtualClock
from coordinator.simulation.virtual_loop import party
from coordinator.simulation.witness import Witness
from coordinator.simulation.witnessed import Door, Sight, WitnessedVault
from federated_router.federation.backoff import Backoff
from federated_router.federation.credentials import Credentials
from federated_router.federation.grpc_priors import GrpcPriors
from federated_router.federation.participant import Participant
from federated_router.federation.priors_follower import PriorsFollower
from federated_router.federation.statistics import Statistics
from federated_router.federation.terms_verification import Floor
from federated_router.federation.vault import MIGRATIONS
from federated_router.kit.identity import Identity, Role
from federated_router.priors.publication import Priors
from federated_router.privacy.noise import discrete_gaussian

CALL_TIMEOUT_S = 20.0
SILENCE_S_MAX = 75.0
KEY_LIFETIME_S = 86_400.0
BACKOFF = Backoff(least_s=0.2, most_s=5.0)


class SimulatedMember:
    """One member over all its lives."""

    def __init__(
        self,
        part: Part,
        *,
        plan: SimulationPlan,
        credentials: Credentials,
        endpoint: Endpoint,
        link: Link,
        clock: VirtualClock,
        faults: StoreFaults,
        witness: Witness,
        rosters: SharedRosters,
    ) -> None:
        self.part = part
        self._rosters = rosters
        self.clock = clock
        self.link = link
        self.statistics: Statistics | None = None
        self._plan = plan
        self._credentials = credentials
        self._endpoint = endpoint
        self._faults = faults
        self._witness = witness
        self._dice: Random = plan.dice(f"{part.name} machine")
        self._disk = Disk(MIGRATIONS)
        self._gone = False

    async def run(self) -> None:
        """Come, live, die and start again, until cancelled or gone for good."""
        await asyncio.sleep(self.part.arrives_s)
        while not self._gone:
            process = Process(self.part.name)
            try:
                self._start(process)
                await process.died()
            finally:
                process.kill("the simulation ends")
                await process.died()
                self.statistics = None
                self._witness.defects += process.ended_by
            await asyncio.sleep(self._plan.downtime_s * (1 + self._dice.random()))

    def close(self) -> None:
        """Free the vault."""
        self._disk.close()

    def _start(self, process: Process) -> None:
        party.set("member")
        identity = Identity(
            self.part.role, self.part.peer_id, self._credentials.trust.trust_domain
        )
        channel = MemoryChannel(
            self._endpoint, caller=identity, link=self.link
        ).as_channel()
        sight = Sight()
        vault = WitnessedVault(
            DiskDatabase(self._disk, process=process, faults=self._faults),
            credentials=self._credentials,
            key_lifetime_s=KEY_LIFETIME_S,
            clock=self.clock,
        )
        door = Door(channel, call_timeout_s=CALL_TIMEOUT_S, silence_s_max=SILENCE_S_MAX)
        statistics = Statistics()
        vault.watched(self.part, sight, self._witness)
        door.watched(
            part=self.part,
            vault=vault,
            sight=sight,
            witness=self._witness,
            rosters=self._rosters,
            vanish=lambda: self.vanish(process),
        )
        self.statistics = statistics
        member = SharingMember(
            credentials=self._credentials,
            client=door,
            vault=vault,
            statistics=statistics,
            floor=Floor(
                noise_scale_min=self._plan.noise_scale,
                participation_min=self._plan.participation_min,
                members_min=3,
            ),
            clock=self.clock,
            noise=lambda length, sigma: self._noise(sight, length, sigma),
        )
        if self._plan.share_rosters:
            member.share(self._rosters)
        participant = Participant(
            steps=member,
            watcher=door,
            backoff=BACKOFF,
            clock=self.clock,
            jitter=self._dice.random,
        )
        process.background(participant.run(), "rounds")
        if identity.role is Role.ROUTER:
            follower = PriorsFollower(
                source=GrpcPriors(
                    channel, call_timeout_s=CALL_TIMEOUT_S, silence_s_max=SILENCE_S_MAX
                ),
                receive=self._receive,
                backoff=BACKOFF,
                clock=self.clock,
                jitter=self._dice.random,
            )
            process.background(follower.run(), "priors")

    def vanish(self, process: Process) -> None:
        """Die for good."""
        self._gone = True
        process.kill("vanished")

    def _noise(self, sight: Sight, length: int, sigma: float) -> Sequence[int]:
        """Draw the product's noise unless the plan is exact; poison goes on top."""
        drawn = [0] * length if self._plan.exact else discrete_gaussian(length, sigma)
        poison = attacks.poison(
            self.part.attack,
            length,
            slot_max=self._plan.slot_max,
            members=self._plan.members,
        )
        sight.noise = np.array(drawn, dtype=np.int64)
        sight.poison = np.array(poison, dtype=np.int64)
        both: list[int] = (sight.noise + sight.poison).tolist()
        return both

    async def _receive(self, priors: Priors) -> None:
        self._witness.received.append(
            (self.part.name, priors.revision, priors.round_name)
        )
