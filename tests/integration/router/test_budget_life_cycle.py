"""Accounts from opening to closing, as operators and clients see them."""

import grpc
import pytest

from federated_router.api.v1 import budget_pb2 as pb
from federated_router.api.v1 import budget_pb2_grpc as pb_grpc
from federated_router.api.v1 import inference_pb2 as inference
from federated_router.kit import errors
from federated_router.kit.grpc_client import translated_errors
from federated_router.kit.identity import Role
from tests.support.fix_router import (
    TOKEN_UNITS,
    TOKENS_MAX,
    RouterSetting,
    private,
)

WARD = "accounts/dataset-d"


async def operator(
    router: RouterSetting, operator_id: str = "op"
) -> pb_grpc.BudgetServiceStub:
    """Return an operator's stub."""
    return pb_grpc.BudgetServiceStub(await router.channel(Role.OPERATOR, operator_id))


async def create(router: RouterSetting, **fields: object) -> pb.Account:
    """Open an account, a data set's unless told else."""
    told: dict[str, object] = {
        "name": WARD,
        "kind": pb.Account.KIND_DATASET,
        "epsilon": 6.0,
        "delta": 1e-6,
        "renewal": pb.Account.RENEWAL_NONE,
    }
    async with translated_errors():
        response = await (await operator(router)).CreateAccount(
            pb.CreateAccountRequest(account=pb.Account(**(told | fields))),  # type: ignore[arg-type]
            timeout=30,
        )
    account: pb.Account = response.account
    return account


async def complete(
    router: RouterSetting, message: inference.Generation
) -> inference.CompleteResponse:
    """Ask as a client."""
    async with translated_errors():
        response: inference.CompleteResponse = await (
            await router.inference()
        ).Complete(inference.CompleteRequest(generation=message), timeout=30)
    return response


async def test_account_says_what_its_limit_promises(router: RouterSetting) -> None:
    """Nobody takes a quota for a guarantee."""
    ward = await create(router)
    ada = await create(router, name="accounts/user-ada", kind=pb.Account.KIND_USER)
    cardiology = await create(
        router, name="accounts/department-cardiology", kind=pb.Account.KIND_DEPARTMENT
    )

    assert ward.promise == pb.Account.PROMISE_GUARANTEE
    assert {ada.promise, cardiology.promise} == {pb.Account.PROMISE_QUOTA}
    assert ward.free_units == ward.limit_units


async def test_renyi_account_states_its_order(router: RouterSetting) -> None:
    """The order is frozen, so it must be there to read."""
    ward = await create(router, accounting=pb.Account.ACCOUNTING_RDP, epsilon=3.0)

    assert ward.rdp_order == pytest.approx(8.925, abs=2e-3)
    assert ward.limit_units == pytest.approx(1.65175e12, rel=1e-3)
    assert ward.epsilon == pytest.approx(3.0)


async def test_records_are_charged_by_blocks(router: RouterSetting) -> None:
    """Disjoint records do not share a limit; the same record does."""
    await router.node("n1")
    await create(
        router,
        epsilon=20.0,
        blocks=pb.BlockTerms(scheme=pb.BlockTerms.SCHEME_RECORD, epsilon=2.0),
    )
    ward = await router.account()

    answer = await complete(router, private("p-1", records=2))
    await complete(router, private("p-2", records=1))
    with pytest.raises(errors.BudgetExhausted) as caught:
        await complete(router, private("p-3", records=1))

    assert ward.blocks.epsilon == pytest.approx(2.0, abs=1e-4)
    assert list(answer.finished.charge.accounts) == [
        WARD,
        "accounts/block-d.rec-0",
        "accounts/block-d.rec-1",
        "accounts/user-alice",
    ]
    assert caught.value.metadata["account"] == "accounts/block-d.rec-0"
    block = await router.account("accounts/block-d.rec-1")
    assert block.spent_units == 2 * TOKEN_UNITS
    assert block.promise == pb.Account.PROMISE_GUARANTEE


async def test_exhausted_block_leaves_every_account_untouched(
    router: RouterSetting,
) -> None:
    """All or nothing, also for accounts that the request would have opened."""
    node = await router.node("n1")
    await create(
        router, blocks=pb.BlockTerms(scheme=pb.BlockTerms.SCHEME_RECORD, epsilon=0.2)
    )

    with pytest.raises(errors.BudgetExhausted):
        await complete(router, private())

    assert node.requests == []
    assert ((await router.account()).held_units) == 0
    with pytest.raises(errors.BlockUnknown):
        async with translated_errors():
            await router.account("accounts/block-d.rec-0")


async def test_batches_open_by_an_operator_and_begin_a_window(
    router: RouterSetting,
) -> None:
    """New data brings a new limit; what was spent on old data stays spent."""
    await router.node("n1")
    await create(
        router,
        renewal=pb.Account.RENEWAL_ON_NEW_DATA,
        blocks=pb.BlockTerms(scheme=pb.BlockTerms.SCHEME_BATCH, epsilon=5.0),
    )
    stub = await operator(router)

    def of_batch(request_id: str, batch: str) -> inference.Generation:
        message = private(request_id, records=1)
        message.private_context.records[0].batch = batch
        return message

    with pytest.raises(errors.BlockUnknown):
        await complete(router, of_batch("p-1", "may"))
    opened = await stub.OpenBlock(
        pb.OpenBlockRequest(dataset="datasets/d", batch="may"), timeout=30
    )
    await complete(router, of_batch("p-2", "may"))
    spent = (await router.account()).spent_units
    await stub.OpenBlock(
        pb.OpenBlockRequest(dataset="datasets/d", batch="june"), timeout=30
    )

    ward, may = await router.account(), await router.account("accounts/block-d.may")
    assert opened.account.name == "accounts/block-d.may"
    assert spent == 2 * TOKEN_UNITS
    assert (ward.spent_units, ward.lifetime_units) == (0, spent)
    assert may.spent_units == spent


