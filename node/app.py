"""Constructs a node from its configuration, and starts nothing."""

import asyncio
from collections.abc import AsyncIterator, Iterable, Mapping
from contextlib import asynccontextmanager

from federated_router.api.v1 import (
    decoding_pb2,
    engine_pb2,
    inference_pb2,
    registry_pb2,
)
from federated_router.federation.holdout import Holdout
from federated_router.federation.statistics import Statistics
from federated_router.federation.wiring import membership_limb
from federated_router.kit.clock import Clock, SystemClock
from federated_router.kit.daemon import Daemon, own_identity
from federated_router.kit.grpc_client import Channels
from federated_router.kit.grpc_server import ServiceBinding
from federated_router.kit.identity import Role
from federated_router.kit.ops import build_operated_server
from node.agent import Agent
from node.config import NodeSettings
from node.decoding_service import PrivateDecodingServicer
from node.engine_service import EngineServicer
from node.engines import served_model
from node.offers import Offers
from node.private.credit import OpenCredits
from node.served_model import ServedModel
from node.service import InferenceServicer
from node.shards.wiring import ShardLimb, shard_limb
from node.statistics.recorder import RequestRecorder
from node.statistics.tariffs import Tariffs
from node.statistics.wiring import statistics_limb

_INFERENCE = inference_pb2.DESCRIPTOR.services_by_name["InferenceService"]
_DECODING = decoding_pb2.DESCRIPTOR.services_by_name["PrivateDecodingService"]
_ENGINES = engine_pb2.DESCRIPTOR.services_by_name["EngineService"]


async def build(settings: NodeSettings, clock: Clock | None = None) -> Daemon:
    """Return a node daemon; call it inside the event loop that will run it."""
    clock = clock or SystemClock()
    identity = own_identity(settings, role=Role.NODE)
    # The address is written once the server is bound, and the offers once models run.
    registration = registry_pb2.Node(
        name=f"nodes/{identity.id}",
        region=settings.region,
        weight=settings.registration.weight,
    )
    channels = Channels(settings.tls, trust_domain=identity.trust_domain)
    models = {
        f"models/{one.name}": served_model(
            one, settings, channels=channels, clock=clock
        )
        for one in settings.models
    }
    shards = shard_limb(settings, registration=registration, clock=clock)
    holdout = Holdout()
    statistics = settings.statistics.statistics(
        recovering=settings.federation is not None, holdout=holdout
    )
    counting = statistics_limb(settings, statistics, clock=clock)
    agent = _agent(settings, channels, registration, models, statistics)
    offers = _offers(settings, models, agent, counting.tariffs)
    open_credits = OpenCredits()
    bound = build_operated_server(
        settings,
        identity,
        [
            _inference(
                settings, registration.name, models, counting.recorder, open_credits
            ),
            ServiceBinding(_DECODING, PrivateDecodingServicer(open_credits)),
            ServiceBinding(_ENGINES, EngineServicer(models, shards.shards)),
            *shards.bindings,
        ],
        statistics=counting.own,
        on_drain=lambda: _drain(agent, shards),
        on_resume=lambda: _resume(agent, shards),
    )
    registration.address = settings.registration.advertised_address or bound.address
    limb = await membership_limb(
        settings.federation,
        identity=identity,
        tls=settings.tls,
        statistics=statistics,
        clock=clock,
        receive=lambda priors: asyncio.to_thread(holdout.receive, priors),
        revocations=bound.revocations,
    )
    return Daemon(
        identity=identity,
        settings=settings,
        bound=bound,
        resources=[
            *counting.resources,
            *shards.resources,
            _running(offers),
            _closing(agent),
            *limb.resources,
        ],
        background={
            "lease": agent.run,
            "offers": offers.watch,
            **counting.background,
            **limb.background,
        },
        leave=lambda: _leave(agent, shards, open_credits),
    )


async def _drain(agent: Agent, shards: ShardLimb) -> None:
    """End the lease, and the streams of pipelines that send nothing."""
    await agent.leave()
    await shards.drain()


async def _resume(agent: Agent, shards: ShardLimb) -> None:
    """Take work again."""
    await shards.resume()
    await agent.rejoin()


async def _leave(agent: Agent, shards: ShardLimb, open_credits: OpenCredits) -> None:
    """Drain, then let private answers end: a stopped server hears no grant."""
    await _drain(agent, shards)
    await open_credits.ended()


def _agent(
    settings: NodeSettings,
    channels: Channels,
    registration: registry_pb2.Node,
    models: Mapping[str, ServedModel],
    statistics: Statistics,
) -> Agent:
    return Agent(
        channel=channels.renewing(
            settings.registration.router_address, role=Role.ROUTER
        ),
        settings=settings.registration,
        node=registration,
        load=lambda: _load(models.values()),
        on_registered=statistics.announce_users,
    )


def _offers(
    settings: NodeSettings,
    models: Mapping[str, ServedModel],
    agent: Agent,
    tariffs: Tariffs,
) -> Offers:
    return Offers(
        models.values(),
        tiers={f"models/{one.name}": one.tier for one in settings.models},
        announce=agent.announce,
        probe_interval_s=settings.registration.probe_interval_s,
        tariff_of=tariffs.of,
        tariff_interval_s=settings.registration.tariff_interval_s,
        tariff_move_min=settings.registration.tariff_move_min,
    )


def _inference(
    settings: NodeSettings,
    name: str,
    models: Mapping[str, ServedModel],
    recorder: RequestRecorder,
    open_credits: OpenCredits,
) -> ServiceBinding:
    servicer = InferenceServicer(
        node=name,
        models=models,
        recorder=recorder,
        defaults=settings.sampling,
        stream_window_s=settings.stream_window_s,
        request_timeout_max_s=settings.request_timeout_max_s,
        open_credits=open_credits,
        grant_wait_s=settings.grant_wait_s,
    )
    return ServiceBinding(_INFERENCE, servicer)


@asynccontextmanager
async def _running(offers: Offers) -> AsyncIterator[None]:
    """Start every engine and announce what is ready; stop them at the end."""
    try:
        await offers.start()
        yield
    finally:
        await offers.stop()


@asynccontextmanager
async def _closing(agent: Agent) -> AsyncIterator[None]:
    try:
        yield
    finally:
        await agent.close()


def _load(models: Iterable[ServedModel]) -> registry_pb2.NodeLoad:
    loads = [served.chat.load() for served in models]
    return registry_pb2.NodeLoad(
        requests_running=sum(load.running for load in loads),
        requests_waiting=sum(load.waiting for load in loads),
    )
