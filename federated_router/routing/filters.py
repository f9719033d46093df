"""Filters: each removes candidates that must not be chosen, whatever they score."""

from collections.abc import Callable
from dataclasses import dataclass

from federated_router.registry.membership import NodeState
from federated_router.routing.candidate import Candidate, RouteQuery


@dataclass(frozen=True, slots=True)
class Filter:
    """A named condition that a candidate must meet."""

    name: str
    admits: Callable[[Candidate, RouteQuery], bool]


NOT_DRAINING = Filter(
    "not_draining", lambda candidate, _: candidate.state is NodeState.READY
)
NOT_EXCLUDED = Filter(
    "not_failed_before", lambda candidate, query: candidate.node not in query.excluded
)
OFFERS_PRIVATE = Filter(
    "offers_private", lambda candidate, query: candidate.private or not query.private
)
DEFAULT_FILTERS = (NOT_DRAINING, NOT_EXCLUDED, OFFERS_PRIVATE)
