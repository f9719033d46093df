"""Carries one answer from whoever makes it to the one who reads it.

Decides what a slow reader gets: at most one piece ever waits, and newer ones are
merged into it, so memory is bounded by the answer itself. Refuses to know models.
Every method runs on the event loop; a model thread calls through it.
"""

import asyncio
import weakref
from collections.abc import Callable
from typing import TypeVar

from node.engine.pieces import Piece

Outcome = Piece | BaseException
Deliver = Callable[[Outcome], None]
JobT = TypeVar("JobT")


class PieceStream:
    """The `Pieces` of one request, filled by `offer` and `fail`.

    `on_close` is called once if the reader leaves before the end, even when it never
    began to read.
    """

    def __init__(self, on_close: Callable[[], None]) -> None:
        self._on_close = on_close
        self._pending: Piece | None = None
        self._failure: BaseException | None = None
        self._complete = False
        self._closed = False
        self._changed = asyncio.Event()

    def take(self, outcome: Outcome) -> None:
        """Add a piece, or end with a failure."""
        if isinstance(outcome, Piece):
            self.offer(outcome)
        else:
            self.fail(outcome)

    def offer(self, piece: Piece) -> None:
        """Add a piece; ignored once the stream is complete or closed."""
        if self._complete or self._closed:
            return
        self._pending = merged(self._pending, piece)
        self._complete = piece.finish is not None
        self._changed.set()

    def fail(self, failure: BaseException) -> None:
        """End the stream with an error, after what was offered before it."""
        if self._complete or self._closed:
            return
        self._failure = failure
        self._complete = True
        self._changed.set()

    def __aiter__(self) -> "PieceStream":
        return self

    async def __anext__(self) -> Piece:
        while not self._closed:
            if self._pending is not None:
                piece, self._pending = self._pending, None
                return piece
            if self._failure is not None:
                failure, self._failure = self._failure, None
                raise failure
            if self._complete:
                break
            self._changed.clear()
            await self._changed.wait()
        raise StopAsyncIteration

    async def aclose(self) -> None:
        """Cancel what is not made yet; idempotent."""
        self._leave()
        self._changed.set()

    def _leave(self) -> None:
        if self._closed:
            return
        self._closed = True
        self._pending = self._failure = None
        if not self._complete:
            self._on_close()

    def __del__(self) -> None:
        # A reader that was dropped without `aclose` must not keep a slot busy.
        self._leave()


def merged(first: Piece | None, second: Piece) -> Piece:
    """Return one piece that says what both say, in their order."""
    if first is None:
        return second
    return Piece(
        first.text + second.text,
        (*first.token_ids, *second.token_ids),
        second.finish,
        (*first.logprobs, *second.logprobs),
        first.prompt_tokens_cached + second.prompt_tokens_cached,
    )


def complete_stream(last: Piece) -> PieceStream:
    """Return the stream of an answer of which only `last`, with its finish, is left."""
    stream = PieceStream(lambda: None)
    stream.offer(last)
    return stream


def open_stream(
    make_job: Callable[[Deliver], JobT], cancel: Callable[[JobT], None]
) -> tuple[JobT, PieceStream]:
    """Return a job and the stream that its deliveries fill, each knowing the other.

    The job holds its stream weakly, so that a stream which its reader dropped without
    closing is collected, and cancels the job.
    """
    reader: list[weakref.ref[PieceStream]] = []

    def deliver(outcome: Outcome) -> None:
        stream = reader[0]()
        if stream is not None:
            stream.take(outcome)

    job = make_job(deliver)
    stream = PieceStream(lambda: cancel(job))
    reader.append(weakref.ref(stream))
    return job, stream
