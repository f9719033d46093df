"""Public requests at a real node, through a real router: the same tokens, one count."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import grpc
import pytest
import torch
from transformers import LlamaForCausalLM

from federated_router.api.v1 import inference_pb2 as pb
from federated_router.api.v1 import ops_pb2
from federated_router.kit import errors
from federated_router.kit.grpc_client import translated_errors
from federated_router.kit.identity import Role
from tests.integration.node.conftest import CONTEXT_TOKENS, NodeSetting
from tests.support.fix_router import generation
from tests.support.raw_calls import SERVICES, Answer, call
from tests.support.running import eventually
from tests.support.tiny_model import tiny_tokenizer

pytestmark = pytest.mark.asyncio(loop_scope="module")
LONG = 900
TOKENS = 12


def asking(tokens: int, content: str = "hello", **sampling: object) -> pb.Generation:
    """Return a greedy request of so many tokens."""
    message = generation(sampling=pb.Sampling(tokens_max=tokens, **sampling))  # type: ignore[arg-type]
    message.messages[0].content = content
    return message


def greedy(directory: Path, content: str, tokens: int) -> list[int]:
    """Return what plain `transformers.generate` answers."""
    prompt = list(
        tiny_tokenizer().encode(
            f"<|begin|><|user|>{content}<|end|><|assistant|>", add_special_tokens=False
        )
    )
    model = LlamaForCausalLM.from_pretrained(directory).eval()
    ids = torch.tensor([prompt])
    answer = model.generate(
        ids,
        attention_mask=torch.ones_like(ids),
        do_sample=False,
        max_new_tokens=tokens,
    )
    return [int(token) for token in answer[0, len(prompt) :]]


@asynccontextmanager
async def busy(served: NodeSetting) -> AsyncIterator[None]:
    """Keep the node's only slot and its only place in the queue taken."""
    stub = await served.direct()
    calls = [
        stub.Generate(pb.GenerateRequest(generation=asking(LONG)), timeout=60)
        for _ in range(2)
    ]
    readers = [asyncio.ensure_future(one.read()) for one in calls]
    engine = served.models[0].chat
    await eventually(lambda: (engine.load().running, engine.load().waiting) == (1, 1))
    try:
        yield
    finally:
        for one in calls:
            one.cancel()
        await asyncio.gather(*readers, return_exceptions=True)
        await eventually(lambda: engine.load().running == 0)


async def test_models_are_listed_with_what_was_proved(served: NodeSetting) -> None:
    """The router shows what the node offers, the node what it serves."""
    at_router = await (await served.router.inference()).ListModels(
        pb.ListModelsRequest(), timeout=30
    )
    at_node = await (await served.direct()).ListModels(
        pb.ListModelsRequest(), timeout=30
    )

    (model,) = at_router.models
    assert model.name == "models/m"
    assert model.context_tokens_max == CONTEXT_TOKENS
    assert model.private_support == pb.PRIVATE_SUPPORT_OFFERED
    assert list(model.nodes) == ["nodes/n1"]
    assert list(at_node.models) == [model]


@pytest.mark.parametrize("content", ["hello", "What is metformin used for?"])
async def test_greedy_answer_is_that_of_the_plain_model(
    served: NodeSetting, content: str
) -> None:
    """Two hops, a batch and coalescing later: token for token the same."""
    expected = await asyncio.to_thread(greedy, served.directory, content, TOKENS)
    stub = await served.router.inference()

    stream = stub.Generate(
        pb.GenerateRequest(generation=asking(TOKENS, content)), timeout=30
    )
    events = [event async for event in stream]

    chunks = [event.chunk for event in events if event.HasField("chunk")]
    tokens = [token for chunk in chunks for token in chunk.token_ids]
    finished = events[-1].finished
    assert tokens == expected
    assert finished.completion_tokens == len(tokens)
    assert not finished.HasField("charge")


async def test_whole_answer_is_the_streamed_one(served: NodeSetting) -> None:
    """Complete and Generate differ in form only."""
    stub = await served.router.inference()
    stream = stub.Generate(pb.GenerateRequest(generation=asking(TOKENS)), timeout=30)
    streamed = "".join([event.chunk.text async for event in stream])

    whole = await stub.Complete(
        pb.CompleteRequest(generation=asking(TOKENS)), timeout=30
    )

    assert whole.text == streamed
    assert whole.started.node == "nodes/n1"
    assert whole.finished.reason == pb.FINISH_REASON_LENGTH
    assert whole.finished.completion_tokens == TOKENS


async def test_seeded_answer_is_repeatable_and_another_seed_differs(
    served: NodeSetting,
) -> None:
    """Sampling fields reach the engine."""
    stub = await served.router.inference()

    async def drawn(seed: int) -> str:
        request = asking(TOKENS, temperature=1.5, seed=seed)
        response = await stub.Complete(
            pb.CompleteRequest(generation=request), timeout=30
        )
        return str(response.text)

    texts = [await drawn(seed) for seed in (1, 1, 2)]

    assert texts[0] == texts[1] != texts[2]


