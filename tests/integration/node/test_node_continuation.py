"""A node goes on with an answer that another node began, and counts its own part."""

import pytest

from federated_router.api.v1 import inference_pb2 as pb
from federated_router.kit import errors
from federated_router.kit.grpc_client import translated_errors
from tests.integration.node.conftest import NodeSetting
from tests.support.fix_router import generation, private

pytestmark = pytest.mark.asyncio(loop_scope="module")
TOKENS = 12


def asking(continuation: pb.Continuation | None = None) -> pb.GenerateRequest:
    """Return a sampled request with a seed, begun elsewhere or not."""
    message = generation(
        sampling=pb.Sampling(tokens_max=TOKENS, temperature=1.0, seed=11)
    )
    if continuation is not None:
        message.continuation.CopyFrom(continuation)
    return pb.GenerateRequest(generation=message)


async def told(served: NodeSetting, request: pb.GenerateRequest) -> pb.CompleteResponse:
    """Return the ids, the text and the end of a streamed answer, ids as log probs."""
    answer = pb.CompleteResponse()
    async with translated_errors():
        async for response in (await served.direct()).Generate(request, timeout=30):
            answer.text += response.chunk.text
            for token_id in response.chunk.token_ids:
                answer.logprobs.add(token_id=token_id)
            if response.HasField("finished"):
                answer.finished.CopyFrom(response.finished)
    return answer


def ids(answer: pb.CompleteResponse) -> list[int]:
    """Return the token ids of an answer."""
    return [one.token_id for one in answer.logprobs]


async def test_rest_of_a_streamed_answer_and_the_count_of_all(
    served: NodeSetting,
) -> None:
    """The caller appends it: no token twice, none missing, and the count is whole."""
    whole = await told(served, asking())

    rest = await told(served, asking(pb.Continuation(token_ids=ids(whole)[:5])))

    assert ids(rest) == ids(whole)[5:]
    assert rest.text == whole.text
    assert rest.finished.reason == whole.finished.reason
    assert rest.finished.completion_tokens == whole.finished.completion_tokens
    assert rest.finished.prompt_tokens == whole.finished.prompt_tokens


@pytest.mark.parametrize(
    ("continuation", "field"),
    [
        (pb.Continuation(token_ids=[10**6]), "generation.continuation.token_ids"),
        (pb.Continuation(token_ids=[70] * 13), "generation.continuation.token_ids"),
        (
            pb.Continuation(token_ids=[70], text_bytes=-1),
            "generation.continuation.text_bytes",
        ),
        (
            pb.Continuation(token_ids=[70], text_bytes=99),
            "generation.continuation.text_bytes",
        ),
    ],
)
async def test_beginning_that_no_answer_has_is_refused_with_its_field(
    served: NodeSetting, continuation: pb.Continuation, field: str
) -> None:
    """A router's mistake is told before anything of an answer is."""
    with pytest.raises(errors.FieldInvalid) as raised:
        await told(served, asking(continuation))

    assert raised.value.metadata["field"] == field


async def test_continuation_without_tokens_is_refused(served: NodeSetting) -> None:
    """Nothing to go on from is an answer that begins, and is asked for as one."""
    with pytest.raises(errors.FieldRequired) as raised:
        await told(served, asking(pb.Continuation(text_bytes=1)))

    assert raised.value.metadata["field"] == "generation.continuation.token_ids"


async def test_private_answer_is_never_gone_on_with(served: NodeSetting) -> None:
    """Its tokens were paid for once; others would be another release."""
    message = private()
    message.continuation.token_ids.append(70)

    with pytest.raises(errors.FieldInvalid) as raised:
        await told(served, pb.GenerateRequest(generation=message))

    assert raised.value.metadata["field"] == "generation.continuation"
