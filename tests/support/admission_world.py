"""A gate before some places, with time and chance in the test's hands."""

from collections.abc import Callable
from dataclasses import dataclass

from federated_router.admission.ask import AdmissionAsk, Lane
from federated_router.admission.gate import Admission
from federated_router.admission.line import Line, LineLimits
from federated_router.admission.port import BucketStore, MemoryBucketStore
from federated_router.admission.rates import Rates
from federated_router.admission.settings import AdmissionSettings
from federated_router.admission.shedding import Shedding
from federated_router.admission.tenants import Tenants
from federated_router.kit.clock import Clock, ManualClock

ASK = AdmissionAsk("alice")


@dataclass
class World:
    """A gate, and how many places there are."""

    admission: Admission
    line: Line
    rates: Rates
    places: int

    @property
    def is_empty(self) -> bool:
        """Return whether nothing is left of any request."""
        figures = self.admission.activity()
        return (
            figures.requests_running == 0
            and figures.requests_waiting == 0
            and figures.tenants == 0
            and not self.admission._turns
            and not self.admission._asking
        )


def world(
    settings: AdmissionSettings | None = None,
    *,
    places: int = 1,
    store: BucketStore | None = None,
    clock: Clock | None = None,
    uniform: Callable[[], float] = lambda: 1.0,
) -> World:
    """Return a gate; by default nobody is shed and time stands still."""
    settings = settings or AdmissionSettings()
    clock = clock or ManualClock()
    tenants = Tenants(settings.tenants)
    limits = LineLimits(
        settings.waiting_max, settings.tenant_waiting_max, settings.promote_after_s
    )

    def capacity(_: Lane) -> int:
        return made.places

    line = Line(limits, capacity)
    rates = Rates(
        settings.rates,
        tenants=tenants,
        store=store or MemoryBucketStore(clock),
        clock=clock,
    )
    admission = Admission(
        settings,
        line=line,
        tenants=tenants,
        rates=rates,
        shedding=Shedding(settings.shed, uniform),
        clock=clock,
    )
    made = World(admission, line, rates, places)
    return made
