"""What every engine promises of an answer that another node began.

An answer is cut where its pieces end, as a router cuts it that lost the node: with the
ids and the text that it has by then. What is made then must be the rest of it.
"""

from dataclasses import replace

import pytest

from federated_router.kit.errors import FieldInvalid
from node.engine.engine import Continuation, Engine, Sampling
from node.engine.pieces import FinishReason, Piece
from tests.support.engine_conformance import (
    LONG_TOKENS,
    QUESTION,
    SLOTS,
    all_of,
    ids_of,
    text_of,
)

TOKENS = 14
SAMPLINGS = [
    Sampling(tokens_max=TOKENS),
    Sampling(tokens_max=TOKENS, repetition_penalty=1.3),
    Sampling(tokens_max=TOKENS, temperature=1.2, seed=7),
    Sampling(tokens_max=TOKENS, temperature=0.9, top_k=40, top_p=0.9, seed=2**63),
    Sampling(tokens_max=TOKENS, logprobs=2),
]


def cut_after(pieces: list[Piece]) -> Continuation:
    """Return what a router knows that got these pieces."""
    return Continuation(tuple(ids_of(pieces)), len(text_of(pieces).encode()))


async def gone_on(
    engine: Engine, continuation: Continuation, sampling: Sampling
) -> list[Piece]:
    """Return the pieces that follow."""
    begun = engine.go_through(continuation, sampling)
    prompt = engine.prompt_ids(QUESTION)
    return await all_of(engine.generate(prompt, sampling, begun=begun))


async def require_rest_at_every_cut(engine: Engine, sampling: Sampling) -> int:
    """Compare each rest with the undisturbed answer's; return how many there were.

    Cut after each token: several may come in one piece, whose text is told with the
    last of them.
    """
    prompt = engine.prompt_ids(QUESTION)
    whole = await all_of(engine.generate(prompt, sampling))
    ids = ids_of(whole)
    for at in range(1, len(ids) + 1):
        told = delivered_with(whole, at)
        cut = Continuation(tuple(ids[:at]), len(told.encode()))
        rest = await gone_on(engine, cut, sampling)

        assert ids_of(rest) == ids[at:], at
        assert told + text_of(rest) == text_of(whole), at
        assert rest[-1].finish is whole[-1].finish, at
        ranked = [one.token_id for piece in rest for one in piece.logprobs]
        assert ranked == (ids_of(rest) if sampling.logprobs is not None else []), at
    return len(ids)


def delivered_with(pieces: list[Piece], tokens: int) -> str:
    """Return the text of those pieces that end with this token or before it."""
    text = ""
    for piece in pieces:
        tokens -= len(piece.token_ids)
        if tokens < 0:
            break
        text += piece.text
    return text


class ContinuationConformance:
    """Tests that every engine passes which goes on with others' answers."""

    @pytest.mark.parametrize("sampling", SAMPLINGS)
    async def test_answer_goes_on_as_if_it_had_not_been_cut(
        self, engine: Engine, sampling: Sampling
    ) -> None:
        """Token for token, greedy or by the request's own random numbers."""
        assert await require_rest_at_every_cut(engine, sampling) > TOKENS // 2

    async def test_stop_string_that_was_half_said_still_ends_the_answer(
        self, engine: Engine
    ) -> None:
        """Its beginning was told as ids and held back as text."""
        prompt = engine.prompt_ids(QUESTION)
        plain = Sampling(tokens_max=LONG_TOKENS)
        stop = text_of(await all_of(engine.generate(prompt, plain)))[5:9]

        cuts = await require_rest_at_every_cut(engine, replace(plain, stop=(stop,)))

        assert cuts > 3

    async def test_text_that_was_not_delivered_is_owed(self, engine: Engine) -> None:
        """A router may lose a node before it passed on what it had read."""
        prompt = engine.prompt_ids(QUESTION)
        sampling = Sampling(tokens_max=TOKENS)
        whole = await all_of(engine.generate(prompt, sampling))
        cut = cut_after(whole[:-2])
        text = text_of(whole)
        delivered = [text[:end] for end in range(len(text))]

        for start in delivered:
            if len(start.encode()) <= cut.text_bytes:
                told = replace(cut, text_bytes=len(start.encode()))
                rest = await gone_on(engine, told, sampling)
                assert start + text_of(rest) == text
                assert ids_of(rest) == ids_of(whole[-2:])

    async def test_answer_that_is_complete_needs_no_slot(self, engine: Engine) -> None:
        """Only its end was lost: it is told at once, however full the node is."""
        prompt = engine.prompt_ids(QUESTION)
        sampling = Sampling(tokens_max=TOKENS)
        whole = await all_of(engine.generate(prompt, sampling))
        long = Sampling(tokens_max=LONG_TOKENS)
        running = [engine.generate(prompt, long) for _ in range(SLOTS)]

        rest = await gone_on(engine, cut_after(whole), sampling)

        assert rest == [Piece("", (), FinishReason.LENGTH)]
        for pieces in running:
            await pieces.aclose()

    async def test_beginning_that_no_answer_has_is_refused(
        self, engine: Engine
    ) -> None:
        """Each of these would make another answer than the caller's, unnoticed."""
        prompt = engine.prompt_ids(QUESTION)
        sampling = Sampling(tokens_max=TOKENS)
        cut = cut_after(await all_of(engine.generate(prompt, sampling)))
        refused = [
            (replace(cut, token_ids=()), "token_ids"),
            (replace(cut, token_ids=(*cut.token_ids[:-1], 10**6)), "token_ids"),
            (replace(cut, token_ids=(-1,)), "token_ids"),
            (replace(cut, token_ids=(*cut.token_ids, 70)), "token_ids"),
            (replace(cut, text_bytes=cut.text_bytes + 1), "text_bytes"),
            (replace(cut, text_bytes=-1), "text_bytes"),
        ]

        for continuation, name in refused:
            with pytest.raises(FieldInvalid) as raised:
                engine.go_through(continuation, sampling)
            assert raised.value.metadata["field"] == f"generation.continuation.{name}"
