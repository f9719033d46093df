"""What operators hear about rounds: one line per transition, and the metrics.

Decides which facts are told: states, counts, sizes and times. Never vectors, keys,
bodies or answers.
"""

from coordinator import metrics
from coordinator.rounds.round import Round
from coordinator.rounds.state import State
from federated_router.kit.log import get_logger

log = get_logger("rounds")


def tell(before: Round | None, after: Round) -> None:
    """Tell about a transition that is stored; say nothing while the state stays."""
    metrics.NODES_ACTIVE.set(len(after.survivors) or len(after.members))
    if before is not None and before.state is after.state:
        return
    log.info(
        "round moved",
        round=after.name,
        state=after.state.value,
        joined=len(after.members),
        roster=len(after.roster),
        contributions=len(after.contributions),
        contribution_bytes=sum(
            accepted.size_bytes for accepted in after.contributions.values()
        ),
        checks=0 if before is None else len(before.checks),
        answers=0 if before is None else len(before.answers),
        survivors=len(after.survivors),
        inconsistent=list(after.inconsistent),
        liars=list(after.liars),
        previous_state_s=_previous_state_s(after),
        end_cause=after.end_cause or None,
        priors_revision=after.priors_revision or None,
    )
    _measure(after)


def _previous_state_s(round_: Round) -> float:
    """Return how long the round stood in the state before."""
    times = [entry.enter_s for entry in round_.history[-2:]]
    return round(times[-1] - times[0], 3)


def _measure(after: Round) -> None:
    if after.state is State.CHECKING:
        metrics.PARTICIPATION.set(len(after.contributors) / len(after.members))
    if after.ended:
        duration_s = after.history[-1].enter_s - after.started_s
        metrics.ROUND_DURATION.labels(after.state.value).observe(duration_s)
        metrics.ROUNDS_COMPLETED.labels(after.state.value).inc()
