"""What a router holds of one tenant's rates, and spends without asking anybody.

Decides when units suffice, how much to take at once and what to give back. A slice
begins with what is needed and doubles each time, up to `slice_s` seconds of the rate;
a tenant that asks seldom leaves nothing idle at any router. Refuses to know where units
come from, and to wait.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

from federated_router.admission.bucket import Measure, Rate, Taken, Want
from federated_router.kit.errors import RateLimited

REFUSAL_KEPT_S_MAX: Final = 1.0
"""How long a refusal is repeated without asking again: others may give units back."""


@dataclass(slots=True)
class _Refusal:
    until_s: float
    units: int


@dataclass(slots=True)
class Allowance:
    """One tenant's units at one router; `now_s` is monotonic time.

    Units may be negative: answers that took more than they had said. The next slice
    pays for it. `is_local` says that some came from this router's own count, and must
    not be given to the others.
    """

    rates: Sequence[Rate]
    slice_s: float
    touched_s: float
    units: dict[Measure, int] = field(default_factory=dict)
    _slices: dict[Measure, int] = field(default_factory=dict)
    _refusals: dict[Measure, _Refusal] = field(default_factory=dict)
    is_local: bool = False

    def spend(self, needs: Mapping[Measure, int], now_s: float) -> bool:
        """Spend all of these units; False, and nothing is spent, if there are fewer."""
        self.touched_s = now_s
        if any(self.units.get(one, 0) < units for one, units in needs.items()):
            return False
        self.add({one: -units for one, units in needs.items()})
        return True

    def add(self, units: Mapping[Measure, int]) -> None:
        """Put units in, or, if negative, take them out."""
        for measure, count in units.items():
            self.units[measure] = self.units.get(measure, 0) + count

    def check(self, needs: Mapping[Measure, int], now_s: float) -> None:
        """Raise RateLimited where asking for more is known to be in vain."""
        for rate in self.rates:
            need = needs[rate.measure]
            if need > rate.units_max:
                raise _too_large(rate, need)
            refusal = self._refusals.get(rate.measure)
            short = need - self.units.get(rate.measure, 0)
            if refusal and now_s < refusal.until_s and short >= refusal.units:
                raise _limited(rate, refusal.until_s - now_s)

    def wants(self, needs: Mapping[Measure, int]) -> list[Want]:
        """Return what to take so that `needs` can be spent, of all that is short."""
        return [
            # A debt beyond a full bucket is paid in parts.
            Want(rate, min(short, rate.units_max), max(short, self._slice(rate)))
            for rate in self.rates
            if (short := needs[rate.measure] - self.units.get(rate.measure, 0)) > 0
        ]

    def took(self, taken: Taken, wants: Sequence[Want], now_s: float) -> None:
        """Note what was taken, or that there was too little."""
        self.add(taken.units)
        self.touched_s = now_s
        for want in wants:
            measure = want.rate.measure
            if measure is taken.lacking:
                kept_s = min(taken.retry_after_s, REFUSAL_KEPT_S_MAX)
                self._refusals[measure] = _Refusal(now_s + kept_s, want.least)
            elif measure in taken.units:
                grown = 2 * taken.units[measure]
                self._slices[measure] = min(grown, want.rate.units_in(self.slice_s))
                self._refusals.pop(measure, None)

    def surplus(self, now_s: float) -> dict[Rate, int]:
        """Take out and return what other routers should have.

        That is all of what was not touched for `slice_s`, and of the rest what is more
        than a slice: answers give back what they had said to take and did not.
        """
        if now_s - self.touched_s >= self.slice_s:
            self._slices.clear()
            return self.emptied()
        return self._beyond({rate: rate.units_in(self.slice_s) for rate in self.rates})

    def emptied(self) -> dict[Rate, int]:
        """Take out and return all unspent units."""
        return self._beyond(dict.fromkeys(self.rates, 0))

    def _beyond(self, kept: Mapping[Rate, int]) -> dict[Rate, int]:
        left = {
            rate: units
            for rate, most in kept.items()
            if (units := self.units.get(rate.measure, 0) - most) > 0
        }
        self.add({rate.measure: -units for rate, units in left.items()})
        return left

    def is_idle(self, now_s: float) -> bool:
        """Return whether to forget it loses nothing: debts are older than the rate."""
        age_s = now_s - self.touched_s
        if any(units > 0 for units in self.units.values()):
            return False
        return age_s >= max((rate.burst_s for rate in self.rates), default=0.0)

    def _slice(self, rate: Rate) -> int:
        return self._slices.get(rate.measure, 1)


def _too_large(rate: Rate, need: int) -> RateLimited:
    return RateLimited(
        f"The request may take {need} {rate.measure}; you can save up {rate.units_max} "
        "at most. Allow fewer tokens.",
        metadata={"measure": rate.measure, "per_minute": str(rate.per_minute)},
    )


def _limited(rate: Rate, wait_s: float) -> RateLimited:
    return RateLimited(
        f"You may use {rate.per_minute} {rate.measure} a minute. Wait, then go on.",
        metadata={"measure": rate.measure, "per_minute": str(rate.per_minute)},
        retry_after_s=max(wait_s, 0.001),
    )
