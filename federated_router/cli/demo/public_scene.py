"""Public requests: streaming, cancellation, deadline, a killed node, and load."""

import asyncio
import time

import grpc

from federated_router.api.v1 import inference_pb2 as pb
from federated_router.api.v1 import ops_pb2, routing_pb2
from federated_router.cli.demo.figures import claim
from federated_router.cli.demo.stage import (
    CALL_TIMEOUT_S,
    LARGE,
    SMALL,
    Stage,
    Traced,
    until,
)
from federated_router.cli.screen import quote, say
from node.reference.corpus import long_prompts, public_questions

# Enough that noise leaves no doubt: a cell below 100 noised requests says nothing.
LOAD_REQUESTS = {LARGE: 400, SMALL: 120}
LOAD_CONCURRENCY = 16
LOAD_TOKENS_MAX = 12
CANCEL_WITHIN_MS = 500.0


async def show_streaming(stage: Stage) -> None:
    """Stream one answer and say where it came from."""
    prompt = public_questions()[0]
    generation = stage.public(LARGE, prompt)
    begin_s = time.perf_counter()
    first_s, texts = 0.0, []
    started, finished = pb.Started(), pb.Finished()
    call = stage.inference.Generate(
        pb.GenerateRequest(generation=generation), timeout=CALL_TIMEOUT_S
    )
    async for response in call:
        match response.WhichOneof("event"):
            case "started":
                started = response.started
            case "chunk":
                first_s = first_s or time.perf_counter() - begin_s
                texts.append(response.chunk.text)
            case _:
                finished = response.finished
    claim(
        that=started.node and finished.reason and len(texts) > 1,
        otherwise="A streamed answer did not come in several chunks.",
    )
    say(f"asked: {prompt}")
    quote("".join(texts))
    say(
        f"{started.node} answered with {started.model}: "
        f"{finished.completion_tokens} tokens in {len(texts)} chunks, "
        f"the first after {first_s * 1000:.0f} ms."
    )
    stage.figures.add("requests.public")
    stage.figures.record("public.first_chunk_ms", round(first_s * 1000, 1))


async def show_cancellation(stage: Stage) -> None:
    """Cancel a long answer and find that the node stopped at once."""
    trace = Traced.new()
    generation = stage.public(LARGE, long_prompts()[0], tokens_max=300)
    call = stage.inference.Generate(
        pb.GenerateRequest(generation=generation),
        timeout=CALL_TIMEOUT_S,
        metadata=trace.metadata,
    )
    node, begin_s = "", time.perf_counter()
    async for response in call:
        if response.HasField("started"):
            node = response.started.node.removeprefix("nodes/")
        else:
            break
    cancelled_ms = (time.perf_counter() - begin_s) * 1000
    call.cancel()
    line = await stage.logged(node, trace.trace_id)
    ran_ms = float(str(line["duration_ms"]))
    claim(
        that=line["code"] == "CANCELLED" and ran_ms < cancelled_ms + CANCEL_WITHIN_MS,
        otherwise=f"The node ran on after cancellation: {line}.",
    )
    say(
        f"cancelled a long answer after {cancelled_ms:.0f} ms; "
        f"{node} logs CANCELLED after {ran_ms:.0f} ms."
    )
    stage.figures.add("requests.cancelled")


async def show_deadline(stage: Stage) -> None:
    """Give a long answer half its time, and find the deadline on both hops."""
    whole_s = time.perf_counter()
    await _deadline_of(stage, Traced.new(), CALL_TIMEOUT_S)
    whole_s = time.perf_counter() - whole_s
    for share in (0.5, 0.35, 0.25):
        deadline_s, trace = share * whole_s, Traced.new()
        code, node = await _deadline_of(stage, trace, deadline_s)
        if code is not grpc.StatusCode.OK and node:
            break
    claim(
        that=code is grpc.StatusCode.DEADLINE_EXCEEDED and node,
        otherwise=f"A deadline of {deadline_s:.3f} s ended as {code.name} at '{node}'.",
    )
    line = await stage.logged(node, trace.trace_id)
    ran_ms = float(str(line["duration_ms"]))
    claim(
        that=ran_ms < deadline_s * 1000 + CANCEL_WITHIN_MS,
        otherwise=f"The node ran past the deadline: {line}.",
    )
    say(
        f"an answer that takes {whole_s * 1000:.0f} ms got {deadline_s * 1000:.0f} ms: "
        f"the client heard DEADLINE_EXCEEDED, {node} stopped after {ran_ms:.0f} ms."
    )
    stage.figures.add("requests.deadline")