async def test_cancelled_request_stops_the_model_and_counts_for_nothing(
    served: NodeSetting,
) -> None:
    """A client that left says nothing about the node, and frees its slot."""
    before = await served.counted()
    engine = served.models[0].chat
    stub = await served.router.inference()
    stream = stub.Generate(pb.GenerateRequest(generation=asking(LONG)), timeout=60)
    events = aiter(stream)
    await anext(events)
    await anext(events)

    stream.cancel()

    await eventually(lambda: engine.load().running == 0)
    assert await served.counted() == before


async def test_prompt_beyond_the_context_is_refused(served: NodeSetting) -> None:
    """Prompt plus answer must fit; it is the caller's mistake and not a failure."""
    before = await served.counted()
    stub = await served.router.inference()

    with pytest.raises(errors.PromptTooLong):
        async with translated_errors():
            await stub.Complete(
                pb.CompleteRequest(generation=asking(LONG, "x" * 500)), timeout=30
            )

    assert await served.counted() == before


async def test_full_node_says_so_and_counts_a_failure(served: NodeSetting) -> None:
    """Overload is what the federation should learn about a node."""
    before = await served.counted()
    stub = await served.router.inference()

    async with busy(served):
        with pytest.raises(errors.QueueFull) as raised:
            async with translated_errors():
                await stub.Complete(
                    pb.CompleteRequest(generation=asking(1)), timeout=30
                )

    answers, failures = await served.counted()
    assert raised.value.retry_after_s is not None
    assert (answers, failures) == (before[0], before[1] + 1)


async def test_every_answer_counts_once(served: NodeSetting) -> None:
    """Streamed or whole, each answer moves one bucket by one."""
    before = await served.counted()
    stub = await served.router.inference()
    stream = stub.Generate(pb.GenerateRequest(generation=asking(2)), timeout=30)

    await stub.Complete(pb.CompleteRequest(generation=asking(2)), timeout=30)
    async for _ in stream:
        pass

    assert await served.counted() == (before[0] + 2, before[1])


async def test_missed_deadline_counts_as_a_failure(served: NodeSetting) -> None:
    """A node that is too slow has failed, even if the caller hung up first."""
    before = await served.counted()

    for _ in range(3):
        await missed(served)

    async with asyncio.timeout(30):
        while (await served.counted())[1] < before[1] + 3:
            await asyncio.sleep(0.02)
    assert await served.counted() == (before[0], before[1] + 3)


async def missed(served: NodeSetting) -> None:
    """Miss a deadline while the node runs the request, and not on the way there."""
    stub, engine = await served.router.inference(), served.models[0].chat
    for within_s in (0.3, 1.0, 3.0):
        request = pb.CompleteRequest(generation=asking(LONG))
        call, ran = stub.Complete(request, timeout=within_s), False
        while not call.done():
            ran = ran or engine.load().running > 0
            await asyncio.sleep(0.002)
        with pytest.raises(errors.DeadlineExceeded):
            async with translated_errors():
                await call
        await eventually(lambda: engine.load().running == 0)
        if ran:
            return
    pytest.fail("The node never ran it.")


@pytest.mark.parametrize(
    ("changes", "error"),
    [
        ({"model": "models/other"}, errors.ModelUnknown),
        (
            {"messages": [pb.Message(role=99, content="x")]},  # type: ignore[arg-type]
            errors.FieldInvalid,
        ),
    ],
)
async def test_nonsense_at_the_node_has_its_reason(
    served: NodeSetting,
    changes: dict[str, object],
    error: type[errors.FederationError],
) -> None:
    """A router may be wrong, too."""
    message = asking(1)
    for field in changes:
        message.ClearField(field)
    message.MergeFrom(pb.Generation(**changes))  # type: ignore[arg-type]
    stub = await served.direct()

    with pytest.raises(error):
        async with translated_errors():
            await stub.Complete(pb.CompleteRequest(generation=message), timeout=30)


@pytest.mark.parametrize("role", Role)
async def test_node_is_for_routers_and_its_operator(
    served: NodeSetting, role: Role
) -> None:
    """A client that found the node's address gets nothing from it."""
    channel = await served.channel(role, "op")
    refused = Answer(grpc.StatusCode.PERMISSION_DENIED, "ROLE_NOT_ALLOWED")
    allowed = {
        "InferenceService": role is Role.ROUTER,
        "EngineService": role is Role.OPERATOR,
        "PrivateDecodingService": role is Role.ROUTER,
        "OpsService": role is Role.OPERATOR,
    }

    answers = {
        (service, method.name): await call(channel, method)
        for service in allowed
        for method in SERVICES[service].methods
        if method.name not in ("Drain", "Resume") or not allowed[service]
    }

    for (service, _), answer in answers.items():
        assert (answer != refused) is allowed[service]


async def test_drained_node_leaves_and_comes_back(served: NodeSetting) -> None:
    """Drain gives the lease back at once; Resume takes a new one within a lease."""
    ops, stub = await served.ops(), await served.router.inference()

    async def models() -> list[str]:
        response = await stub.ListModels(pb.ListModelsRequest(), timeout=30)
        return [model.name for model in response.models]

    await ops.Drain(ops_pb2.DrainRequest(), timeout=30)
    gone = await models()
    await ops.Resume(ops_pb2.ResumeRequest(), timeout=30)
    async with asyncio.timeout(30):
        while not await models():
            await asyncio.sleep(0.02)

    assert gone == []
    assert await stub.Complete(pb.CompleteRequest(generation=asking(1)), timeout=30)
