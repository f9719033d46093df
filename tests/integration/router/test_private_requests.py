"""Private requests: what is reserved, committed, released, and what is refused."""

import asyncio
from pathlib import Path

import grpc
import pytest

from federated_router.api.v1 import budget_pb2
from federated_router.api.v1 import inference_pb2 as pb
from federated_router.kit import errors
from federated_router.kit.grpc_client import translated_errors
from tests.support.fix_pki import Pki
from tests.support.fix_router import (
    TOKEN_UNITS,
    TOKENS_MAX,
    RouterSetting,
    private,
    router_in,
)
from tests.support.running import eventually
from tests.support.scripted_node import Events, chunk, finished, started

WORST = TOKEN_UNITS * TOKENS_MAX


async def complete(
    router: RouterSetting, message: pb.Generation, *, user: str = "alice"
) -> pb.CompleteResponse:
    """Ask as a client, with errors translated."""
    stub = await router.inference(user)
    async with translated_errors():
        response: pb.CompleteResponse = await stub.Complete(
            pb.CompleteRequest(generation=message), timeout=30
        )
    return response


async def spent_and_held(router: RouterSetting) -> tuple[int, int]:
    """Return the data set account's figures."""
    account = await router.account()
    return account.spent_units, account.held_units


async def test_worst_case_is_held_before_the_node_hears(router: RouterSetting) -> None:
    """The filter must hold for the worst path, before the first forward pass."""
    node = await router.node("n1")
    await router.open_dataset()
    seen: list[tuple[int, int]] = []

    async def look(_: pb.Generation, __: grpc.aio.ServicerContext) -> Events:
        seen.append(await spent_and_held(router))
        yield started()
        yield chunk()
        yield finished(3)

    node.script = look

    await complete(router, private())

    assert seen == [(0, WORST)]


async def test_sampled_tokens_are_committed_and_the_rest_released(
    router: RouterSetting,
) -> None:
    """Mechanisms that never ran cost nothing; those that ran cost exactly."""
    node = await router.node("n1")
    await router.open_dataset()

    async def three(_: pb.Generation, __: grpc.aio.ServicerContext) -> Events:
        yield started()
        yield chunk()
        yield finished(3)

    node.script = three

    response = await complete(router, private())

    assert response.finished.charge.tokens == 3
    assert response.finished.charge.units == 3 * TOKEN_UNITS
    assert list(response.finished.charge.accounts) == [
        "accounts/dataset-d",
        "accounts/user-alice",
    ]
    assert await spent_and_held(router) == (3 * TOKEN_UNITS, 0)
    assert (await router.account("accounts/user-alice")).spent_units == 3 * TOKEN_UNITS


async def test_node_gets_the_terms_and_the_charge(router: RouterSetting) -> None:
    """The node recomputes the charge, so it must see what it follows from."""
    node = await router.node("n1")
    await router.open_dataset()

    await complete(router, private())

    grant = node.requests[0].private_context.grant
    assert grant.reservation == "reservations/alice.p-1"
    assert grant.token_charge_units == TOKEN_UNITS
    assert (grant.parameters.slots, grant.parameters.tokens_max) == (8, TOKENS_MAX)


async def test_retrieved_records_cost_four_times(router: RouterSetting) -> None:
    """Retrieval by content lets one record evict another: sensitivity doubles."""
    await router.node("n1")
    await router.open_dataset()
    message = private()
    message.private_context.selection = pb.SELECTION_RETRIEVED

    response = await complete(router, message)

    assert response.finished.charge.units == 2 * 4 * TOKEN_UNITS


async def test_exhausted_budget_tells_everything_and_reaches_no_node(
    router: RouterSetting,
) -> None:
    """A person must see what is free, needed, when it renews and who holds the rest."""
    node = await router.node("n1")
    await router.open_dataset(epsilon=0.5)

    with pytest.raises(errors.BudgetExhausted) as raised:
        await complete(router, private())

    facts = raised.value.metadata
    assert facts["account"] == "accounts/dataset-d"
    assert int(facts["needed_units"]) == WORST
    assert int(facts["free_units"]) < WORST
    assert facts["renews"].endswith("Z") or "+" in facts["renews"]
    assert not node.requests
    assert await spent_and_held(router) == (0, 0)


async def test_node_lost_after_start_is_charged_what_was_granted(
    router: RouterSetting,
) -> None:
    """Nobody can tell what was sampled; the first instalment is all eight tokens."""
    node = await router.node("n1")
    await router.open_dataset()

    async def die(_: pb.Generation, context: grpc.aio.ServicerContext) -> Events:
        yield started()
        yield chunk()
        await context.abort(grpc.StatusCode.UNAVAILABLE, "reset")

    node.script = die

    with pytest.raises(errors.NodeLost):
        await complete(router, private())
    assert await spent_and_held(router) == (WORST, 0)


