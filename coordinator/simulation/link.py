"""The way between one member and the coordinator: slow, lossy, repeating.

Decides the fate of each message by dice of its own, so that the same seed gives the
same network whatever the others do. Refuses to know what the messages say.
"""

import asyncio
from dataclasses import dataclass
from random import Random
from typing import Final

from federated_router.kit.errors import FieldInvalid

PACKET_BYTES: Final = 1024
"""What travels at once, so that a signature's odd byte does not change the times."""

LATE_S_MAX: Final = 30.0
"""A repeated request comes so much later at most, and so perhaps in another state."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LinkConditions:
    """What a link is like; all but times and the rate are probabilities in [0, 1].

    `request_loss`: the request never arrives. `response_loss`: it was carried out, and
    the answer is lost. `duplicate`: it arrives again up to LATE_S_MAX later.
    `stream_break`: a stream ends at a message. `hang_up`: the coordinator notices that
    a caller gave up, and stops.

    Raises FieldInvalid for what is none of these.
    """

    latency_s_min: float = 0.005
    latency_s_max: float = 0.05
    bytes_per_s: float = 4_000_000.0
    request_loss: float = 0.0
    response_loss: float = 0.0
    duplicate: float = 0.0
    stream_break: float = 0.0
    hang_up: float = 0.5

    def __post_init__(self) -> None:
        """Refuse times and probabilities out of range."""
        chances = (
            self.request_loss,
            self.response_loss,
            self.duplicate,
            self.stream_break,
            self.hang_up,
        )
        if not all(0 <= chance <= 1 for chance in chances):
            raise FieldInvalid("A probability lies in [0, 1].", field="link")
        if not (0 <= self.latency_s_min <= self.latency_s_max and self.bytes_per_s > 0):
            raise FieldInvalid("A latency is a range of at least 0 s.", field="link")


@dataclass(slots=True)
class Traffic:
    """Bytes of messages in both directions, the lost ones included."""

    sent_bytes: int = 0
    received_bytes: int = 0


class Link:
    """One member's link, in both directions."""

    def __init__(self, conditions: LinkConditions, dice: Random) -> None:
        self._conditions = conditions
        self._dice = dice
        self.traffic = Traffic()

    async def travel(self, size_bytes: int) -> None:
        """Take the time that so many bytes take."""
        delay_s = self._dice.uniform(
            self._conditions.latency_s_min, self._conditions.latency_s_max
        )
        packets = -(-size_bytes // PACKET_BYTES)
        carried_s = packets * PACKET_BYTES / self._conditions.bytes_per_s
        await asyncio.sleep(delay_s + carried_s)

    def loses_request(self) -> bool:
        """Return whether this request never arrives."""
        return self._happens(self._conditions.request_loss)

    def loses_response(self) -> bool:
        """Return whether this answer never arrives."""
        return self._happens(self._conditions.response_loss)

    def breaks_stream(self) -> bool:
        """Return whether the stream ends here."""
        return self._happens(self._conditions.stream_break)

    def tells_hang_up(self) -> bool:
        """Return whether the other side notices that this caller gave up."""
        return self._happens(self._conditions.hang_up)

    def repeats_after_s(self) -> float | None:
        """Return when this request arrives once more, if it does."""
        if not self._happens(self._conditions.duplicate):
            return None
        return self._dice.uniform(0.0, LATE_S_MAX)

    def _happens(self, chance: float) -> bool:
        return self._dice.random() < chance
