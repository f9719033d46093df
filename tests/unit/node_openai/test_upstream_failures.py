"""What a server's refusals, silences and cuts become, and what leaves with them."""

import asyncio

import pytest
import structlog

from federated_router.kit import errors
from node.engine.engine import Sampling
from node.model_settings import UpstreamSettings
from node.openai.engine import UpstreamEngine
from tests.support.running import eventually
from tests.support.scripted_openai import Asked, Reply
from tests.unit.node_openai.conftest import LIMITS, QUESTION, Ask


def refusing(status: int, content: object = None, **headers: str) -> object:
    """Return a script that refuses."""

    async def script(_: Asked, reply: Reply) -> None:
        await reply.refuse(status, content, **headers)

    return script


TOO_LONG = (
    "This model's maximum context length is 512 tokens. However, you requested 900"
)


@pytest.mark.parametrize(
    ("status", "content", "error"),
    [
        (400, {"error": {"message": "bad"}}, errors.FieldInvalid),
        (422, {"detail": "Unexpected fields"}, errors.FieldInvalid),
        (400, {"error": {"code": "context_length_exceeded"}}, errors.PromptTooLong),
        (400, {"error": {"message": TOO_LONG}}, errors.PromptTooLong),
        (400, {"message": TOO_LONG}, errors.PromptTooLong),
        (400, {"detail": TOO_LONG}, errors.PromptTooLong),
        (413, None, errors.PromptTooLong),
        (404, {"error": {"code": "model_not_found"}}, errors.ModelUnknown),
        (401, {"error": {"message": "Incorrect key: sk-ve"}}, errors.Internal),
        (403, None, errors.Internal),
        (302, None, errors.Internal),
        (204, None, errors.Internal),
        (429, None, errors.QueueFull),
        (503, None, errors.QueueFull),
        (408, None, errors.Unavailable),
        (500, None, errors.Unavailable),
        (502, "<html>", errors.Unavailable),
        (504, None, errors.Unavailable),
    ],
)
async def test_status_becomes_the_error_that_says_what_to_do(
    ask: Ask, status: int, content: object, error: type[errors.FederationError]
) -> None:
    """Correct it, wait, go elsewhere, or tell the operator."""
    async with ask(refusing(status, content)) as served:
        with pytest.raises(error) as raised:
            await served.answer()

    assert type(raised.value) is error


@pytest.mark.parametrize(
    ("param", "field"),
    [
        ("temperature", "generation.sampling.temperature"),
        ("max_tokens", "generation.sampling.tokens_max"),
        ("messages", "generation.messages"),
        ("tools", "generation"),
        ("a prompt's words", "generation"),
        (None, "generation"),
    ],
)
async def test_field_that_the_server_names_is_named_as_ours(
    ask: Ask, param: str | None, field: str
) -> None:
    """A program can then point at it; what is no name is not passed on."""
    told = {"error": {"message": "the prompt's words", "param": param}}
    async with ask(refusing(400, told)) as served:
        with pytest.raises(errors.FieldInvalid) as raised:
            await served.answer()

    assert raised.value.metadata["field"] == field
    assert "words" not in f"{raised.value.message}{raised.value.metadata}"


@pytest.mark.parametrize(
    ("header", "low_s", "high_s"),
    [
        ("7", 7.0, 7.0),
        ("0", 0.0, 0.0),
        ("99999999999999", 3600.0, 3600.0),
        ("-3", 1.0, 1.0),
        ("soon", 1.0, 1.0),
        ("Fri, 31 Dec 9999 23:59:59 +0000", 3600.0, 3600.0),
        ("Thu, 01 Jan 2026 00:00:00 +0000", 0.0, 0.0),
    ],
)
async def test_wait_that_the_server_asks_for_is_told_within_bounds(
    ask: Ask, header: str, low_s: float, high_s: float
) -> None:
    """Retry-After may be seconds or a date (RFC 9110), or rubbish."""
    async with ask(refusing(429, None, retry_after=header)) as served:
        with pytest.raises(errors.QueueFull) as raised:
            await served.answer()

    assert raised.value.retry_after_s is not None
    assert low_s <= raised.value.retry_after_s <= high_s


