"""The fake engine keeps the port's promises, and time stands still until told."""

import asyncio
from collections.abc import AsyncIterator

import pytest

from federated_router.kit.clock import ManualClock
from node.engine.engine import Sampling
from node.engine.fake_engine import FakeEngine, FakeSettings
from node.engine.pieces import FinishReason
from tests.support.continuation_conformance import ContinuationConformance
from tests.support.engine_conformance import (
    LIMITS,
    QUESTION,
    EngineConformance,
    all_of,
    text_of,
)

SCRIPT = "The patient was given metformin, a dose of 500 µg, 每天."


@pytest.fixture
async def engine() -> AsyncIterator[FakeEngine]:
    """Return a started fake that answers without delay."""
    fake = FakeEngine(FakeSettings(limits=LIMITS, script=SCRIPT), ManualClock())
    await fake.start()
    yield fake
    await fake.stop()


class TestFakeEngine(EngineConformance, ContinuationConformance):
    """The fake passes what the real engine passes."""


async def test_fake_recites_its_script_to_the_end(engine: FakeEngine) -> None:
    """A test of the service must know the whole answer beforehand."""
    prompt = engine.prompt_ids(QUESTION)

    pieces = await all_of(engine.generate(prompt, Sampling(tokens_max=200)))

    assert text_of(pieces) == SCRIPT
    assert pieces[-1].finish is FinishReason.END


async def test_fake_makes_one_token_per_tick_of_its_clock() -> None:
    """A test may stand between two tokens, for instance to cancel there."""
    clock = ManualClock()
    settings = FakeSettings(limits=LIMITS, script=SCRIPT, token_delay_s=0.5)
    engine = FakeEngine(settings, clock)
    await engine.start()
    pieces = engine.generate(engine.prompt_ids(QUESTION), Sampling(tokens_max=9))

    await asyncio.sleep(0)
    await clock.advance(0.5)
    first = await anext(pieces)

    assert first.text == "T"
    assert engine.load().running == 1
    await engine.stop()
