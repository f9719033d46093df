"""Statistics published under a data set's budget."""

import statistics

import pytest

from federated_router.api.v1 import budget_pb2
from federated_router.api.v1 import release_pb2 as pb
from federated_router.api.v1 import release_pb2_grpc as pb_grpc
from federated_router.kit import errors
from federated_router.kit.grpc_client import translated_errors
from federated_router.kit.identity import Role
from tests.support.fix_router import RouterSetting

GAUSSIAN_UNITS = 5_000_000_000
"""One Gaussian release at ten times its sensitivity: rho of 1/200."""


async def client(
    router: RouterSetting, user: str = "alice"
) -> pb_grpc.ReleaseServiceStub:
    """Return a client's stub."""
    return pb_grpc.ReleaseServiceStub(await router.channel(Role.CLIENT, user))


def number(request_id: str = "s-1", **fields: object) -> pb.ReleaseNumberRequest:
    """Return a release of 5 in [0, 10] with Gaussian noise of 100."""
    request = pb.ReleaseNumberRequest(
        scope=pb.ReleaseScope(request_id=request_id, dataset="datasets/d"),
        number=pb.BoundedNumber(value=5, lower="0", upper="10"),
        mechanism=pb.NOISE_MECHANISM_GAUSSIAN,
        scale="100",
    )
    request.MergeFrom(pb.ReleaseNumberRequest(**fields))  # type: ignore[arg-type]
    return request


def counts(request_id: str = "s-1") -> pb.ReleaseCountsRequest:
    """Return a release of two counts, of which a record is in one."""
    return pb.ReleaseCountsRequest(
        scope=pb.ReleaseScope(request_id=request_id, dataset="datasets/d"),
        counts=[100, 200],
        entries_per_record_max=1,
        count_per_record_max=1,
        mechanism=pb.NOISE_MECHANISM_GAUSSIAN,
        scale="10",
    )


async def release(
    router: RouterSetting, request: pb.ReleaseNumberRequest, user: str = "alice"
) -> pb.ReleaseNumberResponse:
    """Ask for a number, with errors translated."""
    async with translated_errors():
        response: pb.ReleaseNumberResponse = await (
            await client(router, user)
        ).ReleaseNumber(request, timeout=30)
    return response


async def test_number_is_published_with_noise_and_charged(
    router: RouterSetting,
) -> None:
    """The charge follows from bounds and scale, and is durable before the answer."""
    await router.open_dataset()

    published = await release(router, number())

    assert published.value != 5
    assert abs(published.value - 5) < 1000  # Ten deviations.
    assert published.standard_deviation == 100
    assert published.charge.units == GAUSSIAN_UNITS
    assert published.charge.reservation == "reservations/alice.s-1"
    assert list(published.charge.accounts) == [
        "accounts/dataset-d",
        "accounts/user-alice",
    ]
    account = await router.account()
    assert (account.spent_units, account.held_units) == (GAUSSIAN_UNITS, 0)


async def test_same_request_gets_the_same_number_for_nothing(
    router: RouterSetting,
) -> None:
    """Fresh noise on the same figure would be another release."""
    await router.open_dataset()
    first = await release(router, number())

    again = await release(router, number())

    assert again.value == first.value
    assert (again.charge.replayed, again.charge.units) == (True, 0)
    assert (await router.account()).spent_units == GAUSSIAN_UNITS


async def test_same_id_with_another_figure_is_refused(router: RouterSetting) -> None:
    """Also where only the private figure differs."""
    await router.open_dataset()
    await release(router, number())

    with pytest.raises(errors.RequestIdReused):
        await release(
            router, number(number=pb.BoundedNumber(value=6, lower="0", upper="10"))
        )


