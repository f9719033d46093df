"""A pipeline over three nodes answers as any engine does, and as the whole model."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio

from federated_router.kit.errors import Draining, PrivateNotOffered
from node.engine.engine import ChatMessage, Sampling
from node.engine.pieces import FinishReason
from node.shards.directory import Wish
from node.shards.pipeline_engine import PipelineEngine
from node.shards.wiring import pipeline_facts
from tests.support.continuation_conformance import ContinuationConformance
from tests.support.engine_conformance import (
    LIMITS,
    LONG_TOKENS,
    QUESTION,
    SLOTS,
    WAITING_MAX,
    CountingSteps,
    EngineConformance,
    all_of,
    ids_of,
)
from tests.support.pipeline_world import PipelineWorld
from tests.support.split_models import generated

pytestmark = pytest.mark.asyncio(loop_scope="module")


@pytest_asyncio.fixture(loop_scope="module")
async def engine(
    world: PipelineWorld, split_directory: Path
) -> AsyncIterator[PipelineEngine]:
    """Lead a pipeline; what it leaves at the shards fails the test."""
    made = await world.leader(split_directory, limits=LIMITS)
    yield made
    await made.stop()
    await world.released(list(world.nodes))


class TestPipelineEngine(EngineConformance, ContinuationConformance):
    """The pipeline passes what other engines pass; private jobs are refused."""

    test_private_job_that_may_not_go_on_yet_waits_for_no_loss = None  # type: ignore[assignment]
    test_private_job_streams_beside_the_batch = None  # type: ignore[assignment]
    test_failing_private_job_hurts_nobody_else = None  # type: ignore[assignment]
    test_private_job_that_cannot_be_made_fails_its_caller = None  # type: ignore[assignment]
    test_stop_string_ends_a_private_job = None  # type: ignore[assignment]
    test_closed_private_job_makes_no_more_steps = None  # type: ignore[assignment]
    test_stop_ends_running_and_waiting_requests_as_cancelled = None  # type: ignore[assignment]


async def test_tokens_are_those_of_the_whole_model_with_late_arrivals(
    engine: PipelineEngine, split_directory: Path
) -> None:
    """Several requests share shards and passes; none may tell.

    Prompts of one token, of one frame and of several, each begun between two tokens
    of the others.
    """
    prompts = [list(range(7, 7 + length)) for length in (1, 8, 9, 30, 64)]
    expected = generated(split_directory, prompts, tokens_max=24)

    async def answered(at: int) -> list[int]:
        await asyncio.sleep(0.02 * at)
        pieces = engine.generate(prompts[at], Sampling(tokens_max=24))
        return ids_of(await all_of(pieces))

    waiting = [asyncio.create_task(answered(at)) for at in range(3)]
    found = await asyncio.gather(*waiting)
    found += await asyncio.gather(answered(3), answered(4))

    assert found == expected


async def test_sampled_answer_depends_on_its_seed_alone(
    engine: PipelineEngine,
) -> None:
    """Neighbours in the head's pass must not take part in the draw."""
    prompt = engine.prompt_ids([ChatMessage("user", "seed")])
    sampling = Sampling(tokens_max=16, temperature=1.0, top_k=20, seed=3)
    alone = ids_of(await all_of(engine.generate(prompt, sampling)))

    other = Sampling(tokens_max=16, temperature=2.0, seed=4)
    beside, another = await asyncio.gather(
        all_of(engine.generate(prompt, sampling)),
        all_of(engine.generate(prompt, other)),
    )

    assert ids_of(beside) == alone
    assert ids_of(another) != alone


async def test_stop_ends_running_and_waiting_answers(engine: PipelineEngine) -> None:
    """No caller of a stopped engine waits for ever, and none may come."""
    prompt = engine.prompt_ids(QUESTION)
    long = Sampling(tokens_max=LONG_TOKENS)
    admitted = [engine.generate(prompt, long) for _ in range(SLOTS + WAITING_MAX)]
    await anext(admitted[0])

    await engine.stop()

    finishes = [(await all_of(pieces))[-1].finish for pieces in admitted]
    assert set(finishes) <= {FinishReason.CANCELLED, FinishReason.LENGTH}
    assert FinishReason.CANCELLED in finishes
    with pytest.raises(Draining):
        engine.generate(prompt, long)


async def test_private_job_is_refused_with_the_reason(engine: PipelineEngine) -> None:
    """Every node of the pipeline would see the records."""
    steps = CountingSteps(3)

    with pytest.raises(PrivateNotOffered, match="several nodes"):
        engine.run_stepper(lambda: steps)
    assert steps.steps == 0


async def test_probe_and_facts_tell_of_the_chain(engine: PipelineEngine) -> None:
    """The node offers the model while it can be run, and operators see where."""
    async with asyncio.timeout(30):
        while engine.directory.chain_now(Wish(tokens=1)) is None:
            await asyncio.sleep(0.01)

    await engine.probe()
    parts = pipeline_facts(engine).parts
    assert [part.device for part in parts] == ["cpu", "nodes/a", "nodes/b", "nodes/c"]
    assert parts[1].modules == "model.layers.0-1"
    assert all(part.weight_bytes > 0 for part in parts)
