"""Public requests through a real router over mTLS, to nodes that tests script."""

import asyncio

import grpc
import pytest

from federated_router.api.v1 import inference_pb2 as pb
from federated_router.api.v1 import registry_pb2, routing_pb2
from federated_router.kit import errors
from federated_router.kit.grpc_client import translated_errors
from federated_router.kit.identity import Role
from tests.support.fix_router import RouterSetting, changed, generation
from tests.support.running import eventually
from tests.support.scripted_node import Events, chunk, finished, started

DEADLINES_S = (0.4, 2.0, 10.0)
"""On a busy machine a call may miss the first one before it reaches the node."""


async def collect(call: object) -> list[pb.GenerateResponse]:
    """Return every event of a stream, errors translated."""
    async with translated_errors():
        return [event async for event in call]  # type: ignore[attr-defined]


def kinds(events: list[pb.GenerateResponse]) -> list[str | None]:
    """Return the kind of each event."""
    return [event.WhichOneof("event") for event in events]


async def test_answer_is_relayed_in_order(router: RouterSetting) -> None:
    """The router is a proxy of its own contract: what a node says, a client hears."""
    await router.node("n1")
    stub = await router.inference()

    events = await collect(
        stub.Generate(pb.GenerateRequest(generation=generation()), timeout=30)
    )

    assert kinds(events) == ["started", "chunk", "chunk", "finished"]
    assert events[0].started.node == "nodes/n1"


async def test_lost_node_before_first_chunk_is_replaced(router: RouterSetting) -> None:
    """Nothing has left the router, so the client never learns of the first node."""
    first, second = await router.node("n1"), await router.node("n2")

    async def die(_: pb.Generation, context: grpc.aio.ServicerContext) -> Events:
        yield started("nodes/n1")
        await context.abort(grpc.StatusCode.UNAVAILABLE, "connection reset")

    first.script = die
    stub = await router.inference()

    events = await collect(
        stub.Generate(pb.GenerateRequest(generation=generation()), timeout=30)
    )

    assert kinds(events) == ["started", "chunk", "chunk", "finished"]
    assert events[0].started.node == "nodes/n2"
    assert (len(first.requests), len(second.requests)) == (1, 1)


async def test_lost_node_after_first_chunk_is_the_callers_to_hear(
    router: RouterSetting,
) -> None:
    """Where its text has no tokens nobody can go on, and a retry could repeat it."""
    first, second = await router.node("n1"), await router.node("n2")

    async def die(_: pb.Generation, context: grpc.aio.ServicerContext) -> Events:
        yield started("nodes/n1")
        yield pb.GenerateResponse(chunk=pb.Chunk(text="a"))
        await context.abort(grpc.StatusCode.UNAVAILABLE, "connection reset")

    first.script = die
    stub = await router.inference()

    with pytest.raises(errors.NodeLost):
        await collect(
            stub.Generate(pb.GenerateRequest(generation=generation()), timeout=30)
        )
    assert not second.requests


async def test_full_node_is_passed_over(router: RouterSetting) -> None:
    """A full queue is a reason to try elsewhere, not an answer."""
    first, _ = await router.node("n1"), await router.node("n2")

    async def refuse(_: pb.Generation, __: grpc.aio.ServicerContext) -> Events:
        raise errors.QueueFull("full", retry_after_s=1.0)
        yield started()

    first.script = refuse
    stub = await router.inference()

    response = await stub.Complete(
        pb.CompleteRequest(generation=generation()), timeout=30
    )

    assert response.started.node == "nodes/n2"
    assert response.text == "ab"


async def test_every_node_full_is_said_with_time_to_wait(router: RouterSetting) -> None:
    """The last reason is the honest one, and it says when to come back."""
    node = await router.node("n1")

    async def refuse(_: pb.Generation, __: grpc.aio.ServicerContext) -> Events:
        raise errors.QueueFull("full", retry_after_s=1.5)
        yield started()

    node.script = refuse
    stub = await router.inference()

    with pytest.raises(errors.QueueFull) as raised:
        async with translated_errors():
            await stub.Complete(pb.CompleteRequest(generation=generation()), timeout=30)

    assert raised.value.retry_after_s == pytest.approx(1.5)


async def test_attempts_are_limited(router: RouterSetting) -> None:
    """Three attempts by default, however many nodes there are."""

    async def refuse(_: pb.Generation, __: grpc.aio.ServicerContext) -> Events:
        raise errors.QueueFull("full", retry_after_s=0.1)
        yield started()

    nodes = [await router.node(f"n{number}") for number in range(5)]
    for node in nodes:
        node.script = refuse
    stub = await router.inference()

    with pytest.raises(errors.QueueFull):
        async with translated_errors():
            await stub.Complete(pb.CompleteRequest(generation=generation()), timeout=30)

    assert sum(len(node.requests) for node in nodes) == 3


