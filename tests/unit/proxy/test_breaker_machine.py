"""The breaker beside a plain model that keeps every event and forgets nothing."""

from dataclasses import dataclass, field

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from federated_router.proxy.breaker import (
    Breaker,
    BreakerSettings,
    BreakerState,
    Outcome,
)

SETTINGS = BreakerSettings(
    failures_max=3,
    window_s=10.0,
    requests_min=6,
    failure_ratio_max=0.5,
    open_s=2.0,
    open_s_max=8.0,
    open_jitter=0.0,
    probes_max=2,
    probes_to_close=2,
)
# Whole seconds are whole slices of the window: model and breaker forget together.
LOOKS_BACK_S = 10


@dataclass
class Model:
    """What the words say, in the plainest way there is."""

    state: BreakerState = BreakerState.CLOSED
    life: int = 0
    until_s: int = 0
    openings: int = 0
    history: list[tuple[int, bool]] = field(default_factory=list)
    probing: int = 0
    good: int = 0

    def enter(self, state: BreakerState) -> None:
        """Begin a life in which nothing has happened."""
        self.state, self.life = state, self.life + 1
        self.history, self.probing, self.good = [], 0, 0

    def at(self, now_s: int) -> None:
        """Let time pass."""
        if self.state is BreakerState.OPEN and now_s >= self.until_s:
            self.enter(BreakerState.HALF_OPEN)

    def open(self, now_s: int) -> None:
        """Open for 2, 4, 8, 8, ... seconds."""
        self.until_s = now_s + min(8, 2 * 2**self.openings)
        self.openings += 1
        self.enter(BreakerState.OPEN)

    def too_many(self, now_s: int) -> bool:
        """Count the row and the share afresh."""
        row: list[int] = []
        for time_s, failed in self.history:
            if not failed:
                row = []
            elif row and time_s - row[-1] > SETTINGS.window_s:
                row = [time_s]
            else:
                row.append(time_s)
        lately = [bad for time_s, bad in self.history if now_s - time_s <= LOOKS_BACK_S]
        return len(row) >= 3 or (len(lately) >= 6 and 2 * sum(lately) >= len(lately))

    def end(self, life: int, outcome: Outcome, now_s: int) -> None:
        """Judge a request that began in some life."""
        if life != self.life or self.state is BreakerState.OPEN:
            return
        failed = outcome is Outcome.FAILED
        if self.state is BreakerState.HALF_OPEN:
            self.probing -= 1
            self.good += outcome is Outcome.SUCCEEDED
            if failed:
                self.open(now_s)
            elif self.good == 2:
                self.openings = 0
                self.enter(BreakerState.CLOSED)
        elif outcome is not Outcome.UNKNOWN:
            self.history.append((now_s, failed))
            if failed and self.too_many(now_s):
                self.open(now_s)


class Machine(RuleBasedStateMachine):
    """Requests begin, end in any order, and time passes."""

    def __init__(self) -> None:
        super().__init__()
        self.breaker = Breaker(SETTINGS)
        self.model = Model()
        self.now_s = 1000
        self.running: list[tuple[int, int]] = []

    @rule(seconds=st.integers(0, 12))
    def wait(self, seconds: int) -> None:
        """Let time pass."""
        self.now_s += seconds

    @precondition(lambda self: self.breaker.admits(self.now_s))
    @rule()
    def begin(self) -> None:
        """Send a request where the breaker admits one."""
        self.model.at(self.now_s)
        self.model.probing += self.model.state is BreakerState.HALF_OPEN
        self.running.append((self.breaker.begin(self.now_s), self.model.life))

    @precondition(lambda self: self.running)
    @rule(data=st.data(), outcome=st.sampled_from(Outcome))
    def end(self, data: st.DataObject, outcome: Outcome) -> None:
        """End any request that runs."""
        at = data.draw(st.integers(0, len(self.running) - 1))
        epoch, life = self.running.pop(at)
        self.model.at(self.now_s)
        self.breaker.state(self.now_s)
        self.breaker.end(epoch, outcome, self.now_s, jitter=0.0)
        self.model.end(life, outcome, self.now_s)

    @invariant()
    def agrees(self) -> None:
        """Both say the same of state and admission, at every moment."""
        self.model.at(self.now_s)
        assert self.breaker.state(self.now_s) is self.model.state
        admits = self.model.state is BreakerState.CLOSED or (
            self.model.state is BreakerState.HALF_OPEN and self.model.probing < 2
        )
        assert self.breaker.admits(self.now_s) == admits

    @invariant()
    def blocks_only_for_a_while(self) -> None:
        """Where no probe runs, a request may go there at the latest after the limit."""
        if not self.running:
            until_s = self.breaker.open_until_s
            assert until_s is None or until_s - self.now_s <= SETTINGS.open_s_max


TestBreaker = Machine.TestCase
TestBreaker.settings = settings(max_examples=150, stateful_step_count=60, deadline=None)
