"""Which part of a machine's measured energy each request is given.

Decides the shares: what the machine used between two readings goes to the requests that
moved tokens through a model meanwhile, in proportion to those tokens, prompt tokens
read and output tokens alike. Energy of an interval in which requests ran but no token
moved waits for the next that has one; energy of an interval without requests is idle
and nobody's. Refuses to know meters and clocks. Every method runs on the event loop.

A share says what a request cost beside its neighbours, not what it would cost alone:
it holds the machine's idle power while it ran, and whatever else ran on the machine.
"""

from collections import defaultdict
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field

from node.statistics.energy_sources import EnergySource

Joules = Mapping[EnergySource, float]
Settled = Callable[[Joules], None]
"""Takes a request's joules by source; none where they were not measured."""


@dataclass(slots=True, eq=False)
class EnergyShare:
    """One request's part: tokens since the last reading, joules up to it."""

    tokens: int = 0
    joules: dict[EnergySource, float] = field(
        default_factory=lambda: defaultdict(float)
    )
    settled: Settled | None = None

    def add(self, tokens: int) -> None:
        """Count tokens that went through the model for this request."""
        self.tokens += tokens


class EnergyShares:
    """Shares readings among running requests.

    Up to `waiting_max` requests that ended wait for the reading that covers their last
    tokens; further ones are told at once that nothing was measured.
    """

    def __init__(self, *, waiting_max: int) -> None:
        self._waiting_max = waiting_max
        self._sources: set[EnergySource] = set()
        self._shares: set[EnergyShare] = set()
        self._waiting = 0
        self._unshared: dict[EnergySource, float] = defaultdict(float)
        self._idle: dict[EnergySource, float] = defaultdict(float)

    @property
    def sources(self) -> Collection[EnergySource]:
        """Return what is measured now; nothing where energy is modelled."""
        return frozenset(self._sources)

    @property
    def label(self) -> str:
        """Return the sources in one word, `modelled` where nothing is measured."""
        return "+".join(sorted(self._sources)) or EnergySource.MODELLED.value

    @property
    def idle_j(self) -> Joules:
        """Return the joules of intervals in which no request ran."""
        return dict(self._idle)

    def use(self, source: EnergySource) -> None:
        """Expect readings of a source from now on."""
        self._sources.add(source)

    def lose(self, source: EnergySource) -> None:
        """Expect none any more, and forget what it gave: a part is no measurement."""
        self._sources.discard(source)
        self._unshared.pop(source, None)
        for share in self._shares:
            share.joules.pop(source, None)
        if not self._sources:
            self._settle_waiting()

    def begin(self) -> EnergyShare:
        """Return the share of a request that begins now. It must be finished."""
        share = EnergyShare()
        self._shares.add(share)
        return share

    def finish(self, share: EnergyShare, settled: Settled) -> None:
        """End a share; `settled` is called once, now or with the next reading."""
        share.settled = settled
        if not self._sources or not share.tokens:
            self._settle(share)
        elif self._waiting >= self._waiting_max:
            self._shares.discard(share)
            settled({})
        else:
            self._waiting += 1

    def take(self, readings: Joules) -> None:
        """Share what the machine used since the last reading, in joules."""
        _add(self._unshared, readings)
        tokens = sum(share.tokens for share in self._shares)
        if tokens:
            for share in self._shares:
                part = share.tokens / tokens
                _add(share.joules, self._unshared, part=part)
                share.tokens = 0
            self._unshared.clear()
        elif not self._shares:
            _add(self._idle, self._unshared)
            self._unshared.clear()
        self._settle_waiting()

    def _settle_waiting(self) -> None:
        self._waiting = 0
        for share in [one for one in self._shares if one.settled is not None]:
            self._settle(share)

    def _settle(self, share: EnergyShare) -> None:
        self._shares.discard(share)
        if share.settled is not None:
            share.settled({source: share.joules[source] for source in self._sources})


def _add(into: dict[EnergySource, float], joules: Joules, *, part: float = 1.0) -> None:
    for source, amount in joules.items():
        into[source] += amount * part
