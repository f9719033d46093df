"""A kept prefix saves reading, changes no answer, and is its tenant's alone."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from prometheus_client import REGISTRY

from federated_router.kit.errors import Internal
from node.engine.batcher import Batcher
from node.engine.device_map import ModelSource
from node.engine.engine import ChatMessage, Sampling, Terms
from node.engine.kept_states import KeptStates
from node.engine.kv_slots import SlotCache
from node.engine.limits import EngineLimits
from node.engine.ready_model import TransformersSettings
from node.engine.rows import Drawn, Row
from node.engine.transformers_engine import TransformersEngine
from tests.support.engine_conformance import CountingSteps, all_of, idle, ids_of

LIMITS = EngineLimits(slots=4, private_slots=1, waiting_max=32)
ANN, BOB = Terms(tenant="ann"), Terms(tenant="bob")
SAMPLING = Sampling(tokens_max=16)


def engine_with(directory: Path, prefix_cache_bytes: int) -> TransformersEngine:
    """Return an engine that keeps that much, with one thread and small passes."""
    return TransformersEngine(
        TransformersSettings(
            ModelSource(directory),
            LIMITS,
            prefill_tokens_max=16,
            threads=1,
            prefix_cache_bytes=prefix_cache_bytes,
        )
    )


@pytest.fixture
async def engine(tiny_directory: Path) -> AsyncIterator[TransformersEngine]:
    """Return a started engine that keeps up to a mebibyte."""
    made = engine_with(tiny_directory, 2**20)
    await made.start()
    yield made
    await made.stop()


def prompt_of(engine: TransformersEngine, end: str) -> list[int]:
    """Return a prompt with a beginning that all of them share."""
    shared = "You are a careful assistant of this clinic. "
    return engine.prompt_ids([ChatMessage("user", shared + end)])


async def asked(
    engine: TransformersEngine,
    prompt: list[int],
    terms: Terms,
    sampling: Sampling = SAMPLING,
) -> tuple[list[int], int]:
    """Return the answer's tokens, and how much of the prompt was kept."""
    pieces = await all_of(engine.generate(prompt, sampling, terms))
    assert not any(piece.prompt_tokens_cached for piece in pieces[1:])
    await idle(engine)
    return ids_of(pieces), pieces[0].prompt_tokens_cached


async def test_answers_with_and_without_a_hit_are_equal(
    engine: TransformersEngine,
) -> None:
    """Greedy answers, token for token; keeping is an optimisation and nothing else."""
    prompts = [prompt_of(engine, "Question " + "?" * at) for at in (1, 5, 9)]
    alone = [await asked(engine, prompt, Terms()) for prompt in prompts]
    assert [cached for _, cached in alone] == [0, 0, 0]

    await asked(engine, prompts[0], ANN)
    again = await asyncio.gather(*(asked(engine, one, ANN) for one in prompts))

    assert [ids for ids, _ in again] == [ids for ids, _ in alone]
    assert all(cached > 40 for _, cached in again)
    assert again[0][1] == len(prompts[0]) - 1


async def test_conversation_continues_where_it_ended(
    engine: TransformersEngine,
) -> None:
    """The answer's own tokens are kept too, for the caller who sends them back."""
    prompt = prompt_of(engine, "Hello")
    answer, _ = await asked(engine, prompt, ANN)
    longer = [*prompt, *answer, 70, 71, 72]
    expected, _ = await asked(engine, longer, Terms())

    following, cached = await asked(engine, longer, ANN)

    # The last token of an answer was sampled, but no pass has read it.
    assert cached == len(prompt) + len(answer) - 1
    assert following == expected


async def test_another_tenant_reads_the_same_prompt_itself(
    engine: TransformersEngine,
) -> None:
    """Neither an answer nor its speed may tell one tenant what another asked."""
    prompt = prompt_of(engine, "Do I have diabetes?")
    expected, _ = await asked(engine, prompt, ANN)

    assert await asked(engine, prompt, BOB) == (expected, 0)
    assert await asked(engine, prompt, Terms()) == (expected, 0)
    assert (await asked(engine, prompt, ANN))[1] == len(prompt) - 1


async def test_prefixes_stay_within_their_bytes(tiny_directory: Path) -> None:
    """More prompts than fit: what is held never passes the limit, and answers stay."""
    limit = 40_000
    engine = engine_with(tiny_directory, limit)
    await engine.start()
    prompts = [prompt_of(engine, chr(65 + at) * 40) for at in range(12)]
    expected = [(await asked(engine, prompt, Terms()))[0] for prompt in prompts]

    for prompt, answer in zip(prompts * 2, expected * 2, strict=True):
        assert (await asked(engine, prompt, ANN))[0] == answer
        assert 0 < engine.prefix_cache_bytes <= limit

    assert engine.prefix_cache_bytes_max == limit
    await engine.stop()


async def test_engine_that_keeps_nothing_holds_nothing(tiny_directory: Path) -> None:
    """An operator may turn it off."""
    engine = engine_with(tiny_directory, 0)
    await engine.start()
    prompt = prompt_of(engine, "Again")

    assert [(await asked(engine, prompt, ANN))[1] for _ in range(3)] == [0, 0, 0]
    assert engine.prefix_cache_bytes == 0
    await engine.stop()


async def test_private_jobs_leave_nothing_behind(engine: TransformersEngine) -> None:
    """What is kept comes from the batch; a private job has passes of its own."""
    steps = CountingSteps(tokens_max=6)

    await all_of(engine.run_stepper(lambda: steps))

    assert engine.prefix_cache_bytes == 0


async def test_failing_copy_costs_the_prefix_and_not_the_answer(
    engine: TransformersEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without memory for a copy the prompt is read in full, and nothing is held."""
    prompt = prompt_of(engine, "Short of memory")
    expected, _ = await asked(engine, prompt, ANN)
    assert engine.prefix_cache_bytes > 0

    def no_room(*_: object, **__: object) -> KeptStates:
        raise MemoryError

    monkeypatch.setattr(SlotCache, "write", no_room)
    monkeypatch.setattr(SlotCache, "read", no_room)

    assert await asked(engine, prompt, ANN) == (expected, 0)
    assert engine.prefix_cache_bytes == 0


async def test_failed_request_keeps_nothing(
    engine: TransformersEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What a broken pass left behind must not become another answer's beginning."""
    prompt = prompt_of(engine, "Broken")
    choose = Batcher._choose

    def broken(
        batcher: Batcher,
        rows: Sequence[Row],
        logits: torch.Tensor,
        at: Sequence[int],
    ) -> list[Drawn]:
        return choose(batcher, rows, torch.full_like(logits, float("nan")), at)

    monkeypatch.setattr(Batcher, "_choose", broken)
    with pytest.raises(Internal):
        await all_of(engine.generate(prompt, SAMPLING, ANN))
    await idle(engine)

    assert engine.prefix_cache_bytes == 0


async def test_operators_see_how_much_was_kept(engine: TransformersEngine) -> None:
    """The counter tells kept from read prompt tokens."""

    def counted(source: str) -> float:
        return (
            REGISTRY.get_sample_value("node_prompt_tokens_total", {"source": source})
            or 0.0
        )

    prompt = prompt_of(engine, "Count")
    await asked(engine, prompt, ANN)
    before = counted("kept"), counted("read")

    _, cached = await asked(engine, prompt, ANN)

    assert counted("kept") - before[0] == cached == len(prompt) - 1
    assert counted("read") - before[1] == 1


def test_terms_do_not_show_the_tenant() -> None:
    """A pseudonym is not for logs."""
    assert "ann" not in repr(replace(ANN, deadline_s=1.0))
