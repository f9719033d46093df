"""A reader gets everything, in order, once, and may leave at any time."""

import asyncio

import pytest

from node.engine.piece_stream import PieceStream, open_stream
from node.engine.pieces import FinishReason, Piece


class Closings:
    """Counts how often a stream told that its reader left."""

    def __init__(self) -> None:
        self.count = 0

    def __call__(self) -> None:
        """Count one."""
        self.count += 1


async def test_pieces_wait_as_one_for_a_slow_reader() -> None:
    """Memory is bounded by the answer, not by how finely it was made."""
    stream = PieceStream(Closings())
    stream.offer(Piece("a", (1,)))
    stream.offer(Piece("b", (2, 3), FinishReason.STOP))

    read = [piece async for piece in stream]

    assert read == [Piece("ab", (1, 2, 3), FinishReason.STOP)]


async def test_failure_comes_after_what_was_made_before_it() -> None:
    """Tokens that were sampled, and maybe charged, are never swallowed."""
    stream = PieceStream(Closings())
    stream.offer(Piece("a", (1,)))
    stream.fail(ArithmeticError("broken"))

    first = await anext(stream)

    assert first == Piece("a", (1,))
    with pytest.raises(ArithmeticError):
        await anext(stream)
    assert [piece async for piece in stream] == []


async def test_close_wakes_a_reader_that_waits() -> None:
    """Closing from another task must not leave a reader hanging."""
    stream = PieceStream(Closings())
    reader = asyncio.ensure_future(anext(stream, None))
    await asyncio.sleep(0)

    await stream.aclose()

    assert await reader is None


async def test_close_cancels_once_and_only_what_is_unfinished() -> None:
    """A finished job has nothing to cancel; closing twice is harmless."""
    unfinished, finished = Closings(), Closings()
    first, second = PieceStream(unfinished), PieceStream(finished)
    second.offer(Piece("", (), FinishReason.END))

    for stream in (first, first, second):
        await stream.aclose()

    assert (unfinished.count, finished.count) == (1, 0)


async def test_delivery_to_a_dropped_stream_is_ignored() -> None:
    """The model thread may still post when the reader is gone."""
    cancelled: list[str] = []
    deliver, stream = open_stream(
        lambda deliver: deliver, lambda _: cancelled.append("x")
    )

    del stream
    deliver(Piece("a", (1,)))

    assert cancelled == ["x"]
