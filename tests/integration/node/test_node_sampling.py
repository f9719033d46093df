"""What is asked of sampling reaches the model, or is refused by both daemons alike."""

import math

import pytest

from federated_router.api.v1 import inference_pb2 as pb
from federated_router.kit import errors
from federated_router.kit.grpc_client import translated_errors
from federated_router.privacy.charge import token_charge_units
from federated_router.privacy.settings import PolicySettings
from federated_router.proxy.private_grant import parameters_message
from tests.integration.node.conftest import NodeSetting
from tests.support.fix_router import POLICY, generation, private

pytestmark = pytest.mark.asyncio(loop_scope="module")
TOKENS = 8
PROVEN = PolicySettings.model_validate(POLICY).policy()


def asking(content: str = "hello", **sampling: object) -> pb.Generation:
    """Return a public request."""
    message = generation(sampling=pb.Sampling(tokens_max=TOKENS, **sampling))  # type: ignore[arg-type]
    message.messages[0].content = content
    return message


async def answered(
    served: NodeSetting, message: pb.Generation, *, user: str = "alice"
) -> pb.CompleteResponse:
    """Return a whole answer from the router."""
    stub = await served.router.inference(user)
    response: pb.CompleteResponse = await stub.Complete(
        pb.CompleteRequest(generation=message), timeout=30
    )
    return response


async def test_log_probabilities_come_for_every_token(served: NodeSetting) -> None:
    """Streamed or whole, with as many alternatives as were asked for."""
    stub = await served.router.inference()
    stream = stub.Generate(
        pb.GenerateRequest(generation=asking(logprobs=3)), timeout=30
    )
    chunks = [event.chunk async for event in stream if event.HasField("chunk")]
    whole = await answered(served, asking(logprobs=3))

    drawn = [one for chunk in chunks for one in chunk.logprobs]
    tokens = [token for chunk in chunks for token in chunk.token_ids]
    assert [one.token_id for one in drawn] == tokens
    assert [one.token_id for one in whole.logprobs] == tokens
    # A prompt that was kept is not read again, which rounds elsewhere.
    assert [one.logprob for one in whole.logprobs] == pytest.approx(
        [one.logprob for one in drawn], abs=1e-5
    )
    assert len(drawn) == TOKENS
    for one in drawn:
        # Greedy: what was drawn is the likeliest, and three are no more than all.
        assert len(one.alternatives) == 3
        assert one.alternatives[0].token_id == one.token_id
        assert one.logprob == one.alternatives[0].logprob < 0
        assert math.fsum(math.exp(other.logprob) for other in one.alternatives) <= 1


async def test_answer_without_the_wish_has_no_log_probabilities(
    served: NodeSetting,
) -> None:
    """They cost time and room."""
    whole = await answered(served, asking())

    assert not whole.logprobs


async def test_repetition_penalty_reaches_the_model(served: NodeSetting) -> None:
    """The same request with and without it; 1 is off."""
    prompt = "a" * 30
    texts = [
        (await answered(served, asking(prompt, **wish))).text
        for wish in ({}, {"repetition_penalty": 1.0}, {"repetition_penalty": 1.9})
    ]

    assert texts[0] == texts[1] != texts[2]


async def test_kept_prompt_is_the_callers_alone(served: NodeSetting) -> None:
    """Whoever asks the same next must not learn that somebody asked it before."""
    prompt = "a long question about a rare disease " * 8
    first = await answered(served, asking(prompt), user="carol")
    again = await answered(served, asking(prompt), user="carol")
    other = await answered(served, asking(prompt), user="mallory")

    assert first.text == again.text == other.text
    assert again.finished.prompt_tokens == first.finished.prompt_tokens
    assert 0 < again.finished.prompt_tokens_cached < again.finished.prompt_tokens
    assert first.finished.prompt_tokens_cached == 0
    assert other.finished.prompt_tokens_cached == 0


@pytest.mark.parametrize("priority", sorted(pb.Priority.values()))
async def test_every_priority_of_the_contract_is_served(
    served: NodeSetting, priority: int
) -> None:
    """Who goes first is the engine's; here nobody is refused for it."""
    message = asking()
    message.priority = priority  # type: ignore[assignment]

    assert (await answered(served, message)).finished.completion_tokens == TOKENS


@pytest.mark.parametrize("daemon", ["router", "node"])
@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("temperature", 3.0),
        ("repetition_penalty", 0.0),
        ("repetition_penalty", 2.5),
        ("logprobs", 21),
        ("logprobs", -1),
        ("answers", 2),
        ("beams", 4),
    ],
)
async def test_public_request_outside_the_bounds_is_refused_by_both(
    served: NodeSetting, daemon: str, field: str, value: float
) -> None:
    """A router of another version must not get from a node what this one refuses."""
    stub = await (served.router.inference() if daemon == "router" else served.direct())
    message = asking()
    setattr(message.sampling, field, value)

    with pytest.raises(errors.FieldInvalid) as raised:
        async with translated_errors():
            await stub.Complete(pb.CompleteRequest(generation=message), timeout=30)

    assert raised.value.metadata["field"] == f"generation.sampling.{field}"


@pytest.mark.parametrize("daemon", ["router", "node"])
@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("temperature", 0.0),
        ("top_k", 5),
        ("top_p", 0.5),
        ("seed", 1),
        ("repetition_penalty", 1.2),
        ("logprobs", 0),
        ("answers", 2),
        ("beams", 2),
    ],
)
async def test_private_request_is_refused_by_both_before_anything_is_charged(
    served: NodeSetting, daemon: str, field: str, value: float
) -> None:
    """With its reason, and the field by name; the account stays as it was."""
    await served.router.open_dataset(40.0)
    before = await served.router.account()
    message = private(f"refused-{daemon}")
    setattr(message.sampling, field, value)
    stub = await served.router.inference()
    if daemon == "node":
        stub = await served.direct()
        grant = message.private_context.grant
        grant.reservation = "reservations/alice.p-1"
        grant.token_charge_units = token_charge_units(PROVEN)
        grant.tokens_granted = 1
        grant.parameters.CopyFrom(parameters_message(PROVEN))

    with pytest.raises(errors.NotPrivatelyServable) as raised:
        async with translated_errors():
            await stub.Complete(pb.CompleteRequest(generation=message), timeout=30)

    assert raised.value.metadata["field"] == f"generation.sampling.{field}"
    after = await served.router.account()
    assert (after.spent_units, after.held_units) == (
        before.spent_units,
        before.held_units,
    )
