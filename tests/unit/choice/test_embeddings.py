"""Embeddings come in time or are done without, and what is kept has limits."""

import asyncio
import threading
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

import numpy as np
import pytest
from prometheus_client import REGISTRY

from federated_router.choice.embedding import Embeddings
from federated_router.choice.projection import Reals
from federated_router.choice.settings import EmbeddingSettings
from federated_router.priors.prompt import Prompt, prompt_of

ONE, TWO = prompt_of(["one"]), prompt_of(["two"])


class Slow:
    """Embeds when it is let, and notes texts and threads."""

    def __init__(self, features: int) -> None:
        """Wait for `go`."""
        self.go = threading.Event()
        self.begun = threading.Event()
        self.texts: list[list[str]] = []
        self.thread = ""
        self.error: Exception | None = None
        self._features = features

    def __call__(self, texts: Sequence[str]) -> Reals:
        """Return a row of each text's length."""
        self.texts.append(list(texts))
        self.thread = threading.current_thread().name
        self.begun.set()
        assert self.go.wait(30)
        if self.error is not None:
            raise self.error
        return np.array(
            [[float(len(text))] * self._features for text in texts], dtype=np.float32
        )


@asynccontextmanager
async def running(
    directory: Path, **settings: object
) -> AsyncIterator[tuple[Embeddings, Slow]]:
    """Yield embeddings at work, and the encoder that they wait for."""
    chosen = EmbeddingSettings.model_validate(
        {"model": directory, "features": 8, "deadline_s": 10.0, **settings}
    )
    slow = Slow(chosen.features)
    embeddings = Embeddings(chosen, slow)
    task = asyncio.create_task(embeddings.run())
    try:
        yield embeddings, slow
    finally:
        slow.go.set()
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


def known(embeddings: Embeddings, prompt: Prompt, tenant: str = "t") -> Reals | None:
    """Return what is remembered of a prompt."""
    return embeddings.known(embeddings.key(prompt, tenant))


def counted(outcome: str) -> float:
    """Return how many embeddings ended so, by the metric."""
    name = "federated_router_embeddings_total"
    return REGISTRY.get_sample_value(name, {"outcome": outcome}) or 0.0


async def until(event: threading.Event) -> None:
    """Wait for something that happens in another thread."""
    async with asyncio.timeout(30):
        while not event.is_set():
            await asyncio.sleep(0.005)


async def test_embedding_is_made_in_a_thread_and_remembered(
    encoder_directory: Path,
) -> None:
    """The event loop goes on; the same prompt again takes nothing."""
    async with running(encoder_directory) as (embeddings, slow):
        looking = asyncio.create_task(embeddings.look(ONE, "t"))
        await until(slow.begun)
        assert not looking.done()
        slow.go.set()
        await looking
        found = known(embeddings, ONE)
        await embeddings.look(ONE, "t")

    assert found is not None
    assert found.tolist() == [3.0] * 8
    assert slow.thread.startswith("embedding")
    assert slow.texts == [["one"]]


async def test_decision_goes_without_what_is_late_and_the_outcome_has_it(
    encoder_directory: Path,
) -> None:
    """An encoder that is slow must not hold requests up."""
    before = counted("late")
    async with running(encoder_directory, deadline_s=0.01) as (embeddings, slow):
        async with asyncio.timeout(5):
            await embeddings.look(ONE, "t")
        assert known(embeddings, ONE) is None
        assert counted("late") == before + 1

        slow.go.set()
        async with asyncio.timeout(30):
            while known(embeddings, ONE) is None:
                await asyncio.sleep(0.005)


async def test_no_more_prompts_wait_than_may(encoder_directory: Path) -> None:
    """Of four places, outcomes take two; beyond them nobody waits at all."""
    before = counted("no_room")
    async with running(encoder_directory, waiting_max=4, batch_max=1) as (
        embeddings,
        slow,
    ):
        embeddings.want(prompt_of(["at work"]), "t")
        await until(slow.begun)
        for number in range(5):
            embeddings.want(prompt_of([f"wanted {number}"]), "t")
        assert counted("no_room") == before + 3
        looks = [
            asyncio.create_task(embeddings.look(prompt_of([f"asked {number}"]), "t"))
            for number in range(5)
        ]
        await asyncio.sleep(0)
        assert counted("no_room") == before + 6
        assert sum(one.done() for one in looks) == 3
        slow.go.set()
        await asyncio.gather(*looks)

    assert len(slow.texts) == 5


async def test_prompts_that_wait_are_embedded_together(encoder_directory: Path) -> None:
    """A batch of texts takes less than each alone; the same text is asked for once."""
    async with running(encoder_directory, batch_max=3) as (embeddings, slow):
        embeddings.want(ONE, "t")
        await until(slow.begun)
        for number in (0, 1, 2, 3, 3):
            embeddings.want(prompt_of([str(number)]), "t")
        slow.go.set()
        async with asyncio.timeout(30):
            while embeddings.remembered < 5:
                await asyncio.sleep(0.005)

    assert slow.texts == [["one"], ["0", "1", "2"], ["3"]]


async def test_memory_is_bounded_and_the_longest_unused_is_forgotten(
    encoder_directory: Path,
) -> None:
    """64 KiB hold 227 embeddings of 8 numbers; the first stays where it is used."""
    async with running(encoder_directory, cache_bytes_max=1 << 16) as (
        embeddings,
        slow,
    ):
        slow.go.set()
        for number in range(300):
            await embeddings.look(prompt_of([str(number)]), "t")
            assert known(embeddings, prompt_of(["0"])) is not None

    assert embeddings.remembered == (1 << 16) // (4 * 8 + 256)
    assert known(embeddings, prompt_of(["1"])) is None


async def test_what_one_tenant_asked_takes_another_as_long_as_anything(
    encoder_directory: Path,
) -> None:
    """Else a tenant could learn by the time whether another sent a text."""
    async with running(encoder_directory) as (embeddings, slow):
        slow.go.set()
        await embeddings.look(ONE, "t")

        assert known(embeddings, ONE, "other") is None
        await embeddings.look(ONE, "other")

    assert slow.texts == [["one"], ["one"]]
    assert embeddings.key(ONE, "t") != Embeddings(embeddings._settings, slow).key(
        ONE, "t"
    )


@pytest.mark.parametrize("error", [ValueError("not finite"), RuntimeError("torch")])
async def test_text_that_cannot_be_embedded_ends_neither_router_nor_the_next(
    encoder_directory: Path, error: Exception
) -> None:
    """Decisions go without; nobody waits for what does not come."""
    async with running(encoder_directory) as (embeddings, slow):
        slow.error = error
        slow.go.set()
        async with asyncio.timeout(5):
            await embeddings.look(ONE, "t")
        assert known(embeddings, ONE) is None

        slow.error = None
        await embeddings.look(TWO, "t")
        assert known(embeddings, TWO) is not None


async def test_no_text_is_kept_once_it_was_read(encoder_directory: Path) -> None:
    """Digests and numbers are: nobody reads prompts out of a router's memory."""
    async with running(encoder_directory) as (embeddings, slow):
        slow.go.set()
        await embeddings.look(prompt_of(["what Anna earns"]), "t")

    assert "Anna" not in repr(vars(embeddings))
