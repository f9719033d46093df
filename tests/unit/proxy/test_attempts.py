"""A request that fails at several nodes is counted once, and each lost node once."""

import time
from dataclasses import dataclass, field, replace
from typing import cast

import pytest

from federated_router.federation.statistics import Statistics
from federated_router.kit.errors import (
    FederationError,
    FieldInvalid,
    NodeLost,
    NoNodeAvailable,
    QueueFull,
)
from federated_router.kit.identity import Identity, Role, set_current_identity
from federated_router.proxy.attempts import Attempts
from federated_router.proxy.deadline import Deadline
from federated_router.proxy.pseudonyms import Pseudonyms
from federated_router.proxy.recording import Recording
from federated_router.proxy.settings import ProxySettings
from federated_router.routing.candidate import Candidate, RouteQuery
from federated_router.routing.router import Router
from tests.unit.proxy.test_recording import CANDIDATE, generation

FULL = QueueFull("full", retry_after_s=1)


@dataclass
class Nodes:
    """Chooses nodes in turn, as routing does with those that already failed."""

    left: list[Candidate] = field(default_factory=list)

    def choose(self, query: RouteQuery) -> Candidate:
        """Return the first node that is not excluded."""
        for candidate in self.left:
            if candidate.node not in query.excluded:
                return candidate
        raise NoNodeAvailable("none", retry_after_s=1.0)


@dataclass
class Counted:
    """Attempts at two nodes, and what they count."""

    statistics: Statistics
    attempts: Attempts

    def patterns(self) -> tuple[int, int]:
        """Return the successes and failures by pattern."""
        batch = self.statistics.pending()
        counts = batch.over(batch.latency_bounds_ms).patterns.values()
        return sum(one.successes for one in counts), sum(one.failures for one in counts)

    def lost(self) -> int:
        """Return how many lost nodes were counted."""
        return sum(one.failures for one in self.statistics.pending().cells.values())


@pytest.fixture
def counted() -> Counted:
    """Return attempts at two nodes by an identified caller."""
    set_current_identity(Identity(Role.CLIENT, "alice", "a.example"))
    statistics = Statistics()
    nodes = Nodes([CANDIDATE, replace(CANDIDATE, node="nodes/n2")])
    attempts = Attempts(
        router=cast("Router", nodes),
        settings=ProxySettings(retry_backoff_s=0.0),
        recording=Recording(statistics, pseudonyms=Pseudonyms()),
        generation=generation(),
        query=RouteQuery(model="models/a"),
        deadline=Deadline(time.monotonic() + 60.0),
    )
    return Counted(statistics, attempts)


async def test_request_that_no_node_takes_counts_as_one_failure(
    counted: Counted,
) -> None:
    """Two full nodes are one failed request of this pattern."""
    for _ in range(2):
        counted.attempts.failed(await counted.attempts.next(), FULL)

    with pytest.raises(QueueFull):
        await counted.attempts.next()

    assert counted.patterns() == (0, 1)
    assert counted.lost() == 0


async def test_lost_nodes_count_one_by_one_and_their_request_once(
    counted: Counted,
) -> None:
    """Each node's loss is the node's; the request fails when none is left."""
    for _ in range(2):
        counted.attempts.failed(await counted.attempts.next(), NodeLost("lost"))

    with pytest.raises(NodeLost):
        await counted.attempts.next()

    assert counted.patterns() == (0, 1)
    assert counted.lost() == 2


async def test_attempt_that_may_be_repeated_does_not_count_yet(
    counted: Counted,
) -> None:
    """The next node may answer."""
    counted.attempts.failed(await counted.attempts.next(), FULL)
    await counted.attempts.next()

    assert counted.patterns() == (0, 0)


@pytest.mark.parametrize(
    ("error", "failures"), [(NodeLost("lost"), 1), (FieldInvalid("no", field="x"), 0)]
)
async def test_error_that_ends_the_request_counts_if_it_is_not_the_callers(
    counted: Counted, error: FederationError, failures: int
) -> None:
    """After the first chunk nothing is repeated; a caller's error is nobody's."""
    attempt = await counted.attempts.next()
    attempt.committed = True

    with pytest.raises(type(error)):
        counted.attempts.failed(attempt, error)

    assert counted.patterns() == (0, failures)


async def test_request_for_which_there_never_was_a_node_is_not_counted(
    counted: Counted,
) -> None:
    """It says nothing about any model."""
    counted.attempts.router = cast("Router", Nodes())

    with pytest.raises(NoNodeAvailable):
        await counted.attempts.next()

    assert counted.statistics.balance().recorded == 0
