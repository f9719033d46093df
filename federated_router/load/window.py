"""What every pair of node and model did lately, in a sliding window of slices.

Decides what is counted of a request that ended, and for how long; refuses to know whose
it was. Counting costs microseconds: it happens on every request. Memory is bounded by
pairs, slices, and the buckets of latencies in them.
"""

from collections import Counter, deque
from collections.abc import Mapping
from dataclasses import dataclass, field

from federated_router.kit.clock import Clock
from federated_router.load.activity import IDLE, Activity
from federated_router.load.quantiles import bucket_of
from federated_router.load.settings import LoadSettings
from federated_router.routing.candidate import Candidate
from federated_router.routing.served import Served

Pair = tuple[str, str]
"""`nodes/NAME` and `models/NAME`."""


class ActivityWindow:
    """Counts requests that ended; one per router process.

    A node that left is forgotten once nothing of it is in the window: until then what
    it did still counts as demand for its models.
    """

    def __init__(self, settings: LoadSettings, clock: Clock) -> None:
        self._settings = settings
        self._clock = clock
        self._slice_s = settings.window_s / settings.slices
        self._began_s = clock.monotonic_s()
        self._pairs: dict[Pair, deque[_Slice]] = {}

    @property
    def window_s(self) -> float:
        """Return how far back the sums reach at most, in seconds."""
        return self._settings.window_s

    @property
    def span_s(self) -> float:
        """Return how far back the sums reach now, in seconds; at least one slice."""
        now_s = self._clock.monotonic_s()
        first_s = self._first_index() * self._slice_s
        return max(self._slice_s, now_s - max(first_s, self._began_s))

    def __len__(self) -> int:
        """Return how many pairs are remembered."""
        return len(self._pairs)

    def ended(self, candidate: Candidate, served: Served) -> None:
        """Count a request that ended at a node, well or not."""
        pair = (candidate.node, candidate.model)
        slices = self._pairs.pop(pair, None) or deque(maxlen=self._settings.slices)
        if len(self._pairs) >= self._settings.pairs_max:
            del self._pairs[next(iter(self._pairs))]
        # Put in anew, so that the first is always the one that was idle longest.
        self._pairs[pair] = slices
        index = self._index()
        if not slices or slices[-1].index != index:
            slices.append(_Slice(index))
        slices[-1].add(candidate, served)

    def activities(self) -> Mapping[Pair, Activity]:
        """Return the sums of every pair with a request in the window; drop the rest."""
        first = self._first_index()
        for pair in [p for p, s in self._pairs.items() if s[-1].index < first]:
            del self._pairs[pair]
        return {
            pair: sum((one.sums() for one in slices if one.index >= first), IDLE)
            for pair, slices in self._pairs.items()
        }

    def _index(self) -> int:
        return int(self._clock.monotonic_s() // self._slice_s)

    def _first_index(self) -> int:
        return self._index() - self._settings.slices + 1


@dataclass(slots=True)
class _Slice:
    """Counts of one stretch of time."""

    index: int
    requests: int = 0
    failures: int = 0
    completion_tokens: int = 0
    prompt_tokens: int = 0
    prompt_tokens_cached: int = 0
    slot_ms: float = 0.0
    slots: int = 0
    first_token: Counter[int] = field(default_factory=Counter)

    def add(self, candidate: Candidate, served: Served) -> None:
        """Count one request."""
        self.requests += 1
        self.failures += not served.succeeded
        self.completion_tokens += served.completion_tokens
        self.prompt_tokens += served.prompt_tokens
        self.prompt_tokens_cached += served.prompt_tokens_cached
        self.slot_ms += slot_ms(candidate, served)
        self.slots = candidate.slots
        if served.first_token_ms is not None:
            self.first_token[bucket_of(served.first_token_ms)] += 1

    def sums(self) -> Activity:
        """Return the counts so far."""
        return Activity(
            requests=self.requests,
            failures=self.failures,
            completion_tokens=self.completion_tokens,
            prompt_tokens=self.prompt_tokens,
            prompt_tokens_cached=self.prompt_tokens_cached,
            slot_s=self.slot_ms / 1000.0,
            slots=self.slots,
            first_token=self.first_token,
        )


def slot_ms(candidate: Candidate, served: Served) -> float:
    """Return how long a request kept a slot, without its wait for one at the node.

    In milliseconds. With `n` requests there before it and `c` slots, n >= c, it waits
    for n + 1 - c of them to end, one every S / c: its total is S (n + 1) / c.
    """
    ahead = candidate.in_flight + 1
    return served.total_ms * min(1.0, max(1, candidate.slots) / ahead)
