"""What of one answer has left for its caller, and whether another node can go on.

Decides that a stream may be continued where the tokens behind every text that left are
known, and that no token and no byte leaves twice: the next node is told both, and says
again neither. Refuses to know nodes and calls. Pure.
"""

from array import array

from federated_router.api.v1 import inference_pb2 as pb
from federated_router.kit.errors import Internal


class Delivered:
    """The part of a streamed answer that its caller has.

    At most `tokens_max` token ids are kept; a longer answer cannot be continued. In a
    resumed answer, `part_tokens` are those of the node that answers now.
    """

    __slots__ = (
        "_complete",
        "_text_bytes",
        "_token_ids",
        "_tokens_max",
        "begun",
        "part_tokens",
        "resumptions",
    )

    def __init__(self, tokens_max: int) -> None:
        self._tokens_max = tokens_max
        self._token_ids = array("i")
        self._text_bytes = 0
        self._complete = True
        self.begun = False
        self.part_tokens = 0
        self.resumptions = 0

    @property
    def part_begun(self) -> bool:
        """Return whether the node that answers now has told a token."""
        return self.part_tokens > 0

    def add(self, chunk: pb.Chunk) -> None:
        """Note a chunk that is about to leave."""
        self.begun = True
        if not self._complete:
            return
        ids = chunk.token_ids
        untold = chunk.text and not ids and not self._token_ids
        if untold or len(self._token_ids) + len(ids) > self._tokens_max:
            self._complete = False
            self._token_ids = array("i")
            return
        self.part_tokens += len(ids)
        self._token_ids.extend(ids)
        self._text_bytes += len(chunk.text.encode())

    @property
    def can_continue(self) -> bool:
        """Return whether another node can be told where to go on."""
        return self._complete

    def continuation(self) -> pb.Continuation | None:
        """Return where the next node goes on; None for the beginning."""
        if not self._token_ids:
            return None
        return pb.Continuation(token_ids=self._token_ids, text_bytes=self._text_bytes)

    def another_node(self) -> None:
        """Begin the part of another node."""
        self.resumptions += 1
        self.part_tokens = 0

    def complete(self, finished: pb.Finished) -> None:
        """Say in the last event how often the answer went on at another node.

        Raises:
            Internal: the last node counted other tokens than were told: it did not go
                on where it was asked to.
        """
        if not self.resumptions:
            return
        if finished.completion_tokens != len(self._token_ids):
            raise Internal(
                "The answer was not continued where it had ended.",
                metadata={
                    "tokens_told": str(len(self._token_ids)),
                    "tokens_counted": str(finished.completion_tokens),
                },
            )
        finished.resumptions = self.resumptions
