"""Which requests are refused before the nodes are full, so that the rest keep time.

Decides by chance, with a probability that grows steeply with saturation and falls with
priority: many small refusals early instead of one wall. Refuses to know queues.
"""

import math
from collections.abc import Callable
from typing import Final

from federated_router.admission.ask import Priority
from federated_router.admission.settings import ShedSettings
from federated_router.kit.errors import Overloaded

RETRY_AFTER_S: Final = 1.0


def shed_probability(
    settings: ShedSettings, priority: Priority, saturation: float
) -> float:
    """Return how likely a request is refused, in [0, 1]."""
    if not settings.enabled:
        return 0.0
    factor = settings.factor(priority)
    if factor == 0 or saturation <= 0:
        return 0.0
    # By logarithms: a large power of a large number has no other form.
    return math.exp(min(0.0, math.log(factor) + settings.power * math.log(saturation)))


class Shedding:
    """Draws who is refused; `uniform` gives independent numbers in [0, 1)."""

    def __init__(self, settings: ShedSettings, uniform: Callable[[], float]) -> None:
        self._settings = settings
        self._uniform = uniform

    def sheds(self, priority: Priority) -> bool:
        """Return whether requests of this priority are ever refused here."""
        return self._settings.enabled and self._settings.factor(priority) > 0

    def check(self, priority: Priority, saturation: float) -> None:
        """Raise Overloaded for the share that `shed_probability` says."""
        probability = shed_probability(self._settings, priority, saturation)
        if probability > 0 and self._uniform() < probability:
            raise Overloaded(
                "The nodes are nearly full. Retry later, with a higher priority if "
                "somebody waits for it.",
                metadata={"priority": priority.label},
                retry_after_s=RETRY_AFTER_S,
            )