async def _deadline_of(
    stage: Stage, trace: Traced, deadline_s: float
) -> tuple[grpc.StatusCode, str]:
    """Return how a long answer ends within `deadline_s`, and at which node."""
    generation = stage.public(LARGE, long_prompts()[0], tokens_max=300)
    call = stage.inference.Generate(
        pb.GenerateRequest(generation=generation),
        timeout=deadline_s,
        metadata=trace.metadata,
    )
    node = ""
    try:
        async for response in call:
            if response.HasField("started"):
                node = response.started.node.removeprefix("nodes/")
    except grpc.aio.AioRpcError as error:
        return error.code(), node
    return grpc.StatusCode.OK, node


async def show_killed_node(stage: Stage) -> str:
    """Kill the node that is next in line; the request is answered all the same.

    Return its name; it is starting again.
    """
    generation = stage.public(LARGE, public_questions()[1])
    victim = (await stage.explain(LARGE)).node
    stage.local.kill(victim.removeprefix("nodes/"))
    response = await stage.inference.Complete(
        pb.CompleteRequest(generation=generation), timeout=CALL_TIMEOUT_S
    )
    claim(
        that=response.started.node != victim and response.text,
        otherwise="The request was not answered by another node.",
    )
    say(f"killed {victim}; {response.started.node} answered in its place.")
    stage.figures.add("requests.public")
    stage.figures.add("requests.retried")

    async def gone() -> bool:
        return victim not in {node.name for node in await stage.nodes()}

    await until(gone, what=f"{victim} leaves with its lease")
    say(f"{victim} left the registry with its lease; starting it again.")
    await asyncio.to_thread(stage.local.launch, victim.removeprefix("nodes/"))
    return victim


async def show_return(stage: Stage, victim: str) -> None:
    """Find the node that was killed and started again among the others."""
    await asyncio.to_thread(stage.local.wait_ready, victim.removeprefix("nodes/"))

    async def back() -> bool:
        return victim in {node.name for node in await stage.nodes()}

    await until(back, what=f"{victim} registers again")
    say(f"{victim} is back with a new lease.")


async def show_load(stage: Stage) -> None:
    """Serve enough requests for the federation to learn from."""
    before = _requests(await stage.statistics())
    await _set_strategy(stage, "round_robin")
    begin_s = time.perf_counter()
    await asyncio.gather(
        *(_many(stage, model, count) for model, count in LOAD_REQUESTS.items())
    )
    seconds = time.perf_counter() - begin_s
    await _set_strategy(stage, "federated_priors")
    total = sum(LOAD_REQUESTS.values())
    counted = _requests(await stage.statistics()) - before
    claim(
        that=counted == total,
        otherwise=f"{total} requests were served and {counted} were counted by nodes.",
    )
    say(
        f"{total} requests in {seconds:.1f} s, {LOAD_CONCURRENCY} at a time per model; "
        "the nodes counted every one of them."
    )
    stage.figures.add("requests.public", total)
    stage.figures.record("load.requests_per_s", round(total / seconds, 1))


async def _many(stage: Stage, model: str, count: int) -> None:
    """Serve `count` requests, a bounded number at a time."""
    questions = public_questions()
    places = asyncio.Semaphore(LOAD_CONCURRENCY)

    async def one(number: int) -> None:
        prompt = questions[number % len(questions)]
        generation = stage.public(model, prompt, tokens_max=LOAD_TOKENS_MAX)
        async with places:
            await stage.inference.Complete(
                pb.CompleteRequest(generation=generation), timeout=CALL_TIMEOUT_S
            )

    await asyncio.gather(*(one(number) for number in range(count)))


async def _set_strategy(stage: Stage, name: str) -> None:
    await stage.strategy.SetStrategy(
        routing_pb2.SetStrategyRequest(strategy=name), timeout=CALL_TIMEOUT_S
    )


def _requests(statistics: dict[str, ops_pb2.GetStatsResponse]) -> int:
    """Return how many requests all members together have counted."""
    return sum(
        sum(cell.latency_counts) + cell.failures
        for response in statistics.values()
        for cell in response.performance
    )
