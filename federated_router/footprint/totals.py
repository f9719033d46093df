"""What tenants' answers took, summed, for a bounded number of tenants. Pure.

Decides who is remembered: those that were active last. The sums of others are joined
under one name, so that the sum over all names is that of all answers. Refuses to know
how an answer is reckoned.
"""

from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from federated_router.footprint.reckoning import Footprint
from federated_router.kit.pages import page_of

OTHERS: Final = "*"
"""Stands for the tenants that are not remembered by name; no id has this form."""


@dataclass(slots=True)
class TenantTotal:
    """One tenant's sums; `answers` took something, `answers_cached` nothing.

    Joules, milligrams of CO2 equivalent, cost in the federation's unit.
    """

    tenant: str
    answers: int = 0
    joules: float = 0.0
    co2e_mg: float = 0.0
    joules_without_intensity: float = 0.0
    cost: float = 0.0
    answers_cached: int = 0

    def add(self, footprint: Footprint) -> None:
        """Count an answer."""
        self.answers += 1
        self.joules += footprint.joules
        self.cost += footprint.cost
        if footprint.co2e_mg is None:
            self.joules_without_intensity += footprint.joules
        else:
            self.co2e_mg += footprint.co2e_mg

    def join(self, other: "TenantTotal") -> None:
        """Add another's sums to these."""
        self.answers += other.answers
        self.joules += other.joules
        self.co2e_mg += other.co2e_mg
        self.joules_without_intensity += other.joules_without_intensity
        self.cost += other.cost
        self.answers_cached += other.answers_cached


class Totals:
    """Sums of at most `tenants_max` tenants, and of all others together."""

    def __init__(self, *, tenants_max: int) -> None:
        self._tenants_max = tenants_max
        self._totals: OrderedDict[str, TenantTotal] = OrderedDict()
        self._others = TenantTotal(OTHERS)

    def of(self, tenant: str) -> TenantTotal:
        """Return a tenant's sums, to be added to; the one longest idle is joined."""
        total = self._totals.setdefault(tenant, TenantTotal(tenant))
        self._totals.move_to_end(tenant)
        if len(self._totals) > self._tenants_max:
            _, longest_idle = self._totals.popitem(last=False)
            self._others.join(longest_idle)
        return total

    def page(
        self, *, tenant: str | None, size: int, token: str
    ) -> tuple[Sequence[TenantTotal], str]:
        """Return a page of sums by tenant, of one alone if given, and the next token.

        Raises FieldInvalid for a size below 0.
        """
        if tenant is not None:
            mine = self._totals.get(tenant)
            found = [] if mine is None else [mine]
        else:
            found = sorted(self._totals.values(), key=_tenant)
            if self._others.answers or self._others.answers_cached:
                found.insert(0, self._others)
        return page_of(found, _tenant, size=size, token=token)


def _tenant(total: TenantTotal) -> str:
    return total.tenant
