"""Answers of a server behind the OpenAI API, as it tells them."""

import asyncio
import json

import pytest

from federated_router.kit.errors import FieldInvalid
from node.engine.engine import Sampling
from node.engine.pieces import FinishReason, TokenLogprob
from tests.support.scripted_openai import Asked, Reply
from tests.unit.node_openai.conftest import Ask, text_of

EVERYTHING = Sampling(
    tokens_max=9,
    temperature=0.5,
    top_k=40,
    top_p=0.9,
    seed=7,
    stop=("END",),
    repetition_penalty=1.2,
    logprobs=2,
)


async def says_hello(_: Asked, reply: Reply) -> None:
    """Answer in two pieces."""
    await reply.begin()
    await reply.event({"choices": [{"delta": {"role": "assistant"}}]})
    await reply.say("Hel")
    await reply.say("lo")
    await reply.finish("stop", usage=(5, 3))


async def test_answer_is_passed_on_with_the_servers_counts(ask: Ask) -> None:
    """Text in order, the end once, prompt and answer counted by who tokenised them."""
    async with ask(says_hello) as served:
        pieces, answer = await served.answer()

    assert text_of(pieces) == "Hello"
    assert [piece.finish for piece in pieces if piece.finish] == [FinishReason.END]
    assert pieces[-1].finish is FinishReason.END
    assert all(piece.token_ids == () for piece in pieces)
    assert (answer.prompt_tokens, answer.completion_tokens) == (5, 3)


async def test_plain_request_asks_for_nothing_that_was_not_asked(ask: Ask) -> None:
    """Extensions are sent only where they are set: strict servers refuse them."""
    async with ask(says_hello) as served:
        await served.answer(Sampling(tokens_max=8))
        (asked,) = served.server.asked

    assert (asked.method, asked.path) == ("POST", "/v1/chat/completions")
    assert asked.body == {
        "model": "theirs",
        "messages": [{"role": "user", "content": "Which medicine?"}],
        "stream": True,
        "stream_options": {"include_usage": True},
        "max_tokens": 8,
        "temperature": 0.0,
    }
    assert "authorization" not in asked.headers


async def test_every_sampling_field_has_its_name_there(ask: Ask) -> None:
    """What a caller sets reaches the server, and is not silently dropped."""

    async def script(_: Asked, reply: Reply) -> None:
        await reply.begin()
        await reply.finish()

    async with ask(script, length_field="max_completion_tokens") as served:
        await served.answer(EVERYTHING)
        (asked,) = served.server.asked

    sent = {key: asked.body[key] for key in set(asked.body) - {"messages", "model"}}
    assert sent == {
        "stream": True,
        "stream_options": {"include_usage": True},
        "max_completion_tokens": 9,
        "temperature": 0.5,
        "top_k": 40,
        "top_p": 0.9,
        "seed": 7,
        "stop": ["END"],
        "repetition_penalty": 1.2,
        "logprobs": True,
        "top_logprobs": 2,
    }


@pytest.mark.parametrize(
    ("choice", "expected"),
    [
        ({"finish_reason": "stop"}, FinishReason.END),
        ({"finish_reason": "length"}, FinishReason.LENGTH),
        ({"finish_reason": "stop", "stop_reason": "END"}, FinishReason.STOP),
        ({"finish_reason": "stop", "matched_stop": "END"}, FinishReason.STOP),
        ({"finish_reason": "stop", "stop_reason": 2}, FinishReason.END),
    ],
)
async def test_end_means_the_same_here(
    ask: Ask, choice: dict[str, object], expected: FinishReason
) -> None:
    """OpenAI says `stop` for two things; the names beside it tell them apart."""

    async def script(_: Asked, reply: Reply) -> None:
        await reply.begin()
        await reply.say("x", **choice)
        await reply.event(
            {"choices": [], "usage": {"prompt_tokens": 1, "completion_tokens": 1}}
        )
        await reply.end()

    async with ask(script) as served:
        pieces, _ = await served.answer()

    assert pieces[-1].finish is expected


async def test_server_without_done_and_with_usage_at_the_end_is_understood(
    ask: Ask,
) -> None:
    """As `transformers serve` does it: the end and the counts in one event."""

    async def script(_: Asked, reply: Reply) -> None:
        await reply.begin()
        await reply.say("yes")
        await reply.event(
            {
                "choices": [{"delta": {}, "finish_reason": "length"}],
                "usage": {
                    "prompt_tokens": 4,
                    "completion_tokens": 1,
                    "prompt_tokens_details": {"cached_tokens": 3},
                },
            }
        )
        await reply.end()

    async with ask(script) as served:
        pieces, answer = await served.answer()

    assert text_of(pieces) == "yes"
    assert pieces[-1].finish is FinishReason.LENGTH
    assert answer.prompt_tokens_cached == 3


async def test_stop_string_that_the_server_shows_is_hidden_here(ask: Ask) -> None:
    """Some servers show it, some go on behind it; all that was generated is counted."""

    async def script(_: Asked, reply: Reply) -> None:
        await reply.begin()
        for text in ("one E", "ND", " two"):
            await reply.say(text)
        await reply.finish("length", usage=(3, 9))

    async with ask(script) as served:
        pieces, answer = await served.answer(Sampling(tokens_max=9, stop=("END",)))

    assert text_of(pieces) == "one "
    assert pieces[-1].finish is FinishReason.STOP
    assert answer.completion_tokens == 9


async def test_log_probabilities_are_passed_on(ask: Ask) -> None:
    """With ids where the server names tokens by id, as vLLM can."""
    content = [
        {
            "token": "token_id:12",
            "logprob": -0.5,
            "top_logprobs": [
                {"token": "token_id:12", "logprob": -0.5},
                {"token": "b", "logprob": -2},
            ],
        }
    ]

    async def script(_: Asked, reply: Reply) -> None:
        await reply.begin()
        await reply.say("a", logprobs={"content": content}, token_ids=[12])
        await reply.finish()

    async with ask(script) as served:
        pieces, _ = await served.answer(Sampling(tokens_max=4, logprobs=2))

    drawn = [one for piece in pieces for one in piece.logprobs]
    assert drawn == [TokenLogprob(12, -0.5, ((12, -0.5), (-1, -2.0)))]
    assert [one for piece in pieces for one in piece.token_ids] == [12]


async def test_server_that_ignores_logprobs_is_not_passed_off_as_one_that_has_them(
    ask: Ask,
) -> None:
    """The caller hears before the first text, and may ask without."""
    async with ask(says_hello) as served:
        with pytest.raises(FieldInvalid) as raised:
            await served.answer(Sampling(tokens_max=4, logprobs=0))

    assert raised.value.metadata["field"] == "generation.sampling.logprobs"


@pytest.mark.parametrize("size", [1, 2, 3, 5, 7, 1000])
async def test_characters_that_are_split_over_chunks_arrive_whole(
    ask: Ask, size: int
) -> None:
    """A chunk of HTTP ends anywhere, within a character of UTF-8 as well."""
    said = json.dumps(
        {"choices": [{"delta": {"content": "Ärzte 😀 naïve"}}]}, ensure_ascii=False
    )

    async def script(_: Asked, reply: Reply) -> None:
        await reply.begin()
        raw = f"data: {said}\r\n\r\n: a comment\r\n\r\n".encode()
        for start in range(0, len(raw), size):
            await reply.send(raw[start : start + size])
            await asyncio.sleep(0)
        await reply.finish()

    async with ask(script) as served:
        pieces, _ = await served.answer()

    assert text_of(pieces) == "Ärzte 😀 naïve"
