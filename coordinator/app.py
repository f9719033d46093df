"""The coordinator's composition root: constructs everything and starts nothing."""

import secrets
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime

from coordinator.charging.port import Charges, NoCharges
from coordinator.charging.wiring import ChargingLimb, charging_limb
from coordinator.config import CoordinatorSettings
from coordinator.members.gate import Admit, admit_everybody
from coordinator.members.offences import counted_by
from coordinator.members.wiring import MembersLimb, members_limb
from coordinator.newest import Newest
from coordinator.priors.service import PriorsServicer
from coordinator.priors.store import PriorsStore
from coordinator.robust.store import OffenderStore
from coordinator.rounds import events
from coordinator.rounds.conductor import Conductor
from coordinator.rounds.round import Round, RoundName
from coordinator.rounds.service import AggregationServicer, ServiceLimits
from coordinator.rounds.store import RoundStore
from coordinator.rounds.terms import Terms, refuse_unsound
from coordinator.rounds.work import Workshop
from coordinator.validation.inspection import Inspector
from coordinator.validation.judgement import JudgeSettings
from coordinator.validation.store import ReportStore
from federated_router.api.v1 import aggregation_pb2, members_pb2, ops_pb2, priors_pb2
from federated_router.crypto.transcript import MemberName
from federated_router.federation.credentials import Credentials
from federated_router.kit.clock import Clock, SystemClock
from federated_router.kit.config import ConfigurationError
from federated_router.kit.daemon import Background, Daemon, own_identity
from federated_router.kit.database import Database
from federated_router.kit.errors import FederationError
from federated_router.kit.grpc_server import (
    BoundServer,
    Health,
    ServiceBinding,
    build_server,
)
from federated_router.kit.identity import Identity, Role
from federated_router.kit.names import resource_name
from federated_router.kit.ops import OpsServicer
from federated_router.priors.publication import Priors

MIGRATIONS = "coordinator.migrations"
_AGGREGATION = aggregation_pb2.DESCRIPTOR.services_by_name["AggregationService"]
_PRIORS = priors_pb2.DESCRIPTOR.services_by_name["PriorsService"]
_MEMBERS = members_pb2.DESCRIPTOR.services_by_name["MembersService"]
_OPS = ops_pb2.DESCRIPTOR.services_by_name["OpsService"]


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


async def build(settings: CoordinatorSettings, clock: Clock | None = None) -> Daemon:
    """Return the daemon, its database open and its port bound."""
    identity = own_identity(settings)
    if identity.role is not Role.COORDINATOR:
        raise ConfigurationError("tls.certificate: expected one of a coordinator")
    terms = _terms(settings)
    credentials = Credentials.load(
        certificate=settings.tls.certificate,
        private_key=settings.tls.private_key,
        authority=settings.tls.authority,
    )
    database = await Database.open(
        settings.store.url, migrations=MIGRATIONS, timeout_s=settings.store.timeout_s
    )
    clock = clock or SystemClock()
    limb = await _charging(settings, clock)
    members = await members_limb(
        settings.members,
        database=database,
        trust=credentials.trust,
        watch=settings.watch.limits(),
        clock=clock,
        expel=lambda member: core.expel(member),  # noqa: PLW0108 - made below.
        offences=counted_by(OffenderStore(database)),
    )
    core = assemble(
        settings,
        terms=terms,
        credentials=credentials,
        database=database,
        clock=clock,
        charges=limb.charges(RoundStore(database).load),
        admit=members.gate.admit,
    )
    return Daemon(
        identity=identity,
        settings=settings,
        bound=_bound(settings, identity, core, limb, members),
        resources=[_closing(database), limb.opened(), _resumed(core.conductor)],
        background={
            "rounds": core.conductor.run,
            **limb.background,
            **members.background,
        },
        leave=_each(core.feeds.close, members.close),
    )


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
            downloads_max=settings.rounds.downloads_max,
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


def _terms(settings: CoordinatorSettings) -> Terms:
    """Return the configured terms; refuse at the start what no round could keep."""
    try:
        terms = settings.terms()
        refuse_unsound(terms)
    except FederationError as error:
        raise ConfigurationError(f"rounds, catalogue: {error.message}") from error
    return terms


async def _charging(settings: CoordinatorSettings, clock: Clock) -> ChargingLimb:
    """Return the account that rounds charge; a daemon has one, or does not start."""
    account = settings.rounds.budget
    if account is None:
        raise ConfigurationError(
            "rounds.budget: say which epsilon all rounds of a window may cost together"
        )
    return await charging_limb(settings.budget, account, clock=clock)


def _bound(
    settings: CoordinatorSettings,
    identity: Identity,
    core: Core,
    limb: ChargingLimb,
    members: MembersLimb,
) -> BoundServer:
    bindings = [
        ServiceBinding(_AGGREGATION, core.aggregation),
        ServiceBinding(_PRIORS, core.priors),
        ServiceBinding(_MEMBERS, members.servicer),
        *limb.bindings(page_bytes_max=settings.server.message_bytes_max // 2),
    ]
    names = [binding.descriptor.full_name for binding in bindings]
    health = Health([*names, _OPS.full_name])
    ops = OpsServicer(
        identity=identity,
        settings=settings,
        health=health,
        on_drain=_each(core.feeds.close, members.close),
        on_resume=_each(core.feeds.reopen, members.reopen),
    )
    return build_server(
        settings=settings.server,
        tls=settings.tls,
        trust_domain=identity.trust_domain,
        bindings=[*bindings, ServiceBinding(_OPS, ops)],
        health_state=health,
        revocations=members.revocations,
        gate=members.calls,
    )


def _each(*works: Background) -> Background:
    """Return work that does each of these in turn."""

    async def work() -> None:
        for one in works:
            await one()

    return work


@asynccontextmanager
async def _closing(database: Database) -> AsyncIterator[Database]:
    try:
        yield database
    finally:
        await database.close()


@asynccontextmanager
async def _resumed(conductor: Conductor) -> AsyncIterator[Conductor]:
    await conductor.resume()
    yield conductor
