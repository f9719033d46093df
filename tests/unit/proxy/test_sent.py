"""What the end of an attempt says of a node, and to whom; it ends once."""

from dataclasses import dataclass, field
from typing import cast

import pytest

from federated_router.api.v1 import inference_pb2 as pb
from federated_router.kit.clock import SystemClock
from federated_router.kit.errors import (
    DeadlineExceeded,
    Draining,
    FederationError,
    Internal,
    NodeLost,
    PromptTooLong,
    QueueFull,
    ShardsMissing,
)
from federated_router.proxy.breaker import BreakerSettings, BreakerState
from federated_router.proxy.breakers import Breakers
from federated_router.proxy.hedging import Hedging, HedgingSettings
from federated_router.proxy.sent import Learners, Sent
from federated_router.routing.candidate import PLAIN
from federated_router.routing.router import Router
from tests.unit.proxy.proxy_fakes import FakeRouter
from tests.unit.proxy.test_recording import CANDIDATE

NODE = (CANDIDATE.node, None)
MODEL = (CANDIDATE.node, CANDIDATE.model)


@dataclass
class Blocks(FakeRouter):
    """A router that keeps which breakers opened, at the first failure."""

    blocked: list[tuple[str, str | None]] = field(default_factory=list)

    def block(self, node: str, model: str | None = None) -> None:
        """Keep a block."""
        self.blocked.append((node, model))


@dataclass
class World:
    """One request at a node after another."""

    router: Blocks
    learners: Learners

    def sent(self) -> Sent:
        """Count a request."""
        return self.learners.sent(CANDIDATE, PLAIN)


def world(*, silent_s: float = 60.0) -> World:
    """Return learners of which nobody has learned anything."""
    router = Blocks()
    settings = BreakerSettings(failures_max=1, silent_s=silent_s)
    learners = Learners(
        router=cast("Router", router),
        breakers=Breakers(settings, router, SystemClock()),
        hedging=Hedging(HedgingSettings()),
        activity=None,
        silent_s=silent_s,
    )
    return World(router, learners)


@pytest.mark.parametrize(
    ("error", "lost", "blocked"),
    [
        (NodeLost("gone"), True, [NODE]),
        (Internal("wrong"), False, [MODEL]),
        (ShardsMissing("no layers"), False, [MODEL]),
        (QueueFull("full", retry_after_s=1), False, []),
        (Draining("stopping", retry_after_s=1), False, []),
        (PromptTooLong("long", field="f"), False, []),
        (DeadlineExceeded("late"), False, []),
    ],
)
def test_failure_is_held_against_whom_it_speaks_of(
    error: FederationError,
    lost: bool,  # noqa: FBT001 - a parameter of the test.
    blocked: list[tuple[str, str | None]],
) -> None:
    """A lost node is out with all its models; a full one has done nothing wrong."""
    at = world()

    at.sent().failed(error, lost=lost)

    assert at.router.blocked == blocked
    assert [one.succeeded for one in at.router.served] == [False] * len(blocked)
    assert at.router.in_flight == 0


def test_silence_until_a_long_deadline_is_the_nodes() -> None:
    """Its caller was patient enough for any node that works."""
    at = world(silent_s=1e-9)

    at.sent().failed(DeadlineExceeded("late"), lost=False)

    assert at.router.blocked == [MODEL]


def test_deadline_after_the_first_token_is_not_the_nodes() -> None:
    """A deadline after the first token is the answer's length, or the caller's."""
    at = world(silent_s=1e-9)
    spoke = at.sent()
    spoke.first_token()

    spoke.failed(DeadlineExceeded("late"), lost=False)

    assert at.router.blocked == []
    assert at.router.served == []


def test_callers_with_little_time_close_no_node_to_others() -> None:
    """A deadline of a millisecond says nothing of a node, however often it passes."""
    at = world(silent_s=60.0)

    for _ in range(50):
        at.sent().failed(DeadlineExceeded("late"), lost=False)

    assert at.router.blocked == []
    assert at.router.served == []


def test_answer_is_learned_from() -> None:
    """Times, and tokens as the node counted them."""
    at = world()
    sent = at.sent()
    sent.first_token()

    sent.succeeded(
        pb.Finished(prompt_tokens=5, prompt_tokens_cached=3, completion_tokens=9)
    )

    (served,) = at.router.served
    assert served.succeeded
    assert served.first_token_ms is not None
    assert 0 <= served.first_token_ms <= served.total_ms
    assert (served.prompt_tokens, served.prompt_tokens_cached) == (5, 3)
    assert served.completion_tokens == 9


def test_node_that_ended_anothers_answer_is_told_its_own_tokens() -> None:
    """It did not make those that it was told."""
    at = world()

    served = at.sent().succeeded(pb.Finished(completion_tokens=9), tokens=4)

    assert served.completion_tokens == 4


def test_request_ends_once() -> None:
    """Leaving its block afterwards counts nothing again."""
    at = world()
    with at.sent() as sent:
        during = at.router.in_flight
        sent.succeeded(pb.Finished())
        sent.failed(NodeLost("late news"), lost=True)

    assert (during, at.router.in_flight) == (1, 0)
    assert [one.succeeded for one in at.router.served] == [True]
    assert at.learners.breakers.states()[CANDIDATE.node] is BreakerState.CLOSED


def test_request_that_its_caller_left_says_nothing() -> None:
    """It is uncounted, and nobody learns from it."""
    at = world()

    with pytest.raises(KeyboardInterrupt), at.sent():
        raise KeyboardInterrupt

    assert at.router.in_flight == 0
    assert at.router.served == []
    assert at.router.blocked == []
