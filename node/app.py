"""Constructs a node from its configuration, and starts nothing."""

import asyncio
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager

from federated_router.api.v1 import inference_pb2, ops_pb2, registry_pb2
from federated_router.federation.holdout import Holdout
from federated_router.federation.own_statistics import own_statistics
from federated_router.federation.statistics import Statistics
from federated_router.federation.wiring import membership_limb
from federated_router.kit.clock import Clock, SystemClock
from federated_router.kit.daemon import Background, Daemon, own_identity
from federated_router.kit.grpc_client import Channels
from federated_router.kit.grpc_server import Health, ServiceBinding, build_server
from federated_router.kit.identity import Role
from federated_router.kit.ops import OpsServicer
from node.agent import Agent
from node.config import ModelSettings, NodeSettings
from node.engine.device_map import ModelSource
from node.engine.limits import EngineLimits
from node.engine.transformers_engine import TransformersEngine, TransformersSettings
from node.served_model import ServedModel
from node.service import InferenceServicer, private_support
from node.statistics.costs import ModelCosts
from node.statistics.modes import LatencyModes
from node.statistics.recorder import RequestRecorder

Resource = AbstractAsyncContextManager[object]


async def build(settings: NodeSettings, clock: Clock | None = None) -> Daemon:
    """Return a node daemon; call it inside the event loop that will run it."""
    clock = clock or SystemClock()
    identity = own_identity(settings, role=Role.NODE)
    name = f"nodes/{identity.id}"
    models = {f"models/{one.name}": _served(one, settings) for one in settings.models}
    holdout = Holdout()
    statistics = settings.statistics.statistics(
        recovering=settings.federation is not None, holdout=holdout
    )
    modes = LatencyModes(samples_max=settings.statistics.latency_samples_max)
    inference = ServiceBinding(
        inference_pb2.DESCRIPTOR.services_by_name["InferenceService"],
        InferenceServicer(
            node=name,
            models=models,
            recorder=_recorder(settings, statistics, modes, clock),
            defaults=settings.sampling,
            stream_window_s=settings.stream_window_s,
            request_timeout_max_s=settings.request_timeout_max_s,
        ),
    )
    ops_service = ops_pb2.DESCRIPTOR.services_by_name["OpsService"]
    health = Health([inference.descriptor.full_name, ops_service.full_name])
    # The node's address is known once its server is bound, and the agent needs it.
    registration = registry_pb2.Node(name=name, region=settings.region)
    channels = Channels(settings.tls, trust_domain=identity.trust_domain)
    agent = Agent(
        channel=channels.renewing(
            settings.registration.router_address, role=Role.ROUTER
        ),
        settings=settings.registration,
        node=registration,
        load=lambda: _load(list(models.values())),
        on_registered=statistics.announce_users,
    )
    ops = ServiceBinding(
        ops_service,
        OpsServicer(
            identity=identity,
            settings=settings,
            health=health,
            statistics=own_statistics(statistics, shapes=modes.shapes),
            on_drain=agent.leave,
            on_resume=agent.rejoin,
        ),
    )
    bound = build_server(
        settings=settings.server,
        tls=settings.tls,
        trust_domain=identity.trust_domain,
        bindings=[inference, ops],
        health_state=health,
    )
    registration.address = settings.registration.advertised_address or bound.address
    background: dict[str, Background] = {"lease": agent.run}
    tiers = {f"models/{one.name}": one.tier for one in settings.models}
    resources: list[Resource] = [
        _running(models, registration, tiers),
        _closing(agent),
    ]
    limb = await membership_limb(
        settings.federation,
        identity=identity,
        tls=settings.tls,
        statistics=statistics,
        clock=clock,
        receive=lambda priors: asyncio.to_thread(holdout.receive, priors),
        revocations=bound.revocations,
    )
    background |= limb.background
    resources += limb.resources
    return Daemon(
        identity=identity,
        settings=settings,
        bound=bound,
        resources=resources,
        background=background,
        leave=agent.leave,
    )


def _recorder(
    settings: NodeSettings, statistics: Statistics, modes: LatencyModes, clock: Clock
) -> RequestRecorder:
    return RequestRecorder(
        region=settings.region,
        statistics=statistics,
        clock=clock,
        costs={
            f"models/{one.name}": ModelCosts(one.tier, one.token_price, one.power_w)
            for one in settings.models
        },
        carbon_g_per_kwh=settings.statistics.carbon_g_per_kwh,
        modes=modes,
    )


def _served(model: ModelSettings, settings: NodeSettings) -> ServedModel:
    source = ModelSource(
        directory=model.path,
        memory_max=model.device_memory,
        offload_directory=model.offload_directory,
    )
    limits = EngineLimits(
        slots=model.slots,
        private_slots=model.private_slots,
        waiting_max=model.waiting_max,
    )
    return ServedModel(
        name=f"models/{model.name}",
        engine=TransformersEngine(
            TransformersSettings(source=source, limits=limits, threads=model.threads)
        ),
        slots=model.slots,
        record_template=model.record_template,
        policies=[one.policy() for one in settings.policies],
    )


@asynccontextmanager
async def _running(
    models: Mapping[str, ServedModel],
    registration: registry_pb2.Node,
    tiers: Mapping[str, str],
) -> AsyncIterator[None]:
    """Start every engine and write what is offered; stop them at the end."""
    try:
        for served in models.values():
            await served.start()
            registration.models.append(_offer(served, tier=tiers[served.name]))
        yield
    finally:
        await asyncio.gather(*(served.engine.stop() for served in models.values()))


@asynccontextmanager
async def _closing(agent: Agent) -> AsyncIterator[None]:
    try:
        yield
    finally:
        await agent.close()


def _offer(served: ServedModel, *, tier: str) -> registry_pb2.ModelOffer:
    return registry_pb2.ModelOffer(
        model=served.name,
        context_tokens_max=served.engine.context_tokens_max,
        private_support=private_support(served),
        slots=served.slots,
        tier=tier,
    )


def _load(models: Sequence[ServedModel]) -> registry_pb2.NodeLoad:
    loads = [served.engine.load() for served in models]
    return registry_pb2.NodeLoad(
        requests_running=sum(load.running for load in loads),
        requests_waiting=sum(load.waiting for load in loads),
    )
