"""Whether a sampled answer is the same alone and in company, on a trained model.

Each request has a seed of its own and is answered twice: alone, and by callers who come
one after the other, so that passes have all shapes, mixed ones among them.
"""

import asyncio
from collections.abc import Sequence

from node.engine.engine import Sampling
from node.engine.transformers_engine import TransformersEngine
from tests.bench.generate_peer import Ids

CALLERS = 8


async def same_in_company(
    engine: TransformersEngine, prompts: Sequence[Ids], *, tokens_max: int
) -> float:
    """Return the share of answers that are the same, token for token."""

    async def answered(number: int) -> Ids:
        sampling = Sampling(tokens_max=tokens_max, temperature=1.0, seed=number)
        tokens: list[int] = []
        async for piece in engine.generate(prompts[number], sampling):
            tokens += piece.token_ids
        return tuple(tokens)

    alone = [await answered(number) for number in range(len(prompts))]
    gate = asyncio.Semaphore(CALLERS)

    async def in_turn(number: int) -> Ids:
        async with gate:
            return await answered(number)

    together = await asyncio.gather(*map(in_turn, range(len(prompts))))
    return sum(map(tuple.__eq__, alone, together)) / len(prompts)
