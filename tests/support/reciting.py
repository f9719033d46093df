"""Scripts of nodes that recite the same tokens, also from the middle, and get lost.

Every node that recites is a copy of every other: whatever one of them has begun,
another goes on with token for token, as nodes of one model do. Text comes one token
behind its token, as it does where a stop string may still be completing.
"""

import asyncio
from collections.abc import Sequence

import grpc

from federated_router.api.v1 import inference_pb2 as pb
from tests.support.scripted_node import Events, Script, ScriptedNode, started

TOKENS = 24


def text_of(token_id: int) -> str:
    """Return a token's text, of two to four bytes."""
    return f"é{token_id % 10}" if token_id % 3 else f"{token_id % 10} "


def recital(tokens: int = TOKENS) -> tuple[list[int], str]:
    """Return all tokens and the whole text."""
    ids = list(range(100, 100 + tokens))
    return ids, "".join(map(text_of, ids))


def reciting(
    node: ScriptedNode,
    *,
    tokens: int = TOKENS,
    lost_after: int | None = None,
    pause_s: float = 0.0,
) -> Script:
    """Return a script; the node is lost when `lost_after` of its own tokens left."""

    async def script(
        generation: pb.Generation, context: grpc.aio.ServicerContext
    ) -> Events:
        ids, text = recital(tokens)
        begun = len(generation.continuation.token_ids)
        assert list(generation.continuation.token_ids) == ids[:begun]
        sent = generation.continuation.text_bytes
        yield started(node.name)
        for at in range(begun, tokens):
            if lost_after is not None and at - begun == lost_after:
                await context.abort(grpc.StatusCode.UNAVAILABLE, "connection reset")
            behind = len("".join(map(text_of, ids[:at])).encode())
            yield _chunk(text.encode()[sent:behind], [ids[at]])
            sent = max(sent, behind)
            if pause_s:
                await asyncio.sleep(pause_s)
        if lost_after == tokens - begun:
            await context.abort(grpc.StatusCode.UNAVAILABLE, "connection reset")
        yield _chunk(text.encode()[sent:], [])
        yield pb.GenerateResponse(
            finished=pb.Finished(
                reason=pb.FINISH_REASON_LENGTH,
                prompt_tokens=3,
                completion_tokens=tokens,
            )
        )

    return script


def _chunk(text: bytes, token_ids: Sequence[int]) -> pb.GenerateResponse:
    return pb.GenerateResponse(
        chunk=pb.Chunk(
            text=text.decode(),
            token_ids=token_ids,
            logprobs=[pb.TokenLogprob(token_id=one, logprob=-one) for one in token_ids],
        )
    )