async def test_callers_mistake_is_not_retried(router: RouterSetting) -> None:
    """The same request would be as wrong at any other node."""
    first, second = await router.node("n1"), await router.node("n2")

    async def refuse(_: pb.Generation, __: grpc.aio.ServicerContext) -> Events:
        raise errors.PromptTooLong("too long", field="prompt")
        yield started()

    first.script = refuse
    stub = await router.inference()

    with pytest.raises(errors.PromptTooLong):
        await collect(
            stub.Generate(pb.GenerateRequest(generation=generation()), timeout=30)
        )
    assert not second.requests


async def test_cancellation_reaches_the_node(router: RouterSetting) -> None:
    """A caller that left must not keep a node busy."""
    node = await router.node("n1")

    async def endless(_: pb.Generation, __: grpc.aio.ServicerContext) -> Events:
        yield started()
        while True:
            yield chunk()
            await asyncio.sleep(0.01)

    node.script = endless
    stub = await router.inference()
    call = stub.Generate(pb.GenerateRequest(generation=generation()), timeout=30)
    await call.read()
    await call.read()
    before = node.cancelled

    call.cancel()

    await eventually(lambda: node.cancelled > 0)
    assert (before, node.cancelled) == (0, 1)
    assert len(node.requests) == 1


async def test_deadline_holds_on_both_hops(router: RouterSetting) -> None:
    """The node must see the caller's deadline, not the router's own."""
    node = await router.node("n1")
    allowed_s: list[float] = []

    async def slow(_: pb.Generation, context: grpc.aio.ServicerContext) -> Events:
        allowed_s.append(context.time_remaining())
        yield started()
        await asyncio.sleep(30)

    node.script = slow
    stub = await router.inference()

    for within_s in DEADLINES_S:
        request = pb.GenerateRequest(generation=generation())
        with pytest.raises(errors.DeadlineExceeded):
            await collect(stub.Generate(request, timeout=within_s))
        if allowed_s:
            break

    assert 0 < allowed_s[0] <= within_s
    await eventually(lambda: node.cancelled == 1)


async def test_router_imposes_a_deadline_where_the_caller_has_none(
    router: RouterSetting,
) -> None:
    """Every await has a deadline."""
    node = await router.node("n1")
    allowed_s: list[float] = []

    async def look(_: pb.Generation, context: grpc.aio.ServicerContext) -> Events:
        allowed_s.append(context.time_remaining())
        yield started()
        yield finished()

    node.script = look
    stub = await router.inference()

    await collect(stub.Generate(pb.GenerateRequest(generation=generation())))

    # gRPC tells times of more than 100 s in whole seconds, rounded up.
    assert 0 < allowed_s[0] <= 121


async def test_unknown_model_is_named(router: RouterSetting) -> None:
    """The error says which model and where to look."""
    await router.node("n1")
    stub = await router.inference()

    with pytest.raises(errors.ModelUnknown) as raised:
        await collect(
            stub.Generate(
                pb.GenerateRequest(generation=generation(model="models/other")),
                timeout=30,
            )
        )

    assert raised.value.metadata == {"model": "models/other"}


async def test_router_starts_with_no_node(router: RouterSetting) -> None:
    """No node is a state to wait in, not a reason not to start."""
    stub = await router.inference()

    with pytest.raises(errors.NoNodeAvailable) as raised:
        await collect(
            stub.Generate(pb.GenerateRequest(generation=generation()), timeout=30)
        )

    assert raised.value.retry_after_s is not None


@pytest.mark.parametrize(
    ("fields", "reason", "field"),
    [
        ({"request_id": "Not Safe"}, "FIELD_INVALID", "generation.request_id"),
        ({"model": "reference"}, "FIELD_INVALID", "generation.model"),
        (
            {"messages": [pb.Message(role=pb.ROLE_USER, content="x" * 5000)]},
            "PROMPT_TOO_LONG",
            "generation.messages",
        ),
        (
            {"sampling": pb.Sampling(temperature=3.0)},
            "FIELD_INVALID",
            "generation.sampling.temperature",
        ),
        (
            {"sampling": pb.Sampling(tokens_max=0)},
            "FIELD_INVALID",
            "generation.sampling.tokens_max",
        ),
        (
            {"sampling": pb.Sampling(top_p=0.0)},
            "FIELD_INVALID",
            "generation.sampling.top_p",
        ),
        (
            {"sampling": pb.Sampling(stop=[""])},
            "FIELD_INVALID",
            "generation.sampling.stop",
        ),
        (
            {"sampling": pb.Sampling(temperature=float("nan"))},
            "FIELD_INVALID",
            "generation.sampling.temperature",
        ),
    ],
)
@pytest.mark.asyncio(loop_scope="module")
async def test_bad_input_names_its_field(
    refusing: RouterSetting, fields: dict[str, object], reason: str, field: str
) -> None:
    """One reason and the field, and no node hears of it."""
    stub = await refusing.inference()

    with pytest.raises(errors.InvalidInput) as raised:
        await collect(
            stub.Generate(pb.GenerateRequest(generation=changed(fields)), timeout=30)
        )

    assert raised.value.reason == reason
    assert raised.value.metadata["field"] == field
    assert not refusing.nodes["n1"].requests