async def test_client_cannot_open_blocks_or_name_them_as_accounts(
    router: RouterSetting,
) -> None:
    """A fresh limit for the same records would be a way around the old one."""
    client = pb_grpc.BudgetServiceStub(await router.channel(Role.CLIENT, "alice"))

    with pytest.raises(errors.RoleNotAllowed):
        async with translated_errors():
            await client.OpenBlock(
                pb.OpenBlockRequest(dataset="datasets/d", batch="x"), timeout=30
            )
    with pytest.raises(errors.FieldInvalid):
        await create(router, name="accounts/block-d.x", kind=pb.Account.KIND_BLOCK)


async def test_early_renewal_takes_two_people(router: RouterSetting) -> None:
    """The lifetime odometer stays, whoever renews."""
    await router.node("n1")
    await create(router, lifetime_epsilon=7.0)
    await complete(router, private())
    one, other = await operator(router), await operator(router, "op-2")
    proposed = await one.ProposeRenewal(
        pb.ProposeRenewalRequest(name=WARD, reason="audit week"), timeout=30
    )
    approval = pb.ApproveRenewalRequest(name=WARD, proposal=proposed.proposal)

    with pytest.raises(errors.SecondPersonNeeded):
        async with translated_errors():
            await one.ApproveRenewal(approval, timeout=30)
    renewed = (await other.ApproveRenewal(approval, timeout=30)).account

    assert renewed.spent_units == 0
    assert renewed.lifetime_units == 2 * TOKEN_UNITS
    assert renewed.free_units == min(
        renewed.limit_units, renewed.lifetime_cap_units - renewed.lifetime_units
    )
    with pytest.raises(errors.ProposalUnknown):
        async with translated_errors():
            await other.ApproveRenewal(approval, timeout=30)


async def test_closed_account_serves_nobody_and_stays_readable(
    router: RouterSetting,
) -> None:
    """Closing is final; what was spent can still be read."""
    node = await router.node("n1")
    await create(router)
    await complete(router, private())
    stub = await operator(router)

    for _ in range(2):
        closed = await stub.CloseAccount(
            pb.CloseAccountRequest(name=WARD, reason="study over"), timeout=30
        )
    with pytest.raises(errors.AccountClosed):
        await complete(router, private("p-2"))

    assert closed.account.HasField("close_time")
    assert closed.account.spent_units == 2 * TOKEN_UNITS
    assert len(node.requests) == 1


async def test_price_names_every_account_and_charges_none(
    router: RouterSetting,
) -> None:
    """Who asks first is not surprised."""
    await create(
        router,
        epsilon=20.0,
        blocks=pb.BlockTerms(scheme=pb.BlockTerms.SCHEME_RECORD, epsilon=2.0),
    )
    client = pb_grpc.BudgetServiceStub(await router.channel(Role.CLIENT, "alice"))

    price = await client.PriceEvent(
        pb.PriceEventRequest(
            dataset="datasets/d",
            policy="policies/p",
            selection=inference.SELECTION_BY_ID,
            records=[pb.RecordReference(id="rec-0")],
        ),
        timeout=30,
    )

    worst = {one.account: one.worst_case_units for one in price.accounts}
    assert worst == {
        WARD: TOKEN_UNITS * TOKENS_MAX,
        "accounts/block-d.rec-0": TOKEN_UNITS * TOKENS_MAX,
        "accounts/user-alice": TOKEN_UNITS * TOKENS_MAX,
    }
    assert (await router.account()).held_units == 0


@pytest.mark.parametrize(
    ("fields", "field"),
    [
        ({"lifetime_epsilon": -1.0}, "epsilon"),
        ({"renewal": pb.Account.RENEWAL_ON_NEW_DATA}, "renewal"),
        ({"accounting": 9}, "accounting"),
        ({"epsilon": float("nan")}, "epsilon"),
        ({"delta": 0.9}, "delta"),
        (
            {"blocks": pb.BlockTerms(scheme=9, epsilon=1)},  # type: ignore[arg-type]
            "account.blocks.scheme",
        ),
        (
            {"blocks": pb.BlockTerms(scheme=pb.BlockTerms.SCHEME_BUCKET, epsilon=1)},
            "blocks.bucket_count",
        ),
    ],
)
@pytest.mark.asyncio(loop_scope="module")
async def test_terms_that_cannot_be_kept_are_refused(
    refusing: RouterSetting, fields: dict[str, object], field: str
) -> None:
    """One reason, and the field that is wrong."""
    with pytest.raises(errors.FieldInvalid) as caught:
        await create(refusing, **fields)

    assert caught.value.metadata["field"] == field


async def test_second_approval_by_somebody_else_is_refused_to_clients(
    router: RouterSetting,
) -> None:
    """No client renews anything."""
    client = pb_grpc.BudgetServiceStub(await router.channel(Role.CLIENT, "alice"))

    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await client.ApproveRenewal(
            pb.ApproveRenewalRequest(name=WARD, proposal="x"), timeout=30
        )

    assert caught.value.code() is grpc.StatusCode.PERMISSION_DENIED
