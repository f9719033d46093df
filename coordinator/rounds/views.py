"""What watchers of a round are sent, made once for all of them.

Decides that equal answers to many watchers are one message. Refuses to know who watches
and when they are woken (`newest`).
"""

from coordinator.rounds import messages
from coordinator.rounds.round import Round
from federated_router.api.v1 import aggregation_pb2 as pb2


class Views:
    """Keeps the newest round's basic view, which is what members watch."""

    def __init__(self) -> None:
        self._kept: tuple[Round, pb2.WatchRoundResponse] | None = None

    def watched(self, round_: Round | None) -> pb2.WatchRoundResponse:
        """Return the basic message for one watcher, who must not change it."""
        if round_ is None:
            return pb2.WatchRoundResponse()
        if self._kept is None or self._kept[0] is not round_:
            made = pb2.WatchRoundResponse(round=messages.round_message(round_))
            self._kept = (round_, made)
        return self._kept[1]
