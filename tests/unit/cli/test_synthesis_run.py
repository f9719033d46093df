"""`synthesise` at a router that is away, busy, or has lost a batch."""

from collections import Counter, defaultdict

import pytest

from federated_router.api.v1 import inference_pb2
from federated_router.api.v1 import synthesis_pb2 as pb
from federated_router.cli import synthesis_run
from federated_router.cli.synthesis_records import Records
from federated_router.cli.synthesis_run import LOST_IN_A_ROW_MAX, Outcome, Run, finish
from federated_router.kit import errors

SPENT = errors.RequestAlreadyServed("Spent.", metadata={"state": "spent"})
SAMPLING = errors.RequestAlreadyServed("Busy.", metadata={"state": "sampling"})
AWAY = errors.Unavailable("Away.")


class FakeStub:
    """Answers each batch with its next outcome: an error, or None for a text."""

    def __init__(self, outcomes: dict[int, list[errors.FederationError]]) -> None:
        self.outcomes = defaultdict(list, outcomes)
        self.asked: Counter[int] = Counter()
        self.stored: dict[int, pb.SynthesisBatch] = {}
        self.finishing: list[errors.FederationError] = []
        self.listing: list[errors.FederationError] = []

    async def SampleSynthesis(  # noqa: N802 - named by the contract.
        self, request: pb.SampleSynthesisRequest, **options: float
    ) -> pb.SampleSynthesisResponse:
        """Answer one batch."""
        assert options["timeout"]
        number = request.batch_number
        self.asked[number] += 1
        assert [one.id for one in request.records] == [
            f"r-{place}" for place in range(number * 2, min(number * 2 + 2, 9))
        ]
        if self.outcomes[number]:
            raise self.outcomes[number].pop(0)
        return pb.SampleSynthesisResponse(batch=pb.SynthesisBatch(number=number))

    async def ListSynthesisBatches(  # noqa: N802 - named by the contract.
        self, request: pb.ListSynthesisBatchesRequest, **options: float
    ) -> pb.ListSynthesisBatchesResponse:
        """List what is stored, two a page."""
        assert options["timeout"]
        if self.listing:
            raise self.listing.pop(0)
        after = int(request.page_token or -1)
        rest = [self.stored[one] for one in sorted(self.stored) if one > after]
        token = str(rest[1].number) if len(rest) > 2 else ""
        return pb.ListSynthesisBatchesResponse(batches=rest[:2], next_page_token=token)

    async def FinishSynthesis(  # noqa: N802 - named by the contract.
        self, request: pb.FinishSynthesisRequest, **options: float
    ) -> pb.FinishSynthesisResponse:
        """Close the job."""
        assert options["timeout"]
        if self.finishing:
            raise self.finishing.pop(0)
        return pb.FinishSynthesisResponse(synthesis=pb.Synthesis(name=request.name))


@pytest.fixture(autouse=True)
def _no_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(synthesis_run, "PAUSE_S", 0.001)
    monkeypatch.setattr(synthesis_run, "PAUSE_MAX_S", 0.001)


def run_of(stub: FakeStub, *, parallel: int = 1, patience_s: float = 0.05) -> Run:
    """Return a run over nine records in batches of two: five batches."""
    records = [inference_pb2.Record(id=f"r-{place}", text=b"t") for place in range(9)]
    return Run(
        stub,  # type: ignore[arg-type]  # Three methods of it.
        pb.Synthesis(name="syntheses/j", batches_count=5, batch_records=2),
        Records(records, "sha"),
        lambda _: None,
        sample_timeout_s=1.0,
        patience_s=patience_s,
        parallel=parallel,
    )


@pytest.mark.parametrize("parallel", [1, 3, 9])
async def test_every_batch_is_asked_for_once(parallel: int) -> None:
    """Whatever runs side by side."""
    stub = FakeStub({})
    run = run_of(stub, parallel=parallel)

    await run.sample_all()

    assert stub.asked == Counter(range(5))
    assert run.outcomes == {Outcome.SAMPLED: 5}


async def test_batches_that_are_stored_or_spent_are_not_asked_for() -> None:
    """One that is being sampled is: it may be free again."""
    stub = FakeStub({})
    for number, state in (
        (0, pb.SynthesisBatch.STATE_SAMPLED),
        (1, pb.SynthesisBatch.STATE_SPENT),
        (2, pb.SynthesisBatch.STATE_SAMPLED),
        (4, pb.SynthesisBatch.STATE_SAMPLING),
    ):
        stub.stored[number] = pb.SynthesisBatch(number=number, state=state)

    await run_of(stub).sample_all()

    assert stub.asked == Counter([3, 4])


async def test_router_that_is_away_or_busy_is_asked_again() -> None:
    """What has certainly not been sampled is; what is at a node is waited for."""
    stub = FakeStub({1: [AWAY, errors.QueueFull("Full."), SAMPLING], 2: [AWAY]})
    run = run_of(stub)

    await run.sample_all()

    assert (stub.asked[1], stub.asked[2]) == (4, 2)
    assert run.outcomes[Outcome.SAMPLED] == 5


async def test_router_that_starts_is_waited_for_before_the_first_batch() -> None:
    """Whoever resumes after a crash of the machine types it before the router is up."""
    stub = FakeStub({})
    stub.listing = [AWAY, AWAY]

    await run_of(stub).sample_all()

    assert sum(stub.asked.values()) == 5


async def test_lost_batch_is_counted_and_the_next_one_sampled() -> None:
    """The router says that it is spent; nothing samples it again."""
    stub = FakeStub({1: [errors.NodeLost("Lost."), SPENT], 2: [SPENT]})
    run = run_of(stub)

    await run.sample_all()

    assert run.outcomes == {Outcome.SAMPLED: 3, Outcome.LOST: 2}


async def test_exhausted_block_leaves_its_batch_out() -> None:
    """One record's limit does not end the job."""
    stub = FakeStub({3: [errors.BudgetExhausted("None left.")]})
    run = run_of(stub)

    await run.sample_all()

    assert run.outcomes == {Outcome.SAMPLED: 4, Outcome.REFUSED: 1}


async def test_patience_ends() -> None:
    """A router that never comes back ends the command, which can go on later."""
    stub = FakeStub({0: [AWAY] * 1_000})

    with pytest.raises(errors.Unavailable):
        await run_of(stub).sample_all()

    assert 1 < stub.asked[0] < 1_000
    assert set(stub.asked) == {0}


async def test_batch_after_batch_lost_stops_the_command() -> None:
    """Whatever kills nodes should not kill the whole data set's texts."""
    stub = FakeStub({number: [SPENT] for number in range(5)})

    with pytest.raises(errors.Internal):
        await run_of(stub).sample_all()

    assert len(stub.asked) == LOST_IN_A_ROW_MAX


async def test_refusal_for_good_ends_the_command() -> None:
    """A closed job takes no batch, however often it is asked."""
    stub = FakeStub({0: [errors.NotNow("Closed.")]})

    with pytest.raises(errors.NotNow):
        await run_of(stub).sample_all()


async def test_job_is_closed_once_its_last_batch_is_over() -> None:
    """A batch of a killed command may still be at its node."""
    stub = FakeStub({})
    busy = errors.NotNow("Wait.", metadata={"batches_sampling": "1"})
    stub.finishing = [busy, AWAY]

    closed = await finish(stub, "syntheses/j", patience_s=1.0)  # type: ignore[arg-type]

    assert closed.name == "syntheses/j"
    stub.finishing = [busy] * 1_000
    with pytest.raises(errors.NotNow):
        await finish(stub, "syntheses/j", patience_s=0.01)  # type: ignore[arg-type]
