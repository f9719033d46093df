"""How personal a request is: what its sender says, raised by what is found in it.

Decides the level. Finds raise it and never lower it, and what could not be read counts
as personal: a request is not made public by its length. Refuses to know requests,
nodes, and private records, which no caller hands over. Texts are neither kept nor told;
only the names of kinds leave.
"""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from federated_router.kit.clock import Clock, SystemClock
from federated_router.sensitivity.levels import Sensitivity
from federated_router.sensitivity.metrics import RAISED
from federated_router.sensitivity.personal_data import Reading, read
from federated_router.sensitivity.settings import SensitivitySettings

UNREAD: Final = "unread"
"""Stands among the kinds where text was left that nobody looked at."""

_MS_PER_S: Final = 1000.0


@dataclass(frozen=True, slots=True)
class Assessment:
    """The level, and the names of the kinds of personal data that were found."""

    level: Sensitivity
    kinds: tuple[str, ...] = ()


class Assessor:
    """Tells the level of requests."""

    def __init__(
        self, settings: SensitivitySettings, *, clock: Clock | None = None
    ) -> None:
        self._settings = settings
        self._now_s = (clock or SystemClock()).monotonic_s

    def assess(self, texts: Sequence[str], declared: Sensitivity | None) -> Assessment:
        """Return the level of a request with these messages, of all roles.

        `declared` is what its sender says, None where it says nothing. Takes about a
        millisecond for each kilobyte of text, and at most the configured time and one
        window more.
        """
        level = self._settings.default if declared is None else declared
        kinds = self._kinds(texts) if self._settings.detect else ()
        if kinds:
            RAISED.labels(kinds[0]).inc()
            level = max(level, Sensitivity.SENSITIVE)
        return Assessment(level, kinds)

    async def assessed(
        self, texts: Sequence[str], declared: Sensitivity | None
    ) -> Assessment:
        """Return the same; long texts are read in a thread."""
        if sum(map(len, texts)) <= self._settings.thread_characters:
            return self.assess(texts, declared)
        return await asyncio.to_thread(self.assess, texts, declared)

    def _kinds(self, texts: Sequence[str]) -> tuple[str, ...]:
        reading = self._read(texts)
        found = tuple(kind.value for kind in reading.kinds)
        return found if reading.whole else (*found, UNREAD)

    def _read(self, texts: Sequence[str]) -> Reading:
        until_s = self._now_s() + self._settings.time_ms_max / _MS_PER_S
        return read(
            texts,
            self._settings.kinds,
            characters_max=self._settings.characters_max,
            in_time=lambda: self._now_s() < until_s,
        )
