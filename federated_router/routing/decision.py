"""What a decision is: who was chosen, and everything that was said about each."""

from collections.abc import Iterable
from dataclasses import dataclass

from federated_router.choice.choosing import ModelChoice
from federated_router.routing.candidate import Candidate


@dataclass(frozen=True, slots=True)
class WeightedScore:
    """One scorer's opinion of one candidate."""

    scorer: str
    score: float
    weight: float


@dataclass(frozen=True, slots=True)
class Scored:
    """A candidate with everything that was said about it."""

    candidate: Candidate
    scores: tuple[WeightedScore, ...] = ()
    rejected_by: str = ""

    @property
    def score(self) -> float:
        """Return the weighted mean of the scores; 0 where a filter removed it."""
        weight = added(one.weight for one in self.scores)
        return added(one.score * one.weight for one in self.scores) / (weight or 1.0)


@dataclass(frozen=True, slots=True)
class Counterfactual:
    """What would have been chosen without one reason; None where nobody would."""

    without: str
    chosen: Candidate | None


@dataclass(frozen=True, slots=True)
class Decision:
    """Every candidate, best first, and the one chosen; None where none can serve.

    `model_choice` is there where the model was chosen for the prompt; counterfactuals
    are those that differ from what was chosen.
    """

    strategy: str
    priors_revision: int
    candidates: tuple[Scored, ...]
    chosen: Candidate | None
    model_choice: ModelChoice | None = None
    counterfactuals: tuple[Counterfactual, ...] = ()


def added(values: Iterable[float], begin: float = 0.0) -> float:
    """Return the sum, added from left to right.

    `sum` compensates on some versions of Python: then a sum continued from a partial
    one would differ in its last bit, and with it a tie.
    """
    total = begin
    for value in values:
        total += value
    return total
