"""The coordinator without its server: rounds, priors and what is watched.

Decides how they are put together around an open database; a daemon (`app`) and a
simulation serve the same. Starts nothing.
"""

import secrets
from dataclasses import dataclass
from datetime import UTC, datetime

from coordinator.charging.port import Charges, NoCharges
from coordinator.config import CoordinatorSettings
from coordinator.members.gate import Admit, admit_everybody
from coordinator.newest import Newest
from coordinator.priors.service import PriorsServicer
from coordinator.priors.store import PriorsStore
from coordinator.rounds import events
from coordinator.rounds.conductor import Conductor
from coordinator.rounds.round import Round, RoundName
from coordinator.rounds.service import AggregationServicer
from coordinator.rounds.service_limits import ServiceLimits
from coordinator.rounds.store import RoundStore
from coordinator.rounds.terms import Terms
from coordinator.rounds.work import Workshop
from coordinator.validation.inspection import Inspector
from coordinator.validation.judgement import JudgeSettings
from coordinator.validation.store import ReportStore
from federated_router.crypto.transcript import MemberName
from federated_router.federation.credentials import Credentials
from federated_router.kit.clock import Clock
from federated_router.kit.database import Database
from federated_router.kit.names import resource_name
from federated_router.priors.publication import Priors


@dataclass(frozen=True, slots=True)
class Feeds:
    """What is watched."""

    rounds: Newest[Round]
    priors: Newest[Priors]

    async def close(self) -> None:
        """Send every watcher away."""
        self.rounds.close()
        self.priors.close()

    async def reopen(self) -> None:
        """Let watchers in again."""
        self.rounds.reopen()
        self.priors.reopen()


@dataclass(frozen=True, slots=True)
class Core:
    """The coordinator without its server."""

    conductor: Conductor
    feeds: Feeds
    aggregation: AggregationServicer
    priors: PriorsServicer

    async def expel(self, member: MemberName) -> None:
        """Take a member whose certificate was revoked out of the round that runs."""
        newest = self.feeds.rounds.value
        if newest is not None:
            await self.conductor.tell(newest.name, events.Expelled(member))


def assemble(
    settings: CoordinatorSettings,
    *,
    terms: Terms,
    credentials: Credentials,
    database: Database,
    clock: Clock,
    charges: Charges | None = None,
    admit: Admit = admit_everybody,
) -> Core:
    """Return the coordinator around an open database.

    Without `charges` no account is charged for rounds, and without `admit` everybody
    joins: not for a daemon.
    """
    limits = settings.watch.limits()
    feeds = Feeds(Newest(limits, clock), Newest(limits, clock))
    judging = JudgeSettings(settings.rounds.cohorts, settings.rounds.validation)
    store = RoundStore(
        database, conduct_rounds_max=settings.rounds.cohorts.offender_rounds_max
    )
    priors_store, reports = PriorsStore(database), ReportStore(database)
    conductor = Conductor(
        store=store,
        priors_store=priors_store,
        workshop=Workshop(
            store=store,
            inspector=Inspector(reports=reports, priors=priors_store, settings=judging),
        ),
        clock=clock,
        schedule=settings.schedule(terms),
        charges=charges or NoCharges(),
        rounds=feeds.rounds,
        priors=feeds.priors,
        draw_name=lambda: draw_round_name(clock.now_s()),
    )
    aggregation = AggregationServicer(
        conductor=conductor,
        store=store,
        reports=reports,
        newest=feeds.rounds,
        terms=terms,
        credentials=credentials,
        clock=clock,
        limits=ServiceLimits(
            uploads_max=settings.rounds.uploads_max,
            answer_bytes_max=settings.rounds.answer_bytes_max,
            transfer_timeout_s=settings.rounds.transfer_timeout_s,
        ),
        admit=admit,
    )
    priors = PriorsServicer(store=priors_store, newest=feeds.priors)
    return Core(conductor, feeds, aggregation, priors)


def draw_round_name(now_s: float) -> RoundName:
    """Return a name that no round ever had, with its time in front for people.

    Members answer once per name, for ever, so that it may not come again even where
    the coordinator's store was lost.
    """
    time = datetime.fromtimestamp(now_s, tz=UTC).strftime("%Y%m%dt%H%M%S")
    return RoundName(resource_name("rounds", f"{time}-{secrets.token_hex(8)}"))