@pytest.mark.parametrize(
    ("request_", "field"),
    [
        (pb.GenerateRequest(), "generation"),
        (pb.GenerateRequest(generation=pb.Generation()), "generation.request_id"),
        (
            pb.GenerateRequest(
                generation=pb.Generation(request_id="a", model="models/m")
            ),
            "generation.messages",
        ),
        (
            pb.GenerateRequest(
                generation=pb.Generation(
                    request_id="a",
                    model="models/m",
                    messages=[pb.Message(role=pb.ROLE_USER)],
                )
            ),
            "generation.messages[0].content",
        ),
    ],
)
@pytest.mark.asyncio(loop_scope="module")
async def test_required_fields_are_enforced_at_any_depth(
    refusing: RouterSetting, request_: pb.GenerateRequest, field: str
) -> None:
    """The contract's REQUIRED marks are the validation."""
    stub = await refusing.inference()

    with pytest.raises(errors.FieldRequired) as raised:
        await collect(stub.Generate(request_, timeout=30))

    assert raised.value.metadata["field"] == field


async def test_in_flight_is_counted_before_dispatch_and_uncounted_after(
    router: RouterSetting,
) -> None:
    """The router's own count steers, so it must be right at both ends."""
    node = await router.node("n1")
    registry = await router.registry()
    seen: list[int] = []

    async def look(_: pb.Generation, __: grpc.aio.ServicerContext) -> Events:
        response = await registry.GetNode(
            registry_pb2.GetNodeRequest(name="nodes/n1"), timeout=30
        )
        seen.append(response.node.requests_in_flight)
        yield started()
        yield finished()

    node.script = look
    stub = await router.inference()

    await collect(
        stub.Generate(pb.GenerateRequest(generation=generation()), timeout=30)
    )

    after = await registry.GetNode(
        registry_pb2.GetNodeRequest(name="nodes/n1"), timeout=30
    )
    assert (seen, after.node.requests_in_flight) == ([1], 0)


async def test_auto_takes_any_model_and_says_which(router: RouterSetting) -> None:
    """`models/auto` leaves the choice to the router; the node hears the real name."""
    node = await router.node("n1")
    stub = await router.inference()

    response = await stub.Complete(
        pb.CompleteRequest(generation=generation(model="models/auto")), timeout=30
    )

    assert response.started.model == "models/m"
    assert node.requests[0].model == "models/m"


async def test_strategy_is_switched_while_running(router: RouterSetting) -> None:
    """Round robin reaches every node in turn, without a restart."""
    nodes = [await router.node("n1"), await router.node("n2")]
    routing = await router.routing()
    await routing.SetStrategy(
        routing_pb2.SetStrategyRequest(strategy="round_robin"), timeout=30
    )
    stub = await router.inference()

    for _ in range(4):
        await stub.Complete(pb.CompleteRequest(generation=generation()), timeout=30)

    assert [len(node.requests) for node in nodes] == [2, 2]


async def test_drained_node_gets_no_new_work(router: RouterSetting) -> None:
    """An operator takes a node out without killing what runs there."""
    first, second = await router.node("n1"), await router.node("n2")
    registry = await router.registry()
    await registry.DrainNode(registry_pb2.DrainNodeRequest(name="nodes/n1"), timeout=30)
    stub = await router.inference()

    for _ in range(3):
        await stub.Complete(pb.CompleteRequest(generation=generation()), timeout=30)

    assert (len(first.requests), len(second.requests)) == (0, 3)


async def test_node_may_not_ask_the_router_to_generate(router: RouterSetting) -> None:
    """Roles come from certificates; a node is not a client."""
    channel = await router.channel(Role.NODE, "n9")
    method = "/federated_router.api.v1.InferenceService/Complete"
    call = channel.unary_unary(
        method,
        request_serializer=pb.CompleteRequest.SerializeToString,
        response_deserializer=pb.CompleteResponse.FromString,
    )

    with pytest.raises(errors.RoleNotAllowed):
        async with translated_errors():
            await call(pb.CompleteRequest(generation=generation()), timeout=30)
