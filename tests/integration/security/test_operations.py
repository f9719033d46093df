"""Health, reflection and what operators do to a running daemon."""

import json

import grpc
import pytest
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection_pb2, reflection_pb2_grpc

from federated_router.api.v1 import inference_pb2 as pb
from federated_router.api.v1 import ops_pb2
from federated_router.kit import errors, log
from federated_router.kit.grpc_client import translated_errors
from federated_router.kit.identity import Role
from tests.support.fix_router import RouterSetting, generation
from tests.support.raw_calls import call, method
from tests.support.scripted_node import MODEL

pytestmark = pytest.mark.asyncio(loop_scope="module")
SERVING = health_pb2.HealthCheckResponse.SERVING
NOT_SERVING = health_pb2.HealthCheckResponse.NOT_SERVING
PACKAGE = "federated_router.api.v1"
SERVICES = [
    f"{PACKAGE}.{name}"
    for name in (
        "InferenceService",
        "RoutingService",
        "NodeRegistryService",
        "LoadService",
        "BudgetService",
        "AuditService",
        "ReleaseService",
        "SynthesisService",
        "OpsService",
    )
]


async def health(setting: RouterSetting) -> health_pb2_grpc.HealthStub:
    """Return a client's view of health."""
    return health_pb2_grpc.HealthStub(await setting.channel(Role.CLIENT, "prober"))


async def status(setting: RouterSetting, service: str) -> int:
    """Return one service's health."""
    response = await (await health(setting)).Check(
        health_pb2.HealthCheckRequest(service=service), timeout=30
    )
    return int(response.status)


@pytest.mark.parametrize("service", ["", "liveness", "readiness", *SERVICES])
async def test_every_service_says_that_it_serves(
    guarded: RouterSetting, service: str
) -> None:
    """Orchestrators probe by name."""
    assert await status(guarded, service) == SERVING


async def test_unknown_service_is_not_found(guarded: RouterSetting) -> None:
    """A misspelt probe must fail and not look healthy."""
    with pytest.raises(grpc.aio.AioRpcError) as raised:
        await status(guarded, "federated_router.api.v1.Inference")

    assert raised.value.code() is grpc.StatusCode.NOT_FOUND


async def test_watcher_hears_of_a_drain_and_of_its_end(guarded: RouterSetting) -> None:
    """Load balancers watch instead of asking again."""
    ops = await guarded.ops()
    watch = (await health(guarded)).Watch(
        health_pb2.HealthCheckRequest(service=SERVICES[0]), timeout=30
    )
    heard = [(await watch.read()).status]

    await ops.Drain(ops_pb2.DrainRequest(), timeout=30)
    heard.append((await watch.read()).status)
    await ops.Resume(ops_pb2.ResumeRequest(), timeout=30)
    heard.append((await watch.read()).status)

    watch.cancel()
    assert heard == [SERVING, NOT_SERVING, SERVING]


async def test_draining_daemon_takes_no_new_work_until_resumed(
    guarded: RouterSetting,
) -> None:
    """It refuses with a reason and lives on, and operators still reach it."""
    await guarded.node("steady")
    ops, stub = await guarded.ops(), await guarded.inference()
    request = pb.CompleteRequest(generation=generation())

    response = await ops.Drain(ops_pb2.DrainRequest(), timeout=30)
    with pytest.raises(errors.Draining) as refused:
        async with translated_errors():
            await stub.Complete(request, timeout=30)
    seen = [await status(guarded, name) for name in ("", "readiness", "liveness")]
    listed = await stub.ListModels(pb.ListModelsRequest(), timeout=30)
    resumed = await ops.Resume(ops_pb2.ResumeRequest(), timeout=30)

    assert response.state == ops_pb2.DAEMON_STATE_DRAINING
    assert refused.value.retry_after_s is not None
    assert seen == [NOT_SERVING, NOT_SERVING, SERVING]
    assert [model.name for model in listed.models] == [MODEL]
    assert resumed.state == ops_pb2.DAEMON_STATE_SERVING
    assert (await stub.Complete(request, timeout=30)).text == "ab"


async def test_answer_that_runs_ends_in_peace_during_a_drain(
    guarded: RouterSetting,
) -> None:
    """Drain refuses the next request, not this one."""
    node = await guarded.node("peaceful")
    ops, stub = await guarded.ops(), await guarded.inference()

    request = pb.GenerateRequest(generation=generation())
    events = aiter(stub.Generate(request, timeout=30))
    first = await anext(events)
    await ops.Drain(ops_pb2.DrainRequest(), timeout=30)
    rest = [event.WhichOneof("event") async for event in events]
    await ops.Resume(ops_pb2.ResumeRequest(), timeout=30)

    assert (first.WhichOneof("event"), rest[-1]) == ("started", "finished")
    assert len(node.requests) == 1


