"""What a decision rests on beside its slate: all that moves. Pure to read."""

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np

from federated_router.routing.candidate import PLAIN, Shape
from federated_router.routing.columns import Floats, column_of
from federated_router.routing.loads import Recent
from federated_router.routing.observed import Observed
from federated_router.routing.prefix_index import PrefixIndex
from federated_router.routing.roster import Roster
from federated_router.routing.settings import ObservationSettings, PrefixSettings
from federated_router.routing.turns import Turns

_PREFIX = PrefixSettings()


@dataclass(frozen=True, slots=True)
class Moment:
    """A request and the state of the router as it is decided.

    Counts are by node, `in_flight` in requests, `unread_tokens` in tokens; `now_s` is
    monotonic. A node gets nothing more while `queue_factor` times its slots run there.
    """

    shape: Shape = PLAIN
    in_flight: Mapping[str, int] = field(default_factory=dict)
    unread_tokens: Mapping[str, int] = field(default_factory=dict)
    recent: Recent = field(default_factory=lambda: Recent(_PREFIX.latest_requests))
    prefixes: PrefixIndex = field(
        default_factory=lambda: PrefixIndex(
            blocks_per_site_max=_PREFIX.blocks_per_site_max,
            blocks_max=_PREFIX.blocks_max,
        )
    )
    observed: Observed = field(default_factory=lambda: Observed(ObservationSettings()))
    turns: Turns = field(default_factory=Turns)
    now_s: float = 0.0
    queue_factor: float = float("inf")
    prefix: PrefixSettings = _PREFIX
    _running: dict[int, tuple[Roster, Floats]] = field(
        default_factory=dict, init=False, repr=False, compare=False
    )

    def running(self, roster: Roster) -> Floats:
        """Return the requests in flight at each candidate's node."""
        known = self._running.get(id(roster))
        if known is None:
            # The roster is kept as well: no other one can have its identity.
            known = roster, column_of(self.in_flight, roster.nodes)
            self._running[id(roster)] = known
        return known[1]

    def unread(self, roster: Roster) -> Floats:
        """Return the unread tokens of prompts at each candidate's node."""
        return column_of(self.unread_tokens, roster.nodes)

    def completion_tokens(self, roster: Roster) -> Floats:
        """Return the tokens to expect of each candidate's answer."""
        expected = self.observed.completion_tokens
        tokens = [expected(model, self.shape.tokens_max) for model in roster.models]
        found: Floats = np.array(tokens, dtype=np.float64)[roster.model_numbers]
        return found
