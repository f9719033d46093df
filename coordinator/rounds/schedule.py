"""When the next round opens by itself.

Decides instants only, from the newest round and how many were aborted in a row. Refuses
to open rounds. The interval counts from the start of the newest round, whoever opened
it, so that a round on demand stands in for the next one; after a time in which the
coordinator was away one round opens at once, and none is made up for. A newest round
that lies ahead of the clock was stored before that was set back: it counts as if it had
started when the coordinator first looked.
"""

import hashlib
import math
from dataclasses import dataclass, replace
from typing import Final

from coordinator.rounds.round import Round, RoundName, StateEntry
from coordinator.rounds.state import State
from coordinator.rounds.terms import Terms

_DOUBLINGS_MAX: Final = 32
_FRACTIONS: Final = 1 << 32


@dataclass(frozen=True, slots=True)
class Schedule:
    """Rounds that open by themselves, `interval_s` from start to start; 0 is never.

    After an aborted round the next one comes `retry_after_s` after its end, after
    another one twice as long, and so on up to the interval; never later than it would
    have come anyway, unless rounds take longer than the interval. Up to `jitter_s` are
    added, which follow from the name of the round before and are the same after a
    restart.
    """

    interval_s: float
    terms: Terms
    retry_after_s: float = 60.0
    jitter_s: float = 0.0

    def due_s(self, newest: Round | None, *, aborted_in_a_row: int) -> float:
        """Return when a round is due after `newest`, which has ended; 0 for at once."""
        if newest is None:
            return 0.0
        regular_s = newest.started_s + self.interval_s
        due_s = regular_s
        if newest.state is State.ABORTED:
            retry_s = newest.ended_s + self.backoff_s(aborted_in_a_row)
            late = regular_s <= newest.ended_s
            due_s = retry_s if late else min(regular_s, retry_s)
        return due_s + self.jitter_s * _fraction(newest.name)

    def backoff_s(self, failures: int) -> float:
        """Return how long to wait after so many failures in a row, at least one."""
        doublings = min(max(0, failures - 1), _DOUBLINGS_MAX)
        return min(self.interval_s, math.ldexp(self.retry_after_s, doublings))


class Timetable:
    """A schedule and what has gone wrong since the coordinator started."""

    def __init__(self, schedule: Schedule) -> None:
        self._schedule = schedule
        self._aborted_in_a_row = 0
        self._refused_in_a_row = 0
        self._refused_until_s = 0.0
        self._ahead: dict[RoundName, float] = {}

    @property
    def terms(self) -> Terms:
        """The terms of scheduled rounds."""
        return self._schedule.terms

    def ended(self, round_: Round) -> None:
        """Hear that a round has ended, whoever opened it."""
        self._refused_in_a_row = 0
        self._refused_until_s = 0.0
        aborted = round_.state is State.ABORTED
        self._aborted_in_a_row = self._aborted_in_a_row + 1 if aborted else 0

    def refused(self, *, now_s: float) -> None:
        """Hear that the budget bears no round now; the next try is put off."""
        self._refused_in_a_row += 1
        wait_s = self._schedule.backoff_s(self._refused_in_a_row)
        self._refused_until_s = now_s + wait_s

    def rest_s(self, newest: Round | None, *, now_s: float) -> float:
        """Return how long no round is due; `newest` has ended, if there is one."""
        if not self._schedule.interval_s:
            return math.inf
        if newest is not None:
            newest = self._not_ahead(newest, now_s)
        due_s = self._schedule.due_s(newest, aborted_in_a_row=self._aborted_in_a_row)
        return max(0.0, due_s - now_s, self._refused_until_s - now_s)

    def _not_ahead(self, newest: Round, now_s: float) -> Round:
        """Return the round as if it had started by now, if the clock was set back."""
        ahead_s = self._ahead.get(newest.name, newest.started_s - now_s)
        if ahead_s <= 0:
            return newest
        self._ahead = {newest.name: ahead_s}
        history = tuple(
            StateEntry(entry.state, entry.enter_s - ahead_s) for entry in newest.history
        )
        return replace(newest, history=history)


def _fraction(name: str) -> float:
    """Return a number in [0, 1) that follows from a name and looks drawn at random."""
    digest = hashlib.sha256(name.encode()).digest()
    return int.from_bytes(digest[:4], "big") / _FRACTIONS
