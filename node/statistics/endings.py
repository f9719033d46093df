"""How one request ended at a node, and what it came to.

Decides the facts that metrics, the operator's view and rounds are made from. Refuses to
know clocks, meters and where the facts go.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

from federated_router.federation.records import FailureCause
from federated_router.priors.contents import Cell
from node.engine.pieces import FinishReason
from node.statistics.energy_sources import EnergySource


class Ending(StrEnum):
    """Every way in which a request ends: whole answers, failures, and two others.

    The values are those of FinishReason and FailureCause, where these have one.
    """

    END = "end"
    STOP = "stop"
    LENGTH = "length"
    ENGINE = "engine"
    OUT_OF_MEMORY = "out-of-memory"
    DEADLINE = "deadline"
    NODE_LOST = "node-lost"
    OVERLOAD = "overload"
    CANCELLED = "cancelled"  # the client went away
    REFUSED = "refused"  # the client's own mistake

    @classmethod
    def of(cls, cause: FinishReason | FailureCause) -> "Ending":
        """Return the ending that an engine or a failure names."""
        return cls(cause.value)


@dataclass(frozen=True, slots=True)
class TokenCounts:
    """Tokens of one request so far.

    `prompt` is the public prompt's length, whatever records a request carries; `cached`
    of them were held from earlier requests. `output` counts what was generated.
    """

    prompt: int = 0
    cached: int = 0
    output: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class EndedRequest:
    """One request that ended; times are in seconds, energy in joules by source.

    `time_to_first_token_s` is None where no token came, `time_per_output_token_s` where
    there were fewer than two. `co2e_g` is None where the region's intensity is unknown.
    """

    cell: Cell
    ending: Ending
    counts: TokenCounts
    duration_s: float
    time_to_first_token_s: float | None
    time_per_output_token_s: float | None
    cost: float
    energy_j: Mapping[EnergySource, float]
    co2e_g: float | None

    @property
    def answered(self) -> bool:
        """Return whether the client got a whole answer."""
        return self.ending in (Ending.END, Ending.STOP, Ending.LENGTH)
