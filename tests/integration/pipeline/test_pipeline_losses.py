"""Shards that die, fall silent, are full or spoilt: answers go on, or say why not."""

import asyncio
import random
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from federated_router.kit.errors import (
    Internal,
    QueueFull,
    ShardsMissing,
    Unavailable,
)
from node.engine.engine import Sampling
from node.model_settings import PipelineSettings
from node.shards.metrics import HISTORY_BYTES, REPLACEMENTS
from node.shards.pipeline_engine import PipelineEngine
from tests.support.engine_conformance import all_of, ids_of
from tests.support.fix_pki import Pki
from tests.support.pipeline_world import (
    MODEL,
    PIPELINE,
    SHARD_LIMITS,
    PipelineWorld,
    ShardNode,
    pipeline_world,
)
from tests.support.split_models import LAYERS, build_split_model, generated

PROMPT = list(range(7, 27))
TOKENS = 30
GREEDY = Sampling(tokens_max=TOKENS)


@pytest.fixture
async def empty(pki: Pki) -> AsyncIterator[PipelineWorld]:
    """Run a registry without shards."""
    async with pipeline_world(pki) as world:
        yield world


@pytest.fixture(scope="session")
def expected(split_directory: Path) -> list[int]:
    """Return what an undisturbed answer is."""
    return generated(split_directory, [PROMPT], tokens_max=TOKENS)[0]


def pipeline(**changes: object) -> PipelineSettings:
    """Return a leader's settings with other waits."""
    return PIPELINE.model_copy(update=changes)


async def interrupted(
    engine: PipelineEngine, act: Callable[[], Awaitable[None]], *, after: int = 5
) -> list[int]:
    """Return the tokens of an answer in the middle of which something happens."""
    found: list[int] = []
    pieces = engine.generate(PROMPT, GREEDY)
    try:
        async for piece in pieces:
            before = len(found)
            found += piece.token_ids
            if before < after <= len(found):
                await act()
    finally:
        await pieces.aclose()
    return found


