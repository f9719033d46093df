"""The coordinator's composition root: constructs everything and starts nothing."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from coordinator.charging import price
from coordinator.charging.cohort_failures import CohortFailures
from coordinator.charging.wiring import ChargingLimb, charging_limb
from coordinator.config import CoordinatorSettings
from coordinator.core import Core, assemble
from coordinator.members.offences import counted_by
from coordinator.members.wiring import MembersLimb, members_limb
from coordinator.memory import give_back_large_blocks
from coordinator.robust.store import OffenderStore
from coordinator.rounds.conductor import Conductor
from coordinator.rounds.store import RoundStore
from coordinator.rounds.terms import Terms, refuse_unsound
from federated_router.api.v1 import aggregation_pb2, members_pb2, priors_pb2
from federated_router.federation.credentials import Credentials
from federated_router.kit.clock import Clock, SystemClock
from federated_router.kit.config import ConfigurationError
from federated_router.kit.daemon import Background, Daemon, own_identity
from federated_router.kit.database import Database
from federated_router.kit.errors import FederationError, FieldInvalid
from federated_router.kit.grpc_server import BoundServer, ServiceBinding
from federated_router.kit.identity import Identity, Role
from federated_router.kit.ops import build_operated_server
from federated_router.privacy.measure import ZCDP

MIGRATIONS = "coordinator.migrations"
_AGGREGATION = aggregation_pb2.DESCRIPTOR.services_by_name["AggregationService"]
_PRIORS = priors_pb2.DESCRIPTOR.services_by_name["PriorsService"]
_MEMBERS = members_pb2.DESCRIPTOR.services_by_name["MembersService"]


async def build(settings: CoordinatorSettings, clock: Clock | None = None) -> Daemon:
    """Return the daemon, its database open and its port bound."""
    give_back_large_blocks()
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
    limb = await _charging(settings, terms, clock)
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


def _terms(settings: CoordinatorSettings) -> Terms:
    """Return the configured terms; refuse at the start what no round could keep."""
    try:
        terms = settings.terms()
        refuse_unsound(terms)
    except FederationError as error:
        raise ConfigurationError(f"rounds, catalogue: {error.message}") from error
    return terms


async def _charging(
    settings: CoordinatorSettings, terms: Terms, clock: Clock
) -> ChargingLimb:
    """Return the account that rounds charge; a daemon has one, or does not start."""
    account = settings.rounds.budget
    if account is None:
        raise ConfigurationError(
            "rounds.budget: say which epsilon all rounds of a window may cost together"
        )
    failures = CohortFailures(
        probability=settings.cohorts().failure_probability,
        round_units=price.least_price(terms, ZCDP).units,
    )
    try:
        return await charging_limb(
            settings.budget, account, clock=clock, failures=failures
        )
    except FieldInvalid as error:
        raise ConfigurationError(f"rounds.budget: {error.message}") from error


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
    return build_operated_server(
        settings,
        identity,
        bindings,
        on_drain=_each(core.feeds.close, members.close),
        on_resume=_each(core.feeds.reopen, members.reopen),
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
