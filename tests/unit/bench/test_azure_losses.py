"""Why a replay's requests were lost: what nobody could prevent, and what is ours."""

import pytest

from tests.evaluate.azure_losses import Cause, cause_of, losses, success_ratio, took_ms
from tests.evaluate.azure_run import Kill, Seen

NODES = ("a", "b")
ALONE = (Kill("a", 10.0, 20.0),)
BOTH = (Kill("a", 10.0, 20.0), Kill("b", 15.0, 30.0))


def lost(reason: str, at_s: float = 17.0, *, private: bool = False) -> Seen:
    """Return a request that took a second and ended so."""
    return Seen(private, reason=reason, sent_s=at_s - 1.0, ended_s=at_s)


@pytest.mark.parametrize(
    ("seen", "kills", "cause"),
    [
        (lost("NODE_LOST", private=True), ALONE, Cause.PRIVATE_SENT),
        (lost("NO_NODE_AVAILABLE", private=True), ALONE, Cause.OURS),
        (lost("NODE_LOST"), ALONE, Cause.OURS),
        (lost("NODE_LOST"), BOTH, Cause.ALL_DEAD),
        (lost("NODE_LOST", 14.9), BOTH, Cause.OURS),
        (lost("NODE_LOST", 23.0), BOTH, Cause.ALL_DEAD),
        (lost("NODE_LOST", 25.0), BOTH, Cause.OURS),
        (lost("QUEUE_FULL"), BOTH, Cause.REFUSED_FULL),
        (lost("DEADLINE_EXCEEDED"), ALONE, Cause.LATE),
    ],
)
def test_cause_is_the_routers_unless_nobody_could_have_answered(
    seen: Seen, kills: tuple[Kill, ...], cause: Cause
) -> None:
    """Every node is dead from 15 to 20, and one needs three seconds to register."""
    assert cause_of(seen, kills, NODES) is cause


def test_node_that_never_came_back_stays_dead() -> None:
    """A kill without an end lasts."""
    kills = (Kill("a", 1.0), Kill("b", 2.0))

    assert cause_of(lost("NODE_LOST", 500.0), kills, NODES) is Cause.ALL_DEAD


def test_losses_are_told_by_kind() -> None:
    """A request for a whole answer is not a stream."""
    seen = {
        "1": lost("NODE_LOST", private=True),
        "2": Seen(private=False, whole_asked=True, reason="NODE_LOST", ended_s=1.0),
        "3": Seen(private=False),
    }

    found = losses(seen, ALONE, NODES)

    assert dict(found["private"]) == {Cause.PRIVATE_SENT: 1}
    assert dict(found["whole"]) == {Cause.OURS: 1}
    assert not found["stream"]


def test_times_are_of_answers_alone() -> None:
    """A loss has no time, and none at all has no quantile."""
    answer = Seen(private=False, sent_s=1.0, ended_s=1.5)

    assert took_ms([answer, lost("NODE_LOST")], 0.99) == 500.0
    assert took_ms([lost("NODE_LOST")], 0.99) is None
    assert success_ratio([answer, lost("NODE_LOST")]) == 0.5
    assert success_ratio([]) == 1.0
