"""What was done lately, as sums that add up over nodes and models. Pure."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field

from federated_router.load.quantiles import quantile_ms


@dataclass(frozen=True, slots=True)
class Activity:
    """Sums over the requests that ended in a window.

    `slot_s` is how long they kept slots, in seconds; `slots` is how many there were at
    the node that had most; `first_token` counts times to the first token by bucket of
    `quantiles`.
    """

    requests: int = 0
    failures: int = 0
    completion_tokens: int = 0
    prompt_tokens: int = 0
    prompt_tokens_cached: int = 0
    slot_s: float = 0.0
    slots: int = 0
    first_token: Mapping[int, int] = field(default_factory=dict)

    def __add__(self, other: "Activity") -> "Activity":
        return Activity(
            requests=self.requests + other.requests,
            failures=self.failures + other.failures,
            completion_tokens=self.completion_tokens + other.completion_tokens,
            prompt_tokens=self.prompt_tokens + other.prompt_tokens,
            prompt_tokens_cached=self.prompt_tokens_cached + other.prompt_tokens_cached,
            slot_s=self.slot_s + other.slot_s,
            slots=max(self.slots, other.slots),
            first_token=Counter(self.first_token) + Counter(other.first_token),
        )

    @property
    def failure_ratio(self) -> float:
        """Return the share of requests that failed; 0 without requests."""
        return self.failures / self.requests if self.requests else 0.0

    @property
    def prompt_cached_ratio(self) -> float | None:
        """Return the share of prompts' tokens not read again; None without any."""
        if not self.prompt_tokens:
            return None
        return min(1.0, self.prompt_tokens_cached / self.prompt_tokens)

    @property
    def service_s(self) -> float:
        """Return how long a request keeps a slot, in seconds; 0 without requests."""
        return self.slot_s / self.requests if self.requests else 0.0

    def first_token_ms(self, share: float) -> float | None:
        """Return a quantile of the time to the first token, in milliseconds."""
        return quantile_ms(self.first_token, share)


IDLE = Activity()
