"""The coordinator's composition root: constructs everything and starts nothing."""

import secrets
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime

from coordinator.config import CoordinatorSettings
from coordinator.newest import Newest
from coordinator.priors.service import PriorsServicer
from coordinator.priors.store import PriorsStore
from coordinator.rounds.conductor import Conductor, Schedule
from coordinator.rounds.round import Round, RoundName
from coordinator.rounds.service import AggregationServicer, ServiceLimits
from coordinator.rounds.store import RoundStore
from coordinator.rounds.terms import Terms, refuse_unsound
from coordinator.rounds.work import Workshop
from federated_router.api.v1 import aggregation_pb2, ops_pb2, priors_pb2
from federated_router.federation.credentials import Credentials
from federated_router.kit.clock import Clock, SystemClock
from federated_router.kit.config import ConfigurationError
from federated_router.kit.daemon import Daemon, own_identity
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
    core = assemble(
        settings,
        terms=terms,
        credentials=credentials,
        database=database,
        clock=clock or SystemClock(),
    )
    return Daemon(
        identity=identity,
        settings=settings,
        bound=_bound(settings, identity, core),
        resources=[_closing(database), _resumed(core.conductor)],
        background={"rounds": core.conductor.run},
        leave=core.feeds.close,
    )


def assemble(
    settings: CoordinatorSettings,
    *,
    terms: Terms,
    credentials: Credentials,
    database: Database,
    clock: Clock,
) -> Core:
    """Return the coordinator around an open database."""
    limits = settings.watch.limits()
    feeds = Feeds(Newest(limits, clock), Newest(limits, clock))
    store, priors_store = RoundStore(database), PriorsStore(database)
    conductor = Conductor(
        store=store,
        priors_store=priors_store,
        workshop=Workshop(store=store),
        clock=clock,
        schedule=Schedule(settings.rounds.interval_s, terms),
        rounds=feeds.rounds,
        priors=feeds.priors,
        draw_name=lambda: draw_round_name(clock.now_s()),
    )
    aggregation = AggregationServicer(
        conductor=conductor,
        store=store,
        newest=feeds.rounds,
        terms=terms,
        credentials=credentials,
        clock=clock,
        limits=ServiceLimits(uploads_max=settings.rounds.uploads_max),
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


def _bound(
    settings: CoordinatorSettings, identity: Identity, core: Core
) -> BoundServer:
    health = Health([_AGGREGATION.full_name, _PRIORS.full_name, _OPS.full_name])
    ops = OpsServicer(
        identity=identity,
        settings=settings,
        health=health,
        on_drain=core.feeds.close,
        on_resume=core.feeds.reopen,
    )
    return build_server(
        settings=settings.server,
        tls=settings.tls,
        trust_domain=identity.trust_domain,
        bindings=[
            ServiceBinding(_AGGREGATION, core.aggregation),
            ServiceBinding(_PRIORS, core.priors),
            ServiceBinding(_OPS, ops),
        ],
        health_state=health,
    )


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
