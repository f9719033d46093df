"""Credit for a running answer: when it grows, in which order, and what stops it."""

import asyncio
from collections.abc import AsyncIterator

import grpc
import pytest
from hypothesis import given
from hypothesis import strategies as st

from federated_router.api.v1 import decoding_pb2 as pb
from federated_router.budget.cashier import Hold
from federated_router.budget.memory_store import MemoryLedgerStore
from federated_router.budget.reservation import Reservation
from federated_router.kit.clock import ManualClock
from federated_router.kit.errors import Internal, NotNow, StoreUnavailable
from federated_router.proxy.private_credit import CreditLine, Instalments
from tests.support.ledger_world import NOON_S, OWNER, REQUEST, request, terms

TOKENS_MAX = 16
INSTALMENTS = Instalments(4, tokens_max=TOKENS_MAX)
TIMEOUT_S = 1.5


@given(
    size=st.integers(1, 40),
    tokens_max=st.integers(1, 200),
    steps=st.lists(st.integers(1, 40), max_size=60),
)
def test_grants_keep_ahead_of_the_answer_and_never_by_two_instalments(
    size: int, tokens_max: int, steps: list[int]
) -> None:
    """Enough that the node can go on, little enough that a failure costs little."""
    instalments = Instalments(size, tokens_max=tokens_max)
    seen, granted = 0, instalments.first
    for step in steps:
        seen = min(seen + step, granted)
        while (more := instalments.next(seen=seen, granted=granted)) is not None:
            assert more > granted
            granted = more
        assert granted <= tokens_max
        assert granted < seen + 2 * size
        assert granted > seen or granted == tokens_max


class Node:
    """A node that hears grants, fails as a test says, and remembers both."""

    def __init__(self, ledger: "Ledger") -> None:
        self.ledger = ledger
        self.heard: list[int] = []
        self.bounds: list[int] = []
        self.timeouts: list[float] = []
        self.failures: list[Exception] = []

    async def ExtendGrant(  # noqa: N802 - named by the contract.
        self,
        asked: pb.ExtendGrantRequest,
        *,
        timeout: float,  # noqa: ASYNC109
    ) -> pb.ExtendGrantResponse:
        """Take note."""
        self.heard.append(asked.tokens_granted)
        self.timeouts.append(timeout)
        self.bounds.append((await self.ledger.get_reservation(REQUEST)).steps_bound)
        if self.failures:
            raise self.failures.pop(0)
        return pb.ExtendGrantResponse(tokens_granted=asked.tokens_granted)


class Ledger(MemoryLedgerStore):
    """A ledger whose bounds fail or hang as a test says."""

    def __init__(self) -> None:
        super().__init__(clock=ManualClock(NOON_S))
        self.failures: list[Exception] = []
        self.hangs = False
        self.asked = 0

    async def bound(self, *args: object, **rest: object) -> Reservation:
        """Fail first, or write and never answer."""
        self.asked += 1
        if self.failures:
            raise self.failures.pop(0)
        after = await super().bound(*args, **rest)  # type: ignore[arg-type]
        if self.hangs:
            await asyncio.Event().wait()
        return after


@pytest.fixture
async def ledger() -> Ledger:
    """Return a ledger that holds sixteen steps and allows four."""
    ledger = Ledger()
    await ledger.create_account(terms())
    await ledger.reserve(request(steps_max=TOKENS_MAX, steps_bound=4))
    return ledger


@pytest.fixture
def hold(ledger: Ledger) -> Hold:
    """Return the hold as the router knows it."""
    return Hold(ledger, OWNER, REQUEST, steps_max=TOKENS_MAX, steps_bound=4)


@pytest.fixture
def node(ledger: Ledger) -> Node:
    """Return a node that hears everything."""
    return Node(ledger)


@pytest.fixture
async def line(hold: Hold, node: Node) -> AsyncIterator[CreditLine]:
    """Return the credit of one answer."""
    line = CreditLine(hold, node, INSTALMENTS, timeout_s=TIMEOUT_S)  # type: ignore[arg-type]
    yield line
    line.close()


async def quiet() -> None:
    """Let every task run as far as it can, short waits included."""
    for _ in range(30):
        await asyncio.sleep(0.005)


def lost(code: grpc.StatusCode) -> grpc.aio.AioRpcError:
    """Return the end of a call that no peer has answered."""
    nothing = grpc.aio.Metadata()
    return grpc.aio.AioRpcError(code, nothing, nothing)


async def test_ledger_allows_before_the_node_hears(
    line: CreditLine, node: Node, hold: Hold
) -> None:
    """The order is the guarantee; each call has its time limit."""
    for _ in range(TOKENS_MAX):
        line.saw(1)
        await quiet()

    assert node.heard == node.bounds == [8, 12, 16]
    assert hold.steps_bound == TOKENS_MAX
    assert set(node.timeouts) == {TIMEOUT_S}


async def test_ledger_that_is_away_is_waited_for_and_nothing_is_granted_meanwhile(
    line: CreditLine, ledger: Ledger, node: Node
) -> None:
    """Whether a failed write took effect is unknown; the same one is made again."""
    ledger.failures = [StoreUnavailable("away"), StoreUnavailable("away")]

    line.saw(4)
    await asyncio.sleep(0.01)
    assert node.heard == []
    await quiet()

    assert node.heard == [8]
    assert ledger.asked == 3


async def test_hold_that_was_settled_by_another_is_granted_no_more(
    line: CreditLine, ledger: Ledger, node: Node
) -> None:
    """Its lease was over: what the node samples from now on nobody would pay for."""
    ledger.failures = [NotNow("The reservation is expired.")]

    line.saw(4)
    await quiet()

    assert node.heard == []
    assert ledger.asked == 1


@pytest.mark.parametrize(
    "code", [grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.DEADLINE_EXCEEDED]
)
async def test_node_that_did_not_answer_is_told_again(
    line: CreditLine, node: Node, ledger: Ledger, code: grpc.StatusCode
) -> None:
    """It may have heard; the same grant twice is one grant, and one in the ledger."""
    node.failures = [lost(code), lost(code)]

    line.saw(4)
    await quiet()

    assert node.heard == [8, 8, 8]
    assert ledger.asked == 1


@pytest.mark.parametrize(
    "failure",
    [lost(grpc.StatusCode.NOT_FOUND), lost(grpc.StatusCode.UNIMPLEMENTED)],
    ids=["ended", "older"],
)
async def test_node_that_refuses_is_told_once(
    line: CreditLine, node: Node, failure: Exception
) -> None:
    """The answer has ended, or will, for want of credit."""
    node.failures = [failure]

    line.saw(4)
    await quiet()
    line.saw(0)
    await quiet()

    assert node.heard == [8]


async def test_answer_that_ends_while_the_ledger_writes_leaves_no_grant_behind(
    line: CreditLine, ledger: Ledger, node: Node, hold: Hold
) -> None:
    """The bound may be in the ledger; nobody may use it, so it need not be charged."""
    ledger.hangs = True
    line.saw(4)
    await quiet()

    line.close()
    await quiet()
    await hold.commit_bound()

    assert node.heard == []
    assert (await ledger.get_reservation(REQUEST)).steps_charged == 4


async def test_tokens_beyond_the_grant_are_an_overrun(
    line: CreditLine, hold: Hold, ledger: Ledger
) -> None:
    """Nothing bounds such a node, so that all that is held is charged."""
    with pytest.raises(Internal):
        line.saw(5)

    assert line.overrun
    await hold.commit_in_full()
    assert (await ledger.get_reservation(REQUEST)).steps_charged == TOKENS_MAX
