"""Tokens per second of a node's engine, beside plain `transformers.generate`.

The same prompts, greedy, one thread; the two take turns and figures are medians. With
answers of mixed length a static batch waits for its longest answer.
"""

import asyncio
import random
import time
from collections.abc import Sequence
from itertools import cycle
from pathlib import Path
from statistics import median

import torch

from federated_router.cli.models import ensure_models
from federated_router.kit import log
from node.engine.engine import ChatMessage
from node.engine.transformers_engine import TransformersEngine
from node.reference import corpus
from tests.bench.engine_load import (
    POLICY,
    Answered,
    answer_all,
    answer_privately,
    served_model,
)
from tests.bench.figures import Sheet
from tests.bench.generate_peer import GeneratePeer, Ids

MODEL = "reference-large"
MODELS = Path("build/models")
TURNS = 3
TOKENS_MAX = 96
LONG_EVERY = 4
REQUESTS = {1: 12, 8: 48, 32: 96}
PRIVATE_REQUESTS = 4
PRIVATE_QUESTION = "What is the patient taking?"


def measure(sheet: Sheet, _: Path) -> None:
    """Measure into `sheet`; the model is trained first where there is none."""
    log.configure(level="warning", form="text", daemon="bench")
    directory = ensure_models(MODELS, print)[MODEL]
    torch.set_num_threads(1)
    asyncio.run(_measure(sheet, directory))


async def _measure(sheet: Sheet, directory: Path) -> None:
    peer = GeneratePeer.load(directory)
    async with served_model(directory, policies=[POLICY]) as served:
        for callers, requests in REQUESTS.items():
            prompts = _prompts(served.engine, requests)
            await _compare(sheet, served.engine, peer, prompts, callers)
        records = [corpus.note(random.Random(seed)) for seed in range(32)]  # noqa: S311
        questions = [PRIVATE_QUESTION] * PRIVATE_REQUESTS
        private = [
            await answer_privately(served, questions, records) for _ in range(TURNS)
        ]
    rate = median(one.tokens_per_s for one in private)
    sheet.record("node.private_tokens_per_s.c1", rate, "1/s")
    first_ms = median(value for one in private for value in one.first_token_ms)
    sheet.record("node.private_first_token_ms.c1", first_ms, "ms")


async def _compare(
    sheet: Sheet,
    engine: TransformersEngine,
    peer: GeneratePeer,
    prompts: Sequence[Ids],
    callers: int,
) -> None:
    ours: list[Answered] = []
    theirs: list[Answered] = []
    for _ in range(TURNS):
        ours.append(
            await answer_all(engine, prompts, callers=callers, tokens_max=TOKENS_MAX)
        )
        theirs.append(_generated(peer, prompts, batch=callers))
    suffix = f"c{callers}"
    mine = median(one.tokens_per_s for one in ours)
    other = median(one.tokens_per_s for one in theirs)
    ratio = median(
        one.tokens_per_s / two.tokens_per_s
        for one, two in zip(ours, theirs, strict=True)
    )
    sheet.record(f"node.tokens_per_s.{suffix}", mine, "1/s")
    sheet.record(f"peer.generate.tokens_per_s.{suffix}", other, "1/s")
    sheet.record(f"node.ratio_to_generate.{suffix}", ratio, "ratio")
    first_ms = [value for one in ours for value in one.first_token_ms]
    sheet.record(f"node.first_token_ms_p50.{suffix}", median(first_ms), "ms")
    same = sum(a == b for a, b in zip(ours[0].answers, theirs[0].answers, strict=True))
    sheet.record(f"node.equal_answers.{suffix}", same / len(prompts), "ratio")


def _generated(peer: GeneratePeer, prompts: Sequence[Ids], *, batch: int) -> Answered:
    begin_s = time.perf_counter()
    answers = peer.answers(prompts, batch=batch, tokens_max=TOKENS_MAX)
    return Answered(tuple(answers), time.perf_counter() - begin_s, ())


def _prompts(engine: TransformersEngine, count: int) -> list[Ids]:
    """Return prompts of the model's own world; every so many want a long answer."""
    short, long = cycle(corpus.public_questions()), cycle(corpus.long_prompts())
    texts = (
        next(long) if number % LONG_EVERY == 0 else next(short)
        for number in range(count)
    )
    return [tuple(engine.prompt_ids([ChatMessage("user", text)])) for text in texts]