async def test_counts_and_choices_are_published(router: RouterSetting) -> None:
    """Whole noise on counts; the exponential mechanism for a choice."""
    await router.open_dataset()
    stub = await client(router)

    published = await stub.ReleaseCounts(counts("c-1"), timeout=30)
    chosen = await stub.SelectOption(
        pb.SelectOptionRequest(
            scope=pb.ReleaseScope(request_id="o-1", dataset="datasets/d"),
            scores=[0, 1000, 0],
            sensitivity="1",
            temperature="10",
        ),
        timeout=30,
    )

    assert len(published.counts) == 2
    assert all(
        abs(noised - true) < 100
        for noised, true in zip(published.counts, (100, 200), strict=True)
    )
    assert published.charge.units == GAUSSIAN_UNITS
    assert chosen.option == 1  # The others have odds of e^-100.
    assert chosen.charge.units == GAUSSIAN_UNITS  # (2/10)^2 / 8 rho.


async def test_noise_has_the_deviation_that_it_says(router: RouterSetting) -> None:
    """60 draws lie within the chi-square bounds at 1e-6: [0.58, 1.50] deviations."""
    await router.open_dataset(epsilon=20.0)
    stub = await client(router)

    noise = []
    for turn in range(30):
        published = await stub.ReleaseCounts(counts(f"c-{turn}"), timeout=30)
        noise += [published.counts[0] - 100, published.counts[1] - 200]

    assert 5.8 < statistics.stdev(noise) < 15.0


async def test_price_is_told_without_publishing(router: RouterSetting) -> None:
    """Nothing is drawn, held or charged."""
    await router.open_dataset()
    request = number()
    request.scope.validate_only = True

    priced = await release(router, request)

    assert priced.value == 0
    assert priced.charge.units == GAUSSIAN_UNITS
    assert not priced.charge.reservation
    assert (await router.account()).spent_units == 0


async def test_exhausted_budget_publishes_nothing(router: RouterSetting) -> None:
    """The figure was drawn and never left."""
    await router.open_dataset(epsilon=0.3)

    with pytest.raises(errors.BudgetExhausted):
        await release(router, number(scale="1"))

    assert (await router.account()).spent_units == 0


async def test_blocks_that_are_read_are_charged(router: RouterSetting) -> None:
    """A statistic over one batch leaves the others' limits alone."""
    stub = await router.budget()
    await stub.CreateAccount(
        budget_pb2.CreateAccountRequest(
            account=budget_pb2.Account(
                name="accounts/dataset-d",
                kind=budget_pb2.Account.KIND_DATASET,
                epsilon=6,
                delta=1e-6,
                renewal=budget_pb2.Account.RENEWAL_NONE,
                blocks=budget_pb2.BlockTerms(
                    scheme=budget_pb2.BlockTerms.SCHEME_BATCH, epsilon=1
                ),
            )
        ),
        timeout=30,
    )
    await stub.OpenBlock(
        budget_pb2.OpenBlockRequest(dataset="datasets/d", batch="may"), timeout=30
    )
    request = number()
    with pytest.raises(errors.FieldInvalid):
        await release(router, request)
    request.scope.blocks.append("may")

    published = await release(router, request)

    assert "accounts/block-d.may" in published.charge.accounts


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"scale": "-1"}, "scale"),
        ({"scale": "1e5"}, "scale"),
        ({"scale": "0"}, "scale"),
        ({"number": pb.BoundedNumber(lower="10", upper="10")}, "number.upper"),
        ({"number": pb.BoundedNumber(lower="x")}, "number.lower"),
        ({"number": pb.BoundedNumber(value=float("nan"))}, "value"),
        ({"scope": pb.ReleaseScope(request_id="No/id")}, "scope.request_id"),
        ({"scope": pb.ReleaseScope(dataset="d")}, "scope.dataset"),
    ],
)
@pytest.mark.asyncio(loop_scope="module")
async def test_request_that_cannot_be_drawn_costs_nothing(
    refusing: RouterSetting, change: dict[str, object], field: str
) -> None:
    """One reason, the field, and no charge."""
    with pytest.raises(errors.FieldInvalid) as caught:
        await release(refusing, number(**change))  # type: ignore[arg-type]

    assert caught.value.metadata["field"] == field
    assert (await refusing.account()).spent_units == 0


async def test_missing_mechanism_is_named(router: RouterSetting) -> None:
    """There is no default noise."""
    request = number()
    request.ClearField("mechanism")

    with pytest.raises(errors.FieldRequired) as caught:
        await release(router, request)

    assert caught.value.metadata["field"] == "mechanism"
