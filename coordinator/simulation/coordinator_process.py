"""The simulated coordinator: the product's own core, killed and started again.

Decides its configuration, when it comes back, and what an observer may read from its
disk. Refuses to know rounds: `assemble` builds what a daemon would serve.
"""

import asyncio
from dataclasses import dataclass, replace

from sqlalchemy import select

from coordinator import schema
from coordinator.app import MIGRATIONS
from coordinator.config import (
    CoordinatorSettings,
    RoundSettings,
    StoreSettings,
    WatchSettings,
)
from coordinator.core import assemble
from coordinator.priors.settings import CatalogueSettings
from coordinator.priors.store import PriorsStore
from coordinator.rounds.round import Round, RoundName
from coordinator.rounds.state import State
from coordinator.rounds.store import RoundStore
from coordinator.rounds.terms import Terms, refuse_unsound
from coordinator.simulation.channel import Endpoint
from coordinator.simulation.disk import Disk, DiskDatabase, StoreFaults
from coordinator.simulation.plan import SimulationPlan
from coordinator.simulation.process import Process
from coordinator.simulation.server import MemoryServer
from coordinator.simulation.virtual_clock import VirtualClock
from coordinator.simulation.virtual_loop import party
from coordinator.simulation.witness import Witness
from federated_router.api.v1 import aggregation_pb2, priors_pb2
from federated_router.crypto.packed_shamir import ROSTER_SIZE_MIN
from federated_router.federation.credentials import Credentials
from federated_router.kit.authority import IdentityFiles
from federated_router.kit.config import TlsSettings
from federated_router.kit.errors import StoreUnavailable
from federated_router.priors.publication import Priors

_AGGREGATION = aggregation_pb2.DESCRIPTOR.services_by_name["AggregationService"]
_PRIORS = priors_pb2.DESCRIPTOR.services_by_name["PriorsService"]
REGION = "simulated"


@dataclass(frozen=True, slots=True)
class Death:
    """When the coordinator died, in virtual seconds, and why."""

    time_s: float
    cause: str


class SimulatedCoordinator:
    """One coordinator over all its lives; `observer` reads its disk beside it."""

    def __init__(
        self,
        plan: SimulationPlan,
        *,
        files: IdentityFiles,
        clock: VirtualClock,
        faults: StoreFaults,
        witness: Witness,
    ) -> None:
        self.endpoint = Endpoint()
        self.clock = clock
        self.deaths: list[Death] = []
        self.settings = coordinator_settings(plan, files)
        self.terms = coordinator_terms(plan, self.settings)
        self._files = files
        self._faults = faults
        self._witness = witness
        self._downtime_s = plan.downtime_s
        self._disk = Disk(MIGRATIONS)
        watching = DiskDatabase(
            self._disk, process=Process("observer"), faults=self._faults
        )
        self._rounds = RoundStore(watching)
        self._priors = PriorsStore(watching)

    async def run(self) -> None:
        """Live, die and start again, until cancelled."""
        party.set("coordinator")
        while True:
            process = Process("coordinator")
            process.background(self._serve(process), "rounds")
            try:
                cause = await process.died()
            finally:
                self.endpoint.server = None
                process.kill("the simulation ends")
                await process.died()
                self._witness.defects += process.ended_by
            time_s = asyncio.get_running_loop().time()
            self.deaths.append(Death(time_s, cause))
            await asyncio.sleep(self._downtime_s)

    def close(self) -> None:
        """Free the store."""
        self._disk.close()

    def state(self, name: str) -> State:
        """Return where a round stands on disk."""
        column = schema.rounds.c.state
        with self._disk.engine.connect() as connection:
            found = connection.scalar(
                select(column).where(schema.rounds.c.name == name)
            )
        return State(str(found))

    async def round(self, name: str) -> Round:
        """Return a round as stored."""
        return await self._rounds.load(RoundName(name))

    async def published(self) -> list[Priors]:
        """Return every publication, oldest first."""
        newest = await self._priors.newest_revision()
        return [
            await self._priors.of_revision(revision)
            for revision in range(1, newest + 1)
        ]

    async def _serve(self, process: Process) -> None:
        core = assemble(
            self.settings,
            terms=self.terms,
            credentials=Credentials.load(
                certificate=self._files.certificate,
                private_key=self._files.private_key,
                authority=self._files.authority,
            ),
            database=DiskDatabase(self._disk, process=process, faults=self._faults),
            clock=self.clock,
        )
        try:
            await core.conductor.resume()
        except StoreUnavailable:
            # The daemon gives up when it starts, and is started again.
            await process.die_here("the store failed while it started")
        self.endpoint.server = MemoryServer(
            [(_AGGREGATION, core.aggregation), (_PRIORS, core.priors)],
            process=process,
            defects=self._witness.defects,
        )
        await core.conductor.run()


def coordinator_settings(
    plan: SimulationPlan, files: IdentityFiles
) -> CoordinatorSettings:
    """Return the configuration that a daemon of this plan would have."""
    return CoordinatorSettings(
        tls=TlsSettings(
            certificate=files.certificate,
            private_key=files.private_key,
            authority=files.authority,
        ),
        store=StoreSettings(url="sqlite+aiosqlite:////nowhere/never-opened.sqlite"),
        catalogue=plan.catalogue
        or CatalogueSettings(
            models=tuple(f"round-{number}" for number in range(plan.rounds)),
            regions=(REGION,),
            slot_max=plan.slot_max,
            samples_min=0,
        ),
        rounds=RoundSettings(
            noise_scale=plan.noise_scale,
            participation_min=plan.participation_min,
            members_min=max(ROSTER_SIZE_MIN, plan.cohort_size),
            members_max=plan.members,
            joining_s=plan.times.joining_s,
            revealing_s=plan.times.revealing_s,
            collecting_s=plan.times.collecting_s,
            checking_s=plan.times.checking_s,
            summing_s=plan.times.summing_s,
            opening_s=plan.times.opening_s,
            validating_s=plan.times.validating_s,
            resume_grace_s=plan.times.resume_grace_s,
            uploads_max=max(64, plan.members),
        ),
        watch=WatchSettings(watchers_max=max(2_000, 2 * plan.members)),
    )


def coordinator_terms(plan: SimulationPlan, settings: CoordinatorSettings) -> Terms:
    """Return the terms of the plan's rounds; raise FieldInvalid for unsound ones."""
    terms = replace(
        settings.terms(),
        cohort_size=plan.cohort_size,
        cohort_survivors_min=plan.cohort_survivors_min,
        cohort_colluders_max=max(0, plan.cohort_survivors_min - 1),
    )
    refuse_unsound(terms)
    return terms
