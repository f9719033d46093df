"""Private requests end to end: what is sampled is what is charged, or it is refused."""

import asyncio
from dataclasses import replace

import grpc
import pytest

from federated_router.api.v1 import inference_pb2 as pb
from federated_router.kit import errors
from federated_router.kit.grpc_client import translated_errors
from federated_router.privacy.charge import token_charge_units
from federated_router.privacy.policy import PrivatePolicy
from federated_router.privacy.settings import PolicySettings
from federated_router.proxy.private_grant import parameters_message
from tests.integration.node.conftest import CONTEXT_TOKENS, UNPROVEN, NodeSetting
from tests.support.fix_router import POLICY, TOKEN_UNITS, TOKENS_MAX, private

pytestmark = pytest.mark.asyncio(loop_scope="module")
PROVEN = PolicySettings.model_validate(POLICY).policy()


def granted(
    policy: PrivatePolicy = PROVEN, *, units: int | None = None
) -> pb.Generation:
    """Return a private request with a router's grant for these terms."""
    message = private()
    message.private_context.policy = policy.name
    grant = message.private_context.grant
    grant.reservation = "reservations/alice.p-1"
    grant.token_charge_units = token_charge_units(policy) if units is None else units
    grant.parameters.CopyFrom(parameters_message(policy))
    grant.tokens_granted = policy.tokens_max
    return message


async def refusal(served: NodeSetting, message: pb.Generation) -> str:
    """Return the reason with which the node refuses a router's request."""
    stub = await served.direct()
    with pytest.raises(errors.FederationError) as raised:
        async with translated_errors():
            await stub.Complete(pb.CompleteRequest(generation=message), timeout=30)
    return raised.value.reason


async def spent_and_held(served: NodeSetting) -> tuple[int, int]:
    """Return the data set account's figures."""
    account = await served.router.account()
    return account.spent_units, account.held_units


async def test_charge_is_the_count_of_sampled_tokens(served: NodeSetting) -> None:
    """From the model's own thread to the ledger's column, the same integer."""
    await served.router.open_dataset(40.0)
    before, _ = await spent_and_held(served)
    stub = await served.router.inference()
    stream = stub.Generate(pb.GenerateRequest(generation=private("count")), timeout=60)

    events = [event async for event in stream]

    tokens = sum(len(event.chunk.token_ids) for event in events)
    finished = events[-1].finished
    assert 1 <= tokens <= TOKENS_MAX
    assert finished.completion_tokens == finished.charge.tokens == tokens
    assert finished.charge.units == tokens * TOKEN_UNITS
    assert await spent_and_held(served) == (before + tokens * TOKEN_UNITS, 0)
    assert events[0].started.reservation == "reservations/alice.count"


async def test_fewer_tokens_are_asked_for_and_charged(served: NodeSetting) -> None:
    """`tokens_max` lowers the worst case and what is sampled."""
    await served.router.open_dataset(40.0)
    message = private("fewer")
    message.sampling.tokens_max = 2
    stub = await served.router.inference()

    response = await stub.Complete(pb.CompleteRequest(generation=message), timeout=60)

    assert 1 <= response.finished.completion_tokens <= 2
    assert response.finished.charge.tokens == response.finished.completion_tokens


async def test_same_request_twice_is_not_sampled_twice(served: NodeSetting) -> None:
    """Fresh randomness for one charge would be a second release."""
    await served.router.open_dataset(40.0)
    stub = await served.router.inference()
    request = pb.CompleteRequest(generation=private("twice"))
    first = await stub.Complete(request, timeout=60)
    before = await spent_and_held(served), await served.counted()

    again = await stub.Complete(request, timeout=60)

    assert again.text == first.text
    assert (await spent_and_held(served), await served.counted()) == before


async def test_private_answer_counts_once(served: NodeSetting) -> None:
    """In the same cell as public ones: the federation learns speed, not kinds."""
    await served.router.open_dataset(40.0)
    before = await served.counted()
    stub = await served.router.inference()

    await stub.Complete(
        pb.CompleteRequest(generation=private("statistics")), timeout=60
    )

    assert await served.counted() == (before[0] + 1, before[1])


