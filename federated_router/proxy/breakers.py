"""The breakers of one router: a breaker per node, and per model at a node.

Decides which requests pass which breakers, and forgets them with their node. Tells
routing what is blocked, and whoever looks which state each node is in. Refuses to know
when a breaker opens, and which failure is whose.
"""

import random
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import islice
from typing import Final, Protocol

from prometheus_client import Counter, Gauge

from federated_router.kit.clock import Clock
from federated_router.kit.log import get_logger
from federated_router.proxy.breaker import (
    Breaker,
    BreakerSettings,
    BreakerState,
    Outcome,
)
from federated_router.routing.candidate import Candidate

log = get_logger("breakers")
WATCH_S: Final = 0.25
"""How often an open breaker whose time is over is found where no request comes."""

_TRANSITIONS = Counter(
    "federated_router_breaker_transitions",
    "Breakers that changed their state, by what they are of and the new state.",
    ["of", "state"],
)
_BLOCKED = Gauge(
    "federated_router_breakers_blocking", "Breakers that let no request through now."
)
_GRAVITY: Final = (BreakerState.CLOSED, BreakerState.HALF_OPEN, BreakerState.OPEN)


class Gate(Protocol):
    """Routing, as far as breakers know it."""

    def block(self, node: str, model: str | None = None) -> None:
        """Choose this node, or this model there, no more."""
        ...

    def unblock(self, node: str, model: str | None = None) -> None:
        """Take a block back."""
        ...


@dataclass(slots=True)
class _Watched:
    """A breaker of a node, or of a model there, and what was said of it last."""

    node: str
    model: str | None
    breaker: Breaker
    told: BreakerState = BreakerState.CLOSED
    blocked: bool = False


@dataclass(slots=True)
class _Node:
    """All breakers of one life of a node."""

    own: _Watched
    models: dict[str, _Watched]

    def __iter__(self) -> Iterator[_Watched]:
        yield self.own
        yield from self.models.values()


@dataclass(frozen=True, slots=True)
class Passage:
    """One request on its way through two breakers."""

    node: _Node
    model: _Watched
    node_epoch: int
    model_epoch: int


class Breakers:
    """Breakers by node; `forget` is for the registry's listeners."""

    def __init__(self, settings: BreakerSettings, gate: Gate, clock: Clock) -> None:
        self._settings = settings
        self._gate = gate
        self._clock = clock
        self._nodes: dict[str, _Node] = {}
        self._open: set[tuple[str, str | None]] = set()
        self._due_s: float | None = None

    def begin(self, candidate: Candidate) -> Passage:
        """Count a request about to be sent; owes an `end` with what is returned."""
        node = self._nodes.get(candidate.node) or self._new_node(candidate.node)
        model = node.models.get(candidate.model)
        if model is None:
            model = _Watched(candidate.node, candidate.model, Breaker(self._settings))
            node.models[candidate.model] = model
        now_s = self._clock.monotonic_s()
        passage = Passage(
            node, model, node.own.breaker.begin(now_s), model.breaker.begin(now_s)
        )
        if self._open:
            self._look(node.own, now_s)
            self._look(model, now_s)
        return passage

    def end(self, passage: Passage, *, of_node: Outcome, of_model: Outcome) -> None:
        """Judge a request that ended; one of a node's earlier life judges nothing."""
        node, now_s = passage.node, self._clock.monotonic_s()
        jitter = random.random()  # noqa: S311 - jitter, not a secret.
        own, model = node.own, passage.model
        own.breaker.end(passage.node_epoch, of_node, now_s, jitter=jitter)
        model.breaker.end(passage.model_epoch, of_model, now_s, jitter=jitter)
        if self.knows(passage):
            self._look(own, now_s)
            self._look(model, now_s)

    def knows(self, passage: Passage) -> bool:
        """Return whether a node still lives the life that a request met it in.

        A node whose lease ended, or that registered anew, is another.
        """
        return self._nodes.get(passage.node.own.node) is passage.node

    def same(self, passages: Mapping[str, Passage]) -> frozenset[str]:
        """Return the nodes of `passages`, by name, that still live the same life."""
        return frozenset(node for node, one in passages.items() if self.knows(one))

    def forget(self, node: str) -> None:
        """Close what was open of a node that is gone, or that comes anew."""
        known = self._nodes.pop(node, None)
        for watched in known or ():
            if watched.blocked:
                self._unblock(watched)
            self._open.discard((watched.node, watched.model))

    def refresh(self) -> None:
        """Let probes through where the time of an open breaker is over."""
        if self._due_s is None:
            return
        now_s = self._clock.monotonic_s()
        if now_s < self._due_s:
            return
        for watched in list(self._opened()):
            self._look(watched, now_s)
        self._note_due()

    def states(self) -> Mapping[str, BreakerState]:
        """Return the worst state among each node's breakers; others are closed."""
        now_s = self._clock.monotonic_s()
        return {
            name: max(
                (watched.breaker.state(now_s) for watched in node),
                key=_GRAVITY.index,
            )
            for name, node in self._nodes.items()
        }

    def is_open(self, node: str) -> bool:
        """Return whether the breaker of a whole node is open."""
        known = self._nodes.get(node) if self._open else None
        if known is None:
            return False
        state = known.own.breaker.state(self._clock.monotonic_s())
        return state is BreakerState.OPEN

    async def watch(self) -> None:
        """Refresh while no request comes that would; for the daemon's background."""
        while True:
            await self._clock.sleep(WATCH_S)
            self.refresh()

    def _new_node(self, name: str) -> _Node:
        while len(self._nodes) >= self._settings.nodes_max:
            self.forget(next(islice(self._nodes, 1)))
        node = _Node(_Watched(name, None, Breaker(self._settings)), {})
        self._nodes[name] = node
        return node

    def _opened(self) -> Iterator[_Watched]:
        for name, model in self._open:
            node = self._nodes[name]
            yield node.own if model is None else node.models[model]

    def _look(self, watched: _Watched, now_s: float) -> None:
        """Tell what changed of one breaker."""
        state = watched.breaker.state(now_s)
        if state is not watched.told:
            self._tell(watched, state)
        elif state is BreakerState.CLOSED:
            return
        if watched.breaker.admits(now_s) == watched.blocked:
            if watched.blocked:
                self._unblock(watched)
            else:
                self._block(watched)

    def _tell(self, watched: _Watched, state: BreakerState) -> None:
        watched.told = state
        key = (watched.node, watched.model)
        if state is BreakerState.CLOSED:
            self._open.discard(key)
        else:
            self._open.add(key)
        self._note_due()
        _TRANSITIONS.labels(
            "node" if watched.model is None else "model", state.value
        ).inc()
        log.warning(
            "breaker", node=watched.node, model=watched.model or "", state=state.value
        )

    def _note_due(self) -> None:
        times = (watched.breaker.open_until_s for watched in self._opened())
        self._due_s = min((one for one in times if one is not None), default=None)

    def _block(self, watched: _Watched) -> None:
        watched.blocked = True
        _BLOCKED.inc()
        self._gate.block(watched.node, watched.model)

    def _unblock(self, watched: _Watched) -> None:
        watched.blocked = False
        _BLOCKED.dec()
        self._gate.unblock(watched.node, watched.model)
