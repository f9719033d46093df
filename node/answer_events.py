"""The events of one answer, from its pieces, counted as they pass.

Decides what of an answer was this node's work: tokens that another node drew were read
here, not drawn. Refuses to know models and what ends a call.
"""

from collections.abc import AsyncGenerator, Callable
from contextlib import aclosing
from dataclasses import replace

from federated_router.api.v1 import inference_pb2 as pb
from node.engine.chat import ChatAnswer
from node.engine.pieces import Piece, Pieces
from node.messages import chunk_of, finished_of
from node.statistics.endings import TokenCounts
from node.statistics.timing import RequestTiming
from node.stream import coalesced


async def answer_events(
    pieces: Pieces,
    timing: RequestTiming,
    *,
    counts: Callable[[], TokenCounts],
    window_s: float,
    drawn_elsewhere: int = 0,
) -> AsyncGenerator[pb.GenerateResponse, None]:
    """Yield a chunk for each piece, then the last event.

    `counts` are the whole answer's, `drawn_elsewhere` how many of its tokens another
    node drew.

    Raises:
        LimitReached: the engine was stopped before the answer was complete.
    """
    last: Piece | None = None
    async with aclosing(coalesced(pieces, window_s=window_s)) as merged:
        async for piece in merged:
            last = piece
            timing.progress(_own(counts(), drawn_elsewhere), finish=piece.finish)
            yield chunk_of(piece)
    finished = finished_of(last, counts())
    timing.answer()
    yield finished


def counts_of(answer: ChatAnswer) -> TokenCounts:
    """Return what a public answer has counted so far."""
    return TokenCounts(
        prompt=answer.prompt_tokens,
        cached=answer.prompt_tokens_cached,
        output=answer.completion_tokens,
    )


def _own(counts: TokenCounts, drawn_elsewhere: int) -> TokenCounts:
    """Return what was read and drawn here."""
    return replace(
        counts,
        prompt=counts.prompt + drawn_elsewhere,
        output=counts.output - drawn_elsewhere,
    )