async def reflect(
    setting: RouterSetting, request: reflection_pb2.ServerReflectionRequest
) -> reflection_pb2.ServerReflectionResponse:
    """Ask one question by reflection."""
    stub = reflection_pb2_grpc.ServerReflectionStub(
        await setting.channel(Role.CLIENT, "prober")
    )
    stream = stub.ServerReflectionInfo(timeout=30)
    await stream.write(request)
    response = await stream.read()
    stream.cancel()
    return response


async def test_reflection_lists_every_service(guarded: RouterSetting) -> None:
    """A command line client needs no protos to begin with."""
    response = await reflect(
        guarded, reflection_pb2.ServerReflectionRequest(list_services="")
    )

    names = {one.name for one in response.list_services_response.service}
    assert names == {
        *SERVICES,
        "grpc.health.v1.Health",
        "grpc.reflection.v1alpha.ServerReflection",
    }


@pytest.mark.parametrize("symbol", [*SERVICES, f"{PACKAGE}.Generation"])
async def test_reflection_describes_every_contract(
    guarded: RouterSetting, symbol: str
) -> None:
    """The file that holds a symbol is there, so that a call can be written."""
    request = reflection_pb2.ServerReflectionRequest(file_containing_symbol=symbol)

    response = await reflect(guarded, request)

    assert response.file_descriptor_response.file_descriptor_proto


async def test_status_shows_the_configuration_and_no_secret(
    guarded: RouterSetting,
) -> None:
    """Operators see what is in force; secrets appear as their paths."""
    response = await (await guarded.ops()).GetStatus(
        ops_pb2.GetStatusRequest(), timeout=30
    )

    shown = json.loads(response.configuration_json)
    with open(shown["tls"]["private_key"], encoding="utf-8") as file:  # noqa: ASYNC230, PTH123 - a small file.
        key = file.read()
    secrets = [line for line in key.splitlines() if "-----" not in line]
    assert (response.role, response.id) == ("router", "r1")
    assert response.state == ops_pb2.DAEMON_STATE_SERVING
    assert response.resident_memory_bytes > 1 << 20
    assert shown["server"]["calls_max"] == 1024
    assert secrets
    assert not [one for one in secrets if one in response.configuration_json]


@pytest.mark.parametrize(
    ("level", "name"),
    [
        (ops_pb2.LOG_LEVEL_WARNING, "warning"),
        (ops_pb2.LOG_LEVEL_DEBUG, "debug"),
        (ops_pb2.LOG_LEVEL_ERROR, "error"),
    ],
)
async def test_log_level_changes_while_running(
    guarded: RouterSetting, level: "ops_pb2.LogLevel", name: str
) -> None:
    """The next line already obeys."""
    before = log.get_level()
    ops = await guarded.ops()

    response = await ops.SetLogLevel(
        ops_pb2.SetLogLevelRequest(level=level), timeout=30
    )
    seen = log.get_level()
    log.set_level(before)

    assert (response.level, seen) == (level, name)


async def test_log_level_that_does_not_exist_is_refused(guarded: RouterSetting) -> None:
    """Silence about a mistake would look like success."""
    before = log.get_level()
    channel = await guarded.channel(Role.OPERATOR, "op")
    request = ops_pb2.SetLogLevelRequest(level=99)  # type: ignore[arg-type]

    answer = await call(channel, method("OpsService", "SetLogLevel"), request)

    assert answer.reason == "FIELD_INVALID"
    assert log.get_level() == before


async def test_plain_statistics_are_for_named_operators_only(
    guarded: RouterSetting,
) -> None:
    """Another organisation's operator has the role too, and must not see them."""
    channel = await guarded.channel(Role.OPERATOR, "other")

    answer = await call(channel, method("OpsService", "GetStats"))

    assert answer.reason == "ROLE_NOT_ALLOWED"


async def test_router_keeps_statistics_of_its_own(guarded: RouterSetting) -> None:
    """Whoever may see them also sees over which bounds they were counted."""
    response = await (await guarded.ops()).GetStats(
        ops_pb2.GetStatsRequest(), timeout=30
    )

    assert list(response.latency_bounds_ms) == sorted(response.latency_bounds_ms)
    assert len(response.latency_bounds_ms) > 10
