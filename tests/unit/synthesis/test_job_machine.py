"""Random lives of a job, with a crash between any two durable steps.

The durable steps of one batch, in the order in which the router takes them: start it,
move the hold's bound, send it, store what became of it. Closing: take no more, then
charge. After each the router may die; the next one writes off what the old one was at.
The model of the world knows what no router knows: how much each node really sampled.
"""

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
)

from federated_router.budget import reservation as ledger
from federated_router.budget.accounts import AccountName
from federated_router.budget.reservation import (
    Charge,
    Owner,
    ReleaseCause,
    RequestId,
    Reservation,
    ReservationState,
)
from federated_router.kit.errors import FederationError
from federated_router.synthesis import job as rules
from federated_router.synthesis.batch_hold import JOBS_OWNER
from federated_router.synthesis.job import (
    Batch,
    BatchState,
    Job,
    JobKey,
    JobState,
    Tally,
)

TOKENS_MAX = 12
LIVE_MAX = 3
NUMBERS = st.integers(0, 4)
ACCOUNT = AccountName("accounts/dataset-d")


class JobMachine(RuleBasedStateMachine):
    """One job, its hold, and nodes that sample what they were granted."""

    def __init__(self) -> None:
        super().__init__()
        self.boot = 0
        self.job = Job(
            key=JobKey("alice.job-1"),
            user="alice",
            body_digest=b"d" * 32,
            request=b"",
            terms="",
            records_count=9,
            slots=2,
            tokens_max=TOKENS_MAX,
            created_time_s=0.0,
        )
        self.hold = Reservation(
            request_id=RequestId(self.job.key),
            body_digest=self.job.body_digest,
            owner=JOBS_OWNER,
            charges=(Charge(ACCOUNT, 1),),
            steps_max=TOKENS_MAX,
            steps_bound=1,
            event="{}",
            reserved_time_s=0.0,
            lease_expires_s=100.0,
        )
        self.batches: dict[int, Batch] = {}
        self.granted: dict[int, int] = {}
        self.sampled: dict[int, int] = {}
        self.sent: list[int] = []

    @property
    def owner(self) -> Owner:
        """The router of this boot."""
        return Owner("r1", f"boot-{self.boot}")

    def of(self, state: BatchState) -> list[Batch]:
        """Return the batches in this state."""
        return [one for one in self.batches.values() if one.state is state]

    def tally(self) -> Tally:
        """Return the batches as the store counts them."""
        return Tally(
            sampled=len(self.of(BatchState.SAMPLED)),
            spent=len(self.of(BatchState.SPENT)),
            live=len(self.of(BatchState.SAMPLING)),
            tokens_longest=max(
                (one.tokens for one in self.batches.values()), default=0
            ),
        )

    @initialize()
    def open(self) -> None:
        """Let batches be sampled."""
        self.job = rules.opened(self.job)

    @rule(number=NUMBERS)
    def start(self, number: int) -> None:
        """Start a batch, if the rules let it."""
        batch = Batch(number=number, owner=self.owner, lease_expires_s=50.0)
        try:
            self.batches[number] = rules.start(
                self.job,
                self.batches.get(number),
                batch,
                live=self.tally().live,
                live_max=LIVE_MAX,
            )
        except FederationError:
            return
        self.granted[number] = 0

    @rule(number=NUMBERS, tokens=st.integers(1, TOKENS_MAX))
    def grant(self, number: int, tokens: int) -> None:
        """Move the bound, then let the node sample so many; send it once."""
        batch = self.batches.get(number)
        if batch is None or batch.state is not BatchState.SAMPLING:
            return
        try:
            self.hold = ledger.bound(self.hold, owner=JOBS_OWNER, steps=tokens)
        except FederationError:
            return
        if not self.granted[number]:
            self.sent.append(number)
        self.granted[number] = max(self.granted[number], tokens)

    @rule(number=NUMBERS, tokens=st.integers(1, TOKENS_MAX))
    def sample(self, number: int, tokens: int) -> None:
        """Sample at a node, whether or not anybody listens any more."""
        within = min(tokens, self.granted.get(number, 0))
        self.sampled[number] = max(self.sampled.get(number, 0), within)

    @rule(number=NUMBERS, told=st.booleans())
    def end(self, number: int, told: bool) -> None:  # noqa: FBT001 - drawn.
        """Store the text with the count that the node says, or that there is none."""
        batch = self.batches.get(number)
        tokens = self.sampled.get(number, 0)
        if batch is None or (told and not tokens):
            return
        content = b"text" if told else None
        try:
            self.batches[number] = rules.end(
                batch, owner=self.owner, tokens=tokens, content=content
            )
        except FederationError:
            return
        if told:
            self.granted[number] = tokens  # Its node has ended.

    @rule(number=NUMBERS)
    def refuse(self, number: int) -> None:
        """Take a batch back of which no node has heard."""
        batch = self.batches.get(number)
        if batch is None or self.sampled.get(number) or self.granted[number]:
            return
        try:
            rules.check_sampling(batch, self.owner)
        except FederationError:
            return
        del self.batches[number]

    @rule()
    def router_dies(self) -> None:
        """Kill the router; the next boot writes off what the old one was sampling."""
        self.boot += 1
        for batch in self.of(BatchState.SAMPLING):
            self.batches[batch.number] = Batch(
                number=batch.number,
                owner=batch.owner,
                lease_expires_s=batch.lease_expires_s,
                state=BatchState.SPENT,
            )

    @rule()
    def hold_lapses(self) -> None:
        """Charge what was allowed: nobody went on for too long."""
        if self.hold.state is ReservationState.RESERVED:
            self.hold = ledger.expire(self.hold, now_s=60.0)

    @rule()
    def finish(self) -> None:
        """Take no batch any more, unless one is being sampled."""
        try:
            self.job = rules.finish(self.job, self.tally())
        except FederationError:
            return

    @precondition(lambda self: self.job.state is JobState.FINISHING)
    @rule()
    def charge(self) -> None:
        """Settle the hold."""
        if self.hold.state is ReservationState.RESERVED:
            due = self.tally().tokens_due(self.hold.steps_bound)
            if due:
                self.hold = ledger.commit(
                    self.hold, owner=JOBS_OWNER, steps=due, now_s=70.0
                )
            else:
                self.hold = ledger.release(
                    self.hold,
                    owner=JOBS_OWNER,
                    cause=ReleaseCause.CALLER_CANCELLED,
                    now_s=70.0,
                )
        self.job = rules.settled(
            self.job, tokens_charged=self.hold.steps_charged, now_s=70.0
        )

    @invariant()
    def no_batch_is_sent_twice(self) -> None:
        """Hold the promise: a second sample would be a second release."""
        assert len(self.sent) == len(set(self.sent))

    @invariant()
    def the_charge_covers_what_was_sampled(self) -> None:
        """Hold the promise: of every batch, told or not; and never above the hold."""
        longest = max(self.sampled.values(), default=0)
        if self.hold.state is ReservationState.RESERVED:
            assert longest <= self.hold.steps_bound <= TOKENS_MAX
        else:
            assert longest <= self.hold.steps_charged <= TOKENS_MAX

    @invariant()
    def what_is_told_is_what_the_ledger_charged(self) -> None:
        """Hold the promise: one number, in both."""
        if self.job.state is JobState.FINISHED:
            assert self.job.tokens_charged == self.hold.steps_charged


JobMachine.TestCase.settings = settings(max_examples=150, stateful_step_count=40)
TestJobMachine = JobMachine.TestCase
