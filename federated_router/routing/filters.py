"""Filters: each removes candidates that must not be chosen, whatever they score.

Those that always apply stand first what no waiting changes, then what passes: the first
filter that removes a candidate is the one that is told, and so a candidate that only
has to be waited for is told as such.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from federated_router.registry.membership import NodeState
from federated_router.routing.candidate import Candidate, RouteQuery


@dataclass(frozen=True, slots=True)
class Filter:
    """A named condition that a candidate must meet.

    `passing` says that it may be met after a while, by the same candidate.
    """

    name: str
    admits: Callable[[Candidate, RouteQuery], bool]
    passing: bool = False


OFFERS_PRIVATE = Filter(
    "offers_private", lambda candidate, query: candidate.private or not query.private
)
TRUSTED = Filter(
    "trusted", lambda candidate, query: candidate.trusted_with >= query.sensitivity
)
REGION_ALLOWED = Filter(
    "region_allowed",
    lambda candidate, query: (
        candidate.resident_up_to >= query.sensitivity
        and (not query.regions or candidate.region in query.regions)
    ),
)
CONTEXT_FITS = Filter(
    "context_fits",
    lambda candidate, query: candidate.context_tokens_max >= query.context_tokens,
)
NOT_DRAINING = Filter(
    "not_draining",
    lambda candidate, _: candidate.state is NodeState.READY,
    passing=True,
)
BREAKER_CLOSED = Filter(
    "breaker_closed", lambda candidate, _: not candidate.blocked, passing=True
)
NOT_EXCLUDED = Filter(
    "not_failed_before",
    lambda candidate, query: candidate.node not in query.excluded,
    passing=True,
)
CARBON_KNOWN = Filter(
    "carbon_known", lambda candidate, _: candidate.carbon_intensity is not None
)
MEASURED_ENERGY = Filter(
    "measured_energy", lambda candidate, _: candidate.tariff.measured
)
DEFAULT_FILTERS: Final = (
    OFFERS_PRIVATE,
    TRUSTED,
    REGION_ALLOWED,
    CONTEXT_FITS,
    NOT_DRAINING,
    BREAKER_CLOSED,
    NOT_EXCLUDED,
)
"""Applied by every strategy; the first three keep what was promised to callers."""

QUEUE_BELOW_LIMIT: Final = "queue_below_limit"
"""Applied as a request is placed, for it moves with load."""

ANOTHER_MODEL: Final = "another_model"
"""Told of a candidate whose model was not the one chosen."""

OPTIONAL_FILTERS: Final = {one.name: one for one in (CARBON_KNOWN, MEASURED_ENERGY)}
"""Applied by composed strategies that name them."""

MOMENTARY: Final = frozenset(
    {one.name for one in DEFAULT_FILTERS if one.passing} | {QUEUE_BELOW_LIMIT}
)
"""Names of filters that the same candidate may meet after a while."""
