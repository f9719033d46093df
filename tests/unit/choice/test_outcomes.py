"""Each answer's outcome counts once, and the last report before the router's view."""

import asyncio

import pytest

from federated_router.choice.outcomes import Outcomes
from federated_router.choice.settings import ChoiceSettings
from federated_router.choice.sight import Sight, sight_of
from federated_router.kit.clock import ManualClock
from federated_router.kit.errors import FieldInvalid, RequestUnknown
from federated_router.priors.prompt import Prompt
from tests.unit.choice.choosers import EASY, SMALL

WAIT_S = 60.0


class Learnt:
    """Notes what it is told."""

    def __init__(self) -> None:
        """Know nothing."""
        self.rewards: list[tuple[str, float]] = []

    def see(self, prompt: Prompt, tenant: str) -> Sight:
        """See as a chooser does."""
        assert tenant == "t"
        return sight_of(prompt, word_features=8)

    def learn(self, model: str, seen: Sight, reward: float) -> None:
        """Note it."""
        assert seen.pattern
        self.rewards.append((model, reward))


def outcomes_of(**settings: object) -> tuple[Outcomes, Learnt, ManualClock]:
    """Return outcomes, who learns of them, and their clock."""
    chosen = ChoiceSettings.model_validate({"outcome_wait_s": WAIT_S, **settings})
    learnt, clock = Learnt(), ManualClock()
    return Outcomes(chosen, learnt, clock), learnt, clock


async def test_routers_own_view_counts_where_nobody_reports() -> None:
    """After the wait, and not before: somebody might still report."""
    outcomes, learnt, clock = outcomes_of()
    outcomes.remember("t", "1", SMALL, EASY)
    outcomes.served("t", "1", succeeded=True)
    outcomes.settle()
    assert not learnt.rewards

    await clock.advance(WAIT_S)
    outcomes.settle()

    assert learnt.rewards == [(SMALL, 1.0)]


async def test_last_report_counts_once_here_and_is_told_once() -> None:
    """A changed mind replaces the first; the federation hears one reward."""
    outcomes, learnt, clock = outcomes_of()
    told: list[float] = []
    outcomes.remember("t", "1", SMALL, EASY, tell=lambda _, reward: told.append(reward))
    assert outcomes.report("t", "1", 0.25) == SMALL
    outcomes.served("t", "1", succeeded=True)
    assert outcomes.report("t", "1", 0.75) == SMALL

    await clock.advance(WAIT_S)
    outcomes.settle()
    outcomes.settle_all()

    assert learnt.rewards == [(SMALL, 0.75)]
    assert told == [0.75]


@pytest.mark.parametrize(
    ("succeeded", "by_length", "reward"),
    [(True, False, 1.0), (True, True, 0.3), (False, False, 0.0), (False, True, 0.0)],
)
async def test_routers_own_view_is_of_how_the_answer_ended(
    succeeded: bool,  # noqa: FBT001 - parametrised.
    by_length: bool,  # noqa: FBT001 - parametrised.
    reward: float,
) -> None:
    """An answer that was cut off is worth less than one that ended."""
    outcomes, learnt, _ = outcomes_of(length_stop_reward=0.3)
    outcomes.remember("t", "1", SMALL, EASY)
    outcomes.served("t", "1", succeeded=succeeded, stopped_by_length=by_length)
    outcomes.settle_all()

    assert learnt.rewards == [(SMALL, reward)]


async def test_others_requests_and_old_ones_are_unknown() -> None:
    """Nobody may judge answers of others, nor learn that there were any."""
    outcomes, _, clock = outcomes_of()
    outcomes.remember("t", "1", SMALL, EASY)

    for tenant, request in (("other", "1"), ("t", "2")):
        with pytest.raises(RequestUnknown):
            outcomes.report(tenant, request, 1.0)
    await clock.advance(WAIT_S)
    with pytest.raises(RequestUnknown):
        outcomes.report("t", "1", 1.0)


@pytest.mark.parametrize("reward", [-0.1, 1.1, float("nan")])
async def test_reward_outside_its_range_is_refused(reward: float) -> None:
    """One report must not move a sum further than one request may."""
    outcomes, learnt, _ = outcomes_of()
    outcomes.remember("t", "1", SMALL, EASY)

    with pytest.raises(FieldInvalid):
        outcomes.report("t", "1", reward)
    outcomes.settle_all()

    assert not learnt.rewards


async def test_memory_is_bounded_and_the_oldest_counts_at_once() -> None:
    """Requests without an end must not fill the router; nothing is lost by it."""
    outcomes, learnt, _ = outcomes_of(outcomes_max=3)
    for number in range(5):
        outcomes.remember("t", str(number), SMALL, EASY)
        outcomes.served("t", str(number), succeeded=True)

    assert len(outcomes) == 3
    assert len(learnt.rewards) == 2


async def test_request_that_its_caller_ended_says_nothing_unless_reported() -> None:
    """A caller who hung up did not judge; one who reported did."""
    outcomes, learnt, _ = outcomes_of()
    for number in ("1", "2", "3"):
        outcomes.remember("t", number, SMALL, EASY)
    outcomes.report("t", "2", 0.5)
    for number in ("1", "2"):
        outcomes.forget("t", number)
    outcomes.settle_all()

    assert learnt.rewards == [(SMALL, 0.5)]
    assert not len(outcomes)


async def test_what_waits_counts_when_the_process_ends() -> None:
    """A restart must not throw away what callers reported."""
    outcomes, learnt, _ = outcomes_of()
    task = asyncio.create_task(outcomes.run())
    await asyncio.sleep(0)
    outcomes.remember("t", "1", SMALL, EASY)
    outcomes.report("t", "1", 1.0)

    task.cancel()
    await asyncio.gather(task, return_exceptions=True)

    assert learnt.rewards == [(SMALL, 1.0)]


async def test_waiting_request_shows_no_text() -> None:
    """Logs print what they are given; prompts must not be in it, nor kept."""
    outcomes, _, _ = outcomes_of()
    outcomes.remember("t", "1", SMALL, EASY)

    assert "station" not in repr(list(outcomes._waiting.values()))
