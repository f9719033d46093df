"""Private requests wait on their own terms, as public ones do."""

import time

import pytest

from federated_router.kit.clock import ManualClock
from federated_router.kit.errors import DeadlineExceeded
from node.engine.engine import Priority, Terms
from node.engine.fake_engine import FakeEngine, FakeSettings
from node.engine.limits import EngineLimits
from tests.support.engine_conformance import CountingSteps, all_of, ids_of

LIMITS = EngineLimits(slots=1, private_slots=1, waiting_max=4)


async def started() -> FakeEngine:
    """Return an engine with one private slot."""
    engine = FakeEngine(FakeSettings(limits=LIMITS), ManualClock())
    await engine.start()
    return engine


async def test_urgent_private_request_passes_one_that_waits() -> None:
    """The router may have lowered the one; nobody who runs is stopped for it."""
    engine = await started()
    order: list[str] = []

    def named(name: str) -> CountingSteps:
        order.append(name)
        return CountingSteps(tokens_max=2)

    answers = [
        engine.run_stepper(lambda: named("runs")),
        engine.run_stepper(lambda: named("low"), terms=Terms(priority=Priority.LOW)),
        engine.run_stepper(lambda: named("high"), terms=Terms(priority=Priority.HIGH)),
    ]
    for pieces in answers:
        assert ids_of(await all_of(pieces)) == [70, 70]

    assert order == ["runs", "high", "low"]
    await engine.stop()


async def test_private_request_that_waits_in_vain_was_never_begun() -> None:
    """It is refused at its deadline, with nothing drawn and nothing to charge."""
    engine = await started()
    running = engine.run_stepper(lambda: CountingSteps(tokens_max=50))
    made: list[CountingSteps] = []

    def make() -> CountingSteps:
        made.append(CountingSteps(tokens_max=2))
        return made[-1]

    late = engine.run_stepper(make, terms=Terms(deadline_s=time.monotonic()))

    with pytest.raises(DeadlineExceeded):
        await all_of(late)
    assert len(ids_of(await all_of(running))) == 50
    assert made == []
    await engine.stop()