def slow(node: ShardNode, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let a shard take 10 ms for each frame, so that a test stands in mid-answer."""
    submit = node.engine.submit

    def later(*given: Any) -> None:  # noqa: ANN401 - passed on.
        asyncio.get_running_loop().call_later(0.01, submit, *given)

    monkeypatch.setattr(node.engine, "submit", later)


def mute(node: ShardNode, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let a shard take frames and never answer them."""
    monkeypatch.setattr(node.engine, "submit", lambda *_: None)


def replacements() -> float:
    """Return how many shards were replaced so far."""
    return float(REPLACEMENTS.labels(MODEL)._value.get())


async def all_listed(engine: PipelineEngine, count: int) -> None:
    """Return once the leader has measured so many nodes."""
    async with asyncio.timeout(30):
        while len(engine.directory.link_ms) < count:
            await asyncio.sleep(0.01)


@pytest.mark.parametrize("victim", ["a", "b", "c"])
async def test_answer_goes_on_over_a_replica_with_the_same_tokens(
    empty: PipelineWorld,
    split_directory: Path,
    expected: list[int],
    victim: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """First, middle or last: the replica is told what the dead shard had seen."""
    ranges = {"a": (0, 2), "b": (2, 3), "c": (3, LAYERS)}
    for name, layers in (*ranges.items(), ("spare", ranges[victim])):
        slow(await empty.shard(name, split_directory, layers), monkeypatch)
    engine = await empty.leader(split_directory)
    await all_listed(engine, 4)
    before = replacements()

    async def die() -> None:
        used = next(
            one for one in (victim, "spare") if empty.nodes[one].engine.sequences.open
        )
        await empty.nodes[used].die()

    assert await interrupted(engine, die) == expected
    assert replacements() == before + 1
    await empty.released(list(empty.nodes))
    assert HISTORY_BYTES.labels(MODEL)._value.get() == 0


async def test_answer_goes_on_over_shards_of_other_ranges(
    empty: PipelineWorld,
    split_directory: Path,
    expected: list[int],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The first shard is kept; the lost one and the one after it make way for two."""
    for name, layers in (("a", (0, 2)), ("b", (2, 4)), ("c", (4, LAYERS))):
        slow(await empty.shard(name, split_directory, layers), monkeypatch)
    engine = await empty.leader(split_directory)
    await all_listed(engine, 3)

    async def regroup() -> None:
        await empty.nodes["b"].die()
        await empty.shard("d", split_directory, (2, 3))
        await empty.shard("e", split_directory, (3, LAYERS))

    assert await interrupted(engine, regroup) == expected
    await empty.released(list(empty.nodes))


async def test_silent_shard_is_given_up_after_the_frame_timeout(
    empty: PipelineWorld,
    split_directory: Path,
    expected: list[int],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A frozen process keeps its connection; only the clock tells."""
    for name in ("one", "two"):
        slow(await empty.shard(name, split_directory, (0, LAYERS)), monkeypatch)
    engine = await empty.leader(split_directory, pipeline=pipeline(frame_timeout_s=2.0))
    await all_listed(engine, 2)

    async def silence() -> None:
        used = next(n for n in empty.nodes.values() if n.engine.sequences.open)
        mute(used, monkeypatch)

    assert await interrupted(engine, silence) == expected
    await empty.released(list(empty.nodes))


async def test_answer_without_a_replica_fails_as_one_to_try_elsewhere(
    empty: PipelineWorld, split_directory: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The router asks another node where nothing was answered yet."""
    slow(await empty.shard("only", split_directory, (0, LAYERS)), monkeypatch)
    engine = await empty.leader(split_directory, pipeline=pipeline(shards_wait_s=0.3))
    await all_listed(engine, 1)

    with pytest.raises(ShardsMissing):
        await interrupted(engine, empty.nodes["only"].die)
    with pytest.raises(ShardsMissing):
        await all_of(engine.generate(PROMPT, GREEDY))
    with pytest.raises(ShardsMissing):
        await engine.probe()
    assert issubclass(ShardsMissing, Unavailable)
    assert engine.load().running == 0


async def test_answer_waits_for_a_shard_that_comes_back(
    empty: PipelineWorld,
    split_directory: Path,
    expected: list[int],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Within the configured time; it begins again at the new one from the start."""
    slow(await empty.shard("only", split_directory, (0, LAYERS)), monkeypatch)
    engine = await empty.leader(split_directory)
    await all_listed(engine, 1)

    async def restart() -> None:
        await empty.nodes["only"].die()
        await asyncio.sleep(0.2)
        await empty.shard("only", split_directory, (0, LAYERS))

    assert await interrupted(engine, restart) == expected


async def test_full_shards_are_told_as_a_full_queue_at_once(
    empty: PipelineWorld, split_directory: Path
) -> None:
    """Another leader has the slots; waiting here would help nobody."""
    limits = replace(SHARD_LIMITS, slots=1)
    node = await empty.shard("only", split_directory, (0, LAYERS), limits)
    engine = await empty.leader(split_directory)
    await all_listed(engine, 1)
    taken = node.engine.sequences.begin(10, now_s=0.0)

    with pytest.raises(QueueFull):
        await all_of(engine.generate(PROMPT, GREEDY))

    node.engine.sequences.end(taken)
    assert len(ids_of(await all_of(engine.generate(PROMPT, GREEDY)))) > 0


async def test_full_shard_is_passed_over_for_a_replica(
    empty: PipelineWorld, split_directory: Path, expected: list[int]
) -> None:
    """More answers than one replica has slots run on both."""
    limits = replace(SHARD_LIMITS, slots=1)
    for name in ("one", "two"):
        await empty.shard(name, split_directory, (0, LAYERS), limits)
    engine = await empty.leader(split_directory)
    await all_listed(engine, 2)

    answers = await asyncio.gather(
        *(all_of(engine.generate(PROMPT, GREEDY)) for _ in range(2))
    )

    assert [ids_of(answer) for answer in answers] == [expected] * 2


async def test_shards_that_keep_failing_are_not_tried_for_ever(
    empty: PipelineWorld, split_directory: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """At most `replacements_max` times; then it is told as a defect."""
    tried: list[str] = []
    for name in ("one", "two", "three"):
        node = await empty.shard(name, split_directory, (0, LAYERS))

        def failing(*given: Any, name: str = name) -> None:  # noqa: ANN401 - as the engine's.
            tried.append(name)
            given[-1](Internal("this shard is spoilt"))

        monkeypatch.setattr(node.engine, "submit", failing)
    engine = await empty.leader(split_directory, pipeline=pipeline(replacements_max=1))
    await all_listed(engine, 3)

    with pytest.raises(Internal):
        await all_of(engine.generate(PROMPT, GREEDY))
    assert len(tried) == len(set(tried)) == 2


async def test_shard_of_another_model_is_never_used(
    empty: PipelineWorld, split_directory: Path, tmp_path: Path
) -> None:
    """Its layers would run, and give nonsense."""
    other = build_split_model(tmp_path / "other", "qwen2")
    await empty.shard("other", other, (0, LAYERS))
    engine = await empty.leader(split_directory, pipeline=pipeline(shards_wait_s=0.5))

    with pytest.raises(ShardsMissing):
        await all_of(engine.generate(PROMPT, GREEDY))


async def test_random_deaths_lose_no_token_and_leak_nothing(
    empty: PipelineWorld,
    split_directory: Path,
    expected: list[int],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Answers, departures, deaths and returns in any order, from a printed seed."""
    seed = random.randrange(2**32)  # noqa: S311 - chance, not secrecy.
    print(f"seed {seed}")  # noqa: T201 - to run it again.
    dice = random.Random(seed)  # noqa: S311 - as above.
    halves = {"a": (0, 3), "b": (3, LAYERS), "c": (0, 3), "d": (3, LAYERS)}
    for name, layers in halves.items():
        slow(await empty.shard(name, split_directory, layers), monkeypatch)
    engine = await empty.leader(split_directory, pipeline=pipeline(replacements_max=9))
    await all_listed(engine, 4)

    async def asked() -> list[int] | None:
        await asyncio.sleep(dice.random())
        pieces = engine.generate(PROMPT, GREEDY)
        if dice.randrange(4) == 0:
            async with asyncio.timeout(30):
                await anext(pieces)
            await pieces.aclose()
            return None
        return ids_of(await all_of(pieces))

    asking = [asyncio.create_task(asked()) for _ in range(10)]
    for _ in range(2):
        name = dice.choice(list(halves))
        await empty.nodes[name].die()
        await asyncio.sleep(0.3 * dice.random())
        slow(await empty.shard(name, split_directory, halves[name]), monkeypatch)
    answers = await asyncio.gather(*asking)

    assert all(found in (None, expected) for found in answers)
    assert any(found == expected for found in answers)
    await empty.released(list(empty.nodes))
    assert (engine.load().running, engine.load().waiting) == (0, 0)
    assert HISTORY_BYTES.labels(MODEL)._value.get() == 0
