"""What prompts mean is learnt where an encoder is configured, and nowhere else."""

import asyncio
import sys
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest

from federated_router.choice.chooser import LinearChooser
from federated_router.choice.choosing import NO_WISHES, ModelChoice
from federated_router.choice.embedding import Embeddings
from federated_router.choice.opening import open_embeddings
from federated_router.choice.outcomes import Outcomes
from federated_router.choice.settings import ChoiceSettings
from federated_router.kit.clock import ManualClock
from federated_router.kit.config import ConfigurationError
from federated_router.priors.prompt import Prompt, prompt_of
from tests.evaluate.embedded import embedded
from tests.unit.choice.choosers import LARGE, OPTIONS, SMALL
from tests.unit.choice.tiny_encoder import TAME, WILD, WORDS, save

SEEN = WORDS // 2


def prompts(words: tuple[str, ...], count: int, *, seed: int) -> list[Prompt]:
    """Return prompts of six of the words each, drawn by a seed."""
    source = np.random.default_rng(seed)
    return [
        prompt_of([" ".join(source.choice(words, 6, replace=False))])
        for _ in range(count)
    ]


def settings_of(directory: Path | None, **more: object) -> ChoiceSettings:
    """Return settings with an encoder, or without one."""
    embedding = {
        "model": directory,
        "deadline_s": 10.0,
        "waiting_max": 400,
        "batch_max": 100,
    }
    if directory is None:
        return ChoiceSettings.model_validate(more)
    return ChoiceSettings.model_validate({"embedding": embedding, **more})


async def gap(directory: Path | None) -> float:
    """Return by how much more the strong model is preferred at wild prompts.

    The weak model fails at wild ones and not at tame ones. The words that prompts are
    tested with were in none that outcomes are known of.
    """
    chosen = settings_of(directory)
    embeddings = await open_embeddings(chosen.embedding)
    chooser = LinearChooser(chosen, ManualClock(), embeddings=embeddings)
    work = None if embeddings is None else asyncio.create_task(embeddings.run())
    for words, reward in ((WILD, 0.0), (TAME, 1.0)):
        known = prompts(words[:SEEN], 150, seed=1)
        await _look(embeddings, known)
        for prompt in known:
            seen = chooser.see(prompt, "t")
            chooser.learn(SMALL, seen, reward)
            chooser.learn(LARGE, seen, 1.0)
    chooser.solve_changed()
    preferred = []
    for words in (WILD, TAME):
        unknown = prompts(words[SEEN:], 50, seed=2)
        await _look(embeddings, unknown)
        gains = [_gain(chooser, prompt) for prompt in unknown]
        preferred.append(float(np.mean(gains)))
    if work is not None:
        assert not work.done(), work.exception()
        work.cancel()
        await asyncio.gather(work, return_exceptions=True)
    return preferred[0] - preferred[1]


async def _look(embeddings: Embeddings | None, some: Sequence[Prompt]) -> None:
    if embeddings is not None:
        await asyncio.gather(*(embeddings.look(prompt, "t") for prompt in some))


def _gain(chooser: LinearChooser, prompt: Prompt) -> float:
    choice = chooser.choose(prompt, OPTIONS, NO_WISHES, explore=False, tenant="t")
    expected = {one.option.model: one.quality for one in choice.expectations}
    return expected[LARGE] - expected[SMALL]


async def test_meaning_is_learnt_from_words_that_were_never_seen(
    encoder_directory: Path,
) -> None:
    """The use of an embedding: words of like meaning stand for each other."""
    assert await gap(encoder_directory) > 0.15


async def test_words_alone_cannot_tell_what_was_never_seen() -> None:
    """The test above has power: without the encoder new words say nothing."""
    assert abs(await gap(None)) < 0.05


async def test_encoder_that_knows_no_kinds_would_be_seen(tmp_path: Path) -> None:
    """It is the encoder's knowledge that helps, not that there is one."""
    assert abs(await gap(save(tmp_path / "blind", kinds=False))) < 0.05


async def test_outcome_is_learnt_with_the_embedding_that_came_late(
    encoder_directory: Path,
) -> None:
    """A decision went without; the outcome comes later and need not."""
    chosen, clock = settings_of(encoder_directory, outcome_wait_s=60.0), ManualClock()
    embeddings = await open_embeddings(chosen.embedding)
    assert embeddings is not None
    chooser = LinearChooser(chosen, clock, embeddings=embeddings)
    outcomes = Outcomes(chosen, chooser, clock)
    prompt = prompt_of([" ".join(WILD[:4])])
    outcomes.remember("t", "1", SMALL, prompt)
    outcomes.served("t", "1", succeeded=True)
    assert told(chooser, prompt)["embedding"] == 0.0

    work = asyncio.create_task(embeddings.run())
    async with asyncio.timeout(30):
        while not embeddings.remembered:
            await asyncio.sleep(0.005)
    outcomes.settle_all()
    work.cancel()
    await asyncio.gather(work, return_exceptions=True)

    gram = chooser._own[SMALL].sums(clock.monotonic_s()).gram
    place = chosen.embedding_place
    assert gram[place, place] == 1.0
    assert 0.3 < gram[place + 1 :, place + 1 :].trace() < 3.0
    assert told(chooser, prompt)["embedding"] == 1.0


def told(chooser: LinearChooser, prompt: Prompt) -> dict[str, float]:
    """Return the features of a decision by name."""
    choice: ModelChoice = chooser.choose(
        prompt, OPTIONS, NO_WISHES, explore=False, tenant="t"
    )
    return dict(choice.features)


async def test_without_an_encoder_nothing_is_asked_or_kept() -> None:
    """The default costs what it did: no numbers more, and no extra."""
    chosen = settings_of(None)

    assert await open_embeddings(chosen.embedding) is None
    assert chosen.width == chosen.embedding_place
    assert "embedding" not in told(LinearChooser(chosen, ManualClock()), prompt_of([]))


async def test_encoder_without_the_extra_is_refused_in_a_sentence(
    encoder_directory: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whoever configures one must be told what to install."""
    monkeypatch.delitem(sys.modules, "federated_router.choice.encoder", raising=False)
    monkeypatch.delattr("federated_router.choice.encoder", raising=False)
    monkeypatch.setitem(sys.modules, "torch", None)

    with pytest.raises(
        ConfigurationError, match=r"install federated-router\[embedding\]"
    ):
        await open_embeddings(settings_of(encoder_directory).embedding)


def test_evaluation_sees_through_the_encoder(encoder_directory: Path) -> None:
    """An operator with an encoder can measure what it is worth before using it."""
    known = prompts(WILD, 3, seed=1)

    settings, see = embedded(known, encoder_directory)

    chooser = LinearChooser(settings, ManualClock(), see=see)
    chooser.learn(SMALL, chooser.see(known[0]), 1.0)
    chooser.solve_changed()
    assert told(chooser, known[2])["embedding"] == 1.0
