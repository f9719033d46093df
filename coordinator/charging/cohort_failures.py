"""What randomly drawn cohorts take of an account's delta.

Decides how many rounds an account can pay, and so how often at most the beacon may put
more colluders into a cohort than its noise allows for. Refuses to know how that
probability comes about (`robust.plan`) and what a round costs (`price`).

Each round is a mechanism that fails with `probability`: the failures of all rounds that
a limit pays add up to a part of delta (Bun and Steinke 2016, "Concentrated Differential
Privacy: Simplifications, Extensions, and Lower Bounds", section 8, approximate zCDP).
"""

from dataclasses import dataclass
from decimal import Decimal
from typing import Final

from federated_router.budget.accounts import AccountTerms
from federated_router.kit.config import ConfigurationError

_ROUNDING: Final = Decimal("1e-9")
"""What the double that an account keeps of its delta may be off by, relatively."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CohortFailures:
    """The `probability` that one round fails, and the `round_units` that it costs."""

    probability: float
    round_units: int

    def delta_of(self, *limits_units: int | None) -> Decimal:
        """Return what the rounds that the largest of these limits pays fail with."""
        rounds = max(limit or 0 for limit in limits_units) // self.round_units
        return rounds * Decimal(repr(self.probability))

    def refuse_without_room(self, kept: AccountTerms, *, delta: Decimal) -> None:
        """Refuse an account of earlier that promises more than `delta` with failures.

        Raises:
            ConfigurationError: says which settings to change.
        """
        failing = self.delta_of(kept.limit_units, kept.lifetime_cap_units)
        promised = Decimal(repr(kept.delta)) + failing
        if failing and promised > delta * (1 + _ROUNDING):
            raise ConfigurationError(
                f"rounds.budget: '{kept.name}' was opened for a delta of "
                f"{kept.delta:g}, to which cohorts now add {failing:.3g}; together "
                f"that is more than {delta:g}. Lower cohorts.failure_probability, set "
                "cohorts.honest_min to 1, or name another account."
            )


NO_FAILURES: Final = CohortFailures(probability=0.0, round_units=1)
"""One cohort, or one honest share in each: nothing is left to chance."""
