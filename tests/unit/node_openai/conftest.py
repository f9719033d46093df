"""An engine whose server a test scripts."""

import contextlib
from collections.abc import AsyncIterator, Callable, Sequence
from pathlib import Path

import pytest

from node.engine.engine import ChatMessage, Sampling
from node.engine.limits import EngineLimits
from node.engine.pieces import Piece
from node.model_settings import UpstreamSettings
from node.openai.engine import UpstreamAnswer, UpstreamEngine
from tests.support.scripted_openai import Script, ScriptedServer, scripted_server

QUESTION = (ChatMessage("user", "Which medicine?"),)
LIMITS = EngineLimits(slots=2, private_slots=1, waiting_max=1)
Ask = Callable[..., "contextlib.AbstractAsyncContextManager[Served]"]


class Served:
    """A scripted server and the engine that asks it."""

    def __init__(self, server: ScriptedServer, engine: UpstreamEngine) -> None:
        self.server = server
        self.engine = engine

    async def begin(self, sampling: Sampling | None = None) -> UpstreamAnswer:
        """Ask the question."""
        return await self.engine.begin(QUESTION, sampling or Sampling(tokens_max=16))

    async def answer(
        self, sampling: Sampling | None = None
    ) -> tuple[list[Piece], UpstreamAnswer]:
        """Ask the question and read the whole answer."""
        answer = await self.begin(sampling)
        return [piece async for piece in answer], answer


@contextlib.asynccontextmanager
async def serving(
    script: Script, *, limits: EngineLimits = LIMITS, **settings: object
) -> AsyncIterator[Served]:
    """Run a scripted server and a started engine."""
    async with scripted_server(script) as server:
        given = {"base_url": server.url, "model": "theirs", "context_tokens_max": 512}
        engine = UpstreamEngine(
            UpstreamSettings.model_validate(given | settings), limits
        )
        await engine.start()
        try:
            yield Served(server, engine)
        finally:
            await engine.stop()


@pytest.fixture
def ask() -> Ask:
    """Return how a test asks a server that it scripts."""
    return serving


@pytest.fixture
def key_file(tmp_path: Path) -> Path:
    """Return a file that holds a key."""
    path = tmp_path / "key"
    path.write_text("sk-very-secret\n", encoding="ascii")
    return path


def text_of(pieces: Sequence[Piece]) -> str:
    """Return what an answer says."""
    return "".join(piece.text for piece in pieces)