async def test_lost_private_request_is_never_sampled_again(
    router: RouterSetting,
) -> None:
    """A second node would draw fresh randomness under one charge."""
    first, second = await router.node("n1"), await router.node("n2")
    await router.open_dataset()

    async def die(_: pb.Generation, context: grpc.aio.ServicerContext) -> Events:
        yield started()
        await context.abort(grpc.StatusCode.UNAVAILABLE, "reset")

    first.script = second.script = die

    with pytest.raises(errors.NodeLost):
        await complete(router, private())
    assert len(first.requests) + len(second.requests) == 1


async def test_refusal_before_sampling_is_given_back(router: RouterSetting) -> None:
    """A full queue depends on no record, and the node says that nothing ran."""
    node = await router.node("n1")
    await router.open_dataset()

    async def refuse(_: pb.Generation, __: grpc.aio.ServicerContext) -> Events:
        raise errors.QueueFull("full", retry_after_s=1.0)
        yield started()

    node.script = refuse

    with pytest.raises(errors.QueueFull):
        await complete(router, private())
    assert await spent_and_held(router) == (0, 0)


async def test_failure_inside_the_node_is_charged_what_was_granted(
    router: RouterSetting,
) -> None:
    """A failure that a record might have caused must not be told by a refund."""
    node = await router.node("n1")
    await router.open_dataset()

    async def fail(_: pb.Generation, __: grpc.aio.ServicerContext) -> Events:
        raise errors.Internal("out of memory")
        yield started()

    node.script = fail

    with pytest.raises(errors.Internal):
        await complete(router, private())
    assert await spent_and_held(router) == (WORST, 0)


@pytest.mark.parametrize("count", [0, -1, TOKENS_MAX + 1])
async def test_impossible_count_never_makes_an_answer_cheaper(
    router: RouterSetting, count: int
) -> None:
    """A node that miscounts must not make a request cheaper, or break the ledger."""
    node = await router.node("n1")
    await router.open_dataset()

    async def lie(_: pb.Generation, __: grpc.aio.ServicerContext) -> Events:
        yield started()
        yield chunk()
        yield finished(count)

    node.script = lie

    with pytest.raises(errors.FederationError):
        await complete(router, private())
    assert await spent_and_held(router) == (WORST, 0)


async def test_answer_without_an_end_is_charged_what_was_granted(
    router: RouterSetting,
) -> None:
    """A stream that simply ends tells no count."""
    node = await router.node("n1")
    await router.open_dataset()

    async def stop(_: pb.Generation, __: grpc.aio.ServicerContext) -> Events:
        yield started()
        yield chunk()

    node.script = stop

    with pytest.raises(errors.Internal):
        await complete(router, private())
    assert await spent_and_held(router) == (WORST, 0)


async def test_caller_who_leaves_is_charged_what_was_granted(
    router: RouterSetting,
) -> None:
    """What the node had sampled by then is unknown here, so nothing less is safe."""
    node = await router.node("n1")
    await router.open_dataset()

    async def endless(_: pb.Generation, __: grpc.aio.ServicerContext) -> Events:
        yield started()
        while True:
            yield chunk()
            await asyncio.sleep(0.01)

    node.script = endless
    stub = await router.inference()
    call = stub.Generate(pb.GenerateRequest(generation=private()), timeout=30)
    await call.read()
    await call.read()

    call.cancel()

    await eventually(lambda: node.cancelled == 1)
    async with asyncio.timeout(30):
        while (charged := await spent_and_held(router))[1]:
            await asyncio.sleep(0.02)
    assert charged == (WORST, 0)


async def test_same_id_with_another_body_is_refused(router: RouterSetting) -> None:
    """An id names one request for ever."""
    node = await router.node("n1")
    await router.open_dataset()
    await complete(router, private())

    with pytest.raises(errors.RequestIdReused):
        await complete(router, private(records=3))
    assert len(node.requests) == 1


async def test_users_do_not_share_request_ids(router: RouterSetting) -> None:
    """Another user's id must neither collide nor tell that it exists."""
    node = await router.node("n1")
    await router.open_dataset()
    await complete(router, private(), user="alice")

    await complete(router, private(), user="bob")

    assert len(node.requests) == 2


@pytest.mark.parametrize(
    ("change", "error", "field"),
    [
        ("records", errors.RecordsTooMany, "generation.private_context.records"),
        ("text", errors.RecordNotText, "generation.private_context.records[0].text"),
        ("twice", errors.FieldInvalid, "generation.private_context.records"),
        ("grant", errors.FieldInvalid, "generation.private_context.grant"),
        ("seed", errors.NotPrivatelyServable, "generation.sampling.seed"),
        ("greedy", errors.NotPrivatelyServable, "generation.sampling.temperature"),
        ("top_p", errors.NotPrivatelyServable, "generation.sampling.top_p"),
    ],
)
@pytest.mark.asyncio(loop_scope="module")
async def test_what_cannot_be_private_is_refused_before_anything_is_held(
    refusing: RouterSetting, change: str, error: type[errors.InvalidInput], field: str
) -> None:
    """Refused with its field, never served weaker, and nothing is charged."""
    message = private(records=9 if change == "records" else 2)
    context = message.private_context
    match change:
        case "text":
            context.records[0].text = b"\xff\xfe"
        case "twice":
            context.records[1].id = context.records[0].id
        case "grant":
            context.grant.reservation = "reservations/x"
            context.grant.token_charge_units = 1
            context.grant.tokens_granted = 1
            context.grant.parameters.CopyFrom(_parameters())
        case "seed":
            message.sampling.seed = 0
        case "greedy":
            message.sampling.temperature = 0.0
        case "top_p":
            message.sampling.top_p = 1.0

    with pytest.raises(error) as raised:
        await complete(refusing, message)

    assert raised.value.metadata["field"] == field
    assert not refusing.nodes["n1"].requests
    assert await spent_and_held(refusing) == (0, 0)