async def test_refusal_of_any_size_is_read_only_so_far(ask: Ask) -> None:
    """An endless error page takes neither memory nor time."""

    async def script(_: Asked, reply: Reply) -> None:
        await reply.begin(400, kind="text/html")
        while not reply.gone.is_set():
            await reply.send(b"x" * 65536)

    async with ask(script) as served, asyncio.timeout(30):
        with pytest.raises(errors.FieldInvalid):
            await served.answer()


@pytest.mark.parametrize("events", [0, 1])
@pytest.mark.parametrize("orderly", [True, False])
async def test_cut_stream_is_a_failure_and_never_a_short_answer(
    ask: Ask, *, events: int, orderly: bool
) -> None:
    """Whether the body ends or the connection breaks, before or within the answer."""

    async def script(_: Asked, reply: Reply) -> None:
        await reply.begin()
        for number in range(events):
            await reply.say(f"so far {number}")
        if orderly:
            await reply.end()
        else:
            reply.writer.transport.abort()

    async with ask(script) as served:
        with pytest.raises(errors.Unavailable):
            await served.answer()


async def test_silence_ends_the_answer_after_the_idle_time(ask: Ask) -> None:
    """A server that hangs must not hold a slot for ever."""

    async def script(_: Asked, reply: Reply) -> None:
        await reply.begin()
        await reply.say("so far")
        await reply.gone.wait()

    async with ask(script, idle_timeout_s=0.2) as served:
        with pytest.raises(errors.Unavailable, match="too long"):
            await served.answer()
        await eventually(lambda: served.engine.load().running == 0)


@pytest.mark.parametrize("newline", [b"", b"\n"])
async def test_event_without_an_end_is_cut_at_the_limit(
    ask: Ask, newline: bytes
) -> None:
    """One huge line, or lines without end, would fill the node's memory."""

    async def script(_: Asked, reply: Reply) -> None:
        await reply.begin()
        while not reply.gone.is_set():
            await reply.send(b"data: " + b"x" * 1024 + newline)

    async with ask(script, event_bytes_max=4096) as served, asyncio.timeout(30):
        with pytest.raises(errors.Internal):
            await served.answer()


async def test_answer_without_an_end_is_cut_at_the_limit(ask: Ask) -> None:
    """Each event small, all of them too many."""

    async def script(_: Asked, reply: Reply) -> None:
        await reply.begin()
        while not reply.gone.is_set():
            await reply.say("x" * 100)

    async with ask(script, answer_bytes_max=8192) as served, asyncio.timeout(30):
        with pytest.raises(errors.Internal):
            await served.answer()


async def test_other_content_than_events_is_refused(ask: Ask) -> None:
    """A server that cannot stream would be waited for to its end."""

    async def script(_: Asked, reply: Reply) -> None:
        await reply.begin(kind="application/json")
        await reply.send(b"{}")
        await reply.end()

    async with ask(script) as served:
        with pytest.raises(errors.Internal):
            await served.answer()


async def test_server_that_is_away_sends_the_request_elsewhere() -> None:
    """Unavailable is what the router tries another node for."""
    settings = UpstreamSettings.model_validate(
        {"base_url": "http://127.0.0.1:9/v1", "model": "m", "context_tokens_max": 64}
    )
    engine = UpstreamEngine(settings, LIMITS)
    await engine.start()
    try:
        with pytest.raises(errors.Unavailable, match="reached"):
            await engine.probe()
        answer = await engine.begin(QUESTION, Sampling(tokens_max=4))
        with pytest.raises(errors.Unavailable, match="reached"):
            await anext(answer)
    finally:
        await engine.stop()


async def test_refusal_leaves_no_word_of_prompt_or_server_in_the_log(ask: Ask) -> None:
    """What a server says may repeat a prompt or part of a key."""
    told = {"error": {"message": "medicine and sk-very-secret", "code": "bad key!"}}
    with structlog.testing.capture_logs() as logged:
        async with ask(refusing(401, told)) as served:
            with pytest.raises(errors.Internal) as raised:
                await served.answer()

    assert logged
    assert "medicine" not in f"{logged}{raised.value.message}{raised.value.metadata}"
    assert "secret" not in f"{logged}{raised.value.message}{raised.value.metadata}"