async def test_shape_that_was_not_proved_is_refused_and_refunded(
    served: NodeSetting,
) -> None:
    """The refusal follows from public facts before any forward pass, so it is free."""
    await served.router.open_dataset(40.0)
    before = await spent_and_held(served)
    message = private("unproven")
    message.private_context.policy = "policies/unproven"
    stub = await served.router.inference()

    with pytest.raises(errors.PrivateNotOffered) as raised:
        async with translated_errors():
            await stub.Complete(pb.CompleteRequest(generation=message), timeout=30)

    assert raised.value.metadata["policy"] == "policies/unproven"
    assert await spent_and_held(served) == before


async def test_public_prompt_beyond_the_rows_is_refused_and_refunded(
    served: NodeSetting,
) -> None:
    """Its length is public, and nothing was sampled."""
    await served.router.open_dataset(40.0)
    before = await spent_and_held(served)
    message = private("long")
    message.messages[0].content = "x" * 200
    stub = await served.router.inference()

    with pytest.raises(errors.PromptTooLong):
        async with translated_errors():
            await stub.Complete(pb.CompleteRequest(generation=message), timeout=30)

    assert await spent_and_held(served) == before


async def test_record_beyond_the_rows_is_cut_and_not_refused(
    served: NodeSetting,
) -> None:
    """A refusal that depends on a record would tell of it, free of charge."""
    await served.router.open_dataset(40.0)
    message = private("cut")
    message.private_context.records[0].text = ("ä" * 5000).encode()
    stub = await served.router.inference()

    response = await stub.Complete(pb.CompleteRequest(generation=message), timeout=60)

    assert response.finished.completion_tokens >= 1


async def test_router_without_a_grant_is_refused(served: NodeSetting) -> None:
    """A node decodes privately only what somebody has reserved."""
    assert await refusal(served, private()) == "FIELD_REQUIRED"


@pytest.mark.parametrize("units", [1, TOKEN_UNITS - 1, TOKEN_UNITS + 1, 2**62])
async def test_forged_charge_is_refused(served: NodeSetting, units: int) -> None:
    """The node computes the charge from the terms itself, to the unit."""
    assert await refusal(served, granted(units=units)) == "CHARGE_MISMATCH"


async def test_multiplier_that_does_not_fit_the_selection_is_refused(
    served: NodeSetting,
) -> None:
    """Records retrieved by content cost four times, whatever a router says."""
    cheap = granted()
    cheap.private_context.selection = pb.SELECTION_RETRIEVED
    dear = granted(replace(PROVEN, multiplier=4))

    assert await refusal(served, cheap) == "CHARGE_MISMATCH"
    assert await refusal(served, dear) == "CHARGE_MISMATCH"


async def test_answer_beyond_the_models_context_is_refused(
    served: NodeSetting,
) -> None:
    """Before anything is sampled, from public figures alone."""
    long = replace(PROVEN, tokens_max=CONTEXT_TOKENS)

    assert await refusal(served, granted(long)) == "PRIVATE_NOT_OFFERED"


async def test_terms_of_another_shape_are_refused(served: NodeSetting) -> None:
    """A right charge for terms that this machine has not proved is no reason to run."""
    unproven = PolicySettings.model_validate(UNPROVEN).policy()

    assert await refusal(served, granted(unproven)) == "PRIVATE_NOT_OFFERED"


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("slots", 0),
        ("slots", 1 << 20),
        ("clip", "nan"),
        ("clip", "-1"),
        ("temperature", "0"),
        ("temperature", "1e3"),
        ("top_k", -1),
        ("multiplier", 2),
        ("records_per_subject", 0),
    ],
)
async def test_senseless_terms_are_refused(
    served: NodeSetting, field: str, value: object
) -> None:
    """Whatever a router sends, the node runs inside its bounds or not at all."""
    message = granted()
    setattr(message.private_context.grant.parameters, field, value)

    reason = await refusal(served, message)

    assert reason in {"FIELD_REQUIRED", "FIELD_INVALID", "NOT_PRIVATELY_SERVABLE"}


