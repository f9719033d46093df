"""What the choice of a model is about. Pure.

Decides the words in which routing asks and is answered; refuses to know nodes, and how
expectations are made.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, Protocol

from federated_router.priors.prompt import Prompt


@dataclass(frozen=True, slots=True)
class Wishes:
    """What must be expected of an answer; None leaves it open.

    Quality in [0, 1], cost in the federation's unit, milligrams, milliseconds. `steady`
    asks for no exploration.
    """

    quality_min: float | None = None
    cost_max: float | None = None
    co2e_mg_max: float | None = None
    latency_ms_max: float | None = None
    steady: bool = False


NO_WISHES: Final = Wishes()


@dataclass(frozen=True, slots=True)
class ModelOption:
    """A model that some node could answer with now, and what the answer would take.

    Figures are those of the best of its nodes; None where nothing is known.
    """

    model: str
    latency_ms: float | None = None
    cost: float | None = None
    co2e_mg: float | None = None


@dataclass(frozen=True, slots=True)
class Expectation:
    """What is expected of one model's answer to one prompt.

    `quality` is in [0, 1], `deviation` its standard deviation as it is known, `utility`
    what the choice goes by, `exploration` the probability of being taken to learn,
    `rejected_by` the wish that it does not meet, `local_share` the share of the
    requests behind it that this router saw itself.
    """

    option: ModelOption
    quality: float
    deviation: float
    utility: float
    exploration: float = 0.0
    rejected_by: str = ""
    local_share: float = 0.0


@dataclass(frozen=True, slots=True)
class ModelChoice:
    """Every option, the best first, and the one chosen; None where none may be.

    `features` are name and value of what was seen of the prompt, `pattern` the kind of
    request that it was taken for.
    """

    expectations: tuple[Expectation, ...]
    chosen: str | None
    explored: bool = False
    features: tuple[tuple[str, float], ...] = ()
    pattern: str = ""


class ModelChooser(Protocol):
    """Chooses among models for one prompt; takes no longer than a fraction of a ms."""

    def choose(
        self,
        prompt: Prompt,
        options: Sequence[ModelOption],
        wishes: Wishes,
        *,
        explore: bool,
        tenant: str = "",
    ) -> ModelChoice:
        """Return the choice; with `explore` False the same choice every time.

        `tenant` is whose prompt it is.
        """
