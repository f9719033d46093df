"""Where the key and the prompts of an upstream go, and where never."""

import asyncio
from pathlib import Path

import pytest
import structlog
from pydantic import ValidationError

from federated_router.kit import errors
from node.model_settings import UpstreamSettings
from node.openai.engine import UpstreamEngine
from tests.support.scripted_openai import Asked, Reply
from tests.unit.node_openai.conftest import LIMITS, Ask


async def answers(_: Asked, reply: Reply) -> None:
    """Answer at once."""
    await reply.begin()
    await reply.say("yes")
    await reply.finish()


async def test_key_reaches_the_server_and_nobody_else(ask: Ask, key_file: Path) -> None:
    """It stands in no repr and no log, whatever happens."""
    with structlog.testing.capture_logs() as logged:
        async with ask(answers, api_key_file=key_file) as served:
            await served.answer()
            (asked,) = served.server.asked
            shown = f"{served.engine!r}{vars(served.engine)}{served.engine._client!r}"
            shown += f"{vars(served.engine._client)}{served.engine.facts()}{logged}"

    assert asked.headers["authorization"] == "Bearer sk-very-secret"
    assert "secret" not in shown


async def test_redirect_gets_neither_prompt_nor_key(ask: Ask, key_file: Path) -> None:
    """Whoever answers in the server's place must not choose where the key goes."""
    async with ask(answers) as other:

        async def redirects(_: Asked, reply: Reply) -> None:
            await reply.refuse(307, None, location=f"{other.server.url}/stolen")

        async with ask(redirects, api_key_file=key_file) as served:
            with pytest.raises(errors.Internal):
                await served.answer()

        assert other.server.asked == []


@pytest.mark.parametrize(
    ("settings", "path"),
    [({}, "/v1/models"), ({"health_path": "/health?deep=1"}, "/health?deep=1")],
)
async def test_probe_asks_the_same_server_whether_it_is_there(
    ask: Ask, key_file: Path, settings: dict[str, str], path: str
) -> None:
    """Under the key, because a server that refuses it is as good as away."""

    async def script(asked: Asked, reply: Reply) -> None:
        await reply.refuse(200 if asked.path == path else 500)

    async with ask(script, api_key_file=key_file, **settings) as served:
        await served.engine.probe()
        (asked,) = served.server.asked

    assert (asked.method, asked.path) == ("GET", path)
    assert asked.headers["authorization"] == "Bearer sk-very-secret"


@pytest.mark.parametrize("status", [401, 404, 500, 503])
async def test_probe_fails_where_no_request_could_begin(ask: Ask, status: int) -> None:
    """The node then offers the model to nobody."""

    async def script(_: Asked, reply: Reply) -> None:
        await reply.refuse(status)

    async with ask(script) as served:
        with pytest.raises(errors.FederationError):
            await served.engine.probe()


async def test_probe_of_a_server_that_hangs_ends_in_time(ask: Ask) -> None:
    """Twice the time that a connection may take."""

    async def script(_: Asked, reply: Reply) -> None:
        await reply.gone.wait()

    async with ask(script, connect_timeout_s=0.1) as served, asyncio.timeout(30):
        with pytest.raises(errors.Unavailable):
            await served.engine.probe()


@pytest.mark.parametrize("content", [b"", b"\n", b"two keys", b"a\nb", b"\xff", None])
async def test_file_that_holds_no_key_keeps_the_node_from_starting(
    tmp_path: Path, content: bytes | None
) -> None:
    """With a sentence, which does not show the file's content."""
    path = tmp_path / "key"
    if content is not None:
        path.write_bytes(content)
    settings = UpstreamSettings.model_validate(
        {
            "base_url": "http://localhost/v1",
            "model": "m",
            "context_tokens_max": 64,
            "api_key_file": path,
        }
    )

    with pytest.raises(ValueError, match="api_key_file") as raised:
        await UpstreamEngine(settings, LIMITS).start()

    assert "two" not in str(raised.value)


@pytest.mark.parametrize(
    ("url", "extra", "sound"),
    [
        ("https://models.example/v1", {}, True),
        ("http://127.0.0.1:8000/v1", {}, True),
        ("http://[::1]:8000/v1", {}, True),
        ("http://models.example/v1", {}, False),
        ("http://models.example/v1", {"plain_http": True}, True),
        ("https://user:word@models.example/v1", {}, False),
        ("ftp://models.example/v1", {}, False),
    ],
)
def test_prompts_leave_the_machine_over_tls_unless_somebody_says_otherwise(
    url: str, extra: dict[str, object], *, sound: bool
) -> None:
    """The default is the safe one, and a password in a URL ends up in logs."""
    given = {"base_url": url, "model": "m", "context_tokens_max": 64} | extra
    try:
        UpstreamSettings.model_validate(given)
    except ValidationError:
        assert not sound
    else:
        assert sound
