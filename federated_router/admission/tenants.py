"""What each tenant gets, by the configuration's patterns.

Decides which settings hold for an id, and that a request's priority is lowered to its
tenant's highest and never raised.
"""

from collections.abc import Sequence
from fnmatch import fnmatchcase
from functools import lru_cache
from typing import Final

from federated_router.admission.ask import Priority
from federated_router.admission.settings import TenantSettings

_REMEMBERED: Final = 4096
_OTHERS: Final = TenantSettings()


class Tenants:
    """Looks up tenants; the first pattern that matches holds."""

    def __init__(self, settings: Sequence[TenantSettings]) -> None:
        self._settings = tuple(settings)
        self.of = lru_cache(maxsize=_REMEMBERED)(self._find)

    @property
    def has_rates(self) -> bool:
        """Return whether any tenant can have a rate."""
        return any(one.has_rate for one in self._settings)

    def lowered(self, tenant: str, priority: Priority) -> Priority:
        """Return the priority that a tenant's request has, which asks for this one."""
        return min(priority, self.of(tenant).priority)

    def _find(self, tenant: str) -> TenantSettings:
        for one in self._settings:
            if fnmatchcase(tenant, one.match):
                return one
        return _OTHERS
