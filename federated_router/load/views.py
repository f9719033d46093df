"""What this package asks of the others: figures, and no more. Pure.

Narrow ports, so that tests stand in for a whole router with a few lines.
"""

from collections.abc import Mapping, Sequence
from typing import Protocol

from federated_router.admission.ask import AdmissionFigures
from federated_router.cache.answers import CacheFigures
from federated_router.footprint.totals import TenantTotal
from federated_router.proxy.breaker import BreakerState


class Priors(Protocol):
    """What the router believes of the federation."""

    @property
    def revision(self) -> int:
        """Return its revision, 0 where there is none."""


class Routing(Protocol):
    """The router's strategy and its own counts."""

    @property
    def strategy(self) -> str:
        """Return the strategy in force."""

    @property
    def priors(self) -> Priors:
        """Return what is believed of the federation."""

    def in_flight(self, node: str) -> int:
        """Return how many requests of this router run at a node."""


class Admission(Protocol):
    """Who is let in."""

    def activity(self) -> AdmissionFigures:
        """Return what runs, waits and was refused."""


class Cache(Protocol):
    """The cache of public answers."""

    def activity(self) -> CacheFigures:
        """Return what it holds and how often it answered."""


class Breakers(Protocol):
    """Who is given no requests for a while."""

    def states(self) -> Mapping[str, BreakerState]:
        """Return the worst state among each node's breakers; others are closed."""


class Footprints(Protocol):
    """What answers took, by tenant."""

    def page(
        self, *, tenant: str | None, size: int, token: str
    ) -> tuple[Sequence[TenantTotal], str]:
        """Return a page of totals by tenant, of one alone if given, and the next token.

        Raises FieldInvalid for a size below 0.
        """
