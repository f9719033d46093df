"""What a router is made of, working together: trust, cache, rates, outcomes, load."""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from pathlib import Path

import grpc
import pytest

from federated_router.api.v1 import inference_pb2 as pb
from federated_router.api.v1 import (
    inference_pb2_grpc,
    load_pb2,
    load_pb2_grpc,
    routing_pb2,
    routing_pb2_grpc,
)
from federated_router.app import build
from federated_router.config import RouterSettings
from federated_router.kit import errors
from federated_router.kit.grpc_errors import translate
from federated_router.kit.identity import Role
from tests.support.fix_pki import Pki
from tests.support.fix_router import (
    RouterSetting,
    generation,
    private,
    router_settings,
)
from tests.support.running import running

SECTIONS = {
    "trust": {"sensitive": ["nodes/n2"]},
    "residency": {"sensitive": ["north"]},
    "cache": {"memory": {}},
    "footprint": {"carbon": {"intensities": {"north": 100.0}}},
    "admission": {"tenants": [{"match": "hasty", "requests_per_minute": 1}]},
}
PERSONAL = "Write to ada.lovelace@example.org about her appointment."


@pytest.fixture
async def whole(pki: Pki, tmp_path: Path) -> AsyncIterator[RouterSetting]:
    """Run a router with every part configured."""
    plain = router_settings(pki, tmp_path)
    settings = RouterSettings.model_validate(
        {**{name: getattr(plain, name) for name in plain.model_fields_set}, **SECTIONS}
    )
    daemon = await build(settings)
    async with running(daemon), AsyncExitStack() as stack:
        yield RouterSetting(pki, daemon.address, stack)


def repeatable(request_id: str, content: str = "hello") -> pb.Generation:
    """Return a greedy request."""
    return pb.Generation(
        request_id=request_id,
        model="models/m",
        messages=[pb.Message(role=pb.ROLE_USER, content=content)],
        sampling=pb.Sampling(temperature=0.0, tokens_max=4),
    )


async def completed(
    stub: inference_pb2_grpc.InferenceServiceStub, asked: pb.Generation
) -> pb.CompleteResponse:
    """Return the answer; raise the federation's error."""
    try:
        answer: pb.CompleteResponse = await stub.Complete(
            pb.CompleteRequest(generation=asked), timeout=30
        )
    except grpc.aio.AioRpcError as error:
        raise translate(error) from error
    return answer


async def test_personal_request_goes_to_a_trusted_node_or_nowhere(
    whole: RouterSetting,
) -> None:
    """A detector raises the level whatever the sender says; nodes cannot."""
    stub = await whole.inference()
    await whole.node("n1")
    with pytest.raises(errors.NoTrustedNode):
        await completed(stub, repeatable("p-1", PERSONAL))
    trusted = await whole.node("n2")

    answers = [await completed(stub, repeatable(f"p-{n}", PERSONAL)) for n in (2, 3)]

    assert [one.started.node for one in answers] == [trusted.name] * 2
    assert {one.started.sensitivity for one in answers} == {pb.SENSITIVITY_SENSITIVE}
    assert (await completed(stub, repeatable("i-1"))).started.sensitivity == (
        pb.SENSITIVITY_INTERNAL
    )


async def test_equal_question_of_the_same_tenant_is_served_again(
    whole: RouterSetting,
) -> None:
    """It takes nothing, says so, and is nobody else's."""
    node = await whole.node("n1")
    alice, bob = await whole.inference(), await whole.inference("bob")
    first = await completed(alice, repeatable("c-1"))
    again = await completed(alice, repeatable("c-2"))
    others = await completed(bob, repeatable("c-1"))

    assert again.started.source == pb.ANSWER_SOURCE_CACHE
    assert again.text == first.text
    assert again.finished.footprint.joules == 0
    assert others.started.source == pb.ANSWER_SOURCE_UNSPECIFIED
    assert len(node.requests) == 2


async def test_rate_of_a_tenant_ends_requests_before_anything_is_held(
    whole: RouterSetting,
) -> None:
    """Public and private requests count alike; others have their own rate."""
    await whole.node("n1")
    account = await whole.open_dataset()
    hasty = await whole.inference("hasty")
    await completed(hasty, repeatable("h-1"))

    for asked in (repeatable("h-2", "another"), private("h-3")):
        with pytest.raises(errors.RateLimited) as raised:
            await completed(hasty, asked)
        assert raised.value.retry_after_s

    assert (await whole.account()).held_units == account.held_units == 0
    assert (await completed(await whole.inference(), repeatable("a-1"))).text


async def test_outcome_is_taken_from_who_asked_and_from_nobody_else(
    whole: RouterSetting,
) -> None:
    """Otherwise a client could spoil what others' requests teach."""
    await whole.node("n1")
    await completed(await whole.inference(), generation("o-1"))
    report = routing_pb2.ReportOutcomeRequest(request_id="o-1", rating=0.25)

    async def told(user: str) -> routing_pb2.ReportOutcomeResponse:
        channel = await whole.channel(Role.CLIENT, user)
        stub = routing_pb2_grpc.RoutingServiceStub(channel)
        try:
            answer: routing_pb2.ReportOutcomeResponse = await stub.ReportOutcome(
                report, timeout=30
            )
        except grpc.aio.AioRpcError as error:
            raise translate(error) from error
        return answer

    assert (await told("alice")).model == "models/m"
    with pytest.raises(errors.RequestUnknown):
        await told("bob")


async def test_load_counts_what_was_served_and_each_client_sees_its_own_footprint(
    whole: RouterSetting,
) -> None:
    """An operator sees everybody, a client nobody else."""
    await whole.node("n1")
    for user in ("alice", "bob"):
        await completed(await whole.inference(user), repeatable(f"{user}-1"))
    operator = load_pb2_grpc.LoadServiceStub(await whole.channel(Role.OPERATOR, "op"))
    alice = load_pb2_grpc.LoadServiceStub(await whole.channel(Role.CLIENT, "alice"))
    ask = load_pb2.ListFootprintsRequest()

    load = await operator.GetLoad(load_pb2.GetLoadRequest(), timeout=30)
    everybody = await operator.ListFootprints(ask, timeout=30)
    own = await alice.ListFootprints(ask, timeout=30)

    assert [one.node for one in load.nodes] == ["nodes/n1"]
    assert load.nodes[0].requests_per_second > 0
    assert load.cache.misses == 2
    assert [one.tenant for one in everybody.footprints] == ["alice", "bob"]
    assert [(one.tenant, one.answers) for one in own.footprints] == [("alice", 1)]
