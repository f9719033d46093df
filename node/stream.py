"""Joins pieces that come close together: messages cost more than tokens do.

The first piece leaves at once, so that the time to the first token stays what it is.
"""

import asyncio
from collections.abc import AsyncGenerator

from node.engine.pieces import Piece, Pieces


async def coalesced(pieces: Pieces, *, window_s: float) -> AsyncGenerator[Piece, None]:
    """Yield pieces, pausing `window_s` between them so that the engine may join more.

    Closing it closes `pieces`, which cancels the generation.
    """
    try:
        async for piece in pieces:
            yield piece
            if piece.finish is None and window_s > 0:
                await asyncio.sleep(window_s)
    finally:
        await pieces.aclose()