def _parameters() -> pb.PrivacyParameters:
    """Return terms with every field set."""
    return pb.PrivacyParameters(
        slots=1,
        clip="1",
        temperature="1",
        top_k=1,
        tokens_max=1,
        row_tokens_max=1,
        multiplier=1,
        records_per_subject=1,
    )


async def test_unknown_policy_and_dataset_are_named(router: RouterSetting) -> None:
    """The caller is told which name is wrong."""
    await router.node("n1")
    unknown_policy = private()
    unknown_policy.private_context.policy = "policies/none"

    with pytest.raises(errors.PolicyUnknown):
        await complete(router, unknown_policy)
    with pytest.raises(errors.DatasetUnknown):
        await complete(router, private())


async def test_many_at_once_never_overspend(router: RouterSetting) -> None:
    """Concurrency must not find more budget than there is."""
    await router.node("n1")
    account = await router.open_dataset()
    affordable = account.limit_units // WORST

    stub = await router.inference()

    async def one(number: int) -> bool:
        request = pb.CompleteRequest(generation=private(f"c-{number}"))
        try:
            async with translated_errors():
                await stub.Complete(request, timeout=30)
        except errors.BudgetExhausted:
            return False
        return True

    served = await asyncio.gather(*(one(number) for number in range(24)))

    after = await router.account()
    assert sum(served) >= affordable
    assert after.spent_units == sum(served) * 2 * TOKEN_UNITS
    assert after.spent_units + after.held_units <= account.limit_units
    assert after.held_units == 0


async def test_price_is_told_without_charging(router: RouterSetting) -> None:
    """A dry run costs nothing and is exact."""
    await router.open_dataset()
    budget = await router.budget()

    price = await budget.PriceEvent(
        budget_pb2.PriceEventRequest(
            dataset="datasets/d",
            policy="policies/p",
            selection=pb.SELECTION_RETRIEVED,
            tokens_max=3,
        ),
        timeout=30,
    )

    assert price.token_charge_units == 4 * TOKEN_UNITS
    assert price.worst_case_units == 12 * TOKEN_UNITS
    assert await spent_and_held(router) == (0, 0)


async def test_hold_of_an_earlier_boot_is_charged_at_start(
    pki: Pki, tmp_path: Path
) -> None:
    """A router that died between reserve and commit loses no budget."""
    async with router_in(pki, tmp_path) as first:
        node = await first.node("n1")
        await first.open_dataset()

        async def hang(_: pb.Generation, __: grpc.aio.ServicerContext) -> Events:
            yield started()
            await asyncio.sleep(60)

        node.script = hang
        ledger = tmp_path / "ledger.sqlite"
        stub = await first.inference()
        call = stub.Generate(pb.GenerateRequest(generation=private()), timeout=30)
        await call.read()
        # The files as a killed process leaves them: the hold is there, no commit.
        copies = {
            path.name: path.read_bytes() for path in tmp_path.glob("ledger.sqlite*")
        }
        call.cancel()
    after = tmp_path / "after"
    after.mkdir()
    for name, content in copies.items():
        (after / name).write_bytes(content)
    assert ledger.exists()

    async with router_in(pki, after) as second:
        assert await spent_and_held(second) == (WORST, 0)


async def test_reservations_show_what_became_of_each(router: RouterSetting) -> None:
    """An operator can account for every unit."""
    node = await router.node("n1")
    await router.open_dataset()
    await complete(router, private("one"))

    async def refuse(_: pb.Generation, __: grpc.aio.ServicerContext) -> Events:
        raise errors.QueueFull("full", retry_after_s=1.0)
        yield started()

    node.script = refuse
    with pytest.raises(errors.QueueFull):
        await complete(router, private("two"))
    budget = await router.budget()

    response = await budget.ListReservations(
        budget_pb2.ListReservationsRequest(account="accounts/dataset-d"), timeout=30
    )

    states = {one.name: one.state for one in response.reservations}
    assert states == {
        "reservations/alice.one": budget_pb2.Reservation.STATE_COMMITTED,
        "reservations/alice.two": budget_pb2.Reservation.STATE_RELEASED,
    }
