"""Rates as token buckets, in whole nanoseconds.

The generic cell rate algorithm (ITU-T I.371): a bucket is one number, its theoretical
arrival time: when it would be full again if nothing more were taken. Each unit moves it
on by a minute over the rate, rounded up, so that rounding never gives more. A bucket
saves up at most `burst_s` of its rate.

Decides what may be taken when. Refuses to know tenants and where numbers are kept.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

_SECOND_NS: Final = 1_000_000_000
_MINUTE_NS: Final = 60 * _SECOND_NS
CLOCK_MARGIN_NS: Final = 60 * _SECOND_NS
"""A bucket that is this much emptier than empty was moved by a clock set wrong."""


class Measure(StrEnum):
    """What a rate counts."""

    REQUESTS = "requests"
    TOKENS = "tokens"


@dataclass(frozen=True, slots=True)
class Rate:
    """At most `per_minute` units a minute, of which `burst_s` seconds' are saved up."""

    measure: Measure
    per_minute: int
    burst_s: float

    @property
    def burst_ns(self) -> int:
        """Return how long an empty bucket takes to be full."""
        return int(self.burst_s * _SECOND_NS)

    @property
    def units_max(self) -> int:
        """Return how much a full bucket holds."""
        return self.burst_ns * self.per_minute // _MINUTE_NS

    def units_in(self, duration_s: float) -> int:
        """Return how many units come back in this time, at least 1."""
        return max(1, int(self.per_minute * duration_s / 60))

    def time_ns(self, units: int) -> int:
        """Return how long these units take to come back, rounded up."""
        return -(-units * _MINUTE_NS // self.per_minute)


@dataclass(frozen=True, slots=True)
class Want:
    """To take at least `least` units, and up to `most`."""

    rate: Rate
    least: int
    most: int


@dataclass(frozen=True, slots=True)
class Taken:
    """What was taken, by measure; empty where `retry_after_s` says when to ask again.

    `lacking` is the measure of which there was too little.
    """

    units: Mapping[Measure, int]
    retry_after_s: float = 0.0
    lacking: Measure | None = None


Buckets = dict[Measure, int]
"""Theoretical arrival times of one tenant, in nanoseconds since the epoch."""


def take(buckets: Buckets, wants: Sequence[Want], now_ns: int) -> tuple[Buckets, Taken]:
    """Take of every bucket or of none; return the buckets after it.

    A bucket that nothing was ever taken from is full.
    """
    after = dict(buckets)
    units: dict[Measure, int] = {}
    for want in wants:
        full_ns = _sane(buckets.get(want.rate.measure, 0), want.rate, now_ns)
        room_ns = want.rate.burst_ns - (full_ns - now_ns)
        free = max(0, room_ns * want.rate.per_minute // _MINUTE_NS)
        if free < want.least:
            wait_ns = want.rate.time_ns(want.least) - room_ns
            kept = {**buckets, want.rate.measure: full_ns}
            return kept, Taken({}, max(0, wait_ns) / _SECOND_NS, want.rate.measure)
        units[want.rate.measure] = taken = min(free, want.most)
        after[want.rate.measure] = full_ns + want.rate.time_ns(taken)
    return after, Taken(units)


def give_back(buckets: Buckets, returned: Mapping[Rate, int]) -> Buckets:
    """Return the buckets after unspent units came back, rounded down."""
    after = dict(buckets)
    for rate, units in returned.items():
        if rate.measure in after:
            after[rate.measure] -= units * _MINUTE_NS // rate.per_minute
    return after


def _sane(full_ns: int, rate: Rate, now_ns: int) -> int:
    """Return when the bucket is full, not before now; empty if a clock was wrong."""
    empty_ns = now_ns + rate.burst_ns
    if full_ns > empty_ns + CLOCK_MARGIN_NS:
        return empty_ns
    return max(full_ns, now_ns)
