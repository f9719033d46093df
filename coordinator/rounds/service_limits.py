"""How much a coordinator takes in and gives out at the same time."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class ServiceLimits:
    """How many bodies come in and how many bytes of answers go out at the same time.

    News of rounds may take a quarter of the answers' bytes more. `transfer_timeout_s`:
    how long a member waits for its turn, and has for reading.
    """

    uploads_max: int
    answer_bytes_max: int
    transfer_timeout_s: float

    @property
    def news_bytes_max(self) -> int:
        """How many bytes go out to watchers at the same time."""
        return max(1, self.answer_bytes_max // 4)