@pytest.mark.parametrize(
    "sampling",
    [
        pb.Sampling(temperature=0.5),
        pb.Sampling(temperature=0.0),
        pb.Sampling(top_k=1),
        pb.Sampling(top_p=0.9),
        pb.Sampling(seed=1),
    ],
    ids=str,
)
async def test_sampling_of_ones_own_is_refused_by_both(
    served: NodeSetting, sampling: pb.Sampling
) -> None:
    """The policy fixes how tokens are drawn, else the charge means nothing."""
    await served.router.open_dataset(40.0)
    before = await spent_and_held(served)
    message = private("own-sampling")
    message.sampling.CopyFrom(sampling)
    stub = await served.router.inference()

    with pytest.raises(errors.NotPrivatelyServable):
        async with translated_errors():
            await stub.Complete(pb.CompleteRequest(generation=message), timeout=30)
    at_node = granted()
    at_node.sampling.CopyFrom(sampling)

    assert await refusal(served, at_node) == "NOT_PRIVATELY_SERVABLE"
    assert await spent_and_held(served) == before


async def test_more_records_than_slots_are_refused_by_the_node_too(
    served: NodeSetting,
) -> None:
    """The shape is fixed; a ninth record has no row."""
    message = granted()
    extra = [pb.Record(id=f"more-{number}", text=b"x") for number in range(7)]
    message.private_context.records.extend(extra)

    assert await refusal(served, message) == "RECORDS_TOO_MANY"


@pytest.mark.parametrize("role", [0, 99])
async def test_unknown_speaker_is_refused_before_anything_is_reserved(
    served: NodeSetting, role: int
) -> None:
    """What the router can see, it must see before the hold."""
    await served.router.open_dataset(40.0)
    before = await spent_and_held(served)
    message = private(f"speaker-{role}")
    message.messages[0].role = role  # type: ignore[assignment]
    stub = await served.router.inference()

    with pytest.raises(errors.InvalidInput):
        async with translated_errors():
            await stub.Complete(pb.CompleteRequest(generation=message), timeout=30)

    assert await spent_and_held(served) == before


async def test_caller_that_leaves_pays_what_was_granted(served: NodeSetting) -> None:
    """All eight tokens: nobody can prove what was sampled before the hang-up."""
    await served.router.open_dataset(40.0)
    before, _ = await spent_and_held(served)
    stub = await served.router.inference()
    stream = stub.Generate(
        pb.GenerateRequest(generation=private("leaving")), timeout=60
    )
    await stream.read()

    stream.cancel()

    async with asyncio.timeout(30):
        while (await spent_and_held(served))[1]:
            await asyncio.sleep(0.02)
    spent, _ = await spent_and_held(served)
    assert spent - before == TOKENS_MAX * TOKEN_UNITS


async def test_client_cannot_grant_itself(served: NodeSetting) -> None:
    """The grant is the router's word."""
    stub = await served.router.inference()

    with pytest.raises(errors.FieldInvalid) as raised:
        async with translated_errors():
            await stub.Complete(pb.CompleteRequest(generation=granted()), timeout=30)

    assert raised.value.metadata["field"] == "generation.private_context.grant"


async def test_record_that_is_no_text_is_named(served: NodeSetting) -> None:
    """By its place, never by its content."""
    message = private()
    message.private_context.records[1].text = b"\xff\xfe"
    stub = await served.router.inference()

    with pytest.raises(errors.RecordNotText) as raised:
        async with translated_errors():
            await stub.Complete(pb.CompleteRequest(generation=message), timeout=30)

    field = "generation.private_context.records[1].text"
    assert raised.value.metadata["field"] == field


async def test_log_and_errors_hold_no_record(
    served: NodeSetting, capsys: pytest.CaptureFixture[str]
) -> None:
    """One line per call, and not a word of what was asked or found."""
    await served.router.open_dataset(40.0)
    message = private("quiet")
    message.messages[0].content = "prompt-canary"
    message.private_context.records[0].text = b"record-canary"
    stub = await served.router.inference()
    capsys.readouterr()

    await stub.Complete(pb.CompleteRequest(generation=message), timeout=60)
    message.private_context.policy = "policies/unproven"
    with pytest.raises(grpc.aio.AioRpcError) as raised:
        await stub.Complete(pb.CompleteRequest(generation=message), timeout=60)

    written = capsys.readouterr()
    told = written.out + written.err + str(raised.value)
    assert "InferenceService/Complete" in told
    assert "canary" not in told
